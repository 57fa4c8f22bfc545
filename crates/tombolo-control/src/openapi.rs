//! The interface as a document.

use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

use crate::http;

#[derive(OpenApi)]
#[openapi(
    info(title = "Tombolo's control interface", description = "Deploy, serve, look and roll back."),
    paths(
        http::missing, http::has, http::send,
        http::apps, http::app, http::remove, http::releases, http::send_release, http::activate,
        http::preview, http::unpreview,
        http::add_domain, http::remove_domain,
        http::logs,
        http::keys, http::value, http::put, http::unput,
        http::variables, http::set, http::unset,
        http::tenants, http::tenant, http::set_quotas, http::unset_quotas,
        http::tokens, http::make, http::revoke, http::audit,
        http::metrics, http::exposed, http::events,
    ),
    security(("token" = [])),
    modifiers(&Token)
)]
struct Document;

struct Token;

impl utoipa::Modify for Token {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
        document.components.get_or_insert_default().add_security_scheme("token", scheme);
    }
}

/// The control interface in OpenAPI 3.1.
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The document that others generate clients from is the one this version serves.
    #[test]
    fn the_committed_document_is_the_one_that_is_served() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
        let served = document().to_pretty_json().unwrap() + "\n";
        if std::env::var_os("TOMBOLO_WRITE_OPENAPI").is_some() {
            std::fs::write(path, &served).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        let how = "run `TOMBOLO_WRITE_OPENAPI=1 cargo test --package tombolo-control openapi`";
        assert!(committed == served, "docs/openapi.json is another one: {how}");
        assert!(served.starts_with("{\n  \"openapi\": \"3.1.0\""));
    }
}
