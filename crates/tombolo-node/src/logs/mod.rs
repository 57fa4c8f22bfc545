//! Where what guests print goes: to our own streams behind the component's name, and to whoever keeps it.

mod files;
mod journal;
mod journals;

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::sync::mpsc;
use tombolo_cap_wasi::{LogLine, LogSender, LogStream};

pub(crate) use files::Files;
pub(crate) use journals::Journals;

/// Lines on their way; a guest that prints faster waits.
const LINES_MAX: usize = 1024;
/// How long what was printed may take to be out when the node stops: a full pipe must not stop a shutdown.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(1);
/// How often that is looked at.
const CLOSE_LOOK: Duration = Duration::from_millis(10);

/// How the program prints what guests print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// Behind the component's name.
    Text,
    /// As JSON, one document a line.
    Json,
}

/// The collector of what guests print.
pub(crate) struct Logs {
    /// `None` once they are closed.
    sender: Mutex<Option<LogSender>>,
    thread: thread::JoinHandle<()>,
}

/// Who keeps lines.
pub(crate) enum Keeper {
    /// The files of one app.
    Files(Files),
    /// The journals of many.
    Journals(Arc<Journals>),
}

impl Logs {
    /// Collects lines from now on.
    pub(crate) fn start(mut keeper: Keeper, printed: Lines) -> Self {
        let (sender, mut lines) = mpsc::channel::<LogLine>(LINES_MAX);
        let run = move || {
            while let Some(line) = lines.blocking_recv() {
                print(&line, printed);
                match &mut keeper {
                    Keeper::Files(files) => files.keep(&line),
                    Keeper::Journals(journals) => journals.keep(&line),
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

    /// Waits until all that was printed until now was collected.
    pub(crate) async fn collected(&self) {
        let sender = self.sender();
        Self::wait(|| sender.capacity() == sender.max_capacity()).await;
    }

    /// Waits until everything that was printed is out: until nobody can print any more and the
    /// collector has ended.
    pub(crate) async fn close(&self) {
        *self.sender.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Self::wait(|| self.thread.is_finished()).await;
    }

    async fn wait(is_done: impl Fn() -> bool) {
        let looks = CLOSE_TIME_MAX.as_millis() / CLOSE_LOOK.as_millis();
        for _ in 0..looks {
            if is_done() {
                return;
            }
            tokio::time::sleep(CLOSE_LOOK).await;
        }
    }
}

fn print(line: &LogLine, printed: Lines) {
    let text = match printed {
        Lines::Text => [line.component.as_bytes(), b" | ", &line.text, b"\n"].concat().into(),
        Lines::Json => document(line, &line.component),
    };
    // Nobody reads our output any more: whoever keeps lines still gets it.
    let _ = match line.stream {
        LogStream::Stdout => io::stdout().lock().write_all(&text),
        LogStream::Stderr => io::stderr().lock().write_all(&text),
    };
}

/// A line as it is told to programs.
fn document(line: &LogLine, component: &str) -> Bytes {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    tombolo_control::line(&tombolo_control::LogLine {
        at_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
        component: component.to_owned(),
        stream: match line.stream {
            LogStream::Stdout => tombolo_control::LogStream::Stdout,
            LogStream::Stderr => tombolo_control::LogStream::Stderr,
        },
        text: String::from_utf8_lossy(&line.text).into_owned(),
    })
}
