//! Tokens, and the log of who did what.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;
use tombolo_api::{AuditLine, MadeToken, NewToken, Problem, ScopeName, TokenInfo};
use tombolo_model::TenantName;
use tombolo_store::records::{EventKind, EventRecord, Scope};

use super::read::{Asked, At, Sent};
use super::{Done, Node, work};
use crate::access::{Action, Principal};
use crate::control::Answer;
use crate::refuse;
use crate::stage::Stage;

/// Bytes in what people call a token.
const NAME_BYTES_MAX: usize = 100;
/// Lines of the audit log in one answer.
const LINES_MAX: usize = 1000;

/// The tokens that this token's holder may revoke
#[utoipa::path(
    get, path = "/v1/tokens", tag = "tokens",
    responses((status = 200, body = Vec<TokenInfo>), (status = "default", body = Problem))
)]
pub(crate) async fn tokens<S: Stage>(
    State(control): Node<S>,
    principal: Principal,
) -> Done<Json<Vec<TokenInfo>>> {
    Ok(Json(work(&control, move |control| control.tokens(&principal)).await?))
}

/// Make a token
///
/// It is told this once. Nobody makes one that is good for more than their own.
#[utoipa::path(
    post, path = "/v1/tokens", tag = "tokens", request_body = NewToken,
    responses((status = 201, body = MadeToken), (status = "default", body = Problem))
)]
pub(crate) async fn make<S: Stage>(
    State(control): Node<S>,
    principal: Principal,
    Sent(new): Sent<NewToken>,
) -> Done<(StatusCode, Extension<EventRecord>, Json<MadeToken>)> {
    let is_name =
        |name: &str| !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.contains(char::is_control);
    if !is_name(&new.name) {
        let expected = format!("name: expected 1 to {NAME_BYTES_MAX} bytes on one line");
        return Err(refuse::bad_request(expected).into());
    }
    if new.expires_in_s == Some(0) {
        return Err(refuse::bad_request("expires_in_s: expected at least 1").into());
    }
    let (name, expires_in_s) = (new.name.clone(), new.expires_in_s);
    let scope = scope_of(&principal, new)?;
    if !principal.oversees(&scope) {
        return Err(refuse::forbidden("a token makes only tokens of its own tenant").into());
    }
    let event = about(EventKind::TokenMade, &name, &scope);
    let made = work(&control, move |control| control.make_token(name, scope, expires_in_s)).await?;
    Ok((StatusCode::CREATED, Extension(event), Json(made)))
}

/// An event of a token. Its tenant may know of it, of one that is for all only an admin.
fn about(kind: EventKind, name: &str, scope: &Scope) -> EventRecord {
    let (tenant, app, what) = match scope {
        Scope::Admin => (None, None, "admin"),
        Scope::Tenant { tenant } => (Some(tenant), None, "tenant"),
        Scope::Deploy { tenant, app } => (Some(tenant), Some(app), "deploy"),
        Scope::Read { tenant } => (Some(tenant), None, "read"),
    };
    let detail = format!("`{name}`, scope {what}");
    EventRecord { kind, tenant: tenant.cloned(), app: app.cloned(), release: None, detail }
}

fn scope_of(principal: &Principal, new: NewToken) -> Answer<Scope> {
    let NewToken { scope, tenant, app, .. } = new;
    if scope == ScopeName::Admin && (tenant.is_some() || app.is_some()) {
        return Err(refuse::bad_request("tenant, app: the scope `admin` is for all of them"));
    }
    if scope == ScopeName::Admin {
        return Ok(Scope::Admin);
    }
    let tenant = principal.tenant(tenant)?;
    match (scope, app) {
        (ScopeName::Deploy, Some(app)) => Ok(Scope::Deploy { tenant, app }),
        (ScopeName::Deploy, None) => Err(refuse::bad_request("app: the scope `deploy` is for one, name it")),
        (_, Some(_)) => Err(refuse::bad_request("app: only the scope `deploy` is for one")),
        (ScopeName::Read, None) => Ok(Scope::Read { tenant }),
        (ScopeName::Tenant | ScopeName::Admin, None) => Ok(Scope::Tenant { tenant }),
    }
}

/// Make a token good for nothing
#[utoipa::path(
    delete, path = "/v1/tokens/{id}", tag = "tokens", params(("id" = String, Path)),
    responses((status = 204), (status = "default", body = Problem))
)]
pub(crate) async fn revoke<S: Stage>(
    State(control): Node<S>,
    principal: Principal,
    At(id): At<String>,
) -> Done<(StatusCode, Extension<EventRecord>)> {
    let token = work(&control, move |control| control.revoke(&principal, &id)).await?;
    Ok((StatusCode::NO_CONTENT, Extension(about(EventKind::TokenRevoked, &token.name, &token.scope))))
}

/// Which lines of the audit log are asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Lines {
    /// Whose; for an admin those of all, unless a tenant is said.
    #[param(value_type = Option<String>)]
    tenant: Option<TenantName>,
    /// How many, 100 unless said, at most 1000.
    count: Option<usize>,
}

/// Who changed what, or was not allowed to, the last first
#[utoipa::path(
    get, path = "/v1/audit", tag = "tokens", params(Lines),
    responses((status = 200, body = Vec<AuditLine>), (status = "default", body = Problem))
)]
pub(crate) async fn audit<S: Stage>(
    State(control): Node<S>,
    principal: Principal,
    Asked(lines): Asked<Lines>,
) -> Done<Json<Vec<AuditLine>>> {
    principal.whole_tenant(Action::Look)?;
    let tenant = match (principal.admin(), lines.tenant) {
        (Ok(()), asked) => asked,
        (Err(_), asked) => Some(principal.tenant(asked)?),
    };
    let count = lines.count.unwrap_or(100).min(LINES_MAX);
    Ok(Json(work(&control, move |control| control.audited(tenant.as_ref(), count)).await?))
}
