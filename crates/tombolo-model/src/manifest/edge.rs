//! `[application.tool.tombolo]`: what the host does for clients beside answering.

use std::str::FromStr;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};

use super::ManifestError;
use super::assets::encodings;
use super::fields::{Fields, Placed};
use crate::edge::{
    AccessLogged, Compression, Cors, Edge, MediaRangeError, OriginError, Origins, Rate, RateLimit, RequestIds,
};

/// The policies in the table `tombolo`.
pub(super) fn edge(tombolo: &Fields<'_>) -> Result<Edge, ManifestError> {
    Ok(Edge {
        cors: tombolo.table("cors")?.map(|table| cors(&table)).transpose()?,
        rate_limit: tombolo.table("rate_limit")?.map(|table| rate_limit(&table)).transpose()?,
        compression: tombolo.table("compression")?.map(|table| compression(&table)).transpose()?,
        request_ids: request_ids(tombolo)?,
        access_log: match tombolo.flag("access_log")? {
            Some(false) => AccessLogged::No,
            Some(true) | None => AccessLogged::Yes,
        },
    })
}

fn request_ids(tombolo: &Fields<'_>) -> Result<Option<RequestIds>, ManifestError> {
    let is_told = tombolo.flag("request_id")? == Some(true);
    let is_clients = tombolo.flag("request_id_from_client")? == Some(true);
    match (is_told, is_clients) {
        (false, false) => Ok(None),
        (true, false) => Ok(Some(RequestIds::Own)),
        (true, true) => Ok(Some(RequestIds::Client)),
        (false, true) => {
            let place = tombolo.get("request_id_from_client").map_or(tombolo.span.clone(), |it| it.span());
            let message = "it says whose id is told, expected `request_id = true` beside it";
            Err(tombolo.error(place, message))
        }
    }
}

fn cors(table: &Fields<'_>) -> Result<Cors, ManifestError> {
    let credentials = table.flag("credentials")?.unwrap_or(false);
    let cors = Cors {
        origins: origins(table, credentials)?,
        methods: list::<Method>(table, "methods", "the name of a method", credentials)?,
        headers: list::<HeaderName>(table, "headers", "the name of a header", credentials)?,
        exposed: list::<HeaderName>(table, "expose_headers", "the name of a header", credentials)?,
        credentials,
        max_age: table.count("max_age_s")?.map(|seconds| Duration::from_secs(seconds.value)),
    };
    table.done()?;
    Ok(cors)
}

fn origins(table: &Fields<'_>, credentials: bool) -> Result<Origins, ManifestError> {
    let all = table.texts("origins")?;
    if all.is_empty() {
        let expected = "origins such as `https://shop.example.com`, or `[\"*\"]` for any";
        return Err(table.missing("origins", expected));
    }
    if let Some(any) = all.iter().find(|text| text.value == "*") {
        if credentials {
            return Err(refused_with_credentials(table, any, "list the origins"));
        }
        if all.len() > 1 {
            let message = "`*` is any origin, expected it alone";
            return Err(table.error(any.span.clone(), message));
        }
        return Ok(Origins::Any);
    }
    let read = |text: &Placed<&str>| {
        let refuse = |error: OriginError| {
            table.error(text.span.clone(), format!("`{}` is not an origin: {error}", text.value))
        };
        text.value.parse().map_err(refuse)
    };
    all.iter().map(read).collect::<Result<_, _>>().map(Origins::Listed)
}

/// Names, as the value of a header; `None` if there are none. `*` is any.
fn list<T: FromStr + AsRef<str>>(
    table: &Fields<'_>,
    field: &'static str,
    expected: &str,
    credentials: bool,
) -> Result<Option<HeaderValue>, ManifestError> {
    let mut names = Vec::<String>::new();
    for text in table.texts(field)? {
        if text.value == "*" && credentials {
            return Err(refused_with_credentials(table, &text, "list the names"));
        }
        let name = match text.value.parse::<T>() {
            Ok(name) if !text.value.is_empty() => name.as_ref().to_owned(),
            _ => {
                let message = format!("`{}` is not {expected}", text.value);
                return Err(table.error(text.span, message));
            }
        };
        if names.contains(&name) {
            return Err(table.error(text.span, format!("`{}` is there twice", text.value)));
        }
        names.push(name);
    }
    if names.is_empty() {
        return Ok(None);
    }
    let value = HeaderValue::from_str(&names.join(", "));
    Ok(Some(value.expect("names of methods and headers are a value a header can have")))
}

/// Browsers take `*` for a name where credentials are (Fetch standard, "CORS protocol and credentials").
fn refused_with_credentials(table: &Fields<'_>, star: &Placed<&str>, instead: &str) -> ManifestError {
    let error =
        table.error(star.span.clone(), "`*` is not any with `credentials = true`: browsers refuse it");
    ManifestError { hint: Some(instead.to_owned()), ..error }
}

fn rate_limit(table: &Fields<'_>) -> Result<RateLimit, ManifestError> {
    let limit = RateLimit {
        client: table.table("client")?.map(|table| rate(&table)).transpose()?,
        app: table.table("app")?.map(|table| rate(&table)).transpose()?,
    };
    if limit.client.is_none() && limit.app.is_none() {
        return Err(table.missing("client", "`client` or `app`, each such as `{ requests = 10 }`"));
    }
    table.done()?;
    Ok(limit)
}

fn rate(table: &Fields<'_>) -> Result<Rate, ManifestError> {
    let number = |field, most: u32| match table.integer(field)? {
        None => Ok(None),
        Some(Placed { value, span }) => {
            let fits = u32::try_from(value).ok().filter(|value| *value <= most);
            let refuse = || {
                let message = format!("`{}` is {value}, expected at most {most}", table.path(field));
                table.error(span, message)
            };
            fits.ok_or_else(refuse).map(Some)
        }
    };
    let requests = number("requests", Rate::REQUESTS_MAX)?;
    let requests = requests.ok_or_else(|| table.missing("requests", "how many may come in a second"))?;
    let per_s_max = u32::try_from(Rate::PER_MAX.as_secs()).expect("an hour in seconds");
    let rate = Rate {
        requests,
        per: Duration::from_secs(number("per_s", per_s_max)?.unwrap_or(1).into()),
        burst: number("burst", Rate::REQUESTS_MAX)?.unwrap_or(requests),
    };
    table.done()?;
    Ok(rate)
}

fn compression(table: &Fields<'_>) -> Result<Compression, ManifestError> {
    let mut listed = encodings(table, "algorithms", &Compression::ENCODINGS)?;
    if listed.is_empty() {
        listed = Compression::ENCODINGS.to_vec();
    }
    let texts = table.texts("content_types")?;
    let no_type = |text: &Placed<&str>, error: MediaRangeError| {
        table.error(text.span.clone(), format!("`{}` is no type of content: {error}", text.value))
    };
    let types = match texts.as_slice() {
        [] => Compression::TYPES.map(|text| text.parse().expect("the usual types are types")).to_vec(),
        texts => texts
            .iter()
            .map(|text| text.value.parse().map_err(|error| no_type(text, error)))
            .collect::<Result<_, _>>()?,
    };
    let bytes_min = table.count("bytes_min")?.map_or(Compression::BYTES_MIN, |bytes| bytes.value);
    table.done()?;
    Ok(Compression { encodings: listed, bytes_min, types })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use proptest::prelude::*;

    use crate::edge::{AccessLogged, Compression, Edge, Origins, Rate, RequestIds};

    /// A manifest with these lines in `[application.tool.tombolo]`; the first is line 5.
    fn read(lines: &str) -> Result<Edge, String> {
        let text = format!(
            "spin_manifest_version = 2\n[application]\nname = \"app\"\n[application.tool.tombolo]\n{lines}\n"
        );
        let app = crate::manifest::parse("spin.toml", &text, &BTreeMap::new());
        app.map(|app| app.edge).map_err(|error| match &error.hint {
            Some(hint) => format!("{error}\nhint: {hint}"),
            None => error.to_string(),
        })
    }

    #[track_caller]
    fn refused(lines: &str, expected: &str) {
        assert_eq!(read(lines).expect_err("must be refused"), expected);
    }

    #[test]
    fn nothing_is_done_that_is_not_said() {
        assert_eq!(read("memory_mib_max = 64").unwrap(), Edge::default());
    }

    /// The example of the page is read, and names every field.
    #[test]
    fn the_documented_policies_are_read() {
        let page = include_str!("../../../../docs/manifest.md");
        let page = page.split_once("\n## At the edge\n").unwrap().1;
        let example = page.split("```toml").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let example = example.trim_start().trim_start_matches("[application.tool.tombolo]\n");
        let Edge { cors, rate_limit, compression, request_ids, access_log } = read(example).unwrap();
        let cors = cors.unwrap();
        let Origins::Listed(origins) = &cors.origins else { panic!("{cors:?}") };
        assert_eq!(origins.len(), 2);
        assert_eq!(cors.methods.unwrap(), "GET, PUT");
        assert_eq!(cors.headers.unwrap(), "content-type, authorization");
        assert_eq!(cors.exposed.unwrap(), "x-request-id");
        assert_eq!((cors.credentials, cors.max_age), (true, Some(Duration::from_secs(600))));
        let limit = rate_limit.unwrap();
        let client = Rate { requests: 10, per: Duration::from_secs(1), burst: 20 };
        let app = Rate { requests: 6000, per: Duration::from_secs(60), burst: 500 };
        assert_eq!((limit.client, limit.app), (Some(client), Some(app)));
        let compression = compression.unwrap();
        assert_eq!(compression.encodings, Compression::ENCODINGS);
        assert_eq!((compression.bytes_min, compression.types.len()), (1024, 3));
        assert_eq!((request_ids, access_log), (Some(RequestIds::Client), AccessLogged::No));
    }

    #[test]
    fn what_is_usual_need_not_be_said() {
        let edge = read(
            "request_id = true\ncors = { origins = [\"*\"] }\ncompression = {}\n\
             rate_limit.client = { requests = 5, per_s = 60 }",
        );
        let edge = edge.unwrap();
        let cors = edge.cors.unwrap();
        assert_eq!((cors.origins, cors.methods, cors.max_age), (Origins::Any, None, None));
        let compression = edge.compression.unwrap();
        assert_eq!((compression.encodings.len(), compression.bytes_min), (3, 1024));
        assert!(compression.covers("text/html") && !compression.covers("image/png"));
        let client = Rate { requests: 5, per: Duration::from_secs(60), burst: 5 };
        assert_eq!(edge.rate_limit.unwrap().client, Some(client));
        assert_eq!(edge.request_ids, Some(RequestIds::Own));
    }

    #[test]
    fn wrong_origins_are_named() {
        refused(
            "[application.tool.tombolo.cors]\ncredentials = true",
            "spin.toml:5:1: `[application.tool.tombolo.cors]` has no `origins`, expected origins such as \
             `https://shop.example.com`, or `[\"*\"]` for any",
        );
        refused(
            "cors = { origins = [\"https://a.test/\"] }",
            "spin.toml:5:21: `https://a.test/` is not an origin: expected a scheme, a host and maybe a port, without \
             a path, such as `https://shop.example.com` or `https://*.example.com`",
        );
        refused(
            "cors = { origins = [\"https://a.test\", \"*\"] }",
            "spin.toml:5:39: `*` is any origin, expected it alone",
        );
        refused(
            "cors = { origins = [\"*\"], credentials = true }",
            "spin.toml:5:21: `*` is not any with `credentials = true`: browsers refuse it\nhint: list the origins",
        );
        refused(
            "cors = { origins = [\"https://a.test\"], headers = [\"*\"], credentials = true }",
            "spin.toml:5:51: `*` is not any with `credentials = true`: browsers refuse it\nhint: list the names",
        );
    }

    #[test]
    fn what_is_no_policy_is_named_with_its_place() {
        refused(
            "corse = {}",
            "spin.toml:5:1: unknown field `corse` in `[application.tool.tombolo]`\nhint: did you mean `cors`?",
        );
        refused(
            "cors = { origins = [\"*\"], origin = 1 }",
            "spin.toml:5:27: unknown field `origin` in `[application.tool.tombolo.cors]`\nhint: did you mean `origins`?",
        );
        refused(
            "cors = { origins = [\"*\"], methods = [\"G T\"] }",
            "spin.toml:5:38: `G T` is not the name of a method",
        );
        refused(
            "cors = { origins = [\"*\"], headers = [\"X-A\", \"x-a\"] }",
            "spin.toml:5:45: `x-a` is there twice",
        );
        refused(
            "rate_limit = {}",
            "spin.toml:5:14: `[application.tool.tombolo.rate_limit]` has no `client`, expected `client` or `app`, each \
             such as `{ requests = 10 }`",
        );
        refused(
            "rate_limit = { client = { burst = 5 } }",
            "spin.toml:5:25: `[application.tool.tombolo.rate_limit.client]` has no `requests`, expected how many may \
             come in a second",
        );
        refused(
            "rate_limit = { app = { requests = 1, per_s = 3601 } }",
            "spin.toml:5:46: `application.tool.tombolo.rate_limit.app.per_s` is 3601, expected at most 3600",
        );
        refused(
            "rate_limit = { app = { requests = 0 } }",
            "spin.toml:5:35: `application.tool.tombolo.rate_limit.app.requests` is out of range, expected a whole \
             number of 1 or more",
        );
        refused(
            "compression = { algorithms = [\"deflate\"] }",
            "spin.toml:5:31: `deflate` is no encoding known here\nhint: expected one of `br`, `gzip`, `zstd`",
        );
        refused(
            "compression = { content_types = [\"*/*\"] }",
            "spin.toml:5:34: `*/*` is no type of content: expected one such as `text/html`, `text/*` or `*+json`",
        );
        refused(
            "request_id_from_client = true",
            "spin.toml:5:26: it says whose id is told, expected `request_id = true` beside it",
        );
    }

    proptest! {
        #[test]
        fn any_policy_is_read_or_refused(
            field in "(cors|rate_limit|compression)",
            key in "(origins|methods|credentials|client|app|algorithms|content_types|bytes_min|é)",
            value in "(\\[\"?.{0,8}\"?\\]|\\{ ?(requests|per_s|burst) ?= ?[0-9-]{0,20} ?\\}|[0-9]{0,20}|true|\".{0,9}\")",
        ) {
            let _ = read(&format!("{field} = {{ {key} = {value} }}"));
        }
    }
}
