//! `tombolo doctor`: what it prints, with what depends on the machine left out.

use serde_json::Value;
use tombolo_testkit::Sandbox;

fn sandbox() -> Sandbox {
    Sandbox::new(env!("CARGO_BIN_EXE_tombolo"))
}

#[test]
fn every_check_has_a_line() {
    let finished = sandbox().tombolo(&["doctor"]);
    assert_eq!(finished.code, Some(0), "{}{}", finished.stdout, finished.stderr);
    let mut shape = String::new();
    for line in finished.stdout.lines() {
        let check = line.strip_prefix("  ").map(|line| line.split("  ").next().unwrap());
        shape += &check.map_or(format!("{line}\n"), |name| format!("  {name}\n"));
    }
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "tombolo {version}\n\nThis machine\n  engine\n  kernel\n  pool\n  page scan\n  cache\n  open files\n\n\
         Walls around `tombolo up`\n  privileges\n  files\n  neighbours\n  system calls\n  core dumps\n  \
         inspection\n\nTools that build components\n  rust\n  tinygo\n  componentize-py\n  jco\n"
    );
    assert_eq!(shape, expected);
    let line = |name: &str| finished.stdout.lines().find(|line| line.starts_with(name)).unwrap();
    assert!(line("  engine").contains("on       wasmtime 48."), "{}", finished.stdout);
    assert!(line("  cache").ends_with("[SANDBOX]/cache/artefacts"), "{}", finished.stdout);
    assert_eq!(finished.stderr, "");
}

#[test]
fn the_same_is_there_as_json() {
    let finished = sandbox().tombolo(&["doctor", "--json"]);
    let found: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(found["version"], env!("CARGO_PKG_VERSION"));
    for check in found["checks"].as_array().unwrap() {
        assert!(["machine", "wall", "tool"].contains(&check["group"].as_str().unwrap()), "{check}");
        assert!(["on", "off", "missing"].contains(&check["state"].as_str().unwrap()), "{check}");
        assert!(!check["detail"].as_str().unwrap().is_empty(), "{check}");
    }
}

#[test]
fn what_serving_needs_and_is_not_there_ends_with_1() {
    let sandbox = sandbox();
    let mut command = sandbox.command(&["doctor"]);
    let output = command.env("TOMBOLO_CACHE_DIR", sandbox.file("taken", "")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("  cache            missing  cannot make the folder"), "{text}");
}

/// Tools are looked for where the shell would find them, and are no condition for serving.
#[test]
fn tools_are_found_on_the_path() {
    let sandbox = sandbox();
    let tool = sandbox.file("bin/jco", "");
    let output = sandbox.command(&["doctor"]).env("PATH", tool.parent().unwrap()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains(&format!("  jco              on       {}", tool.display())), "{text}");
    assert!(text.contains("  rust             off      not on PATH"), "{text}");
}

/// What `up` misses of the kernel it says, and the names are those of `doctor`.
#[test]
fn help_lists_it() {
    let help = sandbox().tombolo(&["--help"]).stdout;
    assert!(help.contains("doctor"), "{help}");
    let help = sandbox().tombolo(&["up", "--help"]).stdout;
    assert!(help.contains("--no-confine"), "{help}");
}
