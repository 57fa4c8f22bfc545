//! The body of a request: how much a client may bring, and how slowly.

use std::pin::Pin;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};
use tombolo_runtime::{Meter, RequestBodyError};

use crate::activity::UnderWay;

/// How much, and how slowly.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyBounds {
    pub(crate) bytes_max: u64,
    /// How long a guest may wait for it, on top of what it takes at `bytes_per_s_min`.
    pub(crate) wait_max: Duration,
    pub(crate) bytes_per_s_min: u64,
}

/// The body of a request, within its bounds.
pub(crate) struct RequestBody<B> {
    body: B,
    bounds: BodyBounds,
    bytes: u64,
    /// How long the guest waited for the client so far. A guest that does not read keeps no client
    /// from being in time.
    waited: Duration,
    wait: Option<Wait>,
    verdict: Verdict,
    meter: Arc<Meter>,
    /// Its connection does not rest meanwhile: a guest may read on after its answer.
    _under_way: UnderWay,
}

/// The guest waits for the client.
struct Wait {
    since: Instant,
    end: Pin<Box<Sleep>>,
    arrival: Arc<Arrival>,
}

/// When the client sent something: that ends the wait, however much later the guest looks.
struct Arrival {
    at: OnceLock<Instant>,
    waiter: Waker,
}

impl Wake for Arrival {
    fn wake(self: Arc<Self>) {
        let _ = self.at.set(Instant::now());
        self.waiter.wake_by_ref();
    }
}

/// What is wrong with a body, once something is: its status.
#[derive(Clone, Default)]
pub(crate) struct Verdict(Option<Arc<AtomicU16>>);

impl Verdict {
    /// The status to answer with, whatever the guest made of the broken body.
    pub(crate) fn status(&self) -> Option<StatusCode> {
        let status = self.0.as_ref()?.load(Ordering::Relaxed);
        StatusCode::from_u16(status).ok()
    }

    fn set(&self, status: StatusCode) {
        if let Some(verdict) = &self.0 {
            verdict.store(status.as_u16(), Ordering::Relaxed);
        }
    }
}

impl<B: Body> RequestBody<B> {
    /// A body within `bounds`.
    ///
    /// # Errors
    ///
    /// 413, if the request says itself that it has more.
    pub(crate) fn new(
        body: B,
        bounds: BodyBounds,
        meter: &Arc<Meter>,
        under_way: UnderWay,
    ) -> Result<Self, StatusCode> {
        if body.size_hint().lower() > bounds.bytes_max {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        // Nothing can go wrong with a body that is not there, as with most requests.
        let verdict = Verdict((!body.is_end_stream()).then(Arc::default));
        let meter = Arc::clone(meter);
        let waited = Duration::ZERO;
        Ok(Self { body, bounds, bytes: 0, waited, wait: None, verdict, meter, _under_way: under_way })
    }

    pub(crate) fn verdict(&self) -> Verdict {
        self.verdict.clone()
    }

    /// Polls the clock while the client is waited for; done when it has been for too long.
    fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let BodyBounds { wait_max, bytes_per_s_min, .. } = self.bounds;
        let earned = Duration::from_secs_f64(self.bytes as f64 / bytes_per_s_min as f64);
        let left = (wait_max + earned).saturating_sub(self.waited);
        let Some(wait) = &mut self.wait else { return Poll::Pending };
        if wait.end.deadline() > wait.since + left {
            wait.end.as_mut().reset(wait.since + left);
        }
        wait.end.as_mut().poll(context)
    }
}

impl<B> RequestBody<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    /// Polls the client; while there is nothing, the clock of its wait runs, until something arrives.
    fn poll_client(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Some(wait) = self.wait.take() {
            let end = wait.arrival.at.get().copied();
            match (&polled, end) {
                (Poll::Pending, None) if wait.arrival.waiter.will_wake(context.waker()) => {
                    // Nothing yet, and the same waiter: the clock goes on. The body keeps the last waker
                    // it was given, so it is given the one that notes the time again.
                    let waker = Waker::from(Arc::clone(&wait.arrival));
                    let polled = Pin::new(&mut self.body).poll_frame(&mut Context::from_waker(&waker));
                    match polled.is_ready() {
                        true => self.waited += wait.since.elapsed(),
                        false => self.wait = Some(wait),
                    }
                    return polled;
                }
                _ => self.waited += end.unwrap_or_else(Instant::now) - wait.since,
            }
        }
        if polled.is_ready() {
            return polled;
        }
        let since = Instant::now();
        let arrival = Arc::new(Arrival { at: OnceLock::new(), waiter: context.waker().clone() });
        let waker = Waker::from(Arc::clone(&arrival));
        // Far off, until the time that is left is known.
        let end = Box::pin(tokio::time::sleep(Duration::from_secs(86_400)));
        let polled = Pin::new(&mut self.body).poll_frame(&mut Context::from_waker(&waker));
        if polled.is_pending() {
            self.wait = Some(Wait { since, end, arrival });
        }
        polled
    }
}

impl<B> Body for RequestBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<RequestBodyError>,
{
    type Data = Bytes;
    type Error = RequestBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        let Poll::Ready(frame) = self.poll_client(context) else {
            if self.poll_late(context).is_pending() {
                return Poll::Pending;
            }
            self.verdict.set(StatusCode::REQUEST_TIMEOUT);
            return Poll::Ready(Some(Err(RequestBodyError::ConnectionReadTimeout)));
        };
        let frame = match frame {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
            None => return Poll::Ready(None),
        };
        let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
        self.bytes += bytes;
        self.meter.received(bytes);
        if self.bytes > self.bounds.bytes_max {
            self.verdict.set(StatusCode::PAYLOAD_TOO_LARGE);
            return Poll::Ready(Some(Err(RequestBodyError::HttpRequestBodySize(None))));
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::Activity;
    use http_body_util::{BodyExt, StreamBody};
    use tokio::sync::mpsc;

    const BOUNDS: BodyBounds =
        BodyBounds { bytes_max: 10_000, wait_max: Duration::from_secs(10), bytes_per_s_min: 100 };

    type Chunk = Result<Frame<Bytes>, RequestBodyError>;

    /// A client that sends what comes over a channel, and its body.
    fn client()
    -> (mpsc::Sender<Chunk>, RequestBody<impl Body<Data = Bytes, Error = RequestBodyError> + Unpin>) {
        let (sender, mut receiver) = mpsc::channel(4);
        let stream = futures::stream::poll_fn(move |context| receiver.poll_recv(context));
        let meter = Arc::new(Meter::new(Duration::MAX));
        let under_way = Arc::<Activity>::default().begin();
        (sender, RequestBody::new(StreamBody::new(stream), BOUNDS, &meter, under_way).unwrap())
    }

    fn chunk(bytes: usize) -> Chunk {
        Ok(Frame::data(vec![0; bytes].into()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_nothing_is_given_up() {
        let (sender, mut body) = client();
        let started = Instant::now();
        sender.send(chunk(500)).await.unwrap();
        assert!(body.frame().await.unwrap().is_ok());
        assert!(body.frame().await.unwrap().is_err());
        // Ten seconds, and five for what it sent.
        assert_eq!(started.elapsed().as_secs(), 15);
        assert_eq!(body.verdict().status(), Some(StatusCode::REQUEST_TIMEOUT));
    }

    /// Neither a byte now and then nor a fast start buys more time than it is worth.
    #[tokio::test(start_paused = true)]
    async fn a_client_that_drips_is_given_up() {
        let (sender, mut body) = client();
        let started = Instant::now();
        tokio::spawn(async move {
            while sender.send(chunk(1)).await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        while body.frame().await.is_some_and(|frame| frame.is_ok()) {}
        assert_eq!(started.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_client_above_the_rate_and_a_slow_guest_are_in_time() {
        let (sender, mut body) = client();
        tokio::spawn(async move {
            for _ in 0..50 {
                sender.send(chunk(110)).await.unwrap();
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        for _ in 0..50 {
            assert!(body.frame().await.unwrap().is_ok());
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        assert!(body.frame().await.is_none());
        assert_eq!(body.verdict().status(), None);
    }

    /// What came while the guest did something else was not waited for.
    #[tokio::test(start_paused = true)]
    async fn a_guest_that_looks_late_charges_its_client_nothing() {
        let (sender, mut body) = client();
        for _ in 0..3 {
            let waits = std::future::poll_fn(|context| {
                Poll::Ready(Pin::new(&mut body).poll_frame(context).is_pending())
            });
            assert!(waits.await, "nothing was sent yet");
            tokio::time::sleep(Duration::from_secs(1)).await;
            sender.send(chunk(1)).await.unwrap();
            tokio::time::sleep(Duration::from_secs(20)).await;
            assert!(body.frame().await.unwrap().is_ok());
        }
        assert!(body.waited < Duration::from_secs(4), "{:?}", body.waited);
    }

    #[tokio::test]
    async fn a_long_body_is_cut() {
        let (sender, mut body) = client();
        sender.send(chunk(10_000)).await.unwrap();
        sender.send(chunk(1)).await.unwrap();
        assert!(body.frame().await.unwrap().is_ok());
        assert!(body.frame().await.unwrap().is_err());
        assert_eq!(body.verdict().status(), Some(StatusCode::PAYLOAD_TOO_LARGE));
        assert_eq!(body.meter.usage().request_bytes, 10_001);
    }
}
