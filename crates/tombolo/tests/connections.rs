//! Many connections, and much through one.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tombolo_testkit::{Sandbox, Up};

const IDLE: usize = 10_000;
/// What they may cost once they rest.
const IDLE_KB_MAX: u64 = 60 << 10;

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
    // They rest two to four seconds after their answers, and are closed after ten.
    let until = Instant::now() + Duration::from_secs(8);
    loop {
        let grown = up.memory_kb().saturating_sub(before);
        if grown < IDLE_KB_MAX {
            break;
        }
        assert!(Instant::now() < until, "{IDLE} idle connections cost {grown} kB");
        answers(&up);
        std::thread::sleep(Duration::from_millis(100));
    }
    let beside = answers(&up);
    assert!(beside < quiet * 10 + Duration::from_millis(20), "{beside:?} beside them, {quiet:?} without");
    // They end by themselves: who says nothing for ten seconds is not kept.
    let mut last = connections.pop().unwrap();
    last.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    assert_eq!(last.read(&mut [0; 16]).unwrap(), 0, "closed, without a word");
}

/// After which a connection gave back its buffers: twice two seconds, and some for a busy machine.
const RESTED: Duration = Duration::from_millis(4500);

#[test]
fn a_connection_that_rested_is_served_on() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    sandbox.web_app("");
    let up = Up::start(&sandbox, &[]);
    let mut connection = up.connect();
    assert_eq!(connection.get("/").status, 200);
    std::thread::sleep(RESTED);
    assert_eq!(connection.get("/").status, 200);
    std::thread::sleep(RESTED);
    // Two at once, the second in pieces, and a body.
    connection.send("GET / HTTP/1.1\r\nhost: test\r\n\r\nPOST /echo HTTP/1.1\r\nhost: te");
    assert_eq!(connection.answer().unwrap().status, 200);
    connection.send("st\r\ncontent-length: 4\r\n\r\nbo");
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(connection.send("dy").answer().unwrap().text(), "body");
}

/// No answer is cut because nothing else goes on, and no client gains time with half of a head.
#[test]
fn what_is_half_way_does_not_rest() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    sandbox.web_app("");
    let up = Up::start(&sandbox, &[]);
    let mut slow = up.connect();
    slow.send("GET /drip?ms=6000 HTTP/1.1\r\nhost: test\r\n\r\n");
    let mut dripping = TcpStream::connect(up.address()).unwrap();
    let started = Instant::now();
    let drip = std::thread::spawn(move || {
        dripping.write_all(b"GET / HTTP/1.1\r\nhost: test\r\nx: ").unwrap();
        while dripping.write_all(b"y").is_ok() && started.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(2500));
        }
        started.elapsed()
    });
    assert_eq!(slow.head().unwrap().status, 200);
    assert_eq!(slow.chunk().unwrap().unwrap(), b"part 0\n");
    assert_eq!(slow.chunk().unwrap().unwrap(), b"part 1\n");
    assert_eq!(slow.chunk(), Ok(None));
    let closed_after = drip.join().unwrap();
    assert!(closed_after < Duration::from_secs(20), "{closed_after:?}");
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
