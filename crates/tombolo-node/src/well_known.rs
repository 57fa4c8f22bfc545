//! What Spin answers of every app by itself, at paths that are reserved for it: whether it is there, and what it is.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use tombolo_model::route::Pattern;
use tombolo_model::{App, StaticResponse};

/// The answers. The same route of the app's own counts for more.
pub(crate) fn responses(app: &App) -> [StaticResponse; 3] {
    let mut info = serde_json::json!({ "name": app.name.as_str() });
    if let Some(version) = &app.version {
        info["version"] = version.as_str().into();
    }
    let json = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    [
        response("/.well-known/spin/health", StatusCode::OK, HeaderMap::new(), "OK".to_owned()),
        response("/.well-known/spin/info", StatusCode::OK, json, info.to_string()),
        response("/.well-known/spin/...", StatusCode::NOT_FOUND, HeaderMap::new(), String::new()),
    ]
}

fn response(
    route: &str,
    status: StatusCode,
    headers: HeaderMap<HeaderValue>,
    body: String,
) -> StaticResponse {
    let pattern: Pattern = route.parse().expect("each of them is a route");
    StaticResponse { route: pattern, raw_route: route.to_owned(), status, headers, body }
}
