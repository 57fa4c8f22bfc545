//! Variables: they can be set and removed, and their names listed. No value is ever told.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use tombolo_api::{Problem, VariableValue};

use super::read::{Asked, At, Sent, named};
use super::{Done, Node, Of, work};
use crate::access::{Action, Principal};
use crate::refuse;
use crate::stage::Stage;

/// The names of an app's variables that were set
#[utoipa::path(
    get, path = "/v1/apps/{app}/variables", tag = "variables", params(("app" = String, Path), Of),
    responses((status = 200, body = Vec<String>), (status = "default", body = Problem))
)]
pub(crate) async fn variables<S: Stage>(
    State(control): Node<S>,
    principal: Principal,
    At(app): At<String>,
    Asked(of): Asked<Of>,
) -> Done<Json<Vec<String>>> {
    let key = principal.app(of.tenant, named(&app)?, Action::Look)?;
    Ok(Json(work(&control, move |control| control.variables(&key)).await?))
}

/// Set a variable
///
/// It is kept sealed, and holds from the next activation on. It may be set before there is an app.
#[utoipa::path(
    put, path = "/v1/apps/{app}/variables/{name}", tag = "variables",
    params(("app" = String, Path), ("name" = String, Path), Of), request_body = VariableValue,
    responses((status = 204), (status = "default", body = Problem))
)]
pub(crate) async fn set<S: Stage>(
    State(control): Node<S>,
    principal: Principal,
    At((app, name)): At<(String, String)>,
    Asked(of): Asked<Of>,
    Sent(VariableValue { value }): Sent<VariableValue>,
) -> Done<StatusCode> {
    let key = principal.app(of.tenant, named(&app)?, Action::Manage)?;
    work(&control, move |control| control.set_variable(&key, &name, Some(&value))).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove a variable
#[utoipa::path(
    delete, path = "/v1/apps/{app}/variables/{name}", tag = "variables",
    params(("app" = String, Path), ("name" = String, Path), Of),
    responses((status = 204), (status = "default", body = Problem))
)]
pub(crate) async fn unset<S: Stage>(
    State(control): Node<S>,
    principal: Principal,
    At((app, name)): At<(String, String)>,
    Asked(of): Asked<Of>,
) -> Done<StatusCode> {
    let key = principal.app(of.tenant, named(&app)?, Action::Manage)?;
    let was = work(&control, {
        let name = name.clone();
        move |control| control.set_variable(&key, &name, None)
    });
    match was.await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(refuse::not_found(format!("no variable `{name}`")).into()),
    }
}
