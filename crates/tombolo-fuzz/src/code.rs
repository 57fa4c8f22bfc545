//! Code that is deployed, and data that kernels are given.

use serde_json::Value;
use tombolo_kernels::Work;
use tombolo_kernels::json::{Direction, Key, sort_json as sort};
use tombolo_runtime::inspect;

/// Whatever the bytes are, they are inspected or refused; nothing is compiled.
pub fn wasm(bytes: &[u8]) {
    let Ok(binary) = inspect::binary(bytes) else { return };
    if inspect::inspect(&binary).is_ok() {
        inspect::abi(&binary);
    }
    // What is renamed was valid, and still is.
    if let Ok(released) = tombolo_cap_wasi::candidate::released(&binary) {
        inspect::inspect(&released).expect("names are all that was changed");
    }
}

/// Whatever bytes are to be sorted: what serde reads as rows is sorted to the same rows, in order of numbers; what it
/// refuses is refused, but for two things that `JSON.parse` accepts. `-` before the text sorts downwards.
pub fn sort_json(bytes: &[u8]) {
    let (descending, text) = match bytes.strip_prefix(b"-") {
        Some(text) => (true, text),
        None => (false, bytes),
    };
    let key = Key::parse("a").expect("a name is a path");
    let direction = if descending { Direction::Descending } else { Direction::Ascending };
    let sorted = sort(text, &key, direction, &Work::ALONE);
    let rows = match serde_json::from_slice::<Vec<Value>>(text) {
        Ok(rows) if rows.iter().all(Value::is_object) => rows,
        Ok(_) => return assert!(sorted.is_err()),
        Err(error) => {
            let text = error.to_string();
            let accepted = ["out of range", "surrogate", "hex escape", "recursion"];
            return assert!(sorted.is_err() || accepted.iter().any(|part| text.contains(part)), "{text}");
        }
    };
    let sorted = sorted.expect("serde read it");
    let bytes = sorted.to_vec(text, &Work::ALONE).expect("there is room for as much again");
    let back = serde_json::from_slice::<Vec<Value>>(&bytes).expect("rows that were read are read again");
    let order = sorted.permutation().iter().map(|row| &rows[*row as usize]);
    assert!(order.eq(&back));
    let numbers = back.iter().filter_map(|row| row.get("a")?.as_f64()).collect::<Vec<_>>();
    let is_before = |left: &f64, right: &f64| if descending { left >= right } else { left <= right };
    assert!(numbers.is_sorted_by(is_before));
}
