//! Every target of fuzzing, with bytes that are made from real files: cut, spliced, repeated, with other numbers.
//!
//! There is no instrumentation, so these find what a careless parser does, not what a search of hours would. The same
//! bytes are tried each time. `FUZZ_SEED=2 FUZZ_ROUNDS=100 cargo test -p tombolo-fuzz` tries others, and more.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and says where")]

mod change;
mod seeds;

use std::panic::{AssertUnwindSafe, catch_unwind};

use change::Change;

/// A number of the environment.
fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name}: a number")))
}

/// Tries the seeds, and so many other texts made from them. A parser that overflows its stack ends the process: the
/// name of its test is that of the thread that is told then.
fn attempt(name: &str, target: fn(&[u8]), seeds: &[Vec<u8>], cases: u64) {
    assert!(!seeds.is_empty(), "{name} has no seeds");
    let seed = number("FUZZ_SEED", 1);
    let mut change = Change::new(seed, seeds);
    let made = (0..cases * number("FUZZ_ROUNDS", 1)).map(|_| change.next());
    for (case, bytes) in seeds.iter().cloned().chain(made).enumerate() {
        let done = catch_unwind(AssertUnwindSafe(|| target(&bytes)));
        assert!(done.is_ok(), "{name}: case {case} of FUZZ_SEED={seed} breaks it:\n{}", bytes.escape_ascii());
    }
}

macro_rules! targets {
    ($($name:ident: $cases:literal,)*) => {
        /// The names of all targets.
        const NAMES: &[&str] = &[$(stringify!($name)),*];

        $(
            #[test]
            fn $name() {
                attempt(stringify!($name), tombolo_fuzz::$name, &seeds::$name(), $cases);
            }
        )*
    };
}

// So many that each takes a second or two, unoptimised.
targets! {
    addresses: 4000,
    authority: 8000,
    bodies: 6000,
    certificates: 2000,
    file_path: 10000,
    manifest: 1500,
    names: 4000,
    negotiation: 6000,
    node_toml: 3000,
    outbound: 8000,
    range: 10000,
    redis: 5000,
    release: 3000,
    route: 8000,
    runtime_config: 3000,
    sort_json: 4000,
    template: 1500,
    token: 10000,
    wasm: 1500,
}

/// `fuzz/` has each of them, under the same name, and no other.
#[test]
fn libfuzzer_has_the_same_targets() {
    let fuzz = seeds::root().join("fuzz");
    let files = std::fs::read_dir(fuzz.join("fuzz_targets")).unwrap();
    let mut found: Vec<String> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .map(|name| name.strip_suffix(".rs").unwrap().to_owned())
        .collect();
    found.sort();
    assert_eq!(found, NAMES);
    let manifest = std::fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for name in NAMES {
        let source = std::fs::read_to_string(fuzz.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(source.contains(&format!("tombolo_fuzz::{name}(bytes)")), "{name}: {source}");
        assert!(
            manifest.contains(&format!("name = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"")),
            "{name}"
        );
    }
}

/// A target that reports nothing proves nothing.
#[test]
#[should_panic(expected = "breaks it:\nab")]
fn what_breaks_a_target_is_told() {
    attempt("broken", |bytes| assert!(bytes.len() < 2), &[b"ab".to_vec()], 0);
}
