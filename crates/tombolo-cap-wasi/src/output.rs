//! What a guest prints, line by line, to whoever collects it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use tokio::io::AsyncWrite;
use tokio::sync::mpsc;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use crate::log_budget::{LogBudget, Ruling};

/// What a line costs besides its text, in bytes: a name before it, two writes, a place in the queue.
const LINE_COST: usize = 64;
/// Bytes in one line; a longer one is cut into several.
const LINE_BYTES_MAX: usize = 8192;
/// Bytes a guest may write before it is asked to wait for the collector.
const WRITE_BYTES_MAX: usize = 4096;

/// Which of its two streams a guest printed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One line, without its end.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// Who printed it.
    pub component: Arc<str>,
    /// Where.
    pub stream: LogStream,
    /// What, as it came: no guest is obliged to print UTF-8.
    pub text: Bytes,
}

/// Where lines go. Bounded: a guest that prints faster than they are taken waits.
pub type LogSender = mpsc::Sender<LogLine>;

/// One of the two streams of one component.
#[derive(Clone)]
pub(crate) struct GuestOutput {
    pub(crate) component: Arc<str>,
    pub(crate) stream: LogStream,
    pub(crate) sender: LogSender,
    pub(crate) budget: Arc<LogBudget>,
}

impl IsTerminal for GuestOutput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestOutput {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(LineWriter::new(self.clone()))
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(LineWriter::new(self.clone()))
    }
}

/// Cuts what is written into lines and sends them on.
struct LineWriter {
    output: GuestOutput,
    /// The line being written.
    line: Vec<u8>,
    /// Whole lines that found no room yet, oldest first.
    waiting: std::collections::VecDeque<Bytes>,
    /// Bytes the guest may write before it asks again.
    permit: usize,
    /// Waits for room.
    room: Option<Pin<Box<dyn Future<Output = Room> + Send + Sync>>>,
}

type Room = Result<mpsc::OwnedPermit<LogLine>, mpsc::error::SendError<()>>;

impl LineWriter {
    fn new(output: GuestOutput) -> Self {
        Self { output, line: Vec::new(), waiting: std::collections::VecDeque::new(), permit: 0, room: None }
    }

    fn log_line(&self, text: Bytes) -> LogLine {
        LogLine { component: Arc::clone(&self.output.component), stream: self.output.stream, text }
    }

    fn push(&mut self, bytes: &[u8]) {
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
        let cost = bytes.len() + lines * LINE_COST;
        let Ruling { fits, dropped } = self.output.budget.ask(cost, Instant::now());
        if dropped > 0 {
            let most = self.output.budget.bytes_per_s_max();
            let text = format!("({dropped} bytes of output were dropped: log_bytes_per_s_max = {most})");
            self.waiting.push_back(text.into());
        }
        if fits {
            self.cut(bytes);
        }
        self.send_waiting();
    }

    /// Cuts bytes into lines.
    fn cut(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = part.strip_suffix(b"\n").unwrap_or(part);
            for piece in text.chunks(LINE_BYTES_MAX) {
                if self.line.len() + piece.len() > LINE_BYTES_MAX {
                    self.end_line();
                }
                self.line.extend_from_slice(piece);
            }
            if part.len() > text.len() {
                self.end_line();
            }
        }
    }

    fn end_line(&mut self) {
        self.waiting.push_back(std::mem::take(&mut self.line).into());
    }

    /// Sends what there is room for now. A collector that is gone takes nothing more, silently: a
    /// guest is not to fail because nobody reads its log.
    fn send_waiting(&mut self) {
        while let Some(text) = self.waiting.pop_front() {
            match self.output.sender.try_send(self.log_line(text.clone())) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(_)) => {
                    self.waiting.push_front(text);
                    return;
                }
                Err(mpsc::error::TrySendError::Closed(_)) => self.waiting.clear(),
            }
        }
    }

    fn poll_empty(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            self.send_waiting();
            if self.waiting.is_empty() {
                return Poll::Ready(());
            }
            let room = self.room.get_or_insert_with(|| Box::pin(self.output.sender.clone().reserve_owned()));
            let permit = ready!(room.as_mut().poll(context));
            self.room = None;
            match (permit, self.waiting.pop_front()) {
                (Ok(permit), Some(text)) => drop(permit.send(self.log_line(text))),
                _ => self.waiting.clear(),
            }
        }
    }
}

impl Drop for LineWriter {
    fn drop(&mut self) {
        // A last line without an end is a line too. It is not worth waiting for room here.
        if !self.line.is_empty() {
            self.end_line();
        }
        self.send_waiting();
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for LineWriter {
    async fn ready(&mut self) {
        std::future::poll_fn(|context| self.poll_empty(context)).await;
    }
}

impl OutputStream for LineWriter {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        // A guest that writes without asking would fill the memory of the host.
        let left = self.permit.checked_sub(bytes.len());
        self.permit = left.ok_or_else(|| StreamError::trap("write exceeded what check-write permitted"))?;
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.send_waiting();
        self.permit = if self.waiting.is_empty() { WRITE_BYTES_MAX } else { 0 };
        Ok(self.permit)
    }
}

impl AsyncWrite for LineWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        ready!(self.poll_empty(context));
        let taken = bytes.len().min(WRITE_BYTES_MAX);
        self.push(&bytes[..taken]);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    fn output(capacity: usize) -> (GuestOutput, mpsc::Receiver<LogLine>) {
        let (sender, lines) = mpsc::channel(capacity);
        let budget = Arc::new(LogBudget::new(1 << 20));
        (GuestOutput { component: "api".into(), stream: LogStream::Stdout, sender, budget }, lines)
    }

    fn texts(lines: &mut mpsc::Receiver<LogLine>) -> Vec<Bytes> {
        std::iter::from_fn(|| lines.try_recv().ok()).map(|line| line.text).collect()
    }

    #[test]
    fn writes_become_lines_whatever_their_cuts() {
        let (output, mut lines) = output(16);
        let mut stream = LineWriter::new(output);
        stream.check_write().unwrap();
        OutputStream::write(&mut stream, "one\ntw".into()).unwrap();
        OutputStream::write(&mut stream, "o\n\nlast".into()).unwrap();
        drop(stream);
        assert_eq!(texts(&mut lines), ["one", "two", "", "last"]);
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let (output, mut lines) = output(16);
        let mut stream = LineWriter::new(output);
        for _ in 0..LINE_BYTES_MAX / WRITE_BYTES_MAX {
            assert_eq!(stream.check_write().unwrap(), WRITE_BYTES_MAX);
            OutputStream::write(&mut stream, vec![b'x'; WRITE_BYTES_MAX].into()).unwrap();
        }
        stream.check_write().unwrap();
        OutputStream::write(&mut stream, vec![b'y'; 10].into()).unwrap();
        drop(stream);
        let lengths: Vec<usize> = texts(&mut lines).iter().map(Bytes::len).collect();
        assert_eq!(lengths, [LINE_BYTES_MAX, 10]);
    }

    #[tokio::test]
    async fn a_guest_waits_for_the_collector_and_loses_nothing() {
        let (output, mut lines) = output(1);
        let mut stream = Box::into_pin(output.async_stream());
        let write = tokio::spawn(async move {
            for number in 0..100 {
                stream.write_all(format!("{number}\n").as_bytes()).await.unwrap();
            }
        });
        for number in 0..99 {
            assert_eq!(lines.recv().await.unwrap().text, format!("{number}"));
        }
        write.await.unwrap();
    }

    #[test]
    fn a_full_collector_makes_the_guest_wait() {
        let (output, _lines) = output(1);
        let mut stream = LineWriter::new(output);
        assert_eq!(stream.check_write().unwrap(), WRITE_BYTES_MAX);
        OutputStream::write(&mut stream, "a\nb\n".into()).unwrap();
        assert_eq!(stream.check_write().unwrap(), 0);
    }

    /// Without asking, nothing: what the host holds for a guest is bounded.
    #[test]
    fn a_write_beyond_the_permit_is_a_trap() {
        let (output, _lines) = output(1);
        let mut stream = LineWriter::new(output);
        assert!(matches!(OutputStream::write(&mut stream, "a".into()), Err(StreamError::Trap(_))));
        stream.check_write().unwrap();
        let much = vec![b'\n'; WRITE_BYTES_MAX + 1];
        assert!(matches!(OutputStream::write(&mut stream, much.into()), Err(StreamError::Trap(_))));
    }
}
