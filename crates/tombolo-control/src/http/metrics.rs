//! What the node counts.

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use tombolo_api::Problem;
use tombolo_api::metrics::Metrics;
use tombolo_model::{AppKey, TenantName};

use super::read::Asked;
use super::{Done, Node, Of, work};
use crate::access::{Action, Principal};
use crate::control::Control;
use crate::exposition;
use crate::stage::Stage;

/// What was counted since the node started, of the apps that the token's holder may look at
///
/// Of all tenants, and with the node itself, for an admin who says none.
#[utoipa::path(
    get, path = "/v1/metrics", tag = "metrics", params(Of),
    responses((status = 200, body = Metrics), (status = "default", body = Problem))
)]
pub(crate) async fn metrics<S: Stage>(
    State(control): Node<S>,
    principal: Principal,
    Asked(of): Asked<Of>,
) -> Done<Json<Metrics>> {
    Ok(Json(measured(&control, principal, of).await?))
}

/// The same for Prometheus, in its text format
#[utoipa::path(
    get, path = "/metrics", tag = "metrics", params(Of),
    responses((status = 200, body = String, content_type = "text/plain"), (status = "default", body = Problem))
)]
pub(crate) async fn exposed<S: Stage>(
    State(control): Node<S>,
    principal: Principal,
    Asked(of): Asked<Of>,
) -> Done<impl IntoResponse> {
    let metrics = measured(&control, principal, of).await?;
    Ok(([(CONTENT_TYPE, exposition::MEDIA_TYPE)], exposition::text(&metrics)))
}

async fn measured<S: Stage>(
    control: &std::sync::Arc<Control<S>>,
    principal: Principal,
    of: Of,
) -> Done<Metrics> {
    let tenant: Option<TenantName> = match (principal.admin(), of.tenant) {
        (Ok(()), asked) => asked,
        (Err(_), asked) => Some(principal.tenant(asked)?),
    };
    let is_whole = principal.admin().is_ok() && tenant.is_none();
    work(control, move |control| {
        let may_look = |key: &AppKey| {
            tenant.as_ref().is_none_or(|tenant| key.tenant == *tenant)
                && principal.app(Some(key.tenant.clone()), key.app.clone(), Action::Look).is_ok()
        };
        let may_look_at_all = |name: &TenantName| {
            tenant.as_ref().is_none_or(|tenant| name == tenant)
                && principal.whole_tenant(Action::Look).is_ok()
        };
        let metrics = control.measure(&may_look, &may_look_at_all);
        Ok(Metrics { node: metrics.node.filter(|_| is_whole), ..metrics })
    })
    .await
}
