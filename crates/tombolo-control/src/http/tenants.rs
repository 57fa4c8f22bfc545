//! Tenants, and what they may use.

use axum::Json;
use axum::extract::State;
use tombolo_api::{Problem, SetQuotas, TenantInfo};
use tombolo_model::{Quotas, TenantName};

use super::read::{At, Sent};
use super::{Done, Node, work};
use crate::access::{Action, Principal};
use crate::control::Answer;
use crate::refuse;
use crate::stage::Stage;

fn named(text: &str) -> Answer<TenantName> {
    text.parse().map_err(|_| refuse::not_found(format!("no tenant `{text}`")))
}

/// Every tenant, or the token's own
#[utoipa::path(
    get, path = "/v1/tenants", tag = "tenants",
    responses((status = 200, body = Vec<TenantInfo>), (status = "default", body = Problem))
)]
pub(crate) async fn tenants<S: Stage>(
    State(control): Node<S>,
    principal: Principal,
) -> Done<Json<Vec<TenantInfo>>> {
    principal.whole_tenant(Action::Look)?;
    let own = principal.admin().is_err().then(|| principal.tenant(None)).transpose()?;
    let found = work(&control, move |control| match own {
        Some(own) => Ok(vec![control.tenant(own)?]),
        None => control.tenants(),
    });
    Ok(Json(found.await?))
}

/// One tenant
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}", tag = "tenants", params(("tenant" = String, Path)),
    responses((status = 200, body = TenantInfo), (status = "default", body = Problem))
)]
pub(crate) async fn tenant<S: Stage>(
    State(control): Node<S>,
    principal: Principal,
    At(tenant): At<String>,
) -> Done<Json<TenantInfo>> {
    let tenant = principal.tenant(Some(named(&tenant)?))?;
    principal.whole_tenant(Action::Look)?;
    Ok(Json(work(&control, move |control| control.tenant(tenant)).await?))
}

/// Set what a tenant may use
///
/// All of it at once: what is not said has no bound. It takes the token of an admin.
#[utoipa::path(
    put, path = "/v1/tenants/{tenant}/quotas", tag = "tenants", params(("tenant" = String, Path)),
    request_body = SetQuotas,
    responses((status = 200, body = TenantInfo), (status = "default", body = Problem))
)]
pub(crate) async fn set_quotas<S: Stage>(
    State(control): Node<S>,
    principal: Principal,
    At(tenant): At<String>,
    Sent(quotas): Sent<Quotas>,
) -> Done<Json<TenantInfo>> {
    let tenant = principal.tenant(Some(named(&tenant)?))?;
    principal.admin()?;
    Ok(Json(work(&control, move |control| control.set_quotas(tenant, Some(quotas))).await?))
}

/// Give a tenant what all have for whom nothing else was said
#[utoipa::path(
    delete, path = "/v1/tenants/{tenant}/quotas", tag = "tenants", params(("tenant" = String, Path)),
    responses((status = 200, body = TenantInfo), (status = "default", body = Problem))
)]
pub(crate) async fn unset_quotas<S: Stage>(
    State(control): Node<S>,
    principal: Principal,
    At(tenant): At<String>,
) -> Done<Json<TenantInfo>> {
    let tenant = principal.tenant(Some(named(&tenant)?))?;
    principal.admin()?;
    Ok(Json(work(&control, move |control| control.set_quotas(tenant, None)).await?))
}
