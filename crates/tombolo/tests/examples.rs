//! Every example, and every command that the READMEs show.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and says where")]

use std::process::{Command, Stdio};

use tombolo_testkit::{Connection, Sandbox, Up, guest, root};

fn sandbox() -> Sandbox {
    Sandbox::new(env!("CARGO_BIN_EXE_tombolo"))
}

/// A copy of an example, so that what it keeps is the test's own.
fn copy(sandbox: &Sandbox, example: &str, wasm: &str) {
    let manifest = std::fs::read(root().join("examples").join(example).join("spin.toml")).unwrap();
    sandbox.file("spin.toml", manifest);
    sandbox.guest(example, wasm);
}

#[test]
fn hello_rust_answers() {
    let sandbox = sandbox();
    let up = Up::start(&sandbox, &[guest("hello-rust").to_str().unwrap()]);
    let response = up.get("/anything");
    assert_eq!((response.status, response.text().as_str()), (200, "Hello from WebAssembly\n"));
}

fn my_api(example: &str, wasm: &str) {
    let sandbox = sandbox();
    copy(&sandbox, example, wasm);
    let up = Up::start(&sandbox, &[]);
    let greeting = up.get("/");
    assert_eq!((greeting.status, greeting.header("content-type")), (200, Some("application/json")));
    assert!(
        greeting.text().starts_with(r#"{"message":"Hello from a sandbox","timestamp":1"#),
        "{}",
        greeting.text()
    );
    assert_eq!(up.get("/cache").text(), r#"{"visits":1}"#);
    assert_eq!(up.get("/cache").text(), r#"{"visits":2}"#);
    assert_eq!(up.post("/", b"twelve bytes").text(), r#"{"received_bytes":12}"#);
    assert_eq!(up.get("/none").status, 404);
    assert_eq!(up.post("/cache", b"").status, 405);
    // What a guest was told is kept is kept, however its host ends.
    up.kill();
    let again = Up::start(&sandbox, &[]);
    assert_eq!(again.get("/cache").text(), r#"{"visits":3}"#);
}

#[test]
fn my_api_counts_across_a_kill() {
    my_api("my-api", "target/wasm32-wasip1/release/my_api.wasm");
}

#[test]
fn my_api_on_wasi_0_3_counts_across_a_kill() {
    my_api("my-api-wasi3", "target/wasm32-wasip2/release/my_api_wasi3.wasm");
}

#[test]
fn tcp_server_listens_where_it_was_granted_and_nowhere_else() {
    let (sandbox, file) = (sandbox(), guest("tcp-server"));
    let file = file.to_str().unwrap();
    let refused = sandbox.tombolo(&["run", file, "--env", "ADDR=127.0.0.1:0"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("ermission denied") || refused.stderr.contains("Access"),
        "{}",
        refused.stderr
    );

    let arguments = ["run", file, "--listen", "127.0.0.1:0", "--env", "ADDR=127.0.0.1:0"];
    let mut child = sandbox.command(&arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
    let address = line.trim().strip_prefix("listening on http://").unwrap().parse().unwrap();
    let get = |path| Connection::open(address).get(path);
    assert_eq!(get("/").text(), "{\"message\":\"Hello over TCP\",\"served\":1}\n");
    assert_eq!(get("/health").text(), "{\"status\":\"ok\"}\n");
    assert_eq!(get("/none").status, 404);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn fib_is_called_by_name() {
    let fib = root().join("examples/fib/fib.wat");
    let done = sandbox().tombolo(&["run", fib.to_str().unwrap(), "--invoke", "fibonacci", "--", "40"]);
    assert_eq!((done.code, done.stdout.as_str()), (Some(0), "102334155\n"), "{}", done.stderr);
}

#[test]
fn read_config_reads_what_was_granted_and_nothing_else() {
    let (sandbox, file) = (sandbox(), guest("read-config"));
    let file = file.to_str().unwrap();
    let config = root().join("examples/read-config/config");
    let grant = format!("{}::/config:ro", config.display());
    let granted = sandbox.tombolo(&["run", file, "--dir", &grant]);
    assert_eq!(
        (granted.code, granted.stdout.as_str()),
        (Some(0), "greeting = \"hello\"\n"),
        "{}",
        granted.stderr
    );
    for arguments in [&["run", file][..], &["run", file, "--", "/etc/passwd"]] {
        let refused = sandbox.tombolo(arguments);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""));
    }
    for path in ["/etc/passwd", "/config/../etc/passwd", "/config/../../etc/passwd"] {
        let refused = sandbox.tombolo(&["run", file, "--dir", &grant, "--", path]);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{path}");
    }
}

/// The measurement sees the leak that is there, and none where none should be.
#[test]
fn secure_compare_finds_the_leak_of_the_early_exit_alone() {
    let done = sandbox().tombolo(&["run", guest("secure-compare").to_str().unwrap()]);
    let verdict = |variant: &str| {
        let row = done.stdout.lines().find(|line| line.starts_with(variant)).unwrap_or_default();
        row.split("   ").last().unwrap_or_default().to_owned()
    };
    let verdicts = [verdict("early exit"), verdict("constant time")];
    assert_eq!(verdicts, ["leaks", "no leak found"], "{}{}", done.stdout, done.stderr);
    assert_eq!(done.code, Some(0));
}

/// The READMEs' commands, word for word, from the root of the repository.
#[test]
fn the_commands_of_the_readmes_work() {
    let read = |name: &str| std::fs::read_to_string(root().join(name)).unwrap();
    let text = read("README.md") + &read("examples/README.md");
    let commands: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("    tombolo ")).collect();
    assert!(commands.len() >= 12, "the READMEs show a command for each example");
    for command in commands {
        let arguments: Vec<&str> = command.split_whitespace().collect();
        let sandbox = sandbox();
        let mut program = sandbox.command(&arguments);
        program.current_dir(root());
        match arguments[0] {
            "up" => {
                program.args(["--listen", "127.0.0.1:0"]);
                assert_eq!(Up::spawn(program).get("/").status, 200, "{command}");
            }
            _ if command.contains("--listen") => listens(program, command),
            _ => assert!(program.output().unwrap().status.success(), "{command}"),
        }
    }
}

/// A server that says where it listens; its port may be taken on this machine, so only that it says
/// what it tried is checked.
fn listens(mut program: Command, command: &str) {
    let mut child = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line)
        .unwrap();
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    let taken = String::from_utf8_lossy(&output.stderr).contains("in use");
    assert!(line.contains("listening on") || taken, "{command}: {line}");
}
