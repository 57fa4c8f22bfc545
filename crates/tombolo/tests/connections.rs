//! Many connections, and much through one.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tombolo_testkit::{Sandbox, Up};

const IDLE: usize = 10_000;
/// What they may cost.
const IDLE_KB_MAX: u64 = 150 << 10;

/// The median of some answers of the guest, each on a connection of its own.
fn answers(up: &Up) -> Duration {
    let mut took: Vec<Duration> = (0..25)
        .map(|_| {
            let started = Instant::now();
            assert_eq!(up.get("/only").status, 404, "the guest has no such path");
            started.elapsed()
        })
        .collect();
    took.sort();
    took[took.len() / 2]
}

/// Idle, each after an answer: what stopped a peer at a tenth of this.
#[test]
fn ten_thousand_idle_connections_cost_little_and_slow_nobody() {
    tombolo_testkit::allow_open_files(IDLE as u64 + 1000);
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    sandbox.web_app("");
    let manifest = sandbox.path().join("spin.toml");
    let text = std::fs::read_to_string(&manifest).unwrap().replace("/...", "/only");
    std::fs::write(&manifest, text).unwrap();
    let up = Up::start(&sandbox, &["--client-connections-max", "20000"]);
    let quiet = answers(&up);
    // Made after the first answer, and no part of what a connection costs.
    while !up.has_pool() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let before = up.memory_kb();
    // No route: what is kept is the connection's alone.
    let mut connections: Vec<TcpStream> = (0..IDLE)
        .map(|_| {
            let mut connection = TcpStream::connect(up.address()).unwrap();
            connection.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
            let mut answer = [0; 512];
            let length = connection.read(&mut answer).unwrap();
            assert!(answer[..length].starts_with(b"HTTP/1.1 404"));
            connection
        })
        .collect();
    let grown = up.memory_kb().saturating_sub(before);
    assert!(grown < IDLE_KB_MAX, "{IDLE} idle connections cost {grown} kB");
    let beside = answers(&up);
    assert!(beside < quiet * 10 + Duration::from_millis(20), "{beside:?} beside them, {quiet:?} without");
    // They end by themselves: who says nothing for ten seconds is not kept.
    let mut last = connections.pop().unwrap();
    last.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    assert_eq!(last.read(&mut [0; 16]).unwrap(), 0, "closed, without a word");
}

#[test]
fn a_gibibyte_comes_through_flat_memory() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    sandbox.web_app("[component.web.tool.tombolo]\nrequest_ms_max = 120000");
    let up = Up::start(&sandbox, &[]);
    assert_eq!(up.get("/").status, 200);
    let before = up.memory_kb();
    let mut connection = up.connect();
    connection.send("GET /stream?mib=1024 HTTP/1.1\r\nhost: test\r\n\r\n");
    assert_eq!(connection.head().unwrap().status, 200);
    let (mut bytes, mut most) = (0, 0);
    while let Some(chunk) = connection.chunk().unwrap() {
        if bytes >> 27 != (bytes + chunk.len()) >> 27 {
            most = most.max(up.memory_kb());
        }
        bytes += chunk.len();
    }
    assert_eq!(bytes, 1 << 30);
    let grown = most.saturating_sub(before);
    assert!(grown < 32 << 10, "{grown} kB more were resident on the way");
}
