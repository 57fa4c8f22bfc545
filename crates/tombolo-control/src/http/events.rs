//! What happened.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use tombolo_api::{Event, Problem};
use tombolo_model::TenantName;

use super::read::Asked;
use super::{Done, Node, ndjson, work};
use crate::access::{Action, Principal};
use crate::refuse;
use crate::stage::Stage;

/// Events in one answer, besides those that come.
const LINES_MAX: usize = 1000;

/// Which events are asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Happened {
    /// Whose; for an admin those of all, unless a tenant is said.
    #[param(value_type = Option<String>)]
    tenant: Option<TenantName>,
    /// How many of the last, 100 unless said, at most 1000.
    lines: Option<usize>,
    /// Whether those that come are asked for too.
    follow: Option<bool>,
}

/// What happened, and what happens
///
/// Activations, rollbacks and refused deployments, apps that were removed or could not be served when the node
/// started, tokens made and revoked. One JSON document a line, as `/v1/apps/{app}/logs` says. The numbers are those
/// of the audit log.
#[utoipa::path(
    get, path = "/v1/events", tag = "logs", params(Happened),
    responses(
        (status = 200, body = Event, content_type = "application/x-ndjson"),
        (status = "default", body = Problem)
    )
)]
pub(crate) async fn events<S: Stage>(
    State(control): Node<S>,
    principal: Principal,
    Asked(Happened { tenant, lines, follow }): Asked<Happened>,
) -> Done<Response> {
    principal.whole_tenant(Action::Look)?;
    let tenant = match (principal.admin(), tenant) {
        (Ok(()), asked) => asked,
        (Err(_), asked) => Some(principal.tenant(asked)?),
    };
    let lines = lines.unwrap_or(100);
    if lines > LINES_MAX {
        return Err(refuse::bad_request(format!("lines: expected at most {LINES_MAX}")).into());
    }
    let follow = follow.unwrap_or(false);
    let (before, feed) = work(&control, move |control| control.events(tenant, lines, follow)).await?;
    Ok(ndjson::answer(before, feed))
}
