//! Requests from a guest to other hosts.
//!
//! Redirects are not followed: to go on is for the guest to decide, and is then a request like any other.

mod connect;
mod exchange;
#[cfg(test)]
mod tests;
mod usage;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use http::{HeaderName, Request, Response};
use http_body_util::BodyExt;
use tombolo_capability::Meter;
use tombolo_egress::{Egress, EgressConfig};
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks,
};

use connect::Target;

/// Bytes one guest may send in the bodies of its requests, all together, and as many again that it may
/// receive in the bodies of answers, by default: 1 GiB, what it may be sent itself.
pub const OUTBOUND_BYTES_MAX: u64 = 1 << 30;

/// What the guests of a component share when they send requests.
pub struct Outbound {
    egress: Arc<Egress>,
    /// A body that goes over ends with an error.
    bytes_max: u64,
}

impl Outbound {
    /// Requests over `egress`, whose bodies come to at most `bytes_max` each way for one guest.
    pub fn new(egress: Arc<Egress>, bytes_max: u64) -> Arc<Self> {
        Arc::new(Self { egress, bytes_max })
    }

    /// No requests.
    pub fn none() -> Arc<Self> {
        Self::new(Egress::new(EgressConfig::none()), OUTBOUND_BYTES_MAX)
    }

    /// What one new guest sends its requests through; what they use is charged to `meter`.
    pub fn open(self: &Arc<Self>, meter: &Arc<Meter>) -> OutboundView {
        OutboundView { outbound: Arc::clone(self), meter: Arc::clone(meter) }
    }

    async fn send(&self, request: Request<WasiBody>, options: RequestOptions, meter: Arc<Meter>) -> Sent {
        let (parts, body) = request.into_parts();
        let connect = async { self.connect(&Target::of(&parts.uri)?, &meter).await };
        let connected = tokio::time::timeout(or_usual(options.connect_timeout), connect).await;
        let connection = match connected.unwrap_or(Err(Error::ConnectionTimeout)) {
            Ok(connection) => connection,
            Err(error) => {
                discard(body);
                return Err(error);
            }
        };
        let body = usage::sent(body, Arc::clone(&meter), self.bytes_max);
        let (response, io) =
            exchange::exchange(connection, Request::from_parts(parts, body), options).await?;
        Ok((response.map(|body| usage::received(body, meter, self.bytes_max)), io))
    }
}

/// Takes a body to its end and throws it away. Dropped at once, it would fail the guest's writing, and
/// libraries report that instead of why nothing was sent. It ends with its guest at the latest.
fn discard(mut body: WasiBody) {
    tokio::spawn(async move { while let Some(Ok(_)) = body.frame().await {} });
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
}

/// Shared: a filter is asked for at every request, and is the same for all.
static FORBIDDEN: LazyLock<ForbiddenHeaderFilter> =
    LazyLock::new(|| Arc::new(|name: &HeaderName| DEFAULT_FORBIDDEN_HEADERS.contains(name)));

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Result<(Response<WasiBody>, Io), Error>;

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
        meter.outbound().request();
        Box::new(async move { outbound.send(request, options.unwrap_or_default(), meter).await })
    }
}
