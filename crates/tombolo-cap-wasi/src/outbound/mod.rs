//! Requests from a guest to other hosts.
//!
//! A name is resolved once, here: the addresses it leads to are checked against the grant, and the
//! connection goes to one of those that passed. Nothing resolves it a second time, so what was
//! checked is what is connected to. Redirects are not followed: to go on is for the guest to decide,
//! and is then a request like any other.

mod connect;
mod exchange;
#[cfg(test)]
mod tests;
mod tls;
mod usage;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use http::{HeaderName, Request, Response, Uri};
use http_body_util::BodyExt;
use tokio::sync::Semaphore;
use tokio_rustls::rustls::ClientConfig;
use tombolo_capability::Meter;
use tombolo_model::outbound::AllowedHosts;
use tombolo_model::reach::PrivateNetworks;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks,
};

use connect::{Connection, Target};

/// Where the guests of a component may send requests, and how many.
#[derive(Clone, Debug)]
pub struct OutboundConfig {
    /// The hosts.
    pub allowed: Arc<AllowedHosts>,
    /// What the operator says to addresses that are not public.
    pub private: PrivateNetworks,
    /// Connections of all its guests together; one more is refused with `connection-limit-reached`.
    pub connections_max: u32,
    /// Bytes one guest may send in the bodies of its requests, all together, and as many again that
    /// it may receive in the bodies of answers. A body that goes over ends with an error.
    pub bytes_max: u64,
}

impl OutboundConfig {
    /// 256 are a quarter of the file descriptors that a process has on most systems.
    pub const CONNECTIONS_MAX: u32 = 256;
    /// What a guest may be sent itself, by default: 1 GiB.
    pub const BYTES_MAX: u64 = 1 << 30;

    /// Requests to `allowed` hosts, with the usual bounds.
    pub fn to(allowed: Arc<AllowedHosts>) -> Self {
        Self {
            allowed,
            private: PrivateNetworks::default(),
            connections_max: Self::CONNECTIONS_MAX,
            bytes_max: Self::BYTES_MAX,
        }
    }

    /// No requests.
    pub fn none() -> Self {
        Self::to(Arc::new(AllowedHosts::none()))
    }
}

/// What the guests of a component share when they send requests.
pub struct Outbound {
    config: OutboundConfig,
    connections: Arc<Semaphore>,
    tls: Arc<ClientConfig>,
}

impl Outbound {
    /// Requests as `config` says.
    pub fn new(config: OutboundConfig) -> Arc<Self> {
        Self::trusting(Arc::clone(&tls::PUBLIC), config)
    }

    fn trusting(tls: Arc<ClientConfig>, config: OutboundConfig) -> Arc<Self> {
        let connections = Arc::new(Semaphore::new(config.connections_max as usize));
        Arc::new(Self { config, connections, tls })
    }

    /// What one new guest sends its requests through; what they use is charged to `meter`.
    pub fn open(self: &Arc<Self>, meter: &Arc<Meter>) -> OutboundView {
        OutboundView { outbound: Arc::clone(self), meter: Arc::clone(meter) }
    }

    async fn send(&self, request: Request<WasiBody>, options: RequestOptions, meter: Arc<Meter>) -> Sent {
        let (parts, body) = request.into_parts();
        let connect = self.connect_granted(&parts.uri, &meter);
        let connected = tokio::time::timeout(or_usual(options.connect_timeout), connect).await;
        let connection = match connected.unwrap_or(Err(Error::ConnectionTimeout)) {
            Ok(connection) => connection,
            Err(error) => {
                discard(body);
                return Err(error);
            }
        };
        let body = usage::sent(body, Arc::clone(&meter), self.config.bytes_max);
        let (response, io) =
            exchange::exchange(connection, Request::from_parts(parts, body), options).await?;
        Ok((response.map(|body| usage::received(body, meter, self.config.bytes_max)), io))
    }

    async fn connect_granted(&self, uri: &Uri, meter: &Meter) -> Result<Connection, Error> {
        let target = Target::of(uri)?;
        let to = target.destination();
        // A name that was not granted is not even resolved: that would carry data out.
        if !self.config.allowed.allows(to.scheme, to.host, to.port) {
            return Err(Error::HttpRequestDenied);
        }
        let slot = Arc::clone(&self.connections).try_acquire_owned();
        self.connect(&target, slot.map_err(|_| Error::ConnectionLimitReached)?, meter).await
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
