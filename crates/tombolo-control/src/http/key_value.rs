//! What apps keep in their key-value stores.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::Deserialize;
use tombolo_api::{Keys, Problem};
use tombolo_model::TenantName;
use tombolo_store::StoreError;

use super::read::{Asked, At, named, whole};
use super::{Done, Node, Of, work};
use crate::access::{Action, Principal};
use crate::refuse;
use crate::stage::Stage;

/// Keys in one answer.
const KEYS_MAX: usize = 1000;
/// Bytes of a value that is sent. A guest may keep a longer one.
const VALUE_BYTES_MAX: usize = 8 << 20;

/// Which keys are asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Page {
    /// Whose app it is: that of the token if it has one, else `default`.
    #[param(value_type = Option<String>)]
    tenant: Option<TenantName>,
    /// The key that they come after.
    after: Option<String>,
    /// How many, 1000 unless said, which is the most.
    count: Option<usize>,
}

/// The keys in a store of an app, in order
#[utoipa::path(
    get, path = "/v1/apps/{app}/key-value/{store}", tag = "key-value",
    params(("app" = String, Path), ("store" = String, Path), Page),
    responses((status = 200, body = Keys), (status = "default", body = Problem))
)]
pub(crate) async fn keys<S: Stage>(
    State(control): Node<S>,
    principal: Principal,
    At((app, store)): At<(String, String)>,
    Asked(Page { tenant, after, count }): Asked<Page>,
) -> Done<Json<Keys>> {
    let app = principal.app(tenant, named(&app)?, Action::Look)?;
    let count = count.unwrap_or(KEYS_MAX);
    if !(1..=KEYS_MAX).contains(&count) {
        return Err(refuse::bad_request(format!("count: expected 1 to {KEYS_MAX}")).into());
    }
    let keys = work(&control, move |control| {
        let (values, namespace) = control.key_value(&app, &store)?;
        // One more tells whether there are more.
        values.keys(&namespace, after.as_deref(), count + 1).map_err(|error| refuse::failed(&error))
    });
    let mut keys = keys.await?;
    let more = keys.len() > count;
    keys.truncate(count);
    Ok(Json(Keys { keys, more }))
}

/// A value
#[utoipa::path(
    get, path = "/v1/apps/{app}/key-value/{store}/{key}", tag = "key-value",
    params(("app" = String, Path), ("store" = String, Path), ("key" = String, Path), Of),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = "default", body = Problem)
    )
)]
pub(crate) async fn value<S: Stage>(
    State(control): Node<S>,
    principal: Principal,
    At((app, store, key)): At<(String, String, String)>,
    Asked(of): Asked<Of>,
) -> Done<impl IntoResponse> {
    let app = principal.app(of.tenant, named(&app)?, Action::Look)?;
    let value = work(&control, move |control| {
        let (values, namespace) = control.key_value(&app, &store)?;
        let value = values.get(&namespace, &key).map_err(|error| refuse::failed(&error))?;
        value.ok_or_else(|| refuse::not_found(format!("no key `{key}`")))
    });
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, value.await?))
}

/// Set a key
///
/// It is on disk when this is answered.
#[utoipa::path(
    put, path = "/v1/apps/{app}/key-value/{store}/{key}", tag = "key-value",
    params(("app" = String, Path), ("store" = String, Path), ("key" = String, Path), Of),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 204), (status = "default", body = Problem))
)]
pub(crate) async fn put<S: Stage>(
    State(control): Node<S>,
    principal: Principal,
    At((app, store, key)): At<(String, String, String)>,
    Asked(of): Asked<Of>,
    body: Body,
) -> Done<StatusCode> {
    let app = principal.app(of.tenant, named(&app)?, Action::Deploy)?;
    let (values, namespace) = work(&control, move |control| control.key_value_to_set(&app, &store)).await?;
    let value = whole(body, VALUE_BYTES_MAX).await?;
    values.set(&namespace, key, value.into()).await.map_err(|error| not_set(&error))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove a key
///
/// One that is not there is as it should be.
#[utoipa::path(
    delete, path = "/v1/apps/{app}/key-value/{store}/{key}", tag = "key-value",
    params(("app" = String, Path), ("store" = String, Path), ("key" = String, Path), Of),
    responses((status = 204), (status = "default", body = Problem))
)]
pub(crate) async fn unput<S: Stage>(
    State(control): Node<S>,
    principal: Principal,
    At((app, store, key)): At<(String, String, String)>,
    Asked(of): Asked<Of>,
) -> Done<StatusCode> {
    let app = principal.app(of.tenant, named(&app)?, Action::Deploy)?;
    let (values, namespace) = work(&control, move |control| control.key_value(&app, &store)).await?;
    values.delete_many(&namespace, vec![key]).await.map_err(|error| not_set(&error))?;
    Ok(StatusCode::NO_CONTENT)
}

fn not_set(error: &StoreError) -> Problem {
    match error {
        StoreError::TooLong { .. } | StoreError::Full => refuse::too_large(error.to_string()),
        error => refuse::failed(error),
    }
}
