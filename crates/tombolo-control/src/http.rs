//! The control interface over HTTP: who asks is known, what is asked is read strictly, and what changes something
//! is written down.
//!
//! Everything that waits for the disk or a compiler does so on a thread that may.

mod apps;
mod blobs;
mod events;
mod key_value;
mod logs;
mod metrics;
mod ndjson;
mod read;
mod tenants;
mod tokens;
mod variables;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, OriginalUri, Query, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, head, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use tombolo_api::{Problem, problem};
use tombolo_model::TenantName;
use tombolo_store::records::{AuditRecord, EventRecord};

use crate::access::{Principal, bearer, now};
use crate::control::{Answer, Control};
use crate::events::refused_deployment;
use crate::stage::Stage;
use crate::{openapi, refuse};

pub(crate) use apps::{
    __path_activate, __path_app, __path_apps, __path_releases, __path_remove, __path_send_release,
};
pub(crate) use apps::{__path_add_domain, __path_preview, __path_remove_domain, __path_unpreview};
pub(crate) use blobs::{__path_has, __path_missing, __path_send};
pub(crate) use events::__path_events;
pub(crate) use key_value::{__path_keys, __path_put, __path_unput, __path_value};
pub(crate) use logs::__path_logs;
pub(crate) use metrics::{__path_exposed, __path_metrics};
pub use ndjson::line;
pub(crate) use tenants::{__path_set_quotas, __path_tenant, __path_tenants, __path_unset_quotas};
pub(crate) use tokens::{__path_audit, __path_make, __path_revoke, __path_tokens};
pub(crate) use variables::{__path_set, __path_unset, __path_variables};

/// Bytes of a body, where no more is said.
const BODY_BYTES_MAX: usize = 64 << 10;

type Node<S> = State<Arc<Control<S>>>;

/// The control interface. It has to be served with the addresses of its clients, as
/// [`into_make_service_with_connect_info`](Router::into_make_service_with_connect_info) does.
pub fn router<S: Stage>(control: Arc<Control<S>>) -> Router {
    let v1 = Router::new()
        .route("/blobs/missing", post(blobs::missing::<S>))
        .route("/blobs/{digest}", head(blobs::has::<S>).put(blobs::send::<S>))
        .route("/apps", get(apps::apps::<S>))
        .route("/apps/{app}", get(apps::app::<S>).delete(apps::remove::<S>))
        .route("/apps/{app}/active", put(apps::activate::<S>))
        .route("/apps/{app}/releases", get(apps::releases::<S>))
        .route("/apps/{app}/releases/{digest}", put(apps::send_release::<S>))
        .route("/apps/{app}/previews/{digest}", put(apps::preview::<S>).delete(apps::unpreview::<S>))
        .route("/apps/{app}/domains/{domain}", put(apps::add_domain::<S>).delete(apps::remove_domain::<S>))
        .route("/apps/{app}/logs", get(logs::logs::<S>))
        .route("/apps/{app}/key-value/{store}", get(key_value::keys::<S>))
        .route(
            "/apps/{app}/key-value/{store}/{key}",
            get(key_value::value::<S>).put(key_value::put::<S>).delete(key_value::unput::<S>),
        )
        .route("/apps/{app}/variables", get(variables::variables::<S>))
        .route("/apps/{app}/variables/{name}", put(variables::set::<S>).delete(variables::unset::<S>))
        .route("/tokens", get(tokens::tokens::<S>).post(tokens::make::<S>))
        .route("/tokens/{id}", delete(tokens::revoke::<S>))
        .route("/tenants", get(tenants::tenants::<S>))
        .route("/tenants/{tenant}", get(tenants::tenant::<S>))
        .route("/tenants/{tenant}/quotas", put(tenants::set_quotas::<S>).delete(tenants::unset_quotas::<S>))
        .route("/audit", get(tokens::audit::<S>))
        .route("/events", get(events::events::<S>))
        .route("/metrics", get(metrics::metrics::<S>));
    Router::new()
        .nest("/v1", v1)
        .route("/metrics", get(metrics::exposed::<S>))
        // All until here, and nothing behind it.
        .route_layer(middleware::from_fn_with_state(Arc::clone(&control), gate::<S>))
        .route("/v1/openapi.json", get(|| async { Json(openapi::document()) }))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready::<S>))
        .method_not_allowed_fallback(|| async {
            Refused(Problem::new(405, "method", "this cannot be done with it"))
        })
        .fallback(|| async { Refused(refuse::not_found("see /v1/openapi.json for what there is")) })
        .with_state(control)
}

/// Whether this node should be asked: until it stops, for before it is asked all that was active is published.
async fn ready<S: Stage>(State(control): Node<S>) -> Done<&'static str> {
    match control.is_draining() {
        true => Err(refuse::draining().into()),
        false => Ok("ready\n"),
    }
}

/// A refusal on its way.
#[derive(Debug)]
pub(crate) struct Refused(Problem);

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(&self.0)).into_response();
        let kind = header::HeaderValue::from_static(problem::MEDIA_TYPE);
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if status == StatusCode::UNAUTHORIZED {
            let how = header::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, how);
        }
        // For whoever writes down what was refused.
        response.extensions_mut().insert(self.0);
        response
    }
}

pub(crate) type Done<T> = Result<T, Refused>;

/// Does what may wait for the disk or a compiler.
async fn work<S: Stage, T: Send + 'static>(
    control: &Arc<Control<S>>,
    what: impl FnOnce(&Control<S>) -> Answer<T> + Send + 'static,
) -> Done<T> {
    let control = Arc::clone(control);
    let done = tokio::task::spawn_blocking(move || what(&control)).await;
    Ok(done.map_err(|error| refuse::lost(&error))??)
}

/// Which tenant is meant.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Of {
    /// Whose app it is: that of the token if it has one, else `default`.
    #[param(value_type = Option<String>)]
    tenant: Option<TenantName>,
}

/// The same among whatever else is asked, for the audit log.
#[derive(Deserialize)]
struct Whose {
    tenant: Option<TenantName>,
}

impl<N: Send + Sync> FromRequestParts<N> for Principal {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &N) -> Done<Self> {
        Ok(parts.extensions.get::<Self>().cloned().ok_or_else(refuse::unauthorized)?)
    }
}

/// Bytes of a path that are written down.
const PATH_BYTES_MAX: usize = 300;

/// Has what is asked done on a task of its own: if nobody waits for the answer any more, what was done is written down
/// all the same.
async fn gate<S: Stage>(State(control): Node<S>, request: Request, next: Next) -> Response {
    let done = tokio::spawn(admit(control, request, next));
    let failed = |error| Refused(refuse::lost(&error));
    done.await.map_err(failed).and_then(|answered| answered).unwrap_or_else(Refused::into_response)
}

/// Lets nobody by who has no good token, and writes down who changed something or was not allowed to.
async fn admit<S: Stage>(control: Arc<Control<S>>, mut request: Request, next: Next) -> Done<Response> {
    let is_change = !matches!(*request.method(), Method::GET | Method::HEAD);
    let is_question = request.uri().path().ends_with("/blobs/missing");
    let asked = Query::<Whose>::try_from_uri(request.uri()).ok().and_then(|Query(whose)| whose.tenant);
    let mut record = asked_for(&request);

    let token = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let principal = match token.and_then(bearer).map(str::to_owned) {
        Some(token) => work(&control, move |control| control.principal(&token)).await,
        None => Err(refuse::unauthorized().into()),
    };
    let principal = match principal {
        Ok(principal) => principal,
        Err(refused) => {
            record.outcome = refused.0.status;
            let write = move |control: &Control<S>| {
                control.audit_stranger(&record);
                Ok(())
            };
            work(&control, write).await?;
            return Err(refused);
        }
    };
    if is_change && !is_question && control.is_draining() {
        return Err(refuse::draining().into());
    }
    record.who.clone_from(&principal.name);
    record.tenant = principal.tenant(asked).ok();
    request.extensions_mut().insert(principal);
    let mut response = next.run(request).await;
    let is_refused = response.status() == StatusCode::FORBIDDEN;
    if is_refused || (is_change && !is_question) {
        record.outcome = response.status().as_u16();
        let refused = response.extensions_mut().remove::<Problem>();
        let refused = refused.and_then(|problem| refused_deployment(&record, &problem));
        record.event = response.extensions_mut().remove::<EventRecord>().or(refused);
        let write = move |control: &Control<S>| {
            control.audit(&record);
            Ok(())
        };
        work(&control, write).await?;
    }
    Ok(response)
}

/// What is asked, as it is written down; who asks and with which outcome is not known yet.
fn asked_for(request: &Request) -> AuditRecord {
    let from = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let from = from.map_or_else(|| "-".to_owned(), |from| from.0.ip().to_string());
    // As it was asked: the router takes the beginning off.
    let path = request.extensions().get::<OriginalUri>().map_or(request.uri(), |uri| &uri.0).path();
    let path = &path[..path.floor_char_boundary(PATH_BYTES_MAX)];
    let what = format!("{} {path}", request.method());
    AuditRecord { at: now(), who: "-".to_owned(), from, what, outcome: 0, tenant: None, event: None }
}
