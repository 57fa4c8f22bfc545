//! What a guest prints, to whoever reads it as it comes.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

/// Bytes a guest may be ahead of its reader.
const AHEAD_MAX: usize = 64 << 10;
/// Bytes of one write: another handle finds room beside one that asked and does not write.
const WRITE_BYTES_MAX: usize = 16 << 10;

/// The guest's end, or ends: what they write comes in the order of the writes.
#[derive(Clone, Default)]
pub struct Printer(Arc<Mutex<State>>);

/// The host's end. With it goes what the guest prints from then on.
pub struct Printed(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    chunks: VecDeque<Bytes>,
    bytes: usize,
    /// Bytes that writers may write without asking again.
    permitted: usize,
    /// Nothing comes any more.
    is_over: bool,
    /// Nobody reads any more.
    is_unread: bool,
    reader: Option<Waker>,
    writers: Vec<Waker>,
}

impl Printer {
    /// Both ends.
    pub fn new() -> (Self, Printed) {
        let printer = Self::default();
        let printed = Printed(Arc::clone(&printer.0));
        (printer, printed)
    }

    /// Says that nothing comes any more.
    pub fn end(&self) {
        let mut state = self.state();
        state.is_over = true;
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a writer's permit back for one for as many bytes as may be written now; none where nobody reads.
    fn permit(&self, before: usize) -> Option<usize> {
        let mut state = self.state();
        state.permitted -= before;
        let room = state.room().min(WRITE_BYTES_MAX);
        state.permitted += room;
        (!state.is_unread).then_some(room)
    }

    fn push(&self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        let mut state = self.state();
        state.bytes += bytes.len();
        state.chunks.push_back(bytes);
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
    }

    fn poll_room(&self, context: &mut Context<'_>) -> Poll<Option<usize>> {
        let mut state = self.state();
        match state.room() {
            _ if state.is_unread => Poll::Ready(None),
            0 => {
                if !state.writers.iter().any(|waker| waker.will_wake(context.waker())) {
                    state.writers.push(context.waker().clone());
                }
                Poll::Pending
            }
            room => Poll::Ready(Some(room)),
        }
    }
}

impl State {
    fn room(&self) -> usize {
        AHEAD_MAX.saturating_sub(self.bytes + self.permitted)
    }
}

impl Printed {
    /// What came next; `None` at the end.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(chunk) = state.chunks.pop_front() else {
            if state.is_over {
                return Poll::Ready(None);
            }
            state.reader = Some(context.waker().clone());
            return Poll::Pending;
        };
        state.bytes -= chunk.len();
        let writers = std::mem::take(&mut state.writers);
        drop(state);
        writers.into_iter().for_each(Waker::wake);
        Poll::Ready(Some(chunk))
    }

    /// The same, awaited.
    pub async fn next(&mut self) -> Option<Bytes> {
        std::future::poll_fn(|context| self.poll_next(context)).await
    }
}

impl Drop for Printed {
    fn drop(&mut self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.is_unread = true;
        state.chunks.clear();
        let writers = std::mem::take(&mut state.writers);
        drop(state);
        writers.into_iter().for_each(Waker::wake);
    }
}

impl IsTerminal for Printer {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printer {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(Writer { printer: self.clone(), permit: 0 })
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(Writer { printer: self.clone(), permit: 0 })
    }
}

struct Writer {
    printer: Printer,
    /// Bytes the guest may write before it asks again.
    permit: usize,
}

impl Drop for Writer {
    fn drop(&mut self) {
        let mut state = self.printer.state();
        state.permitted -= self.permit;
        let writers = std::mem::take(&mut state.writers);
        drop(state);
        writers.into_iter().for_each(Waker::wake);
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Writer {
    async fn ready(&mut self) {
        // What it was permitted is room for it.
        if self.permit == 0 {
            std::future::poll_fn(|context| self.printer.poll_room(context)).await;
        }
    }
}

impl OutputStream for Writer {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > self.permit {
            return Err(StreamError::trap("write exceeded what check-write permitted"));
        }
        // A permit is for one write.
        self.printer.state().permitted -= std::mem::take(&mut self.permit);
        self.printer.push(bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        let before = std::mem::take(&mut self.permit);
        self.permit = self.printer.permit(before).ok_or(StreamError::Closed)?;
        Ok(self.permit)
    }
}

impl AsyncWrite for Writer {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let room = std::task::ready!(self.printer.poll_room(context));
        let room = room.ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))?;
        let taken = &bytes[..bytes.len().min(room)];
        self.printer.push(Bytes::copy_from_slice(taken));
        Poll::Ready(Ok(taken.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn what_is_printed_is_read_in_order_and_ends() {
        let (printer, mut printed) = Printer::new();
        let mut stream = printer.p2_stream();
        assert_eq!(stream.check_write().unwrap(), WRITE_BYTES_MAX);
        stream.write("one".into()).unwrap();
        assert!(stream.write("x".into()).is_err(), "a permit is for one write");
        Box::into_pin(printer.async_stream()).write_all(b"two").await.unwrap();
        assert_eq!(printed.next().await.unwrap(), "one");
        assert_eq!(printed.next().await.unwrap(), "two");
        let (last, ()) = tokio::join!(printed.next(), async { printer.end() });
        assert_eq!(last, None);
    }

    #[tokio::test]
    async fn a_guest_is_no_further_ahead_than_it_may_be() {
        let (printer, mut printed) = Printer::new();
        let mut stream = printer.p2_stream();
        for _ in 0..AHEAD_MAX / WRITE_BYTES_MAX {
            let room = stream.check_write().unwrap();
            stream.write(vec![0; room].into()).unwrap();
        }
        assert_eq!(stream.check_write().unwrap(), 0);
        assert!(stream.write("x".into()).is_err(), "it was told that there is no room");
        let ((), read) = tokio::join!(stream.ready(), printed.next());
        assert_eq!(read.unwrap().len(), WRITE_BYTES_MAX);
        assert_eq!(stream.check_write().unwrap(), WRITE_BYTES_MAX);
    }

    /// However many handles a guest has, together they are no further ahead.
    #[tokio::test]
    async fn what_one_writer_was_permitted_another_is_not() {
        let (printer, mut printed) = Printer::new();
        let mut writers: Vec<_> = (0..10).map(|_| printer.p2_stream()).collect();
        let permits: Vec<usize> = writers.iter_mut().map(|writer| writer.check_write().unwrap()).collect();
        assert_eq!(permits.iter().sum::<usize>(), AHEAD_MAX);
        writers[0].write(vec![0; 10].into()).unwrap();
        assert_eq!(writers[9].check_write().unwrap(), WRITE_BYTES_MAX - 10);
        writers.truncate(1);
        assert_eq!(writers[0].check_write().unwrap(), WRITE_BYTES_MAX);
        assert_eq!(printed.next().await.unwrap().len(), 10);
    }

    #[tokio::test]
    async fn who_prints_is_told_that_nobody_reads() {
        let (printer, printed) = Printer::new();
        let mut stream = Box::into_pin(printer.async_stream());
        drop(printed);
        assert_eq!(stream.write_all(b"x").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert!(matches!(printer.p2_stream().check_write(), Err(StreamError::Closed)));
    }
}
