//! One request: admitted, routed, answered.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::{Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use tombolo_model::file_path::{FilePath, FilePathError};
use tombolo_runtime::Meter;

use crate::accept::Shared;
use crate::activity::UnderWay;
use crate::admit;
use crate::assets::{AssetRequest, Assets, Reply};
use crate::body::{BodyBounds, RequestBody};
use crate::record::{RequestId, RequestRecord};
use crate::respond::{self, AnswerBody};
use crate::route::Answerer;

/// Answers one request. Never fails: what goes wrong has a status.
pub(crate) async fn answer(
    shared: &Shared,
    mut request: Request<Incoming>,
    client: SocketAddr,
    local: SocketAddr,
    under_way: UnderWay,
) -> Result<Response<AnswerBody>, Infallible> {
    let config = &shared.config;
    let mut record =
        RequestRecord::start(RequestId(shared.next_id.fetch_add(1, Ordering::Relaxed)), under_way.clone());
    let authority = match admit::authority(&mut request, local) {
        Ok(authority) => authority,
        Err(status) => return Ok(respond::refusal(status, record)),
    };
    // The snapshot is let go before the guest runs: a table lives no longer than it must.
    let is_head = request.method() == Method::HEAD;
    let (service, verdict, meter, request) = {
        let table = shared.table.load();
        let Some((pattern, target)) = table.find(admit::host(&authority), request.uri().path()) else {
            return Ok(respond::refusal(StatusCode::NOT_FOUND, record));
        };
        record.target = Some(Arc::clone(&target.name));
        let (service, spin) = match &target.answerer {
            Answerer::Component { service, spin } => (service, spin),
            Answerer::Response(written) => {
                let written = Arc::clone(written);
                drop(table);
                return Ok(respond::written(&written, record, is_head, config.server_timing));
            }
            Answerer::Assets(assets) => {
                let path = FilePath::from_url(pattern.rest_of(request.uri().path()));
                let assets = Arc::clone(assets);
                drop(table);
                // Boxed, so that requests for components keep no room for it.
                return Ok(Box::pin(asset(shared, assets, request, path, record)).await);
            }
        };
        let limits = service.limits();
        let meter = Arc::new(Meter::new(limits.cpu_time_max));
        record.meter = Some(Arc::clone(&meter));
        let (mut parts, body) = request.into_parts();
        let bounds = BodyBounds {
            bytes_max: limits.request_body_bytes_max,
            wait_max: config.body_wait_max,
            bytes_per_s_min: config.body_bytes_per_s_min,
        };
        let body = match RequestBody::new(body, bounds, &meter, under_way) {
            Ok(body) => body,
            Err(status) => return Ok(respond::refusal(status, record)),
        };
        // It is about this connection, not about the request (RFC 9110 §7.6.1).
        parts.headers.remove(header::CONNECTION);
        if let Some(spin) = spin {
            spin.tell(&mut parts.headers, pattern, &parts.uri, &authority, client);
        }
        let verdict = body.verdict();
        (Arc::clone(service), verdict, meter, Request::from_parts(parts, body))
    };
    let answered = service.call(request, &meter).await;
    let_others_go_first(shared, client).await;
    if let Some(status) = verdict.status() {
        return Ok(respond::refusal(status, record));
    }
    Ok(match answered {
        Ok(response) => respond::answer(response, record, is_head, config.server_timing),
        Err(error) => respond::failure(&error, record),
    })
}

/// Answers one request for a file.
async fn asset(
    shared: &Shared,
    assets: Arc<Assets>,
    request: Request<Incoming>,
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
