//! Apps and their releases.

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;
use tombolo_api::{Activate, App, Preview, Problem, ReleaseInfo, Split};
use tombolo_model::release::DOCUMENT_BYTES_MAX;
use tombolo_model::{AppKey, Digest, TenantName};
use tombolo_store::records::{EventKind, EventRecord};

use super::read::{Asked, At, Sent, named, whole};
use super::{Done, Node, Of, work};
use crate::access::{Action, Principal};
use crate::stage::Stage;

/// The apps of a tenant
#[utoipa::path(
    get, path = "/v1/apps", tag = "apps", params(Of),
    responses((status = 200, body = Vec<App>), (status = "default", body = Problem))
)]
pub(crate) async fn apps<S: Stage>(
    State(control): Node<S>,
    principal: Principal,
    Asked(of): Asked<Of>,
) -> Done<Json<Vec<App>>> {
    let tenant = principal.tenant(of.tenant)?;
    let apps = work(&control, move |control| control.apps(&tenant)).await?;
    // Who may see one sees that one.
    let visible = apps
        .into_iter()
        .filter(|app| principal.app(Some(app.tenant.clone()), app.name.clone(), Action::Look).is_ok());
    Ok(Json(visible.collect()))
}

/// One app
#[utoipa::path(
    get, path = "/v1/apps/{app}", tag = "apps", params(("app" = String, Path), Of),
    responses((status = 200, body = App), (status = "default", body = Problem))
)]
pub(crate) async fn app<S: Stage>(
    State(control): Node<S>,
    principal: Principal,
    At(app): At<String>,
    Asked(of): Asked<Of>,
) -> Done<Json<App>> {
    let key = principal.app(of.tenant, named(&app)?, Action::Look)?;
    Ok(Json(work(&control, move |control| control.app(&key)).await?))
}

/// What goes with an app.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Removal {
    /// Whose app it is: that of the token if it has one, else `default`.
    #[param(value_type = Option<String>)]
    tenant: Option<TenantName>,
    /// Whether what it keeps in stores goes too: if not, an app that keeps something stays.
    with_data: Option<bool>,
}

/// Serve an app no more, and forget its releases, variables and lines
///
/// What it keeps in key-value stores and SQLite databases goes with it, if that is meant. If it is not and there is
/// something, nothing happens and the answer is 422, with what there is.
#[utoipa::path(
    delete, path = "/v1/apps/{app}", tag = "apps", params(("app" = String, Path), Removal),
    responses((status = 204), (status = "default", body = Problem))
)]
pub(crate) async fn remove<S: Stage>(
    State(control): Node<S>,
    principal: Principal,
    At(app): At<String>,
    Asked(Removal { tenant, with_data }): Asked<Removal>,
) -> Done<(StatusCode, Extension<EventRecord>)> {
    let key = principal.app(tenant, named(&app)?, Action::Manage)?;
    let with_data = with_data.unwrap_or(false);
    let event = about(EventKind::AppRemoved, &key, None, String::new());
    work(&control, move |control| control.remove_app(&key, with_data)).await?;
    Ok((StatusCode::NO_CONTENT, Extension(event)))
}

/// An event of an app.
fn about(kind: EventKind, key: &AppKey, release: Option<Digest>, detail: String) -> EventRecord {
    EventRecord { kind, tenant: Some(key.tenant.clone()), app: Some(key.app.clone()), release, detail }
}

/// The releases of an app, the last first
#[utoipa::path(
    get, path = "/v1/apps/{app}/releases", tag = "releases", params(("app" = String, Path), Of),
    responses((status = 200, body = Vec<ReleaseInfo>), (status = "default", body = Problem))
)]
pub(crate) async fn releases<S: Stage>(
    State(control): Node<S>,
    principal: Principal,
    At(app): At<String>,
    Asked(of): Asked<Of>,
) -> Done<Json<Vec<ReleaseInfo>>> {
    let key = principal.app(of.tenant, named(&app)?, Action::Look)?;
    Ok(Json(work(&control, move |control| control.releases(&key)).await?))
}

/// Send a release
///
/// Its files were sent before. It is checked and compiled when this is answered, and not served yet: that is
/// what an activation does. The app is made if there is none of this name.
#[utoipa::path(
    put, path = "/v1/apps/{app}/releases/{digest}", tag = "releases",
    params(("app" = String, Path), ("digest" = String, Path), Of),
    request_body(content = Vec<u8>, content_type = "application/json"),
    responses((status = 200, body = ReleaseInfo), (status = "default", body = Problem))
)]
pub(crate) async fn send_release<S: Stage>(
    State(control): Node<S>,
    principal: Principal,
    At((app, digest)): At<(String, String)>,
    Asked(of): Asked<Of>,
    body: Body,
) -> Done<Json<ReleaseInfo>> {
    let key = principal.app(of.tenant, named(&app)?, Action::Deploy)?;
    let digest: Digest = named(&digest)?;
    let document = whole(body, DOCUMENT_BYTES_MAX).await?;
    let added =
        work(&control, move |control| control.add_release(&key, &digest, &document, &principal.name)).await?;
    Ok(Json(added))
}

/// Make a release what an app serves, for all clients or some
///
/// Says the generation that it saw: if somebody changed the app since, nothing happens and the answer is 409.
#[utoipa::path(
    put, path = "/v1/apps/{app}/active", tag = "releases", params(("app" = String, Path), Of),
    request_body = Activate,
    responses((status = 200, body = App), (status = "default", body = Problem))
)]
pub(crate) async fn activate<S: Stage>(
    State(control): Node<S>,
    principal: Principal,
    At(app): At<String>,
    Asked(of): Asked<Of>,
    Sent(wanted): Sent<Activate>,
) -> Done<(Extension<EventRecord>, Json<App>)> {
    let key = principal.app(of.tenant, named(&app)?, Action::Deploy)?;
    let mut event = about(EventKind::Activated, &key, Some(wanted.release), String::new());
    if let Some(Split { release, percent }) = &wanted.split {
        event.detail = format!("{percent} % of the clients have {release}");
    }
    let (app, kind) = work(&control, move |control| control.activate(&key, &wanted)).await?;
    event.kind = kind;
    Ok((Extension(event), Json(app)))
}

/// Show a release at an address of its own, beside what the app serves
#[utoipa::path(
    put, path = "/v1/apps/{app}/previews/{digest}", tag = "releases",
    params(("app" = String, Path), ("digest" = String, Path), Of), request_body = Preview,
    responses((status = 200, body = ReleaseInfo), (status = "default", body = Problem))
)]
pub(crate) async fn preview<S: Stage>(
    State(control): Node<S>,
    principal: Principal,
    At((app, digest)): At<(String, String)>,
    Asked(of): Asked<Of>,
    Sent(wanted): Sent<Preview>,
) -> Done<Json<ReleaseInfo>> {
    let key = principal.app(of.tenant, named(&app)?, Action::Deploy)?;
    let digest: Digest = named(&digest)?;
    Ok(Json(work(&control, move |control| control.set_preview(&key, &digest, Some(&wanted))).await?))
}

/// Show a release no more
#[utoipa::path(
    delete, path = "/v1/apps/{app}/previews/{digest}", tag = "releases",
    params(("app" = String, Path), ("digest" = String, Path), Of),
    responses((status = 200, body = ReleaseInfo), (status = "default", body = Problem))
)]
pub(crate) async fn unpreview<S: Stage>(
    State(control): Node<S>,
    principal: Principal,
    At((app, digest)): At<(String, String)>,
    Asked(of): Asked<Of>,
) -> Done<Json<ReleaseInfo>> {
    let key = principal.app(of.tenant, named(&app)?, Action::Deploy)?;
    let digest: Digest = named(&digest)?;
    Ok(Json(work(&control, move |control| control.set_preview(&key, &digest, None)).await?))
}

/// Let an app answer at another host
///
/// It takes an admin's token: a node cannot tell whose a host is.
#[utoipa::path(
    put, path = "/v1/apps/{app}/domains/{domain}", tag = "apps",
    params(("app" = String, Path), ("domain" = String, Path), Of),
    responses((status = 200, body = App), (status = "default", body = Problem))
)]
pub(crate) async fn add_domain<S: Stage>(
    State(control): Node<S>,
    principal: Principal,
    At((app, domain)): At<(String, String)>,
    Asked(of): Asked<Of>,
) -> Done<Json<App>> {
    let key = principal.app(of.tenant, named(&app)?, Action::Manage)?;
    principal.admin()?;
    Ok(Json(work(&control, move |control| control.set_domain(&key, &domain, true)).await?))
}

/// Let an app answer at a host no more
#[utoipa::path(
    delete, path = "/v1/apps/{app}/domains/{domain}", tag = "apps",
    params(("app" = String, Path), ("domain" = String, Path), Of),
    responses((status = 200, body = App), (status = "default", body = Problem))
)]
pub(crate) async fn remove_domain<S: Stage>(
    State(control): Node<S>,
    principal: Principal,
    At((app, domain)): At<(String, String)>,
    Asked(of): Asked<Of>,
) -> Done<Json<App>> {
    let key = principal.app(of.tenant, named(&app)?, Action::Manage)?;
    Ok(Json(work(&control, move |control| control.set_domain(&key, &domain, false)).await?))
}
