//! From a request to its answer: over a connection that waits, or over a new one.

use std::error::Error as _;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Empty};
use tokio::time::timeout;
use tombolo_capability::Meter;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::connect::{Connection, Target};
use super::http1::{self, Home, Link};
use super::http2::{self, Crowd, Lease};
use super::received::{Received, Source};
use super::{Io, Outbound, discard, or_usual, usage};

/// Bytes of the head of an answer; as many of its body are read ahead over HTTP/1.1.
pub(super) const HEAD_BYTES_MAX: usize = 64 << 10;

/// Why a request got no answer.
pub(super) struct Failed {
    error: Error,
    /// Whether the connection failed, rather than the request or its answer.
    is_lost: bool,
    /// The request, if nothing of it was sent.
    unsent: Option<Request<WasiBody>>,
}

impl Failed {
    /// The head of the answer did not come in time.
    pub(super) fn late() -> Self {
        Self { error: Error::ConnectionReadTimeout, is_lost: false, unsent: None }
    }

    pub(super) fn of(error: hyper::Error, unsent: Option<Request<WasiBody>>) -> Self {
        let is_guests = error.is_user() || error.is_timeout();
        let is_lost = !is_guests && !error.is_parse();
        Self { error: failed(error), is_lost, unsent }
    }
}

/// The error of a guest's own body comes back from hyper wrapped.
pub(super) fn failed(error: hyper::Error) -> Error {
    if error.is_timeout() {
        return Error::HttpResponseTimeout;
    }
    match error.source().and_then(|source| source.downcast_ref::<Error>()) {
        Some(Error::HttpRequestBodySize(bytes)) => Error::HttpRequestBodySize(*bytes),
        _ => Error::Hyper(error),
    }
}

/// A connection that was made for a request, or that others were on before.
enum Way {
    Own(Link, tombolo_egress::Slot),
    Shared(Lease),
}

impl Outbound {
    /// Sends `request` to a host that is not of the guest's own app.
    pub(super) async fn exchange(
        &self,
        target: &Target,
        mut request: Request<WasiBody>,
        options: RequestOptions,
        meter: &Arc<Meter>,
    ) -> Result<(Response<Received>, Option<Io>), Error> {
        // What waits was connected to under the same grants; yet a request is asked for each time.
        if !self.egress.allows(&target.destination()) {
            discard(request.into_body());
            return Err(Error::HttpRequestDenied);
        }
        let key = target.key();
        // Not before it is sent: a body that is thrown away is not counted.
        let counted = |request: Request<WasiBody>| {
            request.map(|body| usage::sent(body, Arc::clone(meter), self.bytes_max))
        };
        let mut is_counted = false;
        if let Some(way) = self.waiting(&key).await {
            let copy = repeatable(&request);
            request = counted(request);
            is_counted = true;
            match self.answer(way, &key, request, options).await {
                Ok(answered) => return Ok(answered),
                // Its server closed the connection while it waited. Once: the next is new.
                Err(Failed { unsent: Some(unsent), .. }) => request = unsent,
                Err(Failed { is_lost: true, error, .. }) => request = copy.ok_or(error)?,
                Err(Failed { error, .. }) => return Err(error),
            }
        }
        let connect = timeout(or_usual(options.connect_timeout), self.way(target, &key, meter));
        match connect.await.unwrap_or(Err(Error::ConnectionTimeout)) {
            Ok(way) => {
                let request = if is_counted { request } else { counted(request) };
                self.answer(way, &key, request, options).await.map_err(|failed| failed.error)
            }
            Err(error) => {
                discard(request.into_body());
                Err(error)
            }
        }
    }

    /// A connection that waits, or takes one request more.
    async fn waiting(&self, key: &str) -> Option<Way> {
        if !self.keeps_connections {
            return None;
        }
        if let Some(lease) = self.shared.take(key, Crowd::Fits) {
            return Some(Way::Shared(lease));
        }
        while let Some((mut link, slot)) = self.idle.take(key) {
            if link.is_fit().await {
                return Some(Way::Own(link, slot));
            }
        }
        None
    }

    /// A new connection. If there may be no more of them, one that has as many requests as it takes will do.
    async fn way(&self, target: &Target, key: &str, meter: &Meter) -> Result<Way, Error> {
        let connected = self.connect(target, meter).await;
        let Connection { stream, is_http2, slot } = match connected {
            Err(Error::ConnectionLimitReached) => {
                let lease = self.shared.take(key, Crowd::Waits).ok_or(Error::ConnectionLimitReached)?;
                return Ok(Way::Shared(lease));
            }
            connected => connected?,
        };
        if is_http2 {
            return Ok(Way::Shared(
                self.shared.open(key.into(), stream, slot, self.keeps_connections).await?,
            ));
        }
        Ok(Way::Own(Link::open(stream).await?, slot))
    }

    async fn answer(
        &self,
        way: Way,
        key: &str,
        request: Request<WasiBody>,
        options: RequestOptions,
    ) -> Result<(Response<Received>, Option<Io>), Failed> {
        let first_byte = or_usual(options.first_byte_timeout);
        let between = or_usual(options.between_bytes_timeout);
        let (response, source, io) = match way {
            Way::Own(link, slot) => {
                let home = self.keeps_connections.then(|| Home { idle: self.idle.clone(), key: key.into() });
                let answered = http1::exchange(link, slot, home, request, first_byte).await?;
                (answered.response, answered.engaged.map_or(Source::Elsewhere, Source::Own), answered.io)
            }
            Way::Shared(lease) => {
                let (response, lease) = http2::exchange(lease, request, first_byte).await?;
                (response, Source::Shared(lease), None)
            }
        };
        let mut response = response.map(|incoming| Received::new(incoming, source, between));
        poll_fn(|context| {
            response.body_mut().settle(context);
            Poll::Ready(())
        })
        .await;
        Ok((response, io))
    }
}

/// The same request once more, if a server that has acted on it already may do so again (RFC 9110 §9.2.2), and it has
/// no body that would be gone.
fn repeatable(request: &Request<WasiBody>) -> Option<Request<WasiBody>> {
    let is_idempotent = request.method().is_idempotent();
    if !is_idempotent || !request.body().is_end_stream() {
        return None;
    }
    let mut copy = Request::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}
