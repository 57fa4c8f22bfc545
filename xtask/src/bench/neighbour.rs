//! What a quiet tenant notices of one that is at its limits.
//!
//! The quiet one is asked at a steady rate: a request is due at its time whether or not the one before was answered,
//! and its latency counts from then. Load and node share both cores, as nothing else is on the machine. Clients would
//! be on other machines: here the noisy one's are threads of the lowest priority, and the quiet one's is of the
//! highest, if that is allowed, so that it is the node that makes the quiet one wait, if anybody.

use std::fmt::Write;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::median;
use super::node::Node;
use super::server::{Setup, get_of};

/// Requests of the quiet tenant a second.
const RATE: u32 = 400;
/// How long each measurement takes.
const TIME: Duration = Duration::from_secs(4);
/// Clients of the noisy tenant.
const CLIENTS: usize = 32;
/// How long a client waits that was refused: a hundred times less than it is asked to.
const REFUSED: Duration = Duration::from_millis(10);
/// The bounds that the noisy tenant is at.
const QUOTAS: [&str; 6] = ["--concurrency", "16", "--memory-mib", "256", "--cpu-ms-per-s", "500"];
/// What it does, and the path for it.
const NOISE: [(&str, &str); 4] = [
    ("computes without end", "/loop"),
    ("takes memory", "/memory?mib=48"),
    ("asks without end", "/"),
    ("waits", "/sleep?ms=1000"),
];

/// All of it, as text.
pub(crate) fn report(setup: &Setup, rounds: u32) -> Result<String, String> {
    let node = Node::new(setup, "neighbours")?;
    let quiet = setup.guest("hello-rust").to_string_lossy().into_owned();
    let noisy = setup.guest("web").to_string_lossy().into_owned();
    node.run(&[&["tenants", "quotas", "noisy"], &QUOTAS[..]].concat())?;
    node.run(&["deploy", &quiet, "--name", "app", "--tenant", "quiet"])?;
    node.run(&["deploy", &noisy, "--name", "app", "--tenant", "noisy"])?;
    let address = node.server.address;
    quiet_one(address, Duration::from_secs(1))?;
    let mut text = String::from(
        "| the other tenant | p50 us | p99 us | p99 beside nobody, us | ratio of p99 | it asked, refused |\n\
         |---|---|---|---|---|---|\n",
    );
    for (what, path) in NOISE {
        let mut pairs = Vec::new();
        let (mut asked, mut refused) = (0, 0);
        for _ in 0..rounds {
            let alone = quiet_one(address, TIME)?;
            let noise = Noise::default();
            let beside = std::thread::scope(|scope| {
                for _ in 0..CLIENTS {
                    scope.spawn(|| noise.make(address, path));
                }
                // It reaches its limits first.
                std::thread::sleep(Duration::from_secs(2));
                let beside = quiet_one(address, TIME);
                noise.stop.store(true, Relaxed);
                beside
            })?;
            asked += noise.asked.into_inner();
            refused += noise.refused.into_inner();
            pairs.push((alone, beside));
        }
        let of = |value: fn(&(Took, Took)) -> f64| median(pairs.iter().map(value));
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "| {what} | {:.0} | {:.0} | {:.0} | {:.2} | {asked}, {refused} |",
            of(|pair| pair.1.p50_us),
            of(|pair| pair.1.p99_us),
            of(|pair| pair.0.p99_us),
            of(|pair| pair.1.p99_us / pair.0.p99_us),
        );
    }
    Ok(text)
}

/// What the quiet tenant's requests took.
struct Took {
    p50_us: f64,
    p99_us: f64,
}

fn quiet_one(address: SocketAddr, time: Duration) -> Result<Took, String> {
    // On a thread of its own: who is not root cannot take it back.
    std::thread::scope(|scope| {
        let asks = scope.spawn(|| {
            let _ = rustix::process::setpriority_process(None, -20);
            ask(address, time)
        });
        asks.join().expect("it does not panic")
    })
}

fn ask(address: SocketAddr, time: Duration) -> Result<Took, String> {
    let failed = |error: io::Error| format!("the quiet tenant was not answered: {error}");
    let mut stream = TcpStream::connect(address).map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    let mut took = Vec::new();
    let started = Instant::now();
    for number in 0.. {
        let due = started + Duration::from_secs(1) / RATE * number;
        if due > started + time {
            break;
        }
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let answer = get_of(&mut stream, "app--quiet.localhost", "/").map_err(failed)?;
        if !answer.starts_with("HTTP/1.1 200") {
            return Err(format!("the quiet tenant was answered {answer}"));
        }
        took.push(due.elapsed().as_secs_f64() * 1e6);
    }
    took.sort_by(f64::total_cmp);
    let at = |part: f64| took[(took.len() as f64 * part) as usize];
    Ok(Took { p50_us: at(0.5), p99_us: at(0.99) })
}

/// The noisy tenant's clients.
#[derive(Default)]
struct Noise {
    stop: AtomicBool,
    asked: AtomicU64,
    refused: AtomicU64,
}

impl Noise {
    /// One client, until it is stopped.
    fn make(&self, address: SocketAddr, path: &str) {
        // Of this thread alone, on Linux; to lower it takes no right.
        let _ = rustix::process::setpriority_process(None, 19);
        let mut kept = None;
        while !self.stop.load(Relaxed) {
            let Some(stream) = &mut kept else {
                kept = TcpStream::connect(address).ok();
                continue;
            };
            self.asked.fetch_add(1, Relaxed);
            match get_of(stream, "app--noisy.localhost", path) {
                Ok(answer) if answer.starts_with("HTTP/1.1 200") => {}
                // Of a guest that ran out of time, no more is to be had on a connection that was closed.
                Ok(answer) if answer.starts_with("HTTP/1.1 504") => {}
                Ok(_) => {
                    self.refused.fetch_add(1, Relaxed);
                    std::thread::sleep(REFUSED);
                }
                Err(_) => kept = None,
            }
        }
    }
}
