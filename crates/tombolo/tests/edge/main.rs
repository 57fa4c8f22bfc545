//! The policies of an app at the gateway, and the log of what clients asked: what a client gets, through the real
//! program.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and says where")]

mod compression;
mod cors;
mod ids;
mod log;
mod rate;
mod upstream;

use tombolo_testkit::{Response, Sandbox, Up};

fn sandbox() -> Sandbox {
    Sandbox::new(env!("CARGO_BIN_EXE_tombolo"))
}

/// More than is sent as it is, and it gets shorter.
fn long_text() -> String {
    (0..500).map(|number| format!("line {number} of a text\n")).collect()
}

/// An app with these lines in `[application.tool.tombolo]`: the guest `web`, with more for its component, beside files
/// and what is answered as written.
fn app(policies: &str, component: &str) -> Sandbox {
    let sandbox = sandbox();
    sandbox.guest("web", "web.wasm");
    sandbox.file("files/app.js", long_text());
    sandbox.file("files/app.png", long_text());
    let text = long_text();
    let manifest = format!(
        r#"
        spin_manifest_version = 2
        [application]
        name = "app"
        [application.tool.tombolo]
        {policies}
        [[application.tool.tombolo.static]]
        route = "/files/..."
        directory = "files"
        [[trigger.http]]
        route = "/..."
        component = "web"
        [[trigger.http]]
        route = "/written"
        static_response = {{ headers = {{ content-type = "text/plain", etag = "\"1\"" }}, body = """{text}""" }}
        [[trigger.http]]
        route = "/short"
        static_response = {{ headers = {{ content-type = "text/plain" }}, body = "short" }}
        [component.web]
        source = "web.wasm"
        {component}
    "#
    );
    sandbox.file("spin.toml", manifest);
    sandbox
}

/// The same, served.
fn served(policies: &str) -> (Sandbox, Up) {
    let sandbox = app(policies, "");
    let up = Up::start(&sandbox, &[]);
    (sandbox, up)
}

/// A request with more header lines, on a connection of its own.
fn ask(up: &Up, method: &str, target: &str, lines: &[&str]) -> Response {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let mut connection = up.connect();
    connection.send(format!("{method} {target} HTTP/1.1\r\nhost: test\r\n{lines}\r\n"));
    let answer = if method == "HEAD" { connection.head() } else { connection.answer() };
    answer.expect("an answer")
}

fn get(up: &Up, target: &str, lines: &[&str]) -> Response {
    ask(up, "GET", target, lines)
}

/// All values of a header.
fn values<'a>(answer: &'a Response, name: &str) -> Vec<&'a str> {
    let own = answer.headers.iter().filter(|(own, _)| own == name);
    own.map(|(_, value)| value.as_str()).collect()
}
