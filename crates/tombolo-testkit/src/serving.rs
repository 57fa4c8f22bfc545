//! A running `tombolo serve`.

use std::net::SocketAddr;

use crate::http::{Connection, Response};
use crate::sandbox::Sandbox;
use crate::up::Up;

/// A node of one test; killed when dropped.
pub struct Serving {
    /// The process.
    pub up: Up,
    /// Its control interface.
    pub control: SocketAddr,
}

impl Serving {
    /// Starts a node on the sandbox's data, on free ports, and waits until it serves.
    pub fn start(sandbox: &Sandbox) -> Self {
        Self::start_with(sandbox, &[])
    }

    /// The same with more arguments.
    pub fn start_with(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        let usual = ["serve", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"];
        Self::spawn(sandbox.command(&[&usual, arguments].concat()))
    }

    /// The same with a command of the test's own making.
    pub fn spawn(command: std::process::Command) -> Self {
        let up = Up::spawn(command);
        let said = up.said("Control at http://");
        let control = after(&said, "Control at http://").parse().unwrap();
        Self { up, control }
    }

    /// The same, and its first admin's token, with which the sandbox's user is logged in.
    pub fn first(sandbox: &Sandbox) -> (Self, String) {
        let node = Self::start(sandbox);
        let token = node.log_in(sandbox);
        (node, token)
    }

    /// Logs the sandbox's user in with the node's first token.
    pub fn log_in(&self, sandbox: &Sandbox) -> String {
        let token = after(&self.up.said("told this once: "), "told this once: ");
        let login = sandbox.tombolo_reading(&token, &["login", &format!("http://{}", self.control)]);
        assert_eq!(login.code, Some(0), "{}", login.stderr);
        token
    }

    /// Where apps answer with TLS.
    pub fn tls_address(&self) -> SocketAddr {
        after(&self.up.said("Listening on https://"), "Listening on https://").parse().unwrap()
    }

    /// One request of a client for a host.
    pub fn get(&self, host: &str, path: &str) -> Response {
        let mut connection = Connection::open(self.up.address());
        let head = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n");
        connection.send(head).answer().expect("an answer")
    }

    /// One request to the control interface; a body is sent as JSON.
    pub fn order(&self, method: &str, path: &str, token: &str, body: Option<&str>) -> Response {
        let length = body.map(|body| format!("content-length: {}\r\n", body.len())).unwrap_or_default();
        let token = match token {
            "" => String::new(),
            token => format!("authorization: Bearer {token}\r\n"),
        };
        let head =
            format!("{method} {path} HTTP/1.1\r\nhost: node\r\nconnection: close\r\n{token}{length}\r\n");
        let mut connection = Connection::open(self.control);
        let answer = connection.send(head).send(body.unwrap_or_default());
        match method {
            "HEAD" => answer.head(),
            _ => answer.answer(),
        }
        .expect("an answer")
    }
}

/// The word behind `before`.
fn after(text: &str, before: &str) -> String {
    let (_, rest) = text.split_once(before).expect("it was waited for");
    // It ends with a space or a line, or with the text of a JSON document.
    rest.split([' ', '\n', '"']).next().expect("a word").to_owned()
}
