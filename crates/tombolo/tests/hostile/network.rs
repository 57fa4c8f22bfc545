//! Sockets and requests to where nothing was granted, and too many of them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use crate::attack::Expect::Refused;
use crate::attack::attack;
use crate::ground::{Ground, Hostile, sandbox};

/// A host that answers every request with `origin`, and closes.
pub(crate) fn origin(address: &str) -> SocketAddr {
    let listener = TcpListener::bind(address).unwrap();
    let at = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let _ = stream.read(&mut [0; 4096]);
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\norigin";
                let _ = stream.write_all(answer);
            });
        }
    });
    at
}

#[test]
fn a_guest_reaches_only_what_was_granted_by_name() {
    let origin = origin("127.0.0.1:0");
    let sandbox = sandbox();
    sandbox.guest("hostile", "hostile.wasm");
    let granted = format!("allowed_outbound_hosts = [\"http://{origin}\"]");
    let component = |name, lines| Hostile { lines, ..Hostile::new(name, "hostile.wasm") };
    let ground = Ground::new(
        &sandbox,
        &[
            component("none", ""),
            component("wildcard", "allowed_outbound_hosts = [\"http://*:*\"]"),
            // Few enough that the answers of those that are sent come within the deadline.
            Hostile { limits: "outbound_connections_max = 32", ..component("granted", &granted) },
        ],
    );
    let port = origin.port();
    let own = ground.up().address().port();
    let inward = [
        format!("127.0.0.1:{port}"),
        format!("127.0.0.1:{own}"),
        format!("127.1:{port}"),
        format!("2130706433:{port}"),
        format!("0x7f000001:{port}"),
        format!("127.8.8.8:{port}"),
        format!("0.0.0.0:{port}"),
        format!("[::1]:{port}"),
        format!("[::]:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        format!("[64:ff9b::7f00:1]:{port}"),
        format!("localhost:{port}"),
        format!("LOCALHOST.:{port}"),
        "169.254.169.254".to_owned(),
        "169.254.0.1".to_owned(),
        "[fe80::1]".to_owned(),
        "[fd00:ec2::254]".to_owned(),
        "metadata.google.internal".to_owned(),
    ]
    .join(",");
    ground.stands([
        attack("/none/sockets", Refused(14)).told(&origin.to_string()),
        attack("/none/outbound", Refused(18)).told(&inward),
        attack("/wildcard/outbound", Refused(18)).told(&inward),
        attack("/granted/outbound-flood", Refused(1)).told(&origin.to_string()),
        attack("/granted/outbound-flood", Refused(1)).told(&origin.to_string()).at_once(4),
    ]);
}
