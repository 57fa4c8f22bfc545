//! Redis.

use std::process::{Child, Command, Stdio};

use super::process::{free_port, listens};

/// A server of one test; stopped when dropped.
pub struct Redis {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Redis {
    /// An empty server.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// An empty server with more lines of configuration, such as `requirepass secret`. `{port}` is its port.
    pub fn start_with(lines: &[&str]) -> Self {
        for _ in 0..5 {
            let mut server = Self::spawn(free_port(), tempfile::tempdir().unwrap(), lines);
            if listens(&mut server.child, server.port) {
                return server;
            }
        }
        panic!("no Redis server starts: is `redis-server` installed?");
    }

    fn spawn(port: u16, folder: tempfile::TempDir, lines: &[&str]) -> Self {
        let lines: Vec<String> = lines.iter().map(|line| line.replace("{port}", &port.to_string())).collect();
        // What is set twice is what is set last.
        let text = format!("bind 127.0.0.1\nport {port}\nsave \"\"\ndir {}\n", folder.path().display());
        let file = folder.path().join("redis.conf");
        std::fs::write(&file, text + &lines.join("\n") + "\n").unwrap();
        let child =
            Command::new("redis-server").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        Self { child: child.unwrap(), port, folder }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address, without a password.
    pub fn address(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// What `redis-cli` prints for a command, without the last line's end.
    pub fn cli(&self, arguments: &[&str]) -> String {
        let output = Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(arguments).output();
        String::from_utf8(output.unwrap().stdout).unwrap().trim_end().to_owned()
    }

    /// Waits until a command prints `expected`.
    pub fn until(&self, arguments: &[&str], expected: &str) {
        let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
        loop {
            let printed = self.cli(arguments);
            if printed == expected {
                return;
            }
            assert!(std::time::Instant::now() < until, "{arguments:?} prints {printed}, not {expected}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Stops it, and starts it again on the same port, empty.
    pub fn restart(&mut self) {
        self.stop();
        let folder = tempfile::tempdir().unwrap();
        let old = std::mem::replace(self, Self::spawn(self.port, folder, &[]));
        drop(old);
        assert!(listens(&mut self.child, self.port), "the server does not start again");
    }

    /// Stops it at once.
    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Its folder.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
    }
}
