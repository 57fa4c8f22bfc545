//! Servers that say what a test has them say, whatever that does to a client.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

/// Serves on 127.0.0.1 until the process ends: does with each connection what `serve` says, on a thread of its own. An
/// error, as when the client goes away, ends that connection. Returns the port.
///
/// # Panics
///
/// If there is no port.
pub fn scripted(serve: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let serve = Arc::clone(&serve);
            thread::spawn(move || serve(&mut stream));
        }
    });
    port
}

/// Writes the same again and again, until the client goes away.
///
/// # Errors
///
/// Once it has.
pub fn without_end(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    let many = bytes.repeat((64 << 10) / bytes.len() + 1);
    loop {
        stream.write_all(&many)?;
    }
}

/// Says nothing until the client goes away.
///
/// # Errors
///
/// If that is told by one.
pub fn silent(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut bytes = [0; 1024];
    while stream.read(&mut bytes)? > 0 {}
    Ok(())
}

/// The most memory that this process has had in RAM until some moment.
pub struct PeakMemory(u64);

impl PeakMemory {
    /// Until now.
    ///
    /// # Panics
    ///
    /// If the kernel does not tell.
    pub fn now() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        Self(kib << 10)
    }

    /// Bytes by which it has grown since. The kernel counts roughly, so a later reading may be the lower one.
    pub fn grown(&self) -> u64 {
        Self::now().0.saturating_sub(self.0)
    }
}
