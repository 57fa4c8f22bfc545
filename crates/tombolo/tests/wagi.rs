//! Programs that answer requests: the executor `wagi`.

use tombolo_testkit::{Response, Sandbox, Up};

/// An app whose program is the file `source`, with more for its executor.
fn app(sandbox: &Sandbox, source: &str, executor: &str) {
    let text = format!(
        r#"
        spin_manifest_version = 2
        [application]
        name = "app"
        [[trigger.http]]
        route = "/run/:what/..."
        component = "program"
        executor = {{ type = "wagi"{executor} }}
        [component.program]
        source = "{source}"
        environment = {{ LEVEL = "high" }}
    "#
    );
    sandbox.file("spin.toml", text);
}

fn command(executor: &str) -> (Sandbox, Up) {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    sandbox.guest("command.wasm32-wasip2", "command.wasm");
    app(&sandbox, "command.wasm", executor);
    let up = Up::start(&sandbox, &[]);
    (sandbox, up)
}

#[test]
fn a_program_reads_the_request_and_prints_the_answer() {
    let (_sandbox, up) = command("");
    let answer = up.post("/run/it/a%20b?cgi&echo=a+b", b"the body");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/plain")));
    let text = answer.text();
    let has = |line: &str| assert!(text.lines().any(|own| own == line), "no `{line}` in {text}");
    has(r#"arguments: ["/run/it/a%20b", "cgi", "echo", "a b"]"#);
    has("LEVEL=high");
    has("REQUEST_METHOD=POST");
    has("CONTENT_LENGTH=8");
    has("PATH_INFO=/a%20b");
    has("SCRIPT_NAME=/run/:what");
    has("QUERY_STRING=cgi&echo=a+b");
    has("REMOTE_ADDR=127.0.0.1");
    has("X_PATH_MATCH_WHAT=it");
    has("X_FULL_URL=http://test/run/it/a%20b?cgi&echo=a+b");
    assert!(text.ends_with("\n\nthe body"), "{text}");
}

#[test]
fn its_head_says_status_and_headers() {
    let (_sandbox, up) = command("");
    let moved = up.get("/run/it?cgi&moved");
    assert_eq!((moved.status, moved.header("location")), (302, Some("/elsewhere")));
    let Response { status, headers, .. } = &up.get("/run/it?cgi&missing");
    let cookies: Vec<_> = headers.iter().filter(|(name, _)| name == "set-cookie").collect();
    assert_eq!((*status, cookies.len()), (404, 2));
    let large = up.get("/run/it?cgi&large");
    assert_eq!((large.status, large.body.len()), (200, 1_000_000));
}

#[test]
fn a_program_that_fails_gives_no_answer() {
    let (_sandbox, up) = command("");
    assert_eq!(up.get("/run/it?cgi&failed").status, 502);
    up.said("it ended with exit code 1");
    // It may have begun: then what came is cut.
    let mut connection = up.connect();
    connection.send("GET /run/it?cgi&cut HTTP/1.1\r\nhost: a\r\n\r\n");
    let whole = connection.answer();
    assert!(whole.is_none_or(|answer| answer.status == 502 || !answer.is_complete));
    assert_eq!(up.get("/run/it").status, 502, "it prints no head");
    up.said("it printed no empty line behind a head");
}

#[test]
fn the_manifest_says_its_arguments() {
    let (_sandbox, up) = command(r#", argv = "me cgi -v ${ARGS}""#);
    let text = up.get("/run/it?x=1").text();
    assert!(text.starts_with(r#"arguments: ["me", "cgi", "-v", "x", "1"]"#), "{text}");
}

#[test]
fn a_module_of_wasi_0_1_is_a_program_too() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    let printed = "content-type: text/plain\\n\\nhello";
    let text = format!(
        r#"(module
          (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (data (i32.const 64) "{printed}")
          (func (export "_start")
            (i32.store (i32.const 0) (i32.const 64))
            (i32.store (i32.const 4) (i32.const 31))
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#
    );
    sandbox.file("hello.wat", text);
    app(&sandbox, "hello.wat", "");
    let up = Up::start(&sandbox, &[]);
    let answer = up.get("/run/it");
    assert_eq!((answer.status, answer.text()), (200, "hello".to_owned()));
}

/// Its head may be there when it ends, and nothing of it be sent: then it gave no answer, as if it had not paused.
#[test]
fn a_program_that_computes_and_fails_is_not_one_that_traps() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    let text = r#"(module
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (memory (export "memory") 1)
      (data (i32.const 64) "content-type: text/plain\n\nhello")
      (global $left (mut i32) (i32.const 3000000))
      (func (export "_start")
        (i32.store (i32.const 0) (i32.const 64))
        (i32.store (i32.const 4) (i32.const 31))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
        (loop $more
          (global.set $left (i32.sub (global.get $left) (i32.const 1)))
          (br_if $more (global.get $left)))
        (call $exit (i32.const 1))))"#;
    sandbox.file("fails.wat", text);
    app(&sandbox, "fails.wat", "");
    let up = Up::start(&sandbox, &[]);
    for _ in 0..50 {
        let mut connection = up.connect();
        connection.send("GET /run/it HTTP/1.1\r\nhost: a\r\n\r\n");
        let answer = connection.answer();
        assert!(
            answer.as_ref().is_none_or(|answer| answer.status == 502 || !answer.is_complete),
            "{answer:?}"
        );
    }
}

#[test]
fn a_program_of_wasi_0_3_is_one_too() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    sandbox.guest("command-wasi3", "command.wasm");
    app(&sandbox, "command.wasm", "");
    let up = Up::start(&sandbox, &[]);
    let answer = up.get("/run/it?cgi");
    assert_eq!((answer.status, answer.text()), (200, "0.3 with [\"cgi\"]\n".to_owned()));
    assert_eq!(up.get("/run/it?cgi&fail").status, 502);
}

#[test]
fn what_is_no_program_is_refused_when_it_is_loaded() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    sandbox.guest("web", "web.wasm");
    app(&sandbox, "web.wasm", "");
    let refused = sandbox.tombolo(&["up"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("is no program, which the executor `wagi` runs"), "{}", refused.stderr);
    app(&sandbox, "web.wasm", r#", entrypoint = "main""#);
    let refused = sandbox.tombolo(&["up"]);
    assert!(refused.stderr.contains("`main` is not called, expected `_start`"), "{}", refused.stderr);
}
