//! What a component may connect to, and which files it may read.

use super::ManifestError;
use super::fields::{Fields, Item, Placed};
use super::read::{at, required};
use super::variables::Variables;
use crate::app::{FileMount, Files};
use crate::file_glob::{FileGlob, Star};
use crate::outbound::AllowedHosts;

/// `allowed_outbound_hosts`, and `allowed_http_hosts` of older manifests.
pub(super) fn outbound(
    fields: &Fields<'_>,
    variables: &Variables<'_>,
) -> Result<AllowedHosts, ManifestError> {
    let entries = fields.texts("allowed_outbound_hosts")?;
    let mut texts = http_hosts(fields)?;
    for entry in &entries {
        let text = variables.filled(fields, entry.value, entry.span.clone())?;
        AllowedHosts::parse([text.as_str()]).map_err(|error| at(fields, entry, error))?;
        texts.push(text);
    }
    let hosts = AllowedHosts::parse(texts.iter().map(String::as_str));
    Ok(hosts.expect("each entry was just parsed alone"))
}

/// `allowed_http_hosts`, which `allowed_outbound_hosts` took the place of: hosts for requests, whatever the scheme.
///
/// Source: Spin, `crates/manifest/src/compat.rs`.
fn http_hosts(fields: &Fields<'_>) -> Result<Vec<String>, ManifestError> {
    let entries = fields.texts("allowed_http_hosts")?;
    if entries.iter().any(|entry| entry.value == "insecure:allow-all") {
        return Ok(["http://*:*", "https://*:*", "http://self"].map(str::to_owned).into());
    }
    let mut texts = Vec::new();
    for entry in &entries {
        let host = entry.value.trim_start_matches("https://").trim_start_matches("http://");
        let host = host.trim_end_matches('/');
        if host == "self" {
            texts.push("http://self".to_owned());
            continue;
        }
        for scheme in ["http", "https"] {
            let text = format!("{scheme}://{host}");
            AllowedHosts::parse([text.as_str()]).map_err(|error| at(fields, entry, error))?;
            texts.push(text);
        }
    }
    Ok(texts)
}

/// `files`, each a glob or a table, and `exclude_files`.
pub(super) fn files(fields: &Fields<'_>) -> Result<Files, ManifestError> {
    let mut files = Files::default();
    for item in fields.items("files")? {
        match item {
            Item::Text(text) => files.globs.push(glob(fields, &text, Star::WithinFolder)?),
            Item::Table(table) => files.mounts.push(file_mount(&table)?),
        }
    }
    for text in fields.texts("exclude_files")? {
        files.excluded.push(glob(fields, &text, Star::Beyond)?);
    }
    Ok(files)
}

fn glob(fields: &Fields<'_>, text: &Placed<&str>, star: Star) -> Result<FileGlob, ManifestError> {
    FileGlob::new(text.value, star).map_err(|error| at(fields, text, error))
}

fn file_mount(table: &Fields<'_>) -> Result<FileMount, ManifestError> {
    let source = required(table, "source", "a directory or file beside the manifest")?;
    let destination = required(table, "destination", "an absolute path in the guest")?;
    if !destination.value.starts_with('/') {
        return Err(
            table.error(destination.span, "`destination` is an absolute path in the guest, such as `/data`")
        );
    }
    let mount = FileMount { source: source.value.into(), destination: destination.value.to_owned() };
    table.done()?;
    Ok(mount)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::manifest::parse;

    fn hosts(field: &str) -> Result<Vec<String>, String> {
        let text = format!(
            "spin_manifest_version = 2\n[application]\nname = \"app\"\n[component.a]\nsource = \"a.wasm\"\n{field}\n"
        );
        let app = parse("spin.toml", &text, &BTreeMap::new()).map_err(|error| error.to_string())?;
        let component = app.components.values().next().expect("there is one");
        Ok(component.allowed_outbound_hosts.entries().map(str::to_owned).collect())
    }

    #[test]
    fn hosts_of_older_manifests_are_for_both_schemes() {
        let found =
            hosts("allowed_http_hosts = [\"example.com\", \"https://api.example.com:8080/\", \"self\"]");
        let expected = [
            "http://example.com",
            "https://example.com",
            "http://api.example.com:8080",
            "https://api.example.com:8080",
            "http://self",
        ];
        assert_eq!(found.unwrap(), expected);
        let found = hosts("allowed_http_hosts = [\"insecure:allow-all\"]").unwrap();
        assert_eq!(found, ["http://*:*", "https://*:*", "http://self"]);
        let both = "allowed_http_hosts = [\"a.b\"]\nallowed_outbound_hosts = [\"redis://c:1\"]";
        assert_eq!(hosts(both).unwrap(), ["http://a.b", "https://a.b", "redis://c:1"]);
        assert!(hosts("allowed_http_hosts = [\"a.b/path\"]").unwrap_err().contains("spin.toml:6:"));
    }
}
