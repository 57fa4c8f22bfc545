//! `tombolo run`: programs of every WASI, with nothing granted that was not asked for.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and says where")]

use std::io::{Read, Write};
use std::net::TcpListener;

use tombolo_testkit::{Finished, Sandbox, guest};

const COMMANDS: [&str; 2] = ["command.wasm32-wasip1", "command.wasm32-wasip2"];

fn sandbox() -> Sandbox {
    Sandbox::new(env!("CARGO_BIN_EXE_tombolo"))
}

/// Runs a guest with options before its name's `--` and words behind it.
fn run(sandbox: &Sandbox, command: &str, options: &[&str], words: &[&str]) -> Finished {
    let file = guest(command);
    let mut arguments = vec!["run", file.to_str().unwrap()];
    arguments.extend(options);
    arguments.push("--");
    arguments.extend(words);
    sandbox.tombolo(&arguments)
}

#[track_caller]
fn prints(finished: &Finished, text: &str) {
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), text), "{}", finished.stderr);
}

/// A guest that failed said so; it ended with 3, of which WASI 0.2 makes 1.
#[track_caller]
fn fails(finished: &Finished, text: &str) {
    assert!(matches!(finished.code, Some(1 | 3)), "{finished:?}");
    assert!(finished.stderr.contains(text), "{finished:?}");
}

#[test]
fn arguments_input_and_exit_code_are_passed_on() {
    let sandbox = sandbox();
    for command in COMMANDS {
        prints(&run(&sandbox, command, &[], &["a", "b c"]), "arguments: [\"a\", \"b c\"]\n");
        let code = if command.ends_with("wasip1") { 7 } else { 1 };
        assert_eq!(run(&sandbox, command, &[], &["exit", "7"]).code, Some(code), "0.2 has only 0 and 1");
        assert_eq!(run(&sandbox, command, &[], &["exit", "0"]).code, Some(0));
        prints(&run(&sandbox, command, &[], &["clock"]), "true\n");
        let file = guest(command);
        let read = sandbox.tombolo_reading("from outside", &["run", file.to_str().unwrap(), "--", "stdin"]);
        prints(&read, "from outside\n");
    }
}

#[test]
fn wasi_0_3_programs_run() {
    let sandbox = sandbox();
    prints(&run(&sandbox, "command-wasi3", &[], &["a"]), "0.3 with [\"a\"]\n");
    assert_eq!(run(&sandbox, "command-wasi3", &[], &["fail"]).code, Some(1));
}

#[test]
fn a_panic_is_a_failure_with_a_trace() {
    let sandbox = sandbox();
    for command in COMMANDS {
        let finished = run(&sandbox, command, &[], &["panic"]);
        assert_eq!(finished.code, Some(1));
        assert!(finished.stderr.contains("as asked"), "what the guest said: {finished:?}");
        assert!(finished.stderr.contains("the guest trapped"), "{finished:?}");
    }
}

#[test]
fn the_environment_is_what_was_given() {
    let sandbox = sandbox();
    for command in COMMANDS {
        prints(&run(&sandbox, command, &[], &["environment"]), "\n");
        let given = run(&sandbox, command, &["--env", "B=2", "--env", "A=1=1"], &["environment"]);
        prints(&given, "A=1=1\nB=2\n");
    }
}

#[test]
fn a_directory_is_what_was_granted() {
    let sandbox = sandbox();
    sandbox.file("data/a.txt", "inside");
    sandbox.file("secret.txt", "outside");
    std::os::unix::fs::symlink("../secret.txt", sandbox.path().join("data/link")).unwrap();
    for command in COMMANDS {
        fails(&run(&sandbox, command, &[], &["read", "/data/a.txt"]), "failed");
        fails(&run(&sandbox, command, &[], &["list", "/"]), "failed");
        prints(&run(&sandbox, command, &["--dir", "data::/data:ro"], &["read", "/data/a.txt"]), "inside\n");
        fails(
            &run(&sandbox, command, &["--dir", "data::/data:ro"], &["write", "/data/b.txt", "x"]),
            "failed",
        );
        assert!(!sandbox.path().join("data/b.txt").exists());
        for path in ["/data/../secret.txt", "/data/link", "/secret.txt", "/proc/self/environ"] {
            fails(&run(&sandbox, command, &["--dir", "data::/data"], &["read", path]), "failed");
        }
        prints(
            &run(&sandbox, command, &["--dir", "data::/data"], &["write", "/data/b.txt", "x"]),
            "written\n",
        );
        assert_eq!(std::fs::read_to_string(sandbox.path().join("data/b.txt")).unwrap(), "x");
        std::fs::remove_file(sandbox.path().join("data/b.txt")).unwrap();
    }
}

#[test]
fn a_connection_goes_where_it_was_granted() {
    let sandbox = sandbox();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut ping = [0; 4];
            let _ = stream.read_exact(&mut ping);
            let _ = stream.write_all(b"pong");
        }
    });
    let command = "command.wasm32-wasip2";
    let granted = run(&sandbox, command, &["--allow-net", &address], &["connect", &address]);
    prints(&granted, "pong\n");
    fails(&run(&sandbox, command, &[], &["connect", &address]), "failed");
    fails(&run(&sandbox, command, &["--allow-net", "127.0.0.1:1"], &["connect", &address]), "failed");
    fails(&run(&sandbox, command, &["--listen", &address], &["connect", &address]), "failed");
}

#[test]
fn listening_happens_where_it_was_granted() {
    let sandbox = sandbox();
    let command = "command.wasm32-wasip2";
    let listen = |options: &[&str]| run(&sandbox, command, options, &["listen", "127.0.0.1:0"]);
    fails(&listen(&[]), "failed");
    fails(&listen(&["--listen", "127.0.0.2:0"]), "failed");
    fails(&listen(&["--allow-net", "127.0.0.1:1"]), "failed");
    let granted = listen(&["--listen", "127.0.0.1:0"]);
    assert!(granted.stdout.starts_with("127.0.0.1:"), "{granted:?}");
}

#[test]
fn a_function_takes_what_it_takes() {
    let sandbox = sandbox();
    sandbox.file(
        "math.wat",
        r#"(module
            (func (export "add") (param i64 f64) (result f64) (f64.add (f64.convert_i64_s (local.get 0)) (local.get 1)))
            (func (export "none"))
            (func (export "trap") unreachable)
            (global $ready (mut i32) (i32.const 0))
            (func (export "_initialize") (global.set $ready (i32.const 1)))
            (func (export "ready") (result i32) (global.get $ready))
            (memory (export "memory") 1))"#,
    );
    let call = |words: &[&str]| {
        let mut arguments = vec!["run", "math.wat", "--invoke"];
        arguments.extend(words);
        sandbox.tombolo(&arguments)
    };
    prints(&call(&["add", "--", "-2", "0.5"]), "-1.5\n");
    prints(&call(&["none"]), "");
    prints(&call(&["ready"]), "1\n");
    let error = |finished: Finished| (finished.code, finished.stderr);
    assert_eq!(
        error(call(&["sub"])),
        (Some(1), "error: `math.wat`: it exports no function `sub`: there is `add`, `none`, `trap`, `_initialize`, `ready`\n".into())
    );
    assert_eq!(
        error(call(&["add", "--", "1"])),
        (Some(1), "error: `math.wat`: `add` takes i64, f64: 1 given\n".into())
    );
    assert_eq!(
        error(call(&["add", "--", "x", "1"])),
        (Some(1), "error: `math.wat`: `add` takes i64, f64: `x` is no i64\n".into())
    );
    let trap = call(&["trap"]);
    assert!(trap.code == Some(1) && trap.stderr.contains("unreachable"), "{trap:?}");
}
