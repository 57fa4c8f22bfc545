//! Where what guests print goes: to our own streams behind the component's name, and to files.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc;
use tombolo_cap_wasi::{LogLine, LogSender, LogStream};

/// Lines on their way; a guest that prints faster waits.
const LINES_MAX: usize = 1024;

/// Files open at once.
const OPEN_MAX: usize = 256;

/// The collector of what guests print.
pub(crate) struct Logs {
    /// `None` once they are closed.
    sender: Mutex<Option<LogSender>>,
    thread: thread::JoinHandle<()>,
}

impl Logs {
    /// Collects lines from now on, into files in `folder` as well if there is one.
    pub(crate) fn start(folder: Option<PathBuf>) -> Self {
        let (sender, mut lines) = mpsc::channel::<LogLine>(LINES_MAX);
        let run = move || {
            let mut files = folder.map(Files::new);
            while let Some(line) = lines.blocking_recv() {
                print(&line);
                if let Some(open) = &mut files
                    && let Err(error) = open.write(&line)
                {
                    tracing::warn!(
                        "guest output is no longer written to `{}`: {error}",
                        open.folder.display()
                    );
                    files = None;
                }
            }
        };
        let thread = thread::Builder::new().name("logs".to_owned()).spawn(run);
        let thread = thread.expect("a thread can be started while the program starts");
        Self { sender: Mutex::new(Some(sender)), thread }
    }

    /// Where lines go; after closing, nowhere.
    pub(crate) fn sender(&self) -> LogSender {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner).clone();
        sender.unwrap_or_else(|| mpsc::channel(1).0)
    }

    /// Waits until everything that was printed is out: until nobody can print any more and the
    /// collector has ended. Not for long: a full pipe must not stop a shutdown.
    pub(crate) async fn close(&self) {
        *self.sender.lock().unwrap_or_else(PoisonError::into_inner) = None;
        for _ in 0..100 {
            if self.thread.is_finished() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn print(line: &LogLine) {
    let text = [line.component.as_bytes(), b" | ", &line.text, b"\n"].concat();
    // Nobody reads our output any more: the files still get it.
    let _ = match line.stream {
        LogStream::Stdout => io::stdout().lock().write_all(&text),
        LogStream::Stderr => io::stderr().lock().write_all(&text),
    };
}

/// `<component>_stdout.txt` and `<component>_stderr.txt`, of a node with many apps in folders for each of them,
/// opened when first written.
struct Files {
    folder: PathBuf,
    open: HashMap<(Arc<str>, LogStream), File>,
}

impl Files {
    fn new(folder: PathBuf) -> Self {
        Self { folder, open: HashMap::new() }
    }

    fn write(&mut self, line: &LogLine) -> io::Result<()> {
        // Of a thousand apps few print at once; each open file costs a descriptor.
        if self.open.len() >= OPEN_MAX {
            self.open.clear();
        }
        let key = (Arc::clone(&line.component), line.stream);
        let file = match self.open.entry(key) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => entry.insert(open(&self.folder, line)?),
        };
        file.write_all(&[&line.text, b"\n".as_slice()].concat())
    }
}

fn open(folder: &Path, line: &LogLine) -> io::Result<File> {
    let stream = match line.stream {
        LogStream::Stdout => "stdout",
        LogStream::Stderr => "stderr",
    };
    // A component's id has no `/`, nor a place a part that is `..`.
    let path = folder.join(format!("{}_{stream}.txt", line.component));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    OpenOptions::new().create(true).append(true).open(path)
}
