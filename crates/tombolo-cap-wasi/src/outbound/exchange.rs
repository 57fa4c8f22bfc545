//! One request and its answer on a connection: HTTP/1.1.

use std::error::Error as _;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use tokio::time::{Sleep, sleep, timeout};
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::connect::Connection;
use super::{Io, or_usual};

/// Sends `request`; its answer, and what moves the bytes of both until the connection is closed.
pub(super) async fn exchange(
    connection: Connection,
    mut request: Request<WasiBody>,
    options: RequestOptions,
) -> Result<(Response<Received>, Io), Error> {
    let Connection { stream, slot } = connection;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    *request.uri_mut() = in_origin_form(request.uri());
    // The slot is given back when the connection is closed: by either side, or by dropping this.
    let mut io = Box::pin(async move {
        let ended = connection.await.map_err(failed);
        drop(slot);
        ended
    });
    let mut is_closed = false;
    let answer = {
        let mut answer = pin!(timeout(or_usual(options.first_byte_timeout), sender.send_request(request)));
        tokio::select! {
            biased;
            answer = &mut answer => answer,
            closed = &mut io => {
                closed?;
                is_closed = true;
                answer.await
            }
        }
    };
    let answer = answer.map_err(|_| Error::ConnectionReadTimeout)?.map_err(failed)?;
    let between = or_usual(options.between_bytes_timeout);
    let answer = answer.map(|incoming| Received { incoming, between, waiting: None });
    let io: Io = if is_closed { Box::new(async { Ok(()) }) } else { Box::new(io) };
    Ok((answer, io))
}

/// A server is asked for a path; scheme and authority are for proxies.
fn in_origin_form(uri: &Uri) -> Uri {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Uri::builder().path_and_query(path).build().expect("it is the path of a URI")
}

/// The error of a guest's own body comes back from hyper wrapped.
fn failed(error: hyper::Error) -> Error {
    if error.is_timeout() {
        return Error::HttpResponseTimeout;
    }
    match error.source().and_then(|source| source.downcast_ref::<Error>()) {
        Some(Error::HttpRequestBodySize(bytes)) => Error::HttpRequestBodySize(*bytes),
        _ => Error::Hyper(error),
    }
}

/// The body of an answer, which must not pause for longer than the guest said.
pub(super) struct Received {
    incoming: Incoming,
    between: Duration,
    /// There while the guest waits: time in which it does not ask is not the server's.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Body for Received {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(context) {
            self.waiting = None;
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
