//! An app that answers what a test writes: the guest `proxy` before a server of the test's own.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

use tombolo_testkit::{Sandbox, Up};

use crate::sandbox;

pub(crate) struct Upstream {
    listener: TcpListener,
    pub(crate) up: Up,
    _sandbox: Sandbox,
}

impl Upstream {
    /// The app, with these lines in `[application.tool.tombolo]`.
    pub(crate) fn start(policies: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let sandbox = sandbox();
        sandbox.guest("proxy", "proxy.wasm");
        let manifest = format!(
            r#"
            spin_manifest_version = 2
            [application]
            name = "app"
            [application.tool.tombolo]
            {policies}
            [[trigger.http]]
            route = "/..."
            component = "proxy"
            [component.proxy]
            source = "proxy.wasm"
            environment = {{ UPSTREAM = "{address}" }}
            allowed_outbound_hosts = ["{address}"]
        "#
        );
        sandbox.file("spin.toml", manifest);
        let up = Up::start(&sandbox, &[]);
        Self { listener, up, _sandbox: sandbox }
    }

    /// Begins the answer to the request that comes next: with these header lines, and what is written as its body until
    /// what is returned is dropped.
    pub(crate) fn answers(&self, status: &str, lines: &[&str]) -> Body {
        let (stream, _) = self.listener.accept().unwrap();
        let mut request = BufReader::new(stream);
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            assert!(request.read_line(&mut line).unwrap() > 0, "the request ended within its head");
        }
        let mut stream = request.into_inner();
        let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        write!(stream, "HTTP/1.1 {status}\r\nconnection: close\r\n{lines}\r\n").unwrap();
        Body(stream)
    }
}

/// The body of an answer, which ends with the connection.
pub(crate) struct Body(TcpStream);

impl Body {
    pub(crate) fn write(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).unwrap();
    }
}
