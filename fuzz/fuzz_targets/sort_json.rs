//! Whatever bytes are to be sorted: what serde reads as rows is sorted to the same rows, in order of
//! numbers; what it refuses is refused, but for two things that `JSON.parse` accepts.
#![no_main]

use serde_json::Value;
use tombolo_kernels::Work;
use tombolo_kernels::json::{Direction, Key, sort_json};

libfuzzer_sys::fuzz_target!(|input: (bool, &[u8])| {
    let (descending, text) = input;
    let key = Key::parse("a").expect("a name is a path");
    let direction = if descending { Direction::Descending } else { Direction::Ascending };
    let sorted = sort_json(text, &key, direction, &Work::ALONE);
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
});
