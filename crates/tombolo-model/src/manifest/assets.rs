//! `[[application.tool.tombolo.static]]`: directories whose files are served.

use globset::GlobBuilder;
use http::{HeaderName, HeaderValue};

use super::ManifestError;
use super::fields::{Fields, Placed, nearest};
use super::read::{at, required};
use crate::assets::{CacheRule, Caching, Encoding, StaticAssets};
use crate::file_path::FilePath;
use crate::route::Pattern;

/// Headers that are about one answer: the server alone knows them.
const OWN_HEADERS: &[&str] = &[
    "accept-ranges",
    "allow",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "etag",
    "keep-alive",
    "last-modified",
    "location",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Every entry of `static` in the table `tombolo`.
pub(super) fn assets(tombolo: &Fields<'_>, base: &Pattern) -> Result<Vec<StaticAssets>, ManifestError> {
    tombolo.tables("static")?.iter().map(|entry| one(entry, base)).collect()
}

fn one(fields: &Fields<'_>, base: &Pattern) -> Result<StaticAssets, ManifestError> {
    let route = required(fields, "route", "a path that ends in a wildcard, such as `/...`")?;
    let pattern: Pattern = route.value.parse().map_err(|error| at(fields, &route, error))?;
    if !pattern.has_rest() {
        let message = format!(
            "`{}` has no wildcard to name a file, expected a route such as `{}/...`",
            route.value,
            pattern.prefix()
        );
        return Err(fields.error(route.span, message));
    }
    let directory = required(fields, "directory", "a directory beside the manifest")?;
    if directory.value.is_empty() {
        return Err(fields.error(directory.span, "`directory` is empty, expected a path such as `dist`"));
    }
    let index = match fields.text("index")? {
        Some(text) if text.value.contains('/') => {
            return Err(fields.error(text.span, "`index` is the name of a file, without `/`"));
        }
        Some(text) => file(fields, &text)?,
        None => FilePath::from_text("index.html").expect("it is the name of a file"),
    };
    let assets = StaticAssets {
        route: pattern.below(base),
        raw_route: route.value.to_owned(),
        directory: directory.value.into(),
        index,
        fallback: fields.text("fallback")?.map(|text| file(fields, &text)).transpose()?,
        caching: caching(fields)?,
        headers: headers(fields)?,
        precompressed: encodings(fields, "precompressed", &Encoding::ALL)?,
    };
    fields.done()?;
    Ok(assets)
}

fn file(fields: &Fields<'_>, text: &Placed<&str>) -> Result<FilePath, ManifestError> {
    let refuse = |error| {
        let message = format!("`{}` is not a file below `directory`: {error}", text.value);
        fields.error(text.span.clone(), message)
    };
    FilePath::from_text(text.value).map_err(refuse)
}

/// `cache_control` for all files, and `cache` for some.
fn caching(fields: &Fields<'_>) -> Result<Caching, ManifestError> {
    let otherwise = match fields.text("cache_control")? {
        Some(text) => value(fields, &text)?,
        None => Caching::REVALIDATE,
    };
    let rule = |entry: Fields<'_>| {
        let files = required(&entry, "files", "a glob such as `assets/**`")?;
        let glob = GlobBuilder::new(files.value).literal_separator(true).build();
        let glob = glob.map_err(|error| {
            let message = format!("`{}` is not a glob: {}", files.value, error.kind());
            entry.error(files.span, message)
        })?;
        let control = required(&entry, "control", "what `cache-control` says")?;
        let rule = CacheRule { files: glob.compile_matcher(), control: value(&entry, &control)? };
        entry.done()?;
        Ok(rule)
    };
    let rules = fields.tables("cache")?.into_iter().map(rule).collect::<Result<_, _>>()?;
    Ok(Caching { rules, otherwise })
}

fn headers(fields: &Fields<'_>) -> Result<Vec<(HeaderName, HeaderValue)>, ManifestError> {
    let Some(table) = fields.table("headers")? else { return Ok(Vec::new()) };
    let mut headers: Vec<(HeaderName, HeaderValue)> = Vec::new();
    for (key, item) in table.entries() {
        let refuse = |message: String| Err(table.error(key.span.clone(), message));
        let Ok(name) = HeaderName::from_bytes(key.value.as_bytes()) else {
            return refuse(format!("`{}` is not the name of a header", key.value));
        };
        if name == http::header::CACHE_CONTROL {
            let error = table.error(key.span, "`cache-control` has a field of its own");
            return Err(ManifestError { hint: Some("write `cache_control = \"…\"`".to_owned()), ..error });
        }
        if OWN_HEADERS.contains(&name.as_str()) {
            return refuse(format!("the header `{name}` is the server's to set"));
        }
        if headers.iter().any(|(other, _)| *other == name) {
            return refuse(format!("the header `{name}` is there twice"));
        }
        let text = Placed { value: table.entry_text(key.value, item)?, span: item.span() };
        headers.push((name, value(&table, &text)?));
    }
    Ok(headers)
}

fn value(fields: &Fields<'_>, text: &Placed<&str>) -> Result<HeaderValue, ManifestError> {
    HeaderValue::from_str(text.value).map_err(|_| {
        let message = format!("`{}` is not the value of a header, expected printable text", text.value);
        fields.error(text.span.clone(), message)
    })
}

/// Encodings of those that are `known`, by their names, each once.
pub(super) fn encodings(
    fields: &Fields<'_>,
    field: &'static str,
    known: &[Encoding],
) -> Result<Vec<Encoding>, ManifestError> {
    let mut encodings = Vec::new();
    for text in fields.texts(field)? {
        let Some(encoding) = known.iter().find(|encoding| encoding.name() == text.value) else {
            let names: Vec<&str> = known.iter().map(|encoding| encoding.name()).collect();
            let error = fields.error(text.span, format!("`{}` is no encoding known here", text.value));
            return Err(ManifestError { hint: nearest(text.value, &names), ..error });
        };
        if encodings.contains(encoding) {
            return Err(fields.error(text.span, format!("`{}` is there twice", text.value)));
        }
        encodings.push(*encoding);
    }
    Ok(encodings)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::App;
    use crate::assets::{Encoding, StaticAssets};

    /// A manifest of one entry with these lines; its first is line 8.
    fn read(lines: &str) -> Result<App, String> {
        let text = format!(
            "spin_manifest_version = 2\n[application]\nname = \"site\"\n[application.trigger.http]\n\
             base = \"/v1\"\n\n[[application.tool.tombolo.static]]\n{lines}\n"
        );
        crate::manifest::parse("spin.toml", &text, &BTreeMap::new()).map_err(|error| match &error.hint {
            Some(hint) => format!("{error}\nhint: {hint}"),
            None => error.to_string(),
        })
    }

    fn one(lines: &str) -> StaticAssets {
        read(lines).unwrap().assets.remove(0)
    }

    #[track_caller]
    fn refused(lines: &str, expected: &str) {
        let lines = format!("route = \"/...\"\ndirectory = \"dist\"\n{lines}");
        assert_eq!(read(&lines).expect_err("must be refused"), expected);
    }

    #[test]
    fn a_directory_needs_a_route_and_nothing_else() {
        let app = read("route = \"/...\"\ndirectory = \"dist\"").unwrap();
        assert!(app.triggers.is_empty() && app.components.is_empty());
        let assets = &app.assets[0];
        assert_eq!((assets.route.to_string().as_str(), assets.raw_route.as_str()), ("/v1/...", "/..."));
        assert_eq!(assets.directory.to_str(), Some("dist"));
        assert_eq!((assets.index.as_str(), &assets.fallback), ("index.html", &None));
        assert_eq!(assets.caching.control("a.js"), "no-cache");
        assert!(assets.headers.is_empty() && assets.precompressed.is_empty());
    }

    /// The example in the book is read, and names every field.
    #[test]
    fn the_documented_entry_is_read() {
        let page = include_str!("../../../../docs/manifest.md");
        let page = page.split_once("\n## Static assets\n").unwrap().1;
        let example = page.split("```toml").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let assets = one(example.trim_start().trim_start_matches("[[application.tool.tombolo.static]]"));
        assert_eq!(assets.precompressed, [Encoding::Brotli, Encoding::Gzip]);
        assert!(assets.fallback.is_some() && assets.headers.len() == 1 && assets.caching.rules.len() == 1);
    }

    #[test]
    fn every_field_is_read() {
        let assets = one("route = \"/site/...\"\ndirectory = \"../dist\"\nindex = \"home.htm\"\n\
             fallback = \"app/index.html\"\ncache_control = \"max-age=60\"\n\
             cache = [{ files = \"assets/*.js\", control = \"immutable\" }, { files = \"**/*.js\", control = \"private\" }]\n\
             headers = { Cross-Origin-Opener-Policy = \"same-origin\" }\nprecompressed = [\"zstd\", \"br\", \"gzip\"]");
        assert_eq!(assets.index.as_str(), "home.htm");
        assert_eq!(assets.fallback.as_ref().unwrap().as_str(), "app/index.html");
        for (path, control) in [
            ("assets/a.js", "immutable"),
            ("assets/deep/a.js", "private"),
            ("a.js", "private"),
            ("a.css", "max-age=60"),
        ] {
            assert_eq!(assets.caching.control(path), control, "{path}");
        }
        assert_eq!(assets.headers[0].0, "cross-origin-opener-policy");
        assert_eq!(assets.precompressed, [Encoding::Zstd, Encoding::Brotli, Encoding::Gzip]);
    }

    #[test]
    fn what_is_missing_or_unknown_is_named() {
        assert_eq!(
            read("directory = \"dist\"").unwrap_err(),
            "spin.toml:7:1: `[application.tool.tombolo.static]` has no `route`, expected a path that ends in a \
             wildcard, such as `/...`"
        );
        assert_eq!(
            read("route = \"/a\"\ndirectory = \"dist\"").unwrap_err(),
            "spin.toml:8:9: `/a` has no wildcard to name a file, expected a route such as `/a/...`"
        );
        assert_eq!(
            read("route = \"/...\"").unwrap_err(),
            "spin.toml:7:1: `[application.tool.tombolo.static]` has no `directory`, expected a directory beside \
             the manifest"
        );
        refused(
            "fallbak = \"index.html\"",
            "spin.toml:10:1: unknown field `fallbak` in `[application.tool.tombolo.static]`\nhint: did you mean \
             `fallback`?",
        );
        refused("index = \"a/b\"", "spin.toml:10:9: `index` is the name of a file, without `/`");
        refused(
            "fallback = \"../secret\"",
            "spin.toml:10:12: `../secret` is not a file below `directory`: expected names with `/` between them, \
             not hidden, without `..`, `\\` or control characters",
        );
    }

    #[test]
    fn headers_are_headers_and_not_the_servers_own() {
        refused("headers = { \"a b\" = \"c\" }", "spin.toml:10:13: `a b` is not the name of a header");
        refused(
            "headers = { a = \"b\\nc\" }",
            "spin.toml:10:17: `b\nc` is not the value of a header, expected printable text",
        );
        refused("headers = { ETag = \"a\" }", "spin.toml:10:13: the header `etag` is the server's to set");
        refused("headers = { a = \"1\", A = \"2\" }", "spin.toml:10:13: the header `a` is there twice");
        refused(
            "headers = { cache-control = \"a\" }",
            "spin.toml:10:13: `cache-control` has a field of its own\nhint: write `cache_control = \"…\"`",
        );
        refused(
            "cache_control = \"\\u0000\"",
            "spin.toml:10:17: `\0` is not the value of a header, expected printable text",
        );
        refused(
            "precompressed = [\"gz\"]",
            "spin.toml:10:18: `gz` is no encoding known here\nhint: expected one of `br`, `gzip`, `zstd`",
        );
        refused("precompressed = [\"br\", \"br\"]", "spin.toml:10:24: `br` is there twice");
        refused(
            "cache = [{ files = \"a[\", control = \"no-store\" }]",
            "spin.toml:10:20: `a[` is not a glob: unclosed character class; missing ']'",
        );
        refused(
            "cache = [{ file = \"a\" }]",
            "spin.toml:10:10: `[application.tool.tombolo.static.cache]` has no `files`, expected a glob such as \
             `assets/**`\nhint: is `file` meant to be `files`?",
        );
    }
}
