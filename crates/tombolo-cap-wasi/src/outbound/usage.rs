//! What a guest used of the network by way of requests.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use wasmtime_wasi_http::{Error, WasiBody};

/// Counts of one guest. They only grow.
#[derive(Debug, Default)]
pub struct OutboundUsage {
    requests: AtomicU64,
    connections: AtomicU64,
    bytes_sent: AtomicU64,
    bytes_received: AtomicU64,
}

impl OutboundUsage {
    /// Requests it asked for, those that were refused included.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Connections that were made for it.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Bytes in the bodies of its requests, as far as they were sent.
    pub fn bytes_sent(&self) -> u64 {
        self.bytes_sent.load(Ordering::Relaxed)
    }

    /// Bytes in the bodies of the answers, as far as it took them.
    pub fn bytes_received(&self) -> u64 {
        self.bytes_received.load(Ordering::Relaxed)
    }

    pub(super) fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn connection(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }
}

/// The body of a request, counted.
pub(super) fn sent(body: WasiBody, usage: Arc<OutboundUsage>, bytes_max: u64) -> WasiBody {
    Counted { body, usage, bytes_max, way: Way::Sent }.boxed_unsync()
}

/// The body of an answer, counted.
pub(super) fn received<B>(body: B, usage: Arc<OutboundUsage>, bytes_max: u64) -> WasiBody
where
    B: Body<Data = Bytes, Error = Error> + Send + Unpin + 'static,
{
    Counted { body, usage, bytes_max, way: Way::Received }.boxed_unsync()
}

#[derive(Clone, Copy)]
enum Way {
    Sent,
    Received,
}

/// A body that counts what passes, and ends with an error where its guest's bound is.
struct Counted<B> {
    body: B,
    usage: Arc<OutboundUsage>,
    bytes_max: u64,
    way: Way,
}

impl<B> Counted<B> {
    fn count(&self, bytes: usize) -> Result<(), Error> {
        let max = self.bytes_max;
        let (counter, over) = match self.way {
            Way::Sent => (&self.usage.bytes_sent, Error::HttpRequestBodySize(Some(max))),
            Way::Received => (&self.usage.bytes_received, Error::HttpResponseBodySize(Some(max))),
        };
        let add = |sum: u64| sum.checked_add(bytes as u64).filter(|sum| *sum <= max);
        // What does not fit is not passed on, so it is not counted either.
        counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).map(drop).map_err(|_| over)
    }
}

impl<B: Body<Data = Bytes, Error = Error> + Unpin> Body for Counted<B> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        Poll::Ready(frame.map(|frame| {
            let frame = frame?;
            self.count(frame.data_ref().map_or(0, Bytes::len))?;
            Ok(frame)
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
