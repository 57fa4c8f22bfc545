//! One request: admitted, routed, answered.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Version, header};
use http_body::Body;
use hyper::body::Incoming;
use tombolo_model::StaticResponse;
use tombolo_model::file_path::{FilePath, FilePathError};
use tombolo_model::route::Pattern;
use tombolo_runtime::{Caller, Inside, Meter, RequestBodyError, Service};

use crate::accept::Shared;
use crate::access::Seen;
use crate::activity::UnderWay;
use crate::admit;
use crate::assets::{AssetRequest, Assets, Reply};
use crate::body::{BodyBounds, RequestBody, Verdict};
use crate::edge::{Pass, Stop};
use crate::front::{Ends, Way};
use crate::inside::{AppInside, Hop};
use crate::record::RequestRecord;
use crate::respond::{self, AnswerBody};
use crate::route::{Answerer, RouteTable, SpinRoute};

/// Answers one request of a client. Never fails: what goes wrong has a status.
pub(crate) async fn answer(
    shared: &Shared,
    request: Request<Incoming>,
    ends: Ends,
    under_way: UnderWay,
) -> Result<Response<AnswerBody>, Infallible> {
    let mut response = answered(shared, request, ends, under_way).await;
    if ends.way == Way::Tls
        && let Some(hsts) = &shared.front.load().hsts
    {
        // What an app says of its own hosts counts.
        response.headers_mut().entry(header::STRICT_TRANSPORT_SECURITY).or_insert_with(|| hsts.0.clone());
    }
    Ok(response)
}

async fn answered(
    shared: &Shared,
    mut request: Request<Incoming>,
    ends: Ends,
    under_way: UnderWay,
) -> Response<AnswerBody> {
    let Ends { client, local, way } = ends;
    let mut record = RequestRecord::start(shared.next_id(), under_way);
    record.seen = shared.access_log.as_ref().map(|log| Box::new(Seen::of(log, &request, client.ip())));
    let authority = match admit::authority(&mut request, local) {
        Ok(authority) => authority,
        Err(status) => {
            record.is_for_nobody(&shared.unknown);
            return respond::refusal(status, record);
        }
    };
    // HTTP/1.1 is read no further than that.
    if request.version() == Version::HTTP_2 && request.headers().len() > shared.config.headers_max {
        record.is_for_nobody(&shared.unknown);
        return respond::refusal(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, record);
    }
    if way == Way::Plain
        && let Some(redirect) = shared.front.load().redirect
    {
        record.is_for_nobody(&shared.unknown);
        return match redirect.location(&authority, request.uri()) {
            Some(location) => respond::redirect(location, record),
            None => respond::refusal(StatusCode::BAD_REQUEST, record),
        };
    }
    *request.uri_mut() = way.uri(request.uri(), &authority);
    let came = Came { authority, client, hops: 0 };
    // The snapshot is let go before the guest runs: what was published lives no longer than it must.
    let (found, pass) = {
        let published = shared.published.load();
        match published.sites.find(admit::host(&came.authority), || number(client.ip())) {
            Some(routes) => met(shared, routes, request, &came, &mut record),
            None => {
                record.is_for_nobody(&shared.unknown);
                (Found::Refused(StatusCode::NOT_FOUND), None)
            }
        }
    };
    let response = found.answer(shared, &came, record).await;
    match pass {
        None => response,
        Some(pass) => pass.leave(response, &shared.encoders),
    }
}

/// Who answers a client's request, and what the policies of the app do about it.
fn met<B: Body>(
    shared: &Shared,
    routes: &RouteTable,
    mut request: Request<B>,
    came: &Came,
    record: &mut RequestRecord,
) -> (Found<B>, Option<Pass>) {
    let Some(policies) = routes.policies() else {
        return (find(shared, routes, request, came, record), None);
    };
    let pass = policies.meet(&mut request, record);
    let found = match pass.stop(came.client.ip(), Instant::now()) {
        None => find(shared, routes, request, came, record),
        Some(stop) => {
            // Counted with what it was for.
            match routes.find(request.uri().path()) {
                Some((_, target)) => record.is_for(&target.name),
                None => record.is_for_nobody(routes.counts()),
            }
            Found::Stopped(stop)
        }
    };
    (found, Some(pass))
}

/// The number by which a client is on one side of a split, and its requests are counted. An IPv6 client is its /64,
/// whose addresses it may change at will.
pub(crate) fn number(client: IpAddr) -> u64 {
    match client.to_canonical() {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
    }
}

/// How a request came.
pub(crate) struct Came {
    /// Whom it is for, with the port if it said one.
    pub(crate) authority: String,
    pub(crate) client: SocketAddr,
    /// How many requests within the app led to it; 0 for one of a client.
    pub(crate) hops: u8,
}

/// Who answers a request, and what they need of it.
pub(crate) enum Found<B> {
    /// A component.
    Component(Ready<B>),
    /// What the manifest wrote.
    Written { response: Arc<StaticResponse>, is_head: bool },
    /// The files of a directory.
    Assets { assets: Arc<Assets>, request: Request<B>, path: Result<FilePath, FilePathError> },
    /// A policy of the app.
    Stopped(Stop),
    /// Nobody.
    Refused(StatusCode),
}

/// Who answers a request by the routes of an app.
pub(crate) fn find<B: Body>(
    shared: &Shared,
    routes: &RouteTable,
    request: Request<B>,
    came: &Came,
    record: &mut RequestRecord,
) -> Found<B> {
    let Some((pattern, target)) = routes.find(request.uri().path()) else {
        record.is_for_nobody(routes.counts());
        return Found::Refused(StatusCode::NOT_FOUND);
    };
    record.is_for(&target.name);
    match &target.answerer {
        Answerer::Component { service, spin, inside } => {
            let route = spin.as_deref().map(|spin| (spin, pattern));
            let callee = Callee { service, route, inside: inside.as_ref() };
            match callee.ready(shared, request, came, record) {
                Ok(ready) => Found::Component(ready),
                Err(status) => Found::Refused(status),
            }
        }
        Answerer::Response(response) => {
            Found::Written { response: Arc::clone(response), is_head: request.method() == Method::HEAD }
        }
        Answerer::Assets(assets) => {
            let path = FilePath::from_url(pattern.rest_of(request.uri().path()));
            Found::Assets { assets: Arc::clone(assets), request, path }
        }
    }
}

impl<B> Found<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<RequestBodyError>,
{
    /// Their answer.
    pub(crate) async fn answer(
        self,
        shared: &Shared,
        came: &Came,
        record: RequestRecord,
    ) -> Response<AnswerBody> {
        match self {
            Self::Component(ready) => component(shared, ready, came, record).await,
            Self::Written { response, is_head } => {
                respond::written(&response, record, is_head, shared.config.server_timing)
            }
            // Boxed, so that requests for components keep no room for it.
            Self::Assets { assets, request, path } => {
                Box::pin(asset(shared, assets, request, path, record)).await
            }
            Self::Stopped(Stop::Preflight(status)) => respond::preflight(status, record),
            Self::Stopped(Stop::TooSoon { retry_after_s }) => respond::too_soon(retry_after_s, record),
            Self::Refused(status) => respond::refusal(status, record),
        }
    }
}

/// A component a request is for.
pub(crate) struct Callee<'a> {
    pub(crate) service: &'a Arc<Service>,
    /// The route it is told, if it expects to be.
    pub(crate) route: Option<(&'a SpinRoute, &'a Pattern)>,
    /// The app it may call parts of.
    pub(crate) inside: Option<&'a Arc<AppInside>>,
}

/// A request within the bounds of its component.
pub(crate) struct Ready<B> {
    service: Arc<Service>,
    inside: Option<Arc<dyn Inside>>,
    meter: Arc<Meter>,
    verdict: Verdict,
    is_head: bool,
    request: Request<RequestBody<B>>,
}

impl Callee<'_> {
    /// The request as the component is to get it.
    ///
    /// # Errors
    ///
    /// The status of one that brings more than it may.
    pub(crate) fn ready<B: Body>(
        &self,
        shared: &Shared,
        request: Request<B>,
        came: &Came,
        record: &mut RequestRecord,
    ) -> Result<Ready<B>, StatusCode> {
        let config = &shared.config;
        let limits = self.service.limits();
        let meter = Arc::new(Meter::new(limits.cpu_time_max));
        record.meter = Some(Arc::clone(&meter));
        let (mut parts, body) = request.into_parts();
        let bounds = BodyBounds {
            bytes_max: limits.request_body_bytes_max,
            // A guest that is slow to write is within the bound of its own request.
            wait_max: if came.hops == 0 { config.body_wait_max } else { limits.request_time_max },
            bytes_per_s_min: config.body_bytes_per_s_min,
        };
        let body = RequestBody::new(body, bounds, &meter, record.under_way().clone())?;
        // It is about this connection, not about the request (RFC 9110 §7.6.1).
        parts.headers.remove(header::CONNECTION);
        if let Some((spin, pattern)) = self.route {
            spin.tell(&mut parts.headers, pattern, &parts.uri, &came.authority, came.client);
        }
        let inside = self.inside.map(|inside| -> Arc<dyn Inside> {
            match came.hops {
                0 => Arc::clone(inside) as _,
                hops => Arc::new(Hop { inside: Arc::clone(inside), hops }),
            }
        });
        Ok(Ready {
            service: Arc::clone(self.service),
            inside,
            meter,
            verdict: body.verdict(),
            is_head: parts.method == Method::HEAD,
            request: Request::from_parts(parts, body),
        })
    }
}

/// Answers a request with a component.
pub(crate) async fn component<B>(
    shared: &Shared,
    ready: Ready<B>,
    came: &Came,
    record: RequestRecord,
) -> Response<AnswerBody>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<RequestBodyError>,
{
    let Ready { service, inside, meter, verdict, is_head, request } = ready;
    let answered = service.call(request, Caller { meter: &meter, inside: inside.as_ref() }).await;
    if came.hops == 0 {
        let_others_go_first(shared, came.client).await;
    }
    if let Some(status) = verdict.status() {
        return respond::refusal(status, record);
    }
    match answered {
        Ok(response) => respond::answer(response, record, is_head, shared.config.server_timing),
        Err(error) => respond::failure(&error, record),
    }
}

/// Answers one request for a file.
async fn asset<B>(
    shared: &Shared,
    assets: Arc<Assets>,
    request: Request<B>,
    path: Result<FilePath, FilePathError>,
    record: RequestRecord,
) -> Response<AnswerBody> {
    let (parts, _unread) = request.into_parts();
    let request = AssetRequest { method: parts.method, uri: parts.uri, headers: parts.headers, path };
    let mut response = match assets.answer(&shared.shelf, request).await {
        Reply::Answer(response) => respond::asset(response, record, shared.config.server_timing),
        Reply::Failure(status, error) => respond::asset_failure(status, &error, record),
        Reply::Refusal(status, header) => {
            let mut response = respond::refusal(status, record);
            response.headers_mut().extend(header);
            response
        }
    };
    assets.tell(response.headers_mut());
    response
}

/// Lets requests that are ready run before this one's answer is written, so that answers leave in a row.
/// A write that wakes a sleeping client costs as much as a quarter of a small request; those right
/// behind it find the client awake. A client that is alone has nobody to wait for.
async fn let_others_go_first(shared: &Shared, client: SocketAddr) {
    let last = shared.last_answered.load(Ordering::Relaxed);
    if last != client.port() {
        shared.last_answered.store(client.port(), Ordering::Relaxed);
        tokio::task::yield_now().await;
    }
}
