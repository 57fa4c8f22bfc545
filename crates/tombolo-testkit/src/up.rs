//! A running `tombolo up`.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::http::{Connection, Response};
use crate::sandbox::Sandbox;

/// A server of one test; killed when dropped.
pub struct Up {
    child: Child,
    /// `None` if it serves no HTTP.
    address: Option<SocketAddr>,
    said: Arc<Said>,
}

/// All that a process printed so far, on both streams.
#[derive(Default)]
struct Said {
    text: Mutex<String>,
    more: Condvar,
}

impl Said {
    fn collect(self: &Arc<Self>, stream: impl Read + Send + 'static) {
        let said = Arc::clone(self);
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                said.text.lock().unwrap().push_str(&(line + "\n"));
                said.more.notify_all();
            }
        });
    }

    /// What was said once it satisfies `enough`.
    fn wait<T>(&self, what: &str, mut enough: impl FnMut(&str) -> Option<T>) -> T {
        let until = Instant::now() + Duration::from_secs(60);
        let mut text = self.text.lock().unwrap();
        loop {
            if let Some(found) = enough(&text) {
                return found;
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited for {what}; it said:\n{text}");
            text = self.more.wait_timeout(text, left).unwrap().0;
        }
    }
}

impl Up {
    /// Starts `tombolo up` on a free port and waits until it serves.
    pub fn start(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        let mut all = vec!["up", "--listen", "127.0.0.1:0"];
        all.extend(arguments);
        Self::spawn(sandbox.command(&all))
    }

    /// The same with a command of the test's own making.
    pub fn spawn(mut command: std::process::Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::new(Said::default());
        said.collect(child.stdout.take().unwrap());
        said.collect(child.stderr.take().unwrap());
        let address = said.wait("an address", |text| {
            if text.contains("Waiting for messages\n") {
                return Some(None);
            }
            let (_, rest) = text.split_once("Listening on http://")?;
            // Its line ends, or the text of a JSON document.
            rest.split_once(['\n', '"'])?.0.parse().ok().map(Some)
        });
        Self { child, address, said }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address.expect("an app that serves HTTP")
    }

    /// A new connection.
    pub fn connect(&self) -> Connection {
        Connection::open(self.address())
    }

    /// One request on a connection of its own.
    pub fn get(&self, path: &str) -> Response {
        self.connect().get(path)
    }

    /// One request with a body on a connection of its own.
    pub fn post(&self, path: &str, body: &[u8]) -> Response {
        let head = format!("POST {path} HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n\r\n", body.len());
        self.connect().send(head).send(body).answer().expect("an answer")
    }

    /// Waits until it has said something with `part` in it, and returns all it has said.
    pub fn said(&self, part: &str) -> String {
        self.said.wait(part, |text| text.contains(part).then(|| text.to_owned()))
    }

    /// A path as the server sees it, with what is mounted for it alone.
    pub fn path(&self, path: &std::path::Path) -> std::path::PathBuf {
        let inside = path.strip_prefix("/").expect("an absolute path");
        std::path::Path::new(&format!("/proc/{}/root", self.child.id())).join(inside)
    }

    /// What the kernel says of the process: a line of its `/proc/PID/status`, without the name.
    pub fn status(&self, name: &str) -> String {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        line_of(&status, name)
    }

    /// The same of each of its threads.
    pub fn thread_statuses(&self, name: &str) -> Vec<String> {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        // A thread may end meanwhile.
        let statuses =
            threads.filter_map(|thread| std::fs::read_to_string(thread.unwrap().path().join("status")).ok());
        statuses.map(|status| line_of(&status, name)).collect()
    }

    /// Its threads: their names, and for how long each was on a core.
    pub fn threads(&self) -> Vec<(String, Duration)> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it runs");
        let of = |task: std::fs::DirEntry| {
            let read = |file| std::fs::read_to_string(task.path().join(file)).ok();
            let ran_ns = read("schedstat")?.split(' ').next()?.parse().ok()?;
            Some((read("comm")?.trim_end().to_owned(), Duration::from_nanos(ran_ns)))
        };
        // One may have ended meanwhile.
        tasks.filter_map(|task| of(task.ok()?)).collect()
    }

    /// Kilobytes resident.
    pub fn memory_kb(&self) -> u64 {
        self.status("VmRSS").trim_end_matches(" kB").parse().unwrap()
    }

    /// Whether its pool of instances is made: 1,000 slots of 4 GiB are addresses that nothing else asks for.
    pub fn has_pool(&self) -> bool {
        let addresses_kb: u64 = self.status("VmSize").trim_end_matches(" kB").parse().unwrap();
        addresses_kb > 1000 << 22
    }

    /// Whether a file whose name has `part` in it is mapped into its memory.
    pub fn maps(&self, part: &str) -> bool {
        std::fs::read_to_string(format!("/proc/{}/maps", self.child.id())).unwrap().contains(part)
    }

    /// Sends a signal, by name.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Ends it as the kernel would a process that took too much: without a word.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop and waits until it has.
    pub fn stop(mut self) -> ExitStatus {
        self.signal("TERM");
        self.child.wait().unwrap()
    }

    /// Waits until it has stopped.
    pub fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn line_of(status: &str, name: &str) -> String {
    let mut lines = status.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(found, _)| *found == name).unwrap().1.trim().to_owned()
}
