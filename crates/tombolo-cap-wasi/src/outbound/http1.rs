//! HTTP/1.1: one request at a time on a connection, which then waits for the next.
//!
//! Whoever waits for an answer, or reads it, moves the bytes of the connection: there is no task for it that would
//! have to be woken.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, Uri, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use tokio::time::timeout;
use tombolo_egress::Slot;
use tombolo_egress::idle::{self, Idle};
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error, WasiBody};

use super::Io;
use super::connect::Stream;
use super::exchange::{Failed, HEAD_BYTES_MAX, failed};

/// A connection: closed when it is dropped.
pub(super) struct Link {
    sender: SendRequest<WasiBody>,
    connection: Box<Connection<TokioIo<Box<dyn Stream>>, WasiBody>>,
}

impl idle::Connection for Link {
    fn is_open(&self) -> bool {
        self.sender.is_ready()
    }
}

impl Link {
    pub(super) async fn open(stream: Box<dyn Stream>) -> Result<Self, Error> {
        let handshake = Builder::new().max_buf_size(HEAD_BYTES_MAX).handshake(TokioIo::new(stream));
        let (sender, connection) = handshake.await.map_err(failed)?;
        Ok(Self { sender, connection: Box::new(connection) })
    }

    /// Whether it can take a request. Its server may have closed it while nobody looked.
    pub(super) async fn is_fit(&mut self) -> bool {
        let is_closed = poll_fn(|context| Poll::Ready(self.advance(context))).await;
        !is_closed && self.sender.is_ready()
    }

    /// Moves what can be moved; whether the connection is closed then. What failed is told to whoever waits for an
    /// answer or its body.
    fn advance(&mut self, context: &mut Context<'_>) -> bool {
        Pin::new(&mut *self.connection).poll(context).is_ready()
    }
}

/// Where a connection goes when its exchange is over.
pub(super) struct Home {
    pub(super) idle: Arc<Idle<Link>>,
    pub(super) key: Box<str>,
}

/// A connection with an exchange on it.
pub(super) struct Engaged {
    link: Link,
    slot: Slot,
    /// There is none if connections are not to wait.
    home: Option<Home>,
}

impl Engaged {
    /// Moves what can be moved; `None` once the connection is closed.
    pub(super) fn advance(mut self, context: &mut Context<'_>) -> Option<Self> {
        (!self.link.advance(context)).then_some(self)
    }

    /// The body of the answer is over: the connection waits for the next request, or is closed.
    pub(super) fn leave(mut self, context: &mut Context<'_>) {
        let is_closed = self.link.advance(context);
        if let Some(home) = self.home
            && !is_closed
            && self.link.sender.is_ready()
        {
            home.idle.put(&home.key, self.link, self.slot);
        }
    }
}

/// An answer, what moves its bytes, and who does.
pub(super) struct Answered {
    pub(super) response: Response<Incoming>,
    /// There is none if `io` has the connection, or it is closed.
    pub(super) engaged: Option<Engaged>,
    pub(super) io: Option<Io>,
}

/// Sends `request` on `link` and waits so long for the head of its answer.
pub(super) async fn exchange(
    mut link: Link,
    slot: Slot,
    home: Option<Home>,
    request: Request<WasiBody>,
    first_byte: Duration,
) -> Result<Answered, Failed> {
    let uri = request.uri().clone();
    let (mut request, sent) = watched(taken(request));
    *request.uri_mut() = in_origin_form(&uri);
    let mut is_closed = false;
    let answer = {
        let Link { sender, connection } = &mut link;
        let mut answer = pin!(timeout(first_byte, sender.try_send_request(request)));
        poll_fn(|context| {
            if let Poll::Ready(answer) = answer.as_mut().poll(context) {
                return Poll::Ready(answer);
            }
            is_closed = is_closed || Pin::new(&mut **connection).poll(context).is_ready();
            answer.as_mut().poll(context)
        })
        .await
    };
    let response = match answer {
        Err(_) => return Err(Failed::late()),
        Ok(Ok(response)) => response,
        Ok(Err(mut error)) => {
            let unsent = error.take_message().map(|mut request| {
                *request.uri_mut() = uri;
                request
            });
            return Err(Failed::of(error.into_error(), unsent));
        }
    };
    if is_closed {
        return Ok(Answered { response, engaged: None, io: None });
    }
    if sent.is_none_or(|sent| sent.load(Ordering::Acquire)) {
        let engaged = Some(Engaged { link, slot, home });
        return Ok(Answered { response, engaged, io: None });
    }
    // The answer came before all was asked. What the guest still sends goes out whether or not it reads, and the
    // connection is closed behind it.
    let Link { sender, connection } = link;
    drop(sender);
    let io = Box::new(async move {
        let ended = connection.await.map_err(failed);
        drop(slot);
        ended
    });
    Ok(Answered { response, engaged: None, io: Some(io) })
}

/// A server is asked for a path; scheme and authority are for proxies.
fn in_origin_form(uri: &Uri) -> Uri {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Uri::builder().path_and_query(path).build().expect("it is the path of a URI")
}

/// With these methods hyper sends no body unless a header says that there is one, with others none if a header says
/// that it is empty, and lets go of it at once: a guest that is not done with it by then would be told that its
/// connection was reset. So what it writes is taken until it is done.
fn taken(request: Request<WasiBody>) -> Request<WasiBody> {
    let length = request.headers().get(header::CONTENT_LENGTH);
    let is_sent = match length {
        Some(length) => length != "0",
        None => {
            !matches!(*request.method(), Method::GET | Method::HEAD | Method::CONNECT)
                || request.headers().contains_key(header::TRANSFER_ENCODING)
        }
    };
    if is_sent || request.body().is_end_stream() {
        return request;
    }
    let (parts, mut body) = request.into_parts();
    tokio::spawn(async move { while body.frame().await.is_some_and(|frame| frame.is_ok()) {} });
    Request::from_parts(parts, WasiBody::default())
}

/// The request, and what becomes true when all of its body has gone; nothing if there is none.
fn watched(request: Request<WasiBody>) -> (Request<WasiBody>, Option<Arc<AtomicBool>>) {
    if request.body().is_end_stream() {
        return (request, None);
    }
    let gone = Arc::new(AtomicBool::new(false));
    let watch = Gone(Arc::clone(&gone));
    (request.map(|body| Watched { body, _watch: watch }.boxed_unsync()), Some(gone))
}

/// Says when it is dropped.
struct Gone(Arc<AtomicBool>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// The body of a request. Its connection drops it when the last of it is written.
struct Watched {
    body: WasiBody,
    _watch: Gone,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
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
    use futures::channel::mpsc;
    use futures::{SinkExt, StreamExt};
    use http_body_util::StreamBody;

    use super::*;

    /// hyper has let go of it by then. SDKs say that a body is empty, and then write and end it.
    #[tokio::test]
    async fn what_a_guest_writes_that_is_not_sent_is_taken_until_it_is_done() {
        let empty = |method: Method| Request::builder().method(method).header(header::CONTENT_LENGTH, "0");
        for request in [Request::builder(), empty(Method::GET), empty(Method::POST)] {
            let (mut writer, written) = mpsc::channel::<Bytes>(0);
            let body = StreamBody::new(written.map(|data| Ok::<_, Error>(Frame::data(data)))).boxed_unsync();
            let request = taken(request.uri("http://other.example/").body(body).unwrap());
            assert!(request.body().is_end_stream());
            drop(request);
            for _ in 0..10 {
                writer.send(Bytes::from_static(b"x")).await.unwrap();
            }
        }
    }

    #[tokio::test]
    async fn what_a_guest_writes_that_is_sent_is_left() {
        for (name, value) in [(header::CONTENT_LENGTH, "10"), (header::TRANSFER_ENCODING, "chunked")] {
            let body =
                StreamBody::new(futures::stream::pending::<Result<Frame<Bytes>, Error>>()).boxed_unsync();
            let request = Request::get("http://other.example/").header(name, value).body(body).unwrap();
            assert!(!taken(request).body().is_end_stream());
        }
    }
}
