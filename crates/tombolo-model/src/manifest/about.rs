//! What is written about an app or a component, kept as it is.

use std::collections::BTreeMap;

use serde_json::Value;
use toml::de::DeValue;

use super::ManifestError;
use super::fields::Fields;
use crate::app::About;

/// `description`, `targets` and `tool`.
pub(super) fn about(fields: &Fields<'_>) -> Result<About, ManifestError> {
    let description = fields.text("description")?.map(|text| text.value.to_owned());
    let targets = match fields.get("targets").map(|value| json(value.get_ref())) {
        Some(Value::Array(targets)) => targets,
        Some(other) => vec![other],
        None => Vec::new(),
    };
    let mut tools = BTreeMap::new();
    if let Some(table) = fields.table("tool")? {
        tools.extend(table.entries().map(|(key, value)| (key.value.to_owned(), json(value.get_ref()))));
    }
    Ok(About { description, authors: Vec::new(), targets, tools })
}

/// The same value, where JSON has one; text for what it has not, dates.
fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => {
            let parsed = i64::from_str_radix(number.as_str(), number.radix());
            parsed.map_or_else(|_| Value::String(number.as_str().to_owned()), Value::from)
        }
        DeValue::Float(number) => {
            let parsed = number.as_str().parse().ok().and_then(serde_json::Number::from_f64);
            parsed.map_or_else(|| Value::String(number.as_str().to_owned()), Value::Number)
        }
        DeValue::Boolean(is) => Value::Bool(*is),
        DeValue::Datetime(date) => Value::String(date.to_string()),
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(table) => {
            let entry =
                |(key, value): (&toml::Spanned<std::borrow::Cow<'_, str>>, &toml::Spanned<DeValue<'_>>)| {
                    (key.get_ref().to_string(), json(value.get_ref()))
                };
            Value::Object(table.iter().map(entry).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::manifest::parse;

    #[test]
    fn what_changes_nothing_is_kept() {
        let text = "spin_manifest_version = 2\n[application]\nname = \"app\"\ndescription = \"An app\"\n\
            authors = [\"Ada\"]\ntargets = [\"spin-up:3.3\", { path = \"here.toml\" }]\n\
            [application.tool.lint]\nlevel = 3\nsince = 2026-01-01\nratios = [0.5, true]\n\
            [component.a]\nsource = \"a.wasm\"\ndescription = \"A part\"\n[component.a.tool.clean]\ncommand = \"rm\"\n";
        let app = parse("spin.toml", text, &BTreeMap::new()).unwrap();
        assert_eq!(app.about.description.as_deref(), Some("An app"));
        assert_eq!(app.about.authors, ["Ada"]);
        assert_eq!(app.about.targets[1]["path"], "here.toml");
        let lint = &app.about.tools["lint"];
        assert_eq!((&lint["level"], &lint["since"]), (&3.into(), &"2026-01-01".into()));
        assert_eq!(lint["ratios"], serde_json::json!([0.5, true]));
        let component = app.components.values().next().unwrap();
        assert_eq!(component.about.description.as_deref(), Some("A part"));
        assert_eq!(component.about.tools["clean"]["command"], "rm");
    }
}
