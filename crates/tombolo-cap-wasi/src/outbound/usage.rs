//! Bodies of a guest's requests and of the answers, counted and within its bound.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tombolo_capability::{Meter, OverBudget};
use wasmtime_wasi_http::{Error, WasiBody};

/// The body of a request, counted.
pub(super) fn sent(body: WasiBody, usage: Arc<Meter>, bytes_max: u64) -> WasiBody {
    Counted { body, usage, bytes_max, way: Way::Sent }.boxed_unsync()
}

/// The body of an answer, counted.
pub(super) fn received<B>(body: B, usage: Arc<Meter>, bytes_max: u64) -> WasiBody
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
    usage: Arc<Meter>,
    bytes_max: u64,
    way: Way,
}

impl<B> Counted<B> {
    fn count(&self, bytes: usize) -> Result<(), Error> {
        let (bytes, max) = (bytes as u64, self.bytes_max);
        let usage = self.usage.outbound();
        // What does not fit is not passed on, so it is not counted either.
        match self.way {
            Way::Sent => usage.send(bytes, max).map_err(|OverBudget| Error::HttpRequestBodySize(Some(max))),
            Way::Received => {
                usage.receive(bytes, max).map_err(|OverBudget| Error::HttpResponseBodySize(Some(max)))
            }
        }
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
