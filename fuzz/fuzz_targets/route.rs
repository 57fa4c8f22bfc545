//! Whatever a route and a path are, the route is a pattern or a message, and a pattern can be asked.
#![no_main]

use tombolo_model::route::{Pattern, Route, Table};

libfuzzer_sys::fuzz_target!(|input: (&str, &str)| {
    let (text, path) = input;
    let Ok(pattern) = text.parse::<Pattern>() else { return };
    assert_eq!(pattern.to_string().parse().as_ref(), Ok(&pattern));
    let table = Table::new([Route { host: None, pattern, target: () }]).expect("one route conflicts with none");
    if let Some((pattern, ())) = table.find("localhost", path) {
        pattern.captures(path).count();
        assert!(path.ends_with(pattern.rest_of(path)));
    }
});
