//! What a server sends, measured before it is held.
//!
//! The client keeps a message until all of it is there, and a single value may have a gigabyte. So the sizes that
//! messages announce are read as they pass, and what is large is taken from the guest's memory first.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tombolo_capability::{HeldMemory, HostMemory, MemoryExceeded};

/// Smaller messages are not counted one by one: they are gone before there can be many of them.
const SMALL_BYTES: u64 = 64 << 10;
/// What a server may tell over one connection, settings and notices, before it is closed.
const TOLD_BYTES_MAX: u64 = 4 << 20;
/// The largest message while nobody waits for rows.
const UNASKED_BYTES_MAX: u64 = 1 << 20;

/// Who is charged for what comes over one connection.
#[derive(Debug, Default)]
pub(crate) struct Meter(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    memory: Option<HostMemory>,
    /// Bytes of what the server told that was no answer, over all its guests.
    told: u64,
    /// What the present message takes.
    held: Option<HeldMemory>,
    exceeded: Option<MemoryExceeded>,
}

impl Meter {
    /// From now on it is whoever has this memory.
    pub(crate) fn begin(&self, memory: HostMemory) {
        let mut state = self.state();
        *state = State { memory: Some(memory), told: state.told, ..State::default() };
    }

    /// Nobody any more.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        *state = State { told: state.told, ..State::default() };
    }

    /// Whether a message was too large for them.
    pub(crate) fn exceeded(&self) -> Option<MemoryExceeded> {
        self.state().exceeded
    }

    fn message(&self, kind: u8, bytes: u64) -> io::Result<()> {
        let mut state = self.state();
        state.held = None;
        // The client keeps each setting it is told of, and notices until an answer is over.
        if matches!(kind, b'S' | b'N' | b'A') {
            state.told = state.told.saturating_add(bytes);
            if state.told > TOLD_BYTES_MAX {
                return Err(io::Error::other("the server tells of itself without end"));
            }
        }
        if bytes <= SMALL_BYTES {
            return Ok(());
        }
        let Some(memory) = &state.memory else {
            let fits = bytes <= UNASKED_BYTES_MAX;
            return if fits { Ok(()) } else { Err(io::Error::other("the server sends too much at once")) };
        };
        match memory.take(bytes) {
            Ok(held) => {
                state.held = Some(held);
                Ok(())
            }
            Err(error) => {
                state.exceeded = Some(error);
                Err(io::Error::other(error))
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection whose messages are measured.
pub(crate) struct Tap<S> {
    stream: S,
    meter: Arc<Meter>,
    /// The head of the next message, as far as it has come: its kind, and its length without the kind.
    head: [u8; 5],
    head_bytes: usize,
    /// What is still to come of the present message.
    left: u64,
}

impl<S> Tap<S> {
    pub(crate) fn on(stream: S, meter: Arc<Meter>) -> Self {
        Self { stream, meter, head: [0; 5], head_bytes: 0, left: 0 }
    }

    fn passed(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.left > 0 {
                let of_this = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
                self.left -= of_this as u64;
                bytes = &bytes[of_this..];
                continue;
            }
            self.head[self.head_bytes] = bytes[0];
            self.head_bytes += 1;
            bytes = &bytes[1..];
            if self.head_bytes == self.head.len() {
                self.head_bytes = 0;
                let [_, length @ ..] = self.head;
                // With itself. What is shorter is an error, which the client finds.
                self.left = u64::from(u32::from_be_bytes(length)).saturating_sub(4);
                self.meter.message(self.head[0], self.left)?;
            }
        }
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, into))?;
        Poll::Ready(self.passed(&into.filled()[before..]))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(bytes: u32) -> Vec<u8> {
        let mut message = vec![b'D'];
        message.extend((bytes + 4).to_be_bytes());
        message.extend(vec![0; bytes as usize]);
        message
    }

    #[test]
    fn a_message_larger_than_nobody_asked_for_is_refused_at_its_head() {
        let mut tap = Tap::on((), Arc::default());
        tap.passed(&message(1 << 20)).unwrap();
        assert!(tap.passed(&message((1 << 20) + 1)[..5]).is_err());
    }

    proptest! {
        /// However the bytes are cut, every head is found.
        #[test]
        fn messages_are_told_apart_wherever_they_are_cut(
            sizes in proptest::collection::vec(0..300_u32, 1..8), cut in 1..50_usize,
        ) {
            let mut tap = Tap::on((), Arc::default());
            let bytes: Vec<u8> = sizes.iter().flat_map(|size| message(*size)).collect();
            for part in bytes.chunks(cut) {
                tap.passed(part).unwrap();
            }
            prop_assert_eq!((tap.left, tap.head_bytes), (0, 0));
            prop_assert!(tap.passed(&[b'D', 255, 255, 255, 255]).is_err());
        }
    }
}
