//! Sorting JSON against parse, sort, serialise.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and says where")]

use std::cmp::Ordering;

use proptest::prelude::*;
use serde_json::{Map, Value};
use tombolo_kernels::json::{Direction, Key, NESTING_MAX, sort_json};
use tombolo_kernels::{KernelError, Work};

/// What stands at a path, as the module documents it.
fn key_of<'v>(row: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(row, |value, name| value.as_object()?.get(*name)).filter(|value| !value.is_null())
}

fn class(value: Option<&Value>) -> u8 {
    match value {
        None | Some(Value::Null) => 0,
        Some(Value::Number(_)) => 1,
        Some(Value::String(_)) => 2,
        Some(Value::Bool(false)) => 3,
        Some(Value::Bool(true)) => 4,
        Some(Value::Array(_) | Value::Object(_)) => 5,
    }
}

fn compare(left: Option<&Value>, right: Option<&Value>) -> Ordering {
    class(left).cmp(&class(right)).then_with(|| match (left, right) {
        (Some(Value::Number(left)), Some(Value::Number(right))) => {
            left.as_f64().unwrap().partial_cmp(&right.as_f64().unwrap()).unwrap()
        }
        (Some(Value::String(left)), Some(Value::String(right))) => left.as_bytes().cmp(right.as_bytes()),
        _ => Ordering::Equal,
    })
}

fn check(text: &str, path: &[&str], direction: Direction) {
    let mut expected: Vec<(usize, Value)> =
        serde_json::from_str::<Vec<Value>>(text).unwrap().into_iter().enumerate().collect();
    expected.sort_by(|(_, left), (_, right)| {
        let order = compare(key_of(left, path), key_of(right, path));
        if direction == Direction::Descending { order.reverse() } else { order }
    });
    let key = Key::parse(&path.join(".")).unwrap();
    let sorted = sort_json(text.as_bytes(), &key, direction, &Work::ALONE).unwrap();
    let permutation = sorted.permutation().iter().map(|row| *row as usize);
    assert_eq!(
        permutation.collect::<Vec<_>>(),
        expected.iter().map(|(row, _)| *row).collect::<Vec<_>>(),
        "{text}"
    );
    let bytes = sorted.to_vec(text.as_bytes(), &Work::ALONE).unwrap();
    assert_eq!(bytes.len(), sorted.bytes_len());
    let values = serde_json::from_slice::<Vec<Value>>(&bytes).unwrap();
    assert!(values.iter().eq(expected.iter().map(|(_, value)| value)));
    for (row, (start, end)) in sorted.starts().iter().zip(sorted.ends()).enumerate() {
        let row_text = &text[*start as usize..*end as usize];
        let at = expected.iter().position(|(at, _)| *at == row).unwrap();
        assert_eq!(serde_json::from_str::<Value>(row_text).unwrap(), expected[at].1);
    }
}

fn scalars() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-50_i64..50).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-1000_i32..1000).prop_map(|value| Value::from(f64::from(value) / 100.0)),
        ".{0,20}".prop_map(Value::from),
        "(common-prefix-of-some-length-)?[ab]{0,9}\\PC{0,3}".prop_map(Value::from),
        "[\"\\\\/\u{0}-\u{1f}é€😀a]{0,6}".prop_map(Value::from),
    ]
}

fn values() -> impl Strategy<Value = Value> {
    scalars().prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("k|b|[a-c]{1,2}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Rows, most of which have a member `k`.
fn rows() -> impl Strategy<Value = Vec<Value>> {
    let row = (prop::collection::btree_map("[a-c]{1,2}|größe", values(), 0..4), prop::option::of(values()));
    let row = row.prop_map(|(members, key)| {
        let members = members.into_iter().chain(key.map(|key| ("k".to_owned(), key)));
        Value::Object(members.collect::<Map<_, _>>())
    });
    prop::collection::vec(row, 0..40)
}

/// The text of a value with white space wherever it may be.
fn spaced(value: &Value, space: &mut impl FnMut() -> &'static str) -> String {
    let text = match value {
        Value::Array(values) => {
            let inner = values.iter().map(|value| spaced(value, space)).collect::<Vec<_>>().join(",");
            format!("[{}{inner}]", space())
        }
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                format!("{}{}{}:{}", space(), Value::from(name.as_str()), space(), spaced(value, space))
            };
            let inner = members.iter().map(member).collect::<Vec<_>>().join(",");
            format!("{{{}{inner}}}", space())
        }
        scalar => scalar.to_string(),
    };
    format!("{}{text}{}", space(), space())
}

proptest! {
    #[test]
    fn equals_parse_sort_serialise(rows in rows(), spaces in any::<Vec<u8>>(), descending in any::<bool>()) {
        let mut at = 0;
        let mut space = || {
            at += 1;
            [" ", "", "", "\n\t", "", "\r\n  ", ""][spaces.get(at % (spaces.len() + 1)).map_or(1, |at| *at as usize % 7)]
        };
        let text = spaced(&Value::from(rows), &mut space);
        let direction = if descending { Direction::Descending } else { Direction::Ascending };
        check(&text, &["k"], direction);
        check(&text, &["k", "b"], direction);
        check(&text, &["größe"], direction);
    }

    #[test]
    fn what_serde_refuses_is_refused(rows in rows(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut text = Value::from(rows).to_string().into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        let key = Key::parse("k").unwrap();
        let ours = sort_json(&text, &key, Direction::Ascending, &Work::ALONE);
        match serde_json::from_slice::<Value>(&text) {
            Ok(Value::Array(rows)) if rows.iter().all(Value::is_object) => prop_assert!(ours.is_ok()),
            Ok(_) => prop_assert!(matches!(ours, Err(KernelError::NotRows { .. })), "{ours:?}"),
            // Serde refuses two things that JSON.parse and this accept.
            Err(error) if error.to_string().contains("number out of range") => {}
            Err(error) if error.to_string().contains("surrogate") => {}
            Err(error) if error.to_string().contains("unexpected end of hex escape") => {}
            Err(error) => prop_assert!(ours.is_err(), "{error}: {}", String::from_utf8_lossy(&text)),
        }
    }

    #[test]
    fn many_strings_are_sorted(count in 1_usize..3000, of in prop::collection::vec("a{0,30}[a-c\u{0}]{0,12}", 1..200)) {
        let strings = (0..count).map(|at| &of[at * 7919 % of.len()]);
        let rows = strings.map(|text| Value::from(Map::from_iter([("k".to_owned(), Value::from(text.as_str()))])));
        check(&Value::from(rows.collect::<Vec<_>>()).to_string(), &["k"], Direction::Ascending);
    }
}

#[test]
fn the_last_of_equal_names_counts() {
    check(
        r#"[{"k":2,"k":5},{"k":3},{"k":1,"k":null},{"a":{"b":9},"k":{},"k":4}]"#,
        &["k"],
        Direction::Ascending,
    );
    check(
        r#"[{"k":{"b":1},"k":{"b":3}},{"k":{"b":2}},{"k":{"b":0},"k":7}]"#,
        &["k", "b"],
        Direction::Ascending,
    );
}

#[test]
fn escaped_names_and_keys_are_read() {
    check(
        r#"[{"\u006b":"b\u0041"},{"k":"b"},{"k":"\u0062A\u0000"},{"k":"bA"}]"#,
        &["k"],
        Direction::Ascending,
    );
}

#[test]
fn rows_are_read_whether_or_not_they_look_like_the_one_before() {
    let wide = |key: usize| {
        // More members than are remembered, and names longer than are compared.
        let members = (0..90).map(|at| format!(r#""{}{at}":[{at}]"#, "n".repeat(at % 23)));
        format!(r#"{{{},"k":{key}}}"#, members.collect::<Vec<_>>().join(","))
    };
    let rows = (0..400_usize).map(|at| match (at * 7919) % 13 {
        0 => wide(at % 17),
        1 => format!(r#"{{"k":{},"a":1}}"#, at % 19),
        2 => format!(r#"{{ "a" : true , "k" :  {} }}"#, at % 19),
        3 => format!(r#"{{"a":"k","k":{{"k":1}},"k":{}}}"#, at % 19),
        4 => "{}".to_owned(),
        5 => r#"{"a":false}"#.to_owned(),
        6 => format!(r#"{{"a":1,"k ":9,"k":"{}"}}"#, at % 5),
        _ => format!(r#"{{"a":true,"k":{},"kk":0}}"#, at % 19),
    });
    let text = format!("[{}]", rows.collect::<Vec<_>>().join(","));
    check(&text, &["k"], Direction::Ascending);
    check(&text, &["k"], Direction::Descending);
    check(&text, &["k", "k"], Direction::Ascending);
    // What was right of one row is not of the next.
    for wrong in [r#"{"a":1,"k"}"#, r#"{"a":1,"k":}"#, r#"{"a":1 "k":2}"#, r#"{,"k":2}"#, r#"{"a":1,"k":2,}"#]
    {
        let text = format!(r#"[{{"a":1,"k":2}},{{"a":1,"k":3}},{wrong},{{"a":1,"k":4}}]"#);
        let result =
            sort_json(text.as_bytes(), &Key::parse("k").unwrap(), Direction::Ascending, &Work::ALONE);
        assert!(matches!(result, Err(KernelError::Json { .. })), "{wrong}");
    }
}

#[test]
fn surrogates_that_stand_alone_are_ordered_by_number() {
    let text = r#"[{"k":"\ue000"},{"k":"\ud800"},{"k":"\ud7ff"},{"k":"\ud83d\ude00"}]"#;
    let sorted =
        sort_json(text.as_bytes(), &Key::parse("k").unwrap(), Direction::Ascending, &Work::ALONE).unwrap();
    assert_eq!(sorted.permutation(), [2, 1, 0, 3]);
}

#[test]
fn what_is_no_array_of_objects_is_told_from_what_is_no_json() {
    let check = |text: &str, expected: KernelError| {
        let key = Key::parse("k").unwrap();
        assert_eq!(
            sort_json(text.as_bytes(), &key, Direction::Ascending, &Work::ALONE).unwrap_err(),
            expected,
            "{text}"
        );
    };
    let not_rows = |offset, reason| KernelError::NotRows { offset, reason };
    let json = |offset, reason| KernelError::Json { offset, reason };
    check("{}", not_rows(0, "expected an array of objects"));
    check(" 7", not_rows(1, "expected an array of objects"));
    check("[{},3]", not_rows(4, "expected every row to be an object"));
    check("", json(0, "expected an array"));
    check("[", json(1, "expected a row"));
    check("[{}", json(3, "expected a comma or the end of the array"));
    check("[{},]", json(4, "expected a row"));
    check("[{}]x", json(4, "expected nothing after the array"));
    check(r#"[{"k" 1}]"#, json(6, "expected a colon"));
    check(r#"[{k:1}]"#, json(2, "expected a name in quotes"));
    check(r#"[{"k":1,}]"#, json(8, "expected a name in quotes"));
    check(r#"[{"k":01}]"#, json(7, "expected a comma or the end of the object"));
    check(r#"[{"k":1.}]"#, json(8, "expected a digit"));
    check(r#"[{"k":-}]"#, json(7, "expected a digit"));
    check(r#"[{"k":1e+}]"#, json(9, "expected a digit"));
    check(r#"[{"k":tru}]"#, json(9, "expected true, false or null"));
    check(r#"[{"k":}]"#, json(6, "expected a value"));
    check(r#"[{"k":[1 2]}]"#, json(9, "expected a comma or the end of the array"));
    check(r#"[{"k":"\x"}]"#, json(8, "no such escape"));
    check(r#"[{"k":"\u12g4"}]"#, json(11, "expected four hexadecimal digits"));
    check("[{\"k\":\"a\nb\"}]", json(8, "a control character in a string must be escaped"));
    check(r#"[{"k":"abc"#, json(10, "the text ends within a string"));
    let key = Key::parse("k").unwrap();
    let cut = sort_json(b"[{\"k\":\"ab\xE2\x82\"}]", &key, Direction::Ascending, &Work::ALONE);
    assert_eq!(cut.unwrap_err(), json(9, "the bytes are not UTF-8"));
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("[{{\"a\":{}{}}}]", "[".repeat(depth - 2), "]".repeat(depth - 2));
    let sort = |text: &str| {
        sort_json(text.as_bytes(), &Key::parse("k").unwrap(), Direction::Ascending, &Work::ALONE)
    };
    assert!(sort(&nested(NESTING_MAX)).is_ok());
    let reason = "nested more than 512 deep";
    let offset = 4 + NESTING_MAX;
    assert_eq!(sort(&nested(NESTING_MAX + 1)).unwrap_err(), KernelError::Json { offset, reason });
    let open = format!("[{{\"a\":{}", "{\"a\":[".repeat(1_000_000));
    assert!(matches!(sort(&open), Err(KernelError::Json { reason: "nested more than 512 deep", .. })));
}

#[test]
fn every_cut_of_a_text_is_refused() {
    let text = r#" [ {"k" : [1.5e-3, true, null, {"x":"y\n\u00e9é"}], "a":{}} , {"k":"z"} ] "#;
    for cut in 0..text.trim_end().len() {
        let cut_text = &text.as_bytes()[..cut];
        let result = sort_json(cut_text, &Key::parse("k").unwrap(), Direction::Ascending, &Work::ALONE);
        assert!(matches!(result, Err(KernelError::Json { offset, .. }) if offset <= cut), "{cut}");
    }
    check(text, &["k"], Direction::Ascending);
}

#[test]
fn no_rows_are_sorted_too() {
    for text in ["[]", " [ ] ", "[{}]"] {
        check(text, &["k"], Direction::Descending);
    }
}
