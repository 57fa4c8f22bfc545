//! What connections cost that have nothing to say.

use std::fmt::Write;
use std::net::TcpStream;
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};

use super::server::{Kind, Server, Setup, get};

/// Connections held open, each after one answer.
const CONNECTIONS: usize = 10_000;
/// After which a connection of ours has given back what it can, and none is closed yet.
const PAUSE: Duration = Duration::from_secs(6);

/// All of it, as text.
pub(crate) fn table(setup: &Setup) -> Result<String, String> {
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = CONNECTIONS as u64 + 1000;
    if limit.current.is_some_and(|current| current < wanted) {
        limit.current = Some(wanted);
        setrlimit(Resource::Nofile, limit)
            .map_err(|error| format!("{wanted} open files are not allowed: {error}"))?;
    }
    let mut text = format!(
        "| server | of {CONNECTIONS}, answered | MB with them | MB {} s later | MB once they are closed |\n\
         |---|---|---|---|---|\n",
        PAUSE.as_secs()
    );
    for kind in [Kind::Hyper, Kind::Wasmtime, Kind::Tombolo] {
        let server = setup.start(kind)?;
        let before = settled(&server);
        let grown = |server: &Server| server.anonymous_kb().saturating_sub(before) as f64 / 1024.0;
        let held: Vec<TcpStream> = (0..CONNECTIONS).map_while(|_| answered(&server)).collect();
        let with = grown(&server);
        std::thread::sleep(PAUSE);
        let rested = grown(&server);
        let count = held.len();
        drop(held);
        std::thread::sleep(PAUSE);
        // Writing to a string does not fail.
        let closed = grown(&server);
        let _ = writeln!(text, "| {} | {count} | {with:.0} | {rested:.0} | {closed:.0} |", server.name);
    }
    Ok(text)
}

/// Anonymous memory once what is made with the first requests is there.
fn settled(server: &Server) -> u64 {
    for _ in 0..100 {
        drop(answered(server));
    }
    std::thread::sleep(Duration::from_secs(1));
    server.anonymous_kb()
}

/// A connection that got its answer; none where the server gives none.
fn answered(server: &Server) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(server.address).ok()?;
    let answer = get(&mut stream, "/").ok()?;
    answer.starts_with("HTTP/1.1 200").then_some(stream)
}
