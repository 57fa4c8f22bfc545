//! A body that is encoded while it is sent.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame};
use tokio::sync::OwnedSemaphorePermit;
use tombolo_model::assets::Encoding;
use tombolo_runtime::{BodyError, Meter};

use super::encoder::Encoder;
use crate::respond::AnswerError;

/// Bytes that are encoded before others have their turn: about a millisecond's worth.
const INPUT_MAX: usize = 64 << 10;
/// Bytes that are sent as soon as there are so many.
const OUTPUT_MIN: usize = 16 << 10;

/// What is left of a body, and what encodes it.
///
/// Bytes go out when enough are encoded, when a slice of input is, or when the body waits: then nothing is held back,
/// so that an event arrives when it happens.
pub(crate) struct Compressed<B> {
    body: B,
    state: State,
    /// What was read and is not encoded yet.
    unread: Bytes,
    /// Whether something was encoded that may be held back.
    is_dirty: bool,
    /// Whether others have their turn first.
    gives_way: bool,
    /// One encoder of those that there may be.
    _place: OwnedSemaphorePermit,
}

/// How far it is.
enum State {
    /// Nothing was read yet: an encoder takes memory once there is something to encode.
    New(Encoding),
    Encoding(Encoder),
    /// All is encoded and taken.
    Ended(Option<HeaderMap>),
}

type Polled = Poll<Option<Result<Frame<Bytes>, AnswerError>>>;

impl<B: Body<Data = Bytes, Error = AnswerError> + Unpin> Compressed<B> {
    pub(crate) fn new(body: B, encoding: Encoding, place: OwnedSemaphorePermit) -> Self {
        Self {
            body,
            state: State::New(encoding),
            unread: Bytes::new(),
            is_dirty: false,
            gives_way: false,
            _place: place,
        }
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Ended(None))
    }

    /// The next of it. The time that encoding takes is charged to `meter`, if there is one.
    pub(crate) fn poll_frame(&mut self, context: &mut Context<'_>, meter: Option<&Meter>) -> Polled {
        if let State::Ended(trailers) = &mut self.state {
            return Poll::Ready(trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
        }
        if std::mem::take(&mut self.gives_way) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        match self.poll_encoded(context, meter) {
            Poll::Ready(Some(Err(error))) => {
                self.state = State::Ended(None);
                Poll::Ready(Some(Err(error)))
            }
            polled => polled,
        }
    }

    fn poll_encoded(&mut self, context: &mut Context<'_>, meter: Option<&Meter>) -> Polled {
        let mut left = INPUT_MAX;
        loop {
            if !self.unread.is_empty() {
                let now = self.unread.len().min(left);
                charged(meter, || self.state.encoder()?.write(&self.unread[..now]))?;
                (left, self.is_dirty) = (left - now, true);
                self.unread.advance(now);
                // It may say so before it is asked for more: then what is left goes out with this.
                if self.unread.is_empty() && self.body.is_end_stream() {
                    return self.end(None, meter);
                }
                if left == 0 || self.state.encoder().map_err(AnswerError::Encoder)?.ready() >= OUTPUT_MIN {
                    self.gives_way = left == 0;
                    return self.out(Held::Back, meter);
                }
                continue;
            }
            match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => self.unread = data,
                    Err(frame) => return self.end(frame.into_trailers().ok(), meter),
                },
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => return self.end(None, meter),
                Poll::Pending if self.is_dirty => return self.out(Held::Nothing, meter),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// What is encoded so far.
    fn out(&mut self, held: Held, meter: Option<&Meter>) -> Polled {
        let encoder = self.state.encoder().map_err(AnswerError::Encoder)?;
        // Nothing at all would be an empty chunk, which ends nothing but wakes everybody.
        if held == Held::Nothing || encoder.ready() == 0 {
            charged(meter, || encoder.flush())?;
            self.is_dirty = false;
        }
        let bytes = encoder.take();
        if bytes.is_empty() { Poll::Pending } else { Poll::Ready(Some(Ok(Frame::data(bytes.into())))) }
    }

    /// The rest.
    fn end(&mut self, trailers: Option<HeaderMap>, meter: Option<&Meter>) -> Polled {
        self.state.encoder().map_err(AnswerError::Encoder)?;
        let State::Encoding(encoder) = std::mem::replace(&mut self.state, State::Ended(trailers)) else {
            return Poll::Ready(None);
        };
        let bytes = charged(meter, || encoder.finish())?;
        Poll::Ready(Some(Ok(Frame::data(bytes.into()))))
    }
}

/// Whether what an encoder holds back stays there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    Back,
    Nothing,
}

impl State {
    fn encoder(&mut self) -> io::Result<&mut Encoder> {
        if let Self::New(encoding) = self {
            *self = Self::Encoding(Encoder::new(*encoding)?);
        }
        match self {
            Self::Encoding(encoder) => Ok(encoder),
            Self::New(_) | Self::Ended(_) => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// Does some of the work, on the time of the request.
fn charged<T>(meter: Option<&Meter>, work: impl FnOnce() -> io::Result<T>) -> Result<T, AnswerError> {
    let began = Instant::now();
    let done = work().map_err(AnswerError::Encoder)?;
    if let Some(meter) = meter {
        meter.worked_elsewhere(began.elapsed()).map_err(BodyError::from)?;
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use futures::task::noop_waker_ref;
    use http_body_util::StreamBody;
    use proptest::prelude::*;
    use tokio::sync::{Semaphore, mpsc};
    use tombolo_model::edge::Compression;

    use super::*;
    use crate::edge::encoder::tests::decoded;

    /// A body that comes through a channel, and what sends it.
    fn sent() -> (mpsc::Sender<Frame<Bytes>>, impl Body<Data = Bytes, Error = AnswerError> + Unpin) {
        let (sender, mut receiver) = mpsc::channel(1000);
        let frames =
            futures::stream::poll_fn(move |context| receiver.poll_recv(context).map(|it| it.map(Ok)));
        (sender, StreamBody::new(frames))
    }

    fn compressed<B>(body: B, encoding: Encoding) -> Compressed<B>
    where
        B: Body<Data = Bytes, Error = AnswerError> + Unpin,
    {
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        Compressed::new(body, encoding, place)
    }

    fn poll<B>(body: &mut Compressed<B>, meter: Option<&Meter>) -> Polled
    where
        B: Body<Data = Bytes, Error = AnswerError> + Unpin,
    {
        body.poll_frame(&mut Context::from_waker(noop_waker_ref()), meter)
    }

    /// All that comes until it waits for its sender, and whether that is the end.
    fn taken<B>(body: &mut Compressed<B>) -> (Vec<u8>, Option<HeaderMap>, bool)
    where
        B: Body<Data = Bytes, Error = AnswerError> + Unpin,
    {
        let (mut bytes, mut trailers, mut waits) = (Vec::new(), None, 0);
        loop {
            match poll(body, None) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => {
                        assert!(!data.is_empty() || body.is_end_stream(), "an empty chunk");
                        (waits, bytes) = (0, [bytes, data.to_vec()].concat());
                    }
                    Err(frame) => trailers = frame.into_trailers().ok(),
                },
                Poll::Ready(Some(Err(error))) => panic!("{error}"),
                Poll::Ready(None) => return (bytes, trailers, true),
                // Once it is for the others' sake.
                Poll::Pending if waits == 1 => return (bytes, trailers, false),
                Poll::Pending => waits += 1,
            }
        }
    }

    #[test]
    fn nothing_is_held_back_while_the_body_waits() {
        for encoding in Compression::ENCODINGS {
            let (sender, body) = sent();
            let mut body = compressed(body, encoding);
            let (mut all, mut expected) = (Vec::new(), Vec::new());
            for number in 0..10 {
                let event = format!("data: {number}\n\n");
                sender.try_send(Frame::data(event.clone().into())).unwrap();
                expected.extend(event.into_bytes());
                let (bytes, _, is_end) = taken(&mut body);
                all.extend(bytes);
                assert_eq!(decoded(encoding, &all), expected, "{encoding:?}: event {number}");
                assert!(!is_end && taken(&mut body).0.is_empty(), "nothing new comes without an event");
            }
            drop(sender);
            let (bytes, trailers, is_end) = taken(&mut body);
            all.extend(bytes);
            assert!(is_end && trailers.is_none() && body.is_end_stream());
            assert_eq!(decoded(encoding, &all), expected);
        }
    }

    #[test]
    fn trailers_come_behind_the_end() {
        let (sender, body) = sent();
        let mut body = compressed(body, Encoding::Gzip);
        sender.try_send(Frame::data("text".into())).unwrap();
        let trailers = HeaderMap::from_iter([(http::header::ETAG, http::HeaderValue::from_static("\"a\""))]);
        sender.try_send(Frame::trailers(trailers.clone())).unwrap();
        let (bytes, told, is_end) = taken(&mut body);
        assert_eq!((decoded(Encoding::Gzip, &bytes), told, is_end), (b"text".to_vec(), Some(trailers), true));
    }

    /// However large a frame is, a poll encodes a part of it, and others have their turn in between.
    #[test]
    fn a_large_frame_is_encoded_in_turns() {
        let (sender, body) = sent();
        let mut body = compressed(body, Encoding::Brotli);
        let large = vec![b'x'; 10 * INPUT_MAX];
        sender.try_send(Frame::data(large.clone().into())).unwrap();
        drop(sender);
        let (mut all, mut turns) = (Vec::new(), 0);
        loop {
            match poll(&mut body, None) {
                Poll::Pending => turns += 1,
                Poll::Ready(None) => break,
                Poll::Ready(Some(frame)) => all.extend(frame.unwrap().into_data().unwrap()),
            }
        }
        assert!(turns >= 9, "{turns} turns of others");
        assert_eq!(decoded(Encoding::Brotli, &all), large);
    }

    #[test]
    fn encoding_is_charged_and_ends_with_the_time_of_its_request() {
        let (sender, body) = sent();
        let mut body = compressed(body, Encoding::Gzip);
        sender.try_send(Frame::data(vec![7; 1 << 20].into())).unwrap();
        let meter = Meter::new(Duration::from_nanos(1));
        let cut = poll(&mut body, Some(&meter));
        assert!(matches!(cut, Poll::Ready(Some(Err(AnswerError::Guest(BodyError::Cpu(_)))))));
        assert!(meter.usage().cpu > Duration::ZERO && body.is_end_stream());
    }

    #[test]
    fn a_body_that_fails_is_cut() {
        let failed = || AnswerError::Asset(io::ErrorKind::TimedOut.into());
        let frames = vec![Ok(Frame::data(Bytes::from("text"))), Err(failed())];
        let mut body = compressed(StreamBody::new(futures::stream::iter(frames)), Encoding::Gzip);
        assert!(matches!(poll(&mut body, None), Poll::Ready(Some(Err(AnswerError::Asset(_))))));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn whatever_the_frames_the_body_is_the_same(
            frames in prop::collection::vec(prop::collection::vec(0u8..4, 0..100_000), 0..6),
            encoding in prop::sample::select(Compression::ENCODINGS.to_vec()),
        ) {
            let (sender, body) = sent();
            let mut body = compressed(body, encoding);
            for frame in &frames {
                sender.try_send(Frame::data(frame.clone().into())).unwrap();
            }
            drop(sender);
            let (bytes, _, is_end) = taken(&mut body);
            prop_assert!(is_end);
            prop_assert_eq!(decoded(encoding, &bytes), frames.concat());
        }
    }
}
