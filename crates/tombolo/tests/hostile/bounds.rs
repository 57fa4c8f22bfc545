//! Each bound by itself: small, so that it is met before any other.

use std::fs;
use std::time::Duration;

use tombolo_testkit::Response;

use crate::attack::Expect::{Refused, Status, That};
use crate::attack::{Attack, attack};
use crate::ground::{Ground, Hostile, sandbox};
use crate::{network, waiting};

/// Runs attacks on the guest `hostile` with one line more in its bounds, if the host knows it.
fn holds(limit: &str, lines: &str, attacks: impl IntoIterator<Item = Attack>) {
    let name = limit.split(' ').next().unwrap();
    if let Some(reason) = waiting::reason(&format!("bound {name}")) {
        println!("{:<32} waits: {reason}", format!("bound {name}"));
        return;
    }
    let sandbox = sandbox();
    sandbox.guest("hostile", "hostile.wasm");
    let component = Hostile { lines, limits: limit, ..Hostile::new("bound", "hostile.wasm") };
    Ground::new(&sandbox, &[component]).stands(attacks);
    let logs = fs::read_dir(sandbox.path().join(".tombolo/logs")).into_iter().flatten().flatten();
    let bytes: u64 = logs.map(|file| file.metadata().unwrap().len()).sum();
    assert!(bytes < 1 << 20, "{bytes} bytes of log");
}

#[test]
fn cpu_ms_max_ends_a_loop_before_its_deadline() {
    let soon = That("504 in half a second", |answer| {
        answer.took < Duration::from_millis(500) && status(answer.response.as_ref()) == 504
    });
    holds("cpu_ms_max = 100", "", [attack("/bound/loop", soon), attack("/bound/sleep", Status(504))]);
}

#[test]
fn handles_max_ends_who_holds_more() {
    let attacks = ["/bound/fields", "/bound/pollables", "/bound/poll-list"];
    holds("handles_max = 1000", "", attacks.map(|path| attack(path, Status(500))));
}

#[test]
fn response_body_bytes_max_cuts_a_body() {
    let cut = That("no more than 100,000 bytes, cut", |answer| {
        let response = answer.response.as_ref();
        response.is_some_and(|it| it.status == 200 && !it.is_complete && it.body.len() <= 100_000)
    });
    holds("response_body_bytes_max = 100000", "", [attack("/bound/body-endless", cut)]);
}

#[test]
fn log_bytes_per_s_max_drops_the_rest() {
    let attacks = ["/bound/log-stdout", "/bound/log-stderr", "/bound/log-line"];
    holds("log_bytes_per_s_max = 10000", "", attacks.map(|path| attack(path, Status(504))));
}

#[test]
fn outbound_connections_max_refuses_the_rest() {
    let origin = network::origin("127.0.0.1:0");
    let lines = format!("allowed_outbound_hosts = [\"http://{origin}\"]");
    let flood = attack("/bound/outbound-flood", Refused(1)).told(&origin.to_string());
    holds("outbound_connections_max = 8", &lines, [flood]);
}

fn status(response: Option<&Response>) -> u16 {
    response.map_or(0, |response| response.status)
}
