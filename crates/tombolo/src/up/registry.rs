//! Components that a manifest names as packages of a registry.
//!
//! Source: the conventions of `wasm-pkg-tools`, over the OCI distribution specification: a registry may say at
//! `/.well-known/wasm-pkg/registry.json` where its packages are; `ns:name` is the repository `ns/name`, a version is a
//! tag, and the component is the one layer of type `application/wasm`.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tombolo_model::{Digest, Package, PackageVersion};
use ureq::http::StatusCode;

use super::fetch::{agent, limited};

/// A manifest, a list of tags, or a token.
const DOCUMENT_BYTES_MAX: u64 = 4 << 20;
const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json";
const LAYERS: [&str; 2] = ["application/wasm", "application/vnd.wasm.content.layer.v1+wasm"];

/// Where the code of a package is.
pub(super) struct Found {
    pub(super) url: String,
    pub(super) digest: Digest,
    /// What the registry wants to see with each request, if it wants anything.
    pub(super) token: Option<String>,
}

/// Looks a package up.
///
/// # Errors
///
/// Why there is none, naming the address that said so.
pub(super) fn find(package: &Package) -> Result<Found, String> {
    let (host, prefix) = metadata(&package.registry)?;
    let repository = format!("{prefix}{}", package.name.replace(':', "/"));
    let base = format!("{}/v2/{repository}", origin(&host));
    let mut token = None;
    let tag = match &package.version {
        // A tag cannot have what stands behind `+` in a version, and has `_` for it.
        PackageVersion::Exact(version) => version.to_string().replace('+', "_"),
        PackageVersion::Newest(_) => {
            let (url, tags) = (format!("{base}/tags/list"), "application/json");
            let list = document(&url, tags, &mut token)?;
            let tags = list["tags"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let newest = package.newest_of(tags);
            newest.ok_or_else(|| format!("`{url}` lists no version that is `{}`", package.version))?
        }
    };
    let url = format!("{base}/manifests/{tag}");
    let manifest = document(&url, MANIFESTS, &mut token)?;
    let is_code = |layer: &&Value| LAYERS.iter().any(|kind| layer["mediaType"] == **kind);
    let layers: Vec<&Value> = manifest["layers"].as_array().into_iter().flatten().filter(is_code).collect();
    let [layer] = layers.as_slice() else {
        return Err(format!("`{url}` has {} layers of type `{}`, expected one", layers.len(), LAYERS[0]));
    };
    let digest = layer["digest"].as_str().unwrap_or_default();
    let digest: Digest = digest.parse().map_err(|error| format!("`{url}`: its layer: {error}"))?;
    Ok(Found { url: format!("{base}/blobs/{digest}"), digest, token })
}

/// Which OCI registry a registry of packages is on, and what stands before the names of its repositories.
fn metadata(registry: &str) -> Result<(String, String), String> {
    let url = format!("{}/.well-known/wasm-pkg/registry.json", origin(registry));
    let mut answer = agent(false).get(&url).call().map_err(|error| format!("`{url}`: {error}"))?;
    // Most registries are just OCI registries, and answer this in ways of their own.
    let text = limited(&mut answer, DOCUMENT_BYTES_MAX).unwrap_or_default();
    let said: Value = match answer.status() {
        StatusCode::OK => serde_json::from_slice(&text).unwrap_or_default(),
        _ => Value::Null,
    };
    let text = |one: &Value, other: &Value| one.as_str().or(other.as_str()).map(str::to_owned);
    let host = text(&said["oci"]["registry"], &said["ociRegistry"]);
    let prefix = text(&said["oci"]["namespacePrefix"], &said["ociNamespacePrefix"]);
    Ok((host.unwrap_or_else(|| registry.to_owned()), prefix.unwrap_or_default()))
}

/// Encrypted, but on this machine.
fn origin(host: &str) -> String {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let scheme = if matches!(name, "localhost" | "127.0.0.1" | "[::1]") { "http" } else { "https" };
    format!("{scheme}://{host}")
}

/// A document of a registry, with a token that it gives to anybody, if it wants one.
fn document(url: &str, kind: &str, token: &mut Option<String>) -> Result<Value, String> {
    let failed = |reason: String| format!("`{url}`: {reason}");
    for _ in 0..2 {
        let mut request = agent(false).get(url).header("accept", kind);
        if let Some(token) = &*token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut answer = request.call().map_err(|error| failed(error.to_string()))?;
        match answer.status() {
            StatusCode::OK => {
                let text = limited(&mut answer, DOCUMENT_BYTES_MAX).map_err(failed)?;
                return serde_json::from_slice(&text).map_err(|error| failed(error.to_string()));
            }
            StatusCode::UNAUTHORIZED if token.is_none() => {
                let asked = answer.headers().get("www-authenticate").and_then(|it| it.to_str().ok());
                let asked = asked
                    .and_then(challenge)
                    .ok_or_else(|| failed("it wants a password, and packages are read without".to_owned()))?;
                let mut answer =
                    agent(true).get(&asked).call().map_err(|error| format!("`{asked}`: {error}"))?;
                let text = limited(&mut answer, DOCUMENT_BYTES_MAX)?;
                let given: Value = serde_json::from_slice(&text).unwrap_or_default();
                let given = given["token"].as_str().or(given["access_token"].as_str());
                *token = Some(given.ok_or_else(|| format!("`{asked}` gives no token"))?.to_owned());
            }
            status => return Err(failed(format!("it answers {status}"))),
        }
    }
    Err(failed("it does not take the token that it gave".to_owned()))
}

/// The address that a registry sends whoever has no token to: `Bearer realm="…",service="…",scope="…"`.
fn challenge(text: &str) -> Option<String> {
    let parameters = text.strip_prefix("Bearer ")?;
    let value = |name: &str| {
        let (_, rest) = parameters.split_once(&format!("{name}=\""))?;
        rest.split_once('"').map(|(value, _)| value)
    };
    let realm = value("realm")?;
    let query = ["service", "scope"].map(|name| value(name).map(|value| format!("{name}={value}")));
    let query: Vec<String> = query.into_iter().flatten().collect();
    Some(format!("{realm}?{}", query.join("&")))
}

/// Where it is kept which code an exact version of a package has: that never changes.
pub(super) fn known(folder: &Path, package: &Package) -> Option<PathBuf> {
    if matches!(package.version, PackageVersion::Newest(_)) {
        return None;
    }
    let text = format!("{} {} {}", package.registry, package.name, package.version);
    Some(folder.join(format!("{}.package", Digest::of(text.as_bytes()).hex())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_spoken_to_without_encryption_and_others_are_not() {
        assert_eq!(origin("127.0.0.1:5000"), "http://127.0.0.1:5000");
        assert_eq!(origin("[::1]:5000"), "http://[::1]:5000");
        assert_eq!(origin("ghcr.io"), "https://ghcr.io");
        assert_eq!(origin("localhost.example.com"), "https://localhost.example.com");
    }

    #[test]
    fn a_challenge_says_where_a_token_is_given() {
        let text = r#"Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:a/b:pull""#;
        let expected = "https://ghcr.io/token?service=ghcr.io&scope=repository:a/b:pull";
        assert_eq!(challenge(text).as_deref(), Some(expected));
        assert_eq!(challenge("Basic realm=\"x\""), None);
    }
}
