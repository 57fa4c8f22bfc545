//! One request at one guest: from the first instruction to the last byte of the answer.
//!
//! The guest runs on the task that waits for its answer: no task is started, no queue crossed. It
//! is polled first, then what it wrote is taken; an answer whose body is complete by then is sent
//! as a whole, any other as a stream that owns the guest and goes on polling it. So dropping the
//! answer drops the guest, and back-pressure is that nobody polls. A guest that computes for longer
//! than a slice goes on elsewhere ([`crate::at_work`]), and is waited for in the same way.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response};
use http_body::{Body, Frame, SizeHint};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{Instant, Sleep};
use tombolo_capability::CpuExceeded;
use wasmtime_wasi_http::WasiBody;

use crate::at_work::{AtWork, GuestFuture};
use crate::service::{ServiceError, Slot};

/// Where a guest sends its answer: the head and a body still being written, or its error.
pub(crate) type Head = oneshot::Sender<Result<Response<WasiBody>, String>>;
type Heard = oneshot::Receiver<Result<Response<WasiBody>, String>>;

/// Bytes of body gathered before an answer is sent as a stream.
const WHOLE_BYTES_MAX: usize = 64 << 10;

/// A guest and the answer it is giving.
pub(crate) struct Exchange {
    /// `None` once it is done.
    guest: Option<AtWork>,
    heard: Heard,
    head: Option<Response<WasiBody>>,
    frames: Frames,
    /// Whether all of the body was gathered.
    is_whole: bool,
    /// Tells the guest that its body was taken to the end.
    ended: Option<oneshot::Sender<()>>,
    deadline: Instant,
    limit: Duration,
    body_bytes_max: u64,
    /// Whether the client asked for the head alone: then nobody reads the body.
    is_head: bool,
}

/// What was gathered of a body.
#[derive(Default)]
struct Frames {
    data: VecDeque<Bytes>,
    bytes: usize,
    trailers: Option<HeaderMap>,
}

/// How far gathering got.
enum Gathered {
    /// To the end of the body.
    All,
    /// As far as the guest has written.
    Some,
}

/// What an exchange starts from, besides its guest.
pub(crate) struct Terms {
    /// Held while the guest is there; it knows its limits, and its meter.
    pub(crate) slot: Slot,
    /// Whether the client asked for the head alone.
    pub(crate) is_head: bool,
}

impl Exchange {
    pub(crate) fn new(guest: GuestFuture, heard: Heard, ended: oneshot::Sender<()>, terms: Terms) -> Self {
        let Terms { slot, is_head } = terms;
        let limit = slot.limits().request_time_max;
        let body_bytes_max = slot.limits().response_body_bytes_max;
        let deadline = Instant::from_std(slot.meter().started()) + limit;
        Self {
            guest: Some(AtWork::new(guest, slot)),
            heard,
            head: None,
            frames: Frames::default(),
            is_whole: false,
            ended: Some(ended),
            deadline,
            limit,
            body_bytes_max,
            is_head,
        }
    }

    /// The answer, when there is one: whole if the guest wrote all of it without waiting.
    pub(crate) async fn answer(mut self) -> Result<Response<ResponseBody>, ServiceError> {
        let (deadline, limit) = (self.deadline, self.limit);
        // The timer is registered only if the guest has to wait for something.
        let gathered =
            tokio::time::timeout_at(deadline, std::future::poll_fn(|context| self.poll_gather(context)));
        let gathered = gathered.await.map_err(|_| ServiceError::Deadline { limit })??;
        let head = self.head.take().expect("gathering ends with a head or an error");
        let (parts, body) = head.into_parts();
        let body = match gathered {
            Gathered::All if self.frames.trailers.is_none() => {
                let whole = self.frames.join();
                self.finish(None);
                Inner::Whole(whole)
            }
            Gathered::All => Inner::Streaming(Streaming::new(self, None, None)),
            Gathered::Some => Inner::Streaming(Streaming::new(self, Some(body), length(&parts.headers))),
        };
        Ok(Response::from_parts(parts, ResponseBody(body)))
    }

    fn poll_gather(&mut self, context: &mut Context<'_>) -> Poll<Result<Gathered, ServiceError>> {
        loop {
            self.poll_guest(context).map_err(|error| ServiceError::from_engine(&error))?;
            if self.is_busy() {
                return Poll::Pending;
            }
            if self.head.is_none() {
                match self.heard.try_recv() {
                    // One that says more is to come would open a tunnel, or leave the client waiting.
                    Ok(Ok(head)) if head.status().is_informational() => {
                        let reason = format!("its status is {}", head.status().as_u16());
                        return Poll::Ready(Err(ServiceError::NoAnswer { reason }));
                    }
                    Ok(Ok(head)) => self.head = Some(head),
                    Ok(Err(reason)) => return Poll::Ready(Err(ServiceError::NoAnswer { reason })),
                    // Only the guest sends, and it was just polled: it wakes us when it goes on, or when it did.
                    Err(_) if self.guest.is_some() => return Poll::Pending,
                    Err(_) => {
                        let reason = "it returned without setting a response".to_owned();
                        return Poll::Ready(Err(ServiceError::NoAnswer { reason }));
                    }
                }
            }
            if self.is_whole {
                return Poll::Ready(Ok(Gathered::All));
            }
            let Some(head) = &mut self.head else { continue };
            match Pin::new(head.body_mut()).poll_frame(context) {
                Poll::Ready(None) => {
                    self.body_taken();
                    // With its body taken, the guest may be done too: most are. It goes on once more.
                    self.is_whole = true;
                    continue;
                }
                Poll::Ready(Some(Ok(frame))) => {
                    self.frames.push(frame);
                    let bytes_max = self.body_bytes_max;
                    if self.frames.bytes as u64 > bytes_max {
                        return Poll::Ready(Err(ServiceError::TooLarge { bytes_max }));
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Err(ServiceError::NoAnswer { reason: error.to_string() }));
                }
                // It gave way in the midst of a small answer, perhaps, and wakes us for its turn.
                Poll::Pending if self.guest.as_ref().is_some_and(AtWork::goes_on_soon) => {
                    return Poll::Pending;
                }
                Poll::Pending => return Poll::Ready(Ok(Gathered::Some)),
            }
            if self.frames.bytes > WHOLE_BYTES_MAX {
                return Poll::Ready(Ok(Gathered::Some));
            }
        }
    }

    /// Whether the guest is at something of which nothing may be looked at; it wakes us when that is over.
    fn is_busy(&self) -> bool {
        self.guest.as_ref().is_some_and(AtWork::is_busy)
    }

    /// Lets the guest go on. When it is done its memory is given back at once.
    fn poll_guest(&mut self, context: &mut Context<'_>) -> wasmtime::Result<()> {
        let Some(guest) = &mut self.guest else { return Ok(()) };
        let Poll::Ready(result) = guest.poll(context) else { return Ok(()) };
        self.guest = None;
        result
    }

    fn body_taken(&mut self) {
        if let Some(ended) = self.ended.take() {
            let _ = ended.send(());
        }
    }

    /// A guest may go on after its answer, to write to a store for instance: it does so on a task of
    /// its own, within the bound of its request. What is left of its body is read to the end, for
    /// it may be waiting for that.
    fn finish(mut self, mut body: Option<WasiBody>) {
        if body.is_none() {
            self.body_taken();
        }
        if self.guest.is_none() {
            return;
        }
        let deadline = self.deadline;
        let rest = std::future::poll_fn(move |context| {
            loop {
                self.poll_guest(context)?;
                match body.as_mut().map(|body| Pin::new(body).poll_frame(context)) {
                    Some(Poll::Ready(Some(Ok(_)))) => {}
                    Some(Poll::Ready(_)) => {
                        body = None;
                        self.body_taken();
                    }
                    Some(Poll::Pending) | None if self.guest.is_some() => return Poll::Pending,
                    Some(Poll::Pending) | None => return Poll::Ready(wasmtime::error::Ok(())),
                }
            }
        });
        tokio::spawn(async move {
            match tokio::time::timeout_at(deadline, rest).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!("a guest trapped after its answer: {error:?}"),
                Err(_) => tracing::warn!("a guest was ended at its deadline, after its answer"),
            }
        });
    }
}

/// How long a body is, where its head says.
fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(http::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl Frames {
    fn push(&mut self, frame: Frame<Bytes>) {
        match frame.into_data() {
            Ok(data) => {
                self.bytes += data.len();
                self.data.push_back(data);
            }
            Err(frame) => self.trailers = frame.into_trailers().ok(),
        }
    }

    fn pop(&mut self) -> Option<Frame<Bytes>> {
        self.data.pop_front().map(Frame::data)
    }

    /// All data as one piece; one piece is not copied.
    fn join(&mut self) -> Option<Bytes> {
        if self.data.len() <= 1 {
            return self.data.pop_front();
        }
        let mut joined = BytesMut::with_capacity(self.bytes);
        self.data.drain(..).for_each(|data| joined.extend_from_slice(&data));
        Some(joined.freeze())
    }
}

/// The body of an answer. While it is a stream, it owns the guest.
pub struct ResponseBody(Inner);

enum Inner {
    Whole(Option<Bytes>),
    Streaming(Streaming),
}

/// A body being written. Dropping it ends the guest, unless all of the body is out.
struct Streaming {
    /// Taken at the end; `None` inside once the deadline was there first.
    work: Option<Arc<Mutex<Option<Work>>>>,
    /// Wakes whoever polls at the deadline.
    deadline: Pin<Box<Sleep>>,
    /// Ends the guest at the deadline though nobody polls: a client that takes nothing must not keep
    /// one.
    reaper: AbortHandle,
    /// Bytes still to come, where the head said how many: the one who sends them asks for no more.
    left: Option<u64>,
    /// Bytes that may still come.
    bytes_left: u64,
    bytes_max: u64,
    limit: Duration,
}

struct Work {
    exchange: Exchange,
    /// `None` once it was read to its end.
    body: Option<WasiBody>,
}

/// Why a body was cut. Its head is out, so the connection is closed or the stream reset.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It took longer than its request may.
    #[error("the body was not complete within {} ms", limit.as_millis())]
    Deadline {
        /// How long it may take.
        limit: Duration,
    },
    /// The guest used more time on a core than it may.
    #[error(transparent)]
    Cpu(#[from] CpuExceeded),
    /// The guest wrote more than it may.
    #[error("its body has more than {bytes_max} bytes")]
    TooLarge {
        /// How much it may write.
        bytes_max: u64,
    },
    /// The guest trapped.
    #[error("the guest trapped within its body: {reason}")]
    Trap {
        /// What happened and where in the guest.
        reason: String,
    },
    /// The guest gave its body up, or wrote another length than it had said.
    #[error("the guest did not complete its body: {reason}")]
    Incomplete {
        /// What the engine says.
        reason: String,
    },
}

impl BodyError {
    fn from_engine(error: &wasmtime::Error) -> Self {
        match error.downcast_ref::<CpuExceeded>() {
            Some(exceeded) => Self::Cpu(*exceeded),
            None => Self::Trap { reason: format!("{error:?}") },
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Inner::Whole(data) => Poll::Ready(data.take().map(|data| Ok(Frame::data(data)))),
            Inner::Streaming(streaming) => streaming.poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Whole(data) => data.is_none(),
            Inner::Streaming(streaming) => streaming.work.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Whole(data) => SizeHint::with_exact(data.as_ref().map_or(0, |data| data.len() as u64)),
            Inner::Streaming(_) => SizeHint::default(),
        }
    }
}

impl Streaming {
    fn new(exchange: Exchange, body: Option<WasiBody>, left: Option<u64>) -> Self {
        let (deadline, limit, bytes_max) = (exchange.deadline, exchange.limit, exchange.body_bytes_max);
        let work = Arc::new(Mutex::new(Some(Work { exchange, body })));
        let watched = Arc::downgrade(&work);
        let reaper = tokio::spawn(async move {
            tokio::time::sleep_until(deadline).await;
            while let Some(work) = watched.upgrade() {
                // Held for a slice at most, by whoever is polling the guest.
                if let Ok(mut work) = work.try_lock() {
                    *work = None;
                    return;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        let deadline = Box::pin(tokio::time::sleep_until(deadline));
        Self {
            work: Some(work),
            deadline,
            reaper: reaper.abort_handle(),
            left,
            bytes_left: bytes_max,
            bytes_max,
            limit,
        }
    }

    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(work) = &self.work else { return Poll::Ready(None) };
        if self.deadline.as_mut().poll(context).is_ready() {
            self.work = None;
            return Poll::Ready(Some(Err(BodyError::Deadline { limit: self.limit })));
        }
        let next = {
            let mut work = work.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(work) = &mut *work else { return Poll::Pending };
            ready!(work.poll_next(context))
        };
        let is_last = match &next {
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                let Some(bytes_left) = self.bytes_left.checked_sub(bytes) else {
                    self.work = None;
                    return Poll::Ready(Some(Err(BodyError::TooLarge { bytes_max: self.bytes_max })));
                };
                self.bytes_left = bytes_left;
                self.left = self.left.map(|left| left.saturating_sub(bytes));
                frame.is_trailers() || self.left == Some(0)
            }
            Some(Err(_)) => {
                // There is nothing left of the guest to finish.
                self.work = None;
                false
            }
            None => true,
        };
        if is_last {
            self.finish();
        }
        Poll::Ready(next)
    }

    /// All of the body is out: lets the guest go on without it.
    fn finish(&mut self) {
        let Some(work) = self.work.take() else { return };
        let work = work.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Work { exchange, body }) = work {
            exchange.finish(body);
        }
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        self.reaper.abort();
        let is_head = self.work.as_ref().is_some_and(|work| {
            let work = work.lock().unwrap_or_else(PoisonError::into_inner);
            work.as_ref().is_some_and(|work| work.exchange.is_head)
        });
        if is_head {
            self.finish();
        }
    }
}

impl Work {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Self { exchange, body } = self;
        if let Some(frame) = exchange.frames.pop() {
            return Poll::Ready(Some(Ok(frame)));
        }
        if let Some(open) = body {
            if let Err(error) = exchange.poll_guest(context) {
                return Poll::Ready(Some(Err(BodyError::from_engine(&error))));
            }
            if exchange.is_busy() {
                return Poll::Pending;
            }
            match ready!(Pin::new(open).poll_frame(context)) {
                Some(Ok(frame)) => return Poll::Ready(Some(Ok(frame))),
                Some(Err(error)) => {
                    let reason = error.to_string();
                    return Poll::Ready(Some(Err(BodyError::Incomplete { reason })));
                }
                None => *body = None,
            }
        }
        let trailers = exchange.frames.trailers.take();
        Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
    }
}
