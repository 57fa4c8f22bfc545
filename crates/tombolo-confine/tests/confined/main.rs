//! What a confined process can and cannot do. Run with arguments, this is the process that tries it
//! all; without, it is the test of that.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and says where")]

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

mod attempts;

fn main() {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match arguments.first().and_then(|first| first.to_str()) {
        Some("attempt") => attempts::all(&arguments[1..]).unwrap(),
        Some("child") => {}
        // Whatever a runner of tests passes on: there is one test.
        _ => {
            let attempts = Attempts::made();
            what_a_server_does_goes_on(&attempts);
            files_outside_the_plan_are_refused(&attempts);
            system_calls_that_no_server_makes_are_refused(&attempts);
        }
    }
}

/// What the attempts came to, by name.
struct Attempts(BTreeMap<String, String>);

impl Attempts {
    fn made() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [readable, writable, forbidden] = ["r", "w", "f"].map(|name| folder.path().join(name));
        for folder in [&readable, &writable, &forbidden] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("file"), "secret").unwrap();
        }
        std::os::unix::fs::symlink(forbidden.join("file"), readable.join("link")).unwrap();
        let output = Command::new(std::env::current_exe().unwrap())
            .arg("attempt")
            .args([&readable, &writable, &forbidden])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(fs::read_to_string(forbidden.join("file")).unwrap(), "secret");
        let lines = text.lines().filter_map(|line| line.split_once(": "));
        Self(lines.map(|(name, result)| (name.to_owned(), result.to_owned())).collect())
    }

    /// Whether a wall stands; where the kernel has none there is nothing to test.
    fn has(&self, wall: &str) -> bool {
        self.0[&format!("wall {wall}")].starts_with("on")
    }

    fn check(&self, expected: &str, names: &[&str]) {
        for name in names {
            assert_eq!(self.0[*name], expected, "{name}: {:#?}", self.0);
        }
    }
}

const EPERM: &str = "1";
const EACCES: &str = "13";
const ENOSYS: &str = "38";

fn what_a_server_does_goes_on(attempts: &Attempts) {
    let work = ["start a thread", "listen and connect", "find a host", "open the page map", "run itself"];
    attempts.check("ok", &work);
    let files =
        ["read inside", "list inside", "make folders", "write inside", "rename inside", "remove inside"];
    attempts.check("ok", &files);
}

fn files_outside_the_plan_are_refused(attempts: &Attempts) {
    if !attempts.has("files") {
        return;
    }
    let refused = [
        "write where one may read",
        "read outside",
        "read outside by a link",
        "list outside",
        "write outside",
        "remove outside",
        "list /",
        "read another's memory",
        "run another",
    ];
    attempts.check(EACCES, &refused);
    if !attempts.0["wall files"].contains("truncating") {
        attempts.check(EACCES, &["truncate outside"]);
    }
}

fn system_calls_that_no_server_makes_are_refused(attempts: &Attempts) {
    if !attempts.has("system calls") {
        return;
    }
    let calls: Vec<&str> =
        attempts.0.keys().map(String::as_str).filter(|name| name.starts_with("call ")).collect();
    let (other, refused): (Vec<_>, Vec<_>) =
        calls.into_iter().partition(|name| ["call clone3", "call ioctl that asks"].contains(name));
    assert!(refused.len() > 20 && other.len() == 2, "{refused:?} {other:?}");
    attempts.check(EPERM, &refused);
    // So that the C library falls back to `clone`.
    attempts.check(ENOSYS, &["call clone3"]);
    assert_ne!(attempts.0["call ioctl that asks"], EPERM, "a terminal can be asked its size");
    attempts.check(EPERM, &["daemon", "make a socket inside"]);
}
