//! Apps of files, and requests for them.

use tombolo_testkit::{Response, Sandbox, Up};

pub(crate) fn sandbox() -> Sandbox {
    Sandbox::new(env!("CARGO_BIN_EXE_tombolo"))
}

pub(crate) const MANIFEST: &str = "spin_manifest_version = 2\n[application]\nname = \"site\"\n\
    [[application.tool.tombolo.static]]\nroute = \"/...\"\ndirectory = \"dist\"\n";

/// An app of files alone, with more lines for its one entry.
pub(crate) fn site(lines: &str) -> Sandbox {
    let sandbox = sandbox();
    sandbox.file("spin.toml", format!("{MANIFEST}{lines}\n"));
    sandbox.file("dist/index.html", "<h1>home</h1>");
    sandbox.file("dist/app.js", "const it = 1;");
    sandbox.file("dist/sub/index.html", "<h1>sub</h1>");
    sandbox.file("dist/sub/kernels.wasm", b"\0asm\x01\0\0\0");
    sandbox
}

/// A request with more header lines, as bytes on a connection of its own.
pub(crate) fn ask(up: &Up, method: &str, target: &str, lines: &[&str]) -> Response {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let mut connection = up.connect();
    connection.send(format!("{method} {target} HTTP/1.1\r\nhost: test\r\n{lines}\r\n"));
    let answer = if method == "HEAD" { connection.head() } else { connection.answer() };
    answer.expect("an answer")
}

pub(crate) fn get(up: &Up, target: &str, lines: &[&str]) -> Response {
    ask(up, "GET", target, lines)
}
