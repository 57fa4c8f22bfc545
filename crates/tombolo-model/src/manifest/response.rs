//! `[[trigger.http]] static_response`: an answer without a component.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::ManifestError;
use super::fields::{Fields, Placed};
use crate::app::StaticResponse;
use crate::route::Pattern;

/// What is said of the connection or by the server itself.
const OWN_HEADERS: &[&str] =
    &["connection", "content-length", "date", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];

/// Reads the answer of the trigger `fields`, if it has one; `route` is where.
pub(super) fn static_response(
    fields: &Fields<'_>,
    route: Option<Pattern>,
    raw_route: &str,
) -> Result<Option<StaticResponse>, ManifestError> {
    let Some(table) = fields.table("static_response")? else { return Ok(None) };
    if let Some(component) = fields.get("component") {
        let message = "a trigger has either `component` or `static_response`, and this has both";
        return Err(fields.error(component.span(), message));
    }
    let Some(route) = route else {
        let message =
            "a private route is reached by components alone, by the name of a component: this has none";
        return Err(fields.error(table.span.clone(), message));
    };
    let response = StaticResponse {
        route,
        raw_route: raw_route.to_owned(),
        status: status(&table)?,
        headers: headers(&table)?,
        body: table.text("body")?.map_or("", |text| text.value).to_owned(),
    };
    table.done()?;
    Ok(Some(response))
}

fn status(table: &Fields<'_>) -> Result<StatusCode, ManifestError> {
    let Some(Placed { value, span }) = table.integer("status_code")? else { return Ok(StatusCode::OK) };
    // Below 200 are answers that another follows.
    let code = u16::try_from(value).ok().filter(|code| *code >= 200);
    code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or_else(|| {
        table.error(span, format!("`status_code` is {value}, expected a status of 200 to 999"))
    })
}

fn headers(table: &Fields<'_>) -> Result<HeaderMap, ManifestError> {
    let mut headers = HeaderMap::new();
    let Some(entries) = table.table("headers")? else { return Ok(headers) };
    for (key, item) in entries.entries() {
        let refuse = |message: String| entries.error(key.span.clone(), message);
        let name = HeaderName::from_bytes(key.value.as_bytes())
            .map_err(|_| refuse(format!("`{}` is not the name of a header", key.value)))?;
        if OWN_HEADERS.contains(&name.as_str()) {
            return Err(refuse(format!("the header `{name}` is the server's to set")));
        }
        let text = entries.entry_text(key.value, item)?;
        let value = HeaderValue::from_str(text).map_err(|_| {
            let message = format!("`{text}` is not the value of a header, expected printable text");
            entries.error(item.span(), message)
        })?;
        headers.append(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::app::App;
    use crate::manifest::parse;

    fn read(trigger: &str) -> Result<App, String> {
        let text = format!(
            "spin_manifest_version = 2\napplication = {{ name = \"app\" }}\n[[trigger.http]]\n{trigger}\n"
        );
        parse("spin.toml", &text, &BTreeMap::new()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_trigger_answers_by_itself() {
        let app = read(
            "route = \"/gone/...\"\nstatic_response = { status_code = 410, headers = { x-a = \"b\" }, body = \"no\" }",
        );
        let app = app.unwrap();
        let [response] = &app.responses[..] else { panic!("one response") };
        assert_eq!((response.status.as_u16(), response.body.as_str()), (410, "no"));
        assert_eq!(response.headers["x-a"], "b");
        assert!(app.triggers.is_empty());
        let least = read("route = \"/\"\nstatic_response = {}").unwrap();
        assert_eq!((least.responses[0].status.as_u16(), least.responses[0].body.as_str()), (200, ""));
    }

    #[test]
    fn what_cannot_be_answered_is_refused() {
        for (trigger, expected) in [
            (
                "route = \"/\"\ncomponent = \"a\"\nstatic_response = {}",
                "5:13: a trigger has either `component` or `static_response`, and this has both",
            ),
            (
                "route = { private = true }\nstatic_response = {}",
                "5:19: a private route is reached by components alone, by the name of a component: this has none",
            ),
            (
                "route = \"/\"\nstatic_response = { status_code = 100 }",
                "5:35: `status_code` is 100, expected a status of 200 to 999",
            ),
            (
                "route = \"/\"\nstatic_response = { headers = { date = \"now\" } }",
                "5:33: the header `date` is the server's to set",
            ),
            (
                "route = \"/\"\nstatic_response = { boddy = \"x\" }",
                "5:21: unknown field `boddy` in `[trigger.http.static_response]`",
            ),
        ] {
            assert_eq!(read(trigger).unwrap_err(), format!("spin.toml:{expected}"));
        }
    }
}
