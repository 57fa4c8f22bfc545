//! What a server sends, measured before it is held.
//!
//! The client keeps a message until all of it is there, and a single value may have a gigabyte. So the sizes that
//! messages announce are read as they pass, and what is large is taken from the guest's memory first. So is counted what
//! the client asks for by itself: a type that is not built in is looked up, and what it is made of, each within the call
//! that looks up the one before.

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

/// Answers to questions for types, over one connection: as many calls may be within each other, on the stack of a guest.
const LOOKED_UP_MAX: u32 = 64;

/// Who is charged for what comes over one connection.
#[derive(Debug, Default)]
pub(crate) struct Meter(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    memory: Option<HostMemory>,
    /// Bytes of what the server told that was no answer, over all its guests.
    told: u64,
    /// Answers to questions for types, over all its guests.
    looked_up: u32,
    doing: Doing,
    /// What the present message takes.
    held: Option<HeldMemory>,
    stopped: Option<Stopped>,
}

/// What the client is at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Doing {
    /// Nothing that asks for types: executing.
    #[default]
    Other,
    /// Preparing a statement. It is prepared first, and then whatever it takes to know its types.
    Preparing { itself: bool },
}

/// Why nothing more is taken from a server.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stopped {
    /// A message is larger than what is left of the guest's memory.
    TooLarge(MemoryExceeded),
    /// Types lead to others, and those to others.
    Types,
}

impl Meter {
    /// From now on it is whoever has this memory.
    pub(crate) fn begin(&self, memory: HostMemory) {
        let mut state = self.state();
        let doing = Doing::Preparing { itself: true };
        *state = State { memory: Some(memory), doing, ..state.rest() };
    }

    /// The statement is prepared.
    pub(crate) fn prepared(&self) {
        self.state().doing = Doing::Other;
    }

    /// Nobody any more.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        *state = state.rest();
    }

    /// Why the connection was given up, if it was here.
    pub(crate) fn stopped(&self) -> Option<Stopped> {
        self.state().stopped
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
        // That something was parsed, or bound to be executed.
        if matches!(kind, b'1' | b'2')
            && let Doing::Preparing { itself } = &mut state.doing
            && !std::mem::take(itself)
        {
            state.looked_up += 1;
            if state.looked_up > LOOKED_UP_MAX {
                state.stopped = Some(Stopped::Types);
                return Err(io::Error::other("its types lead to too many others"));
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
                state.stopped = Some(Stopped::TooLarge(error));
                Err(io::Error::other(error))
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What stays when another begins.
    fn rest(&self) -> Self {
        Self { told: self.told, looked_up: self.looked_up, ..Self::default() }
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
