//! The body of an answer, which must not pause for longer than the guest said.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Sleep, sleep};
use wasmtime_wasi_http::Error;

use super::exchange::failed;
use super::http1::Engaged;
use super::http2::Lease;

/// What a body comes over.
pub(super) enum Source {
    /// A connection that is its alone.
    Own(Engaged),
    /// One that others are on as well.
    Shared(#[expect(dead_code, reason = "held until it is dropped")] Lease),
    /// Nothing any more, or something that another one moves.
    Elsewhere,
}

/// The body of an answer. Dropped before its end, it ends the exchange.
pub(super) struct Received {
    incoming: Incoming,
    source: Source,
    between: Duration,
    /// There while the guest waits: time in which it does not ask is not the server's.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Received {
    /// What comes over `source`, with pauses of at most `between`.
    pub(super) fn new(incoming: Incoming, source: Source, between: Duration) -> Self {
        Self { incoming, source, between, waiting: None }
    }

    /// Lets go what it comes over, if all has come.
    pub(super) fn settle(&mut self, context: &mut Context<'_>) {
        if self.incoming.is_end_stream() {
            self.end(context);
        }
    }

    fn end(&mut self, context: &mut Context<'_>) {
        if let Source::Own(engaged) = std::mem::replace(&mut self.source, Source::Elsewhere) {
            engaged.leave(context);
        }
    }

    fn poll_incoming(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.incoming).poll_frame(context);
        if frame.is_ready() {
            return frame;
        }
        if let Source::Own(engaged) = std::mem::replace(&mut self.source, Source::Elsewhere) {
            if let Some(engaged) = engaged.advance(context) {
                self.source = Source::Own(engaged);
            }
            return Pin::new(&mut self.incoming).poll_frame(context);
        }
        frame
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Poll::Ready(frame) = self.poll_incoming(context) {
            self.waiting = None;
            match &frame {
                Some(Ok(_)) => self.settle(context),
                Some(Err(_)) => self.source = Source::Elsewhere,
                None => self.end(context),
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(failed)));
        }
        let between = self.between;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(between)));
        ready!(waiting.as_mut().poll(context));
        Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
