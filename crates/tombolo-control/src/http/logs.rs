//! What apps print.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use tombolo_api::{LogLine, Problem};
use tombolo_model::TenantName;

use super::read::{Asked, At, named};
use super::{Done, Node, ndjson, work};
use crate::access::{Action, Principal};
use crate::refuse;
use crate::stage::{Stage, Wanted};

/// Lines in one answer, besides those that come.
const LINES_MAX: usize = 10_000;

/// Which lines are asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Printed {
    /// Whose app it is: that of the token if it has one, else `default`.
    #[param(value_type = Option<String>)]
    tenant: Option<TenantName>,
    /// How many of the last, 100 unless said, at most 10000.
    lines: Option<usize>,
    /// Whether those that come are asked for too.
    follow: Option<bool>,
}

/// The last lines that an app printed, and those that come
///
/// One JSON document a line. Who follows and reads too slowly loses lines, and is told with `{"lost": 12}` where and
/// how many; an empty line says that there was nothing for 15 seconds. The answer ends when the node stops and when
/// the app is removed.
#[utoipa::path(
    get, path = "/v1/apps/{app}/logs", tag = "logs", params(("app" = String, Path), Printed),
    responses(
        (status = 200, body = LogLine, content_type = "application/x-ndjson"),
        (status = "default", body = Problem)
    )
)]
pub(crate) async fn logs<S: Stage>(
    State(control): Node<S>,
    principal: Principal,
    At(app): At<String>,
    Asked(Printed { tenant, lines, follow }): Asked<Printed>,
) -> Done<Response> {
    let key = principal.app(tenant, named(&app)?, Action::Look)?;
    let by_admin = principal.admin().is_ok();
    let wanted = Wanted { lines_max: lines.unwrap_or(100), follow: follow.unwrap_or(false), by_admin };
    if wanted.lines_max > LINES_MAX {
        return Err(refuse::bad_request(format!("lines: expected at most {LINES_MAX}")).into());
    }
    let printed = work(&control, move |control| control.printed(&key, wanted)).await?;
    Ok(ndjson::answer(printed.lines, printed.feed))
}
