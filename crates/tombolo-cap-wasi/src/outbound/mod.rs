//! Requests from a guest to other hosts.
//!
//! Redirects are not followed: to go on is for the guest to decide, and is then a request like any other.
//!
//! A connection is kept for the next request of its component to the same host, and never for another component's.

mod connect;
mod exchange;
mod http1;
mod http2;
mod inside;
mod received;
mod usage;

use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tombolo_capability::Meter;
use tombolo_egress::idle::Idle;
use tombolo_egress::{Egress, EgressConfig};
use tombolo_model::networking::Protocol;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks,
};

use connect::Target;
use http1::Link;
use http2::Shared;
pub use inside::{Inside, Part};

/// Bytes one guest may send in the bodies of its requests, all together, and as many again that it may
/// receive in the bodies of answers, by default: 1 GiB, what it may be sent itself.
pub const OUTBOUND_BYTES_MAX: u64 = 1 << 30;

/// What the guests of a component share when they send requests.
pub struct Outbound {
    egress: Arc<Egress>,
    /// A body that goes over ends with an error.
    bytes_max: u64,
    /// Connections that wait for the next request.
    idle: Arc<Idle<Link>>,
    /// Connections that many requests are on.
    shared: Arc<Shared>,
    /// Whether a connection outlives its request.
    keeps_connections: bool,
}

impl Outbound {
    /// Requests over `egress`, whose bodies come to at most `bytes_max` each way for one guest.
    pub fn new(egress: Arc<Egress>, bytes_max: u64) -> Arc<Self> {
        let (idle, shared) = (Idle::of(&egress, Protocol::Http), Shared::of(&egress));
        let keeps_connections = !egress.common().http_connections_end;
        Arc::new(Self { egress, bytes_max, idle, shared, keeps_connections })
    }

    /// No requests.
    pub fn none() -> Arc<Self> {
        Self::new(Egress::new(EgressConfig::none()), OUTBOUND_BYTES_MAX)
    }

    /// What one new guest sends its requests through; what they use is charged to `meter`. Those to its own
    /// app go to `inside`.
    pub fn open(self: &Arc<Self>, meter: &Arc<Meter>, inside: Option<Arc<dyn Inside>>) -> OutboundView {
        OutboundView { outbound: Arc::clone(self), meter: Arc::clone(meter), inside }
    }

    async fn send(
        &self,
        request: Request<WasiBody>,
        options: RequestOptions,
        meter: Arc<Meter>,
        inside: Option<Arc<dyn Inside>>,
    ) -> Sent {
        let target = Target::of(request.uri());
        let part = target.as_ref().map(|target| target.inside(self.egress.allowed()));
        let (parts, body) = request.into_parts();
        match part {
            Ok(Ok(Some(part))) => {
                let Some(inside) = inside else {
                    discard(body);
                    return Err(Error::DestinationNotFound);
                };
                let body = usage::sent(body, Arc::clone(&meter), self.bytes_max);
                let body = Drained(Some(body)).boxed_unsync();
                // A task of its own, ended with this future: a guest of WASI 0.3 is polled within its event loop,
                // in which another may not begin, and on its account.
                let request = Request::from_parts(parts, body);
                let answer = wasmtime_wasi::runtime::spawn(inside.send(part, request));
                let answer = tokio::time::timeout(or_usual(options.first_byte_timeout), answer).await;
                let (response, io) = answer.map_err(|_| Error::ConnectionReadTimeout)??;
                return Ok((response.map(|body| usage::received(body, meter, self.bytes_max)), io));
            }
            Ok(Err(error)) => {
                discard(body);
                return Err(error);
            }
            Ok(Ok(None)) | Err(_) => {}
        }
        let target = match target {
            Ok(target) => target,
            Err(error) => {
                discard(body);
                return Err(error);
            }
        };
        let request = Request::from_parts(parts, body);
        let (response, io) = self.exchange(&target, request, options, &meter).await?;
        let io = io.unwrap_or_else(|| Box::new(async { Ok(()) }));
        Ok((response.map(|body| usage::received(body, meter, self.bytes_max)), io))
    }
}

/// Takes a body to its end and throws it away. Dropped at once, it would fail the guest's writing, and
/// libraries report that instead of why nothing was sent. It ends with its guest at the latest.
fn discard(mut body: WasiBody) {
    tokio::spawn(async move { while let Some(Ok(_)) = body.frame().await {} });
}

/// A body whose rest is taken and thrown away when its reader has had enough: a component may answer without
/// reading what it was sent, as a server may.
struct Drained(Option<WasiBody>);

impl Drop for Drained {
    fn drop(&mut self) {
        let unread = self.0.take().filter(|body| !body.is_end_stream());
        // Outside of the runtime it ends, and so does whoever writes to it.
        if let (Some(body), Ok(_)) = (unread, tokio::runtime::Handle::try_current()) {
            discard(body);
        }
    }
}

impl Body for Drained {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Some(body) = &mut self.0 else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            self.0 = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(WasiBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(SizeHint::default, WasiBody::size_hint)
    }
}

/// How long each step of a request may take if the guest does not say. As in wasmtime; the deadline
/// of the guest is nearly always nearer.
fn or_usual(timeout: Option<Duration>) -> Duration {
    timeout.unwrap_or(Duration::from_secs(600))
}

/// Sends one guest's requests to the hosts it was granted and refuses all others.
pub struct OutboundView {
    outbound: Arc<Outbound>,
    meter: Arc<Meter>,
    inside: Option<Arc<dyn Inside>>,
}

/// Shared: a filter is asked for at every request, and is the same for all.
static FORBIDDEN: LazyLock<ForbiddenHeaderFilter> =
    LazyLock::new(|| Arc::new(|name: &HeaderName| DEFAULT_FORBIDDEN_HEADERS.contains(name)));

/// What moves the bytes of a request and its answer.
type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;
/// What came of sending a request: the answer, and what moves its body.
pub type Sent = Result<(Response<WasiBody>, Io), Error>;

impl WasiHttpHooks for OutboundView {
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        DEFAULT_FORBIDDEN_HEADERS.contains(name)
    }

    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::clone(&FORBIDDEN)
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _sent: Io,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let (outbound, meter) = (Arc::clone(&self.outbound), Arc::clone(&self.meter));
        let inside = self.inside.clone();
        meter.outbound().request();
        Box::new(async move { outbound.send(request, options.unwrap_or_default(), meter, inside).await })
    }
}
