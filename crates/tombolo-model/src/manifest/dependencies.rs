//! `[component.<id>.dependencies]` and `dependencies.middleware` of a trigger: what is composed into a component.
//!
//! Source: Spin, `crates/manifest/src/schema/v2.rs`, `ComponentDependency`, and `normalize.rs`.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::ManifestError;
use super::fields::{Fields, Placed, nearest};
use super::read::{self, at, required};
use crate::app::{Component, Source};
use crate::dependency::{Configuration, Dependency, DependencyName, Inherited, Middleware, Part};
use crate::name::ComponentId;
use crate::package::Package;

/// Parts that one app may have, those that are composed more than once counted each time.
const PARTS_MAX: usize = 256;

/// A dependency, or a middleware, as it is written. Which component it names is looked up once all were read.
#[derive(Debug)]
pub(super) struct Written {
    /// Which imports it answers; a middleware has none.
    name: Option<DependencyName>,
    from: From,
    export: Option<String>,
    inherited: Inherited,
    place: Range<usize>,
}

#[derive(Debug)]
enum From {
    Source(Source),
    Component(String),
}

impl Written {
    pub(super) fn name(&self) -> Option<&DependencyName> {
        self.name.as_ref()
    }

    pub(super) fn place(&self) -> Range<usize> {
        self.place.clone()
    }
}

/// What dependencies of a component inherit that do not say it themselves.
pub(super) fn usually_inherited(component: &Fields<'_>) -> Result<Inherited, ManifestError> {
    let all = component.flag("dependencies_inherit_configuration")?.unwrap_or(false);
    Ok(if all { Inherited::all() } else { Inherited::default() })
}

/// `dependencies` of a component, or of one of its profiles.
pub(super) fn read(fields: &Fields<'_>, usual: &Inherited) -> Result<Vec<Written>, ManifestError> {
    let Some(table) = fields.table("dependencies")? else { return Ok(Vec::new()) };
    let mut found = Vec::<Written>::new();
    for (key, value) in table.entries() {
        let name: DependencyName = key.value.parse().map_err(|error| at(&table, &key, error))?;
        let overlapping = found.iter().filter_map(Written::name).find(|other| other.overlaps(&name));
        if let Some(other) = overlapping {
            let message =
                format!("`{name}` and `{other}` may mean the same import: say of each which it answers");
            return Err(table.error(key.span, message));
        }
        let written = one(&table, &key, value, name, usual.clone())?;
        found.push(written);
    }
    Ok(found)
}

fn one<'a>(
    table: &Fields<'a>,
    key: &Placed<&'a str>,
    value: &'a Spanned<DeValue<'a>>,
    name: DependencyName,
    usual: Inherited,
) -> Result<Written, ManifestError> {
    if let Some(version) = value.get_ref().as_str() {
        let message = format!("`{name}` has a version and no registry, and there is none that all share");
        let package = name.package().unwrap_or("namespace:name");
        let hint = format!("write {{ registry = \"…\", package = \"{package}\", version = \"{version}\" }}");
        return Err(ManifestError { hint: Some(hint), ..table.error(value.span(), message) });
    }
    let fields = table.entry_table(key.value, value)?;
    let from = from(&fields, name.package())?;
    let export = fields.text("export")?;
    if let Some(export) = &export
        && name.is_package()
    {
        let message = format!("`{name}` means every interface of a package, and `export` is one");
        return Err(fields.error(export.span.clone(), message));
    }
    let export = export.map(|export| export.value.to_owned());
    let inherited = inherited(&fields)?.unwrap_or(usual);
    fields.done()?;
    Ok(Written { name: Some(name), from, export, inherited, place: key.span.clone() })
}

/// `dependencies` of an HTTP trigger: its middleware, the outermost first.
pub(super) fn middleware(fields: &Fields<'_>) -> Result<Vec<Written>, ManifestError> {
    let Some(table) = fields.table("dependencies")? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for fields in table.tables("middleware")? {
        let from = from(&fields, None)?;
        let inherited = inherited(&fields)?.unwrap_or_default();
        fields.done()?;
        found.push(Written { name: None, from, export: None, inherited, place: fields.span.clone() });
    }
    table.done()?;
    Ok(found)
}

/// `path`, `url` with `digest`, `component`, or `version` with `registry` and `package`, which is `usual` unless said.
fn from(fields: &Fields<'_>, usual: Option<&str>) -> Result<From, ManifestError> {
    let forms =
        [fields.text("path")?, fields.text("url")?, fields.text("component")?, fields.text("version")?];
    let mut said = forms.iter().flatten();
    let expected = "one of `path`, `url` with `digest`, `component`, and `version` with `registry`";
    let (Some(first), None) = (said.next(), said.next()) else {
        let count = forms.iter().flatten().count();
        let message = format!("`{}` says {count} times where it is, expected {expected}", fields.name);
        return Err(fields.error(fields.span.clone(), message));
    };
    let first = first.value.to_owned();
    match forms {
        [Some(_), ..] => Ok(From::Source(Source::Path(first.into()))),
        [_, Some(_), ..] => {
            let digest = required(fields, "digest", "`sha256:` and 64 hex digits")?;
            let source = Source::url(&first, digest.value).map_err(|error| at(fields, &digest, error))?;
            Ok(From::Source(source))
        }
        [_, _, Some(_), _] => Ok(From::Component(first)),
        [_, _, _, _] => {
            let registry = read::registry(fields)?;
            let named = fields.text("package")?.map(|text| text.value).or(usual);
            let named = named.ok_or_else(|| fields.missing("package", "`namespace:name`"))?;
            let package = Package::newest(registry.value, named, &first);
            let package = package.map_err(|error| fields.error(fields.span.clone(), error.to_string()))?;
            Ok(From::Source(Source::Package(package)))
        }
    }
}

/// `inherit_configuration`: everything, nothing, or a list.
fn inherited(fields: &Fields<'_>) -> Result<Option<Inherited>, ManifestError> {
    let field = "inherit_configuration";
    let Some(value) = fields.get(field) else { return Ok(None) };
    if value.get_ref().is_bool() {
        let all = fields.flag(field)?.unwrap_or(false);
        return Ok(Some(if all { Inherited::all() } else { Inherited::default() }));
    }
    let one = |text: &Placed<&str>| {
        Configuration::of(text.value).ok_or_else(|| {
            let known = Configuration::ALL.map(Configuration::field);
            let error = fields.error(text.span.clone(), format!("`{}` cannot be inherited", text.value));
            ManifestError { hint: nearest(text.value, &known), ..error }
        })
    };
    fields.texts(field)?.iter().map(one).collect::<Result<_, _>>().map(Some)
}

/// Looks up which components are composed into others.
pub(super) struct Resolver<'a> {
    root: &'a Fields<'a>,
    components: &'a BTreeMap<ComponentId, Component>,
    written: &'a BTreeMap<ComponentId, Vec<Written>>,
    parts: Cell<usize>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(
        root: &'a Fields<'a>,
        components: &'a BTreeMap<ComponentId, Component>,
        written: &'a BTreeMap<ComponentId, Vec<Written>>,
    ) -> Self {
        Self { root, components, written, parts: Cell::new(0) }
    }

    /// What is composed into a component.
    pub(super) fn dependencies(&self, id: &ComponentId) -> Result<Vec<Dependency>, ManifestError> {
        self.below(&[id])
    }

    /// What stands before a component.
    pub(super) fn middleware(
        &self,
        id: &ComponentId,
        written: &[Written],
    ) -> Result<Vec<Middleware>, ManifestError> {
        let one = |written: &Written| {
            let part = self.part(&[id], written)?;
            Ok(Middleware { inherited: written.inherited.clone(), part })
        };
        written.iter().map(one).collect()
    }

    /// What is composed into the last of `path`, each of which is composed into the one before.
    fn below(&self, path: &[&ComponentId]) -> Result<Vec<Dependency>, ManifestError> {
        let written = path.last().and_then(|id| self.written.get(*id));
        let one = |written: &Written| {
            let name = written.name.clone()?;
            let (inherited, export) = (written.inherited.clone(), written.export.clone());
            Some(self.part(path, written).map(|part| Dependency { name, export, inherited, part }))
        };
        written.into_iter().flatten().filter_map(one).collect()
    }

    fn part(&self, path: &[&ComponentId], written: &Written) -> Result<Part, ManifestError> {
        let refuse = |message: String| self.root.error(written.place.clone(), message);
        self.parts.set(self.parts.get() + 1);
        if self.parts.get() > PARTS_MAX {
            return Err(refuse(format!("the app is composed of more than {PARTS_MAX} parts")));
        }
        let id = match &written.from {
            From::Source(source) => {
                return Ok(Part { component: None, source: source.clone(), dependencies: Vec::new() });
            }
            From::Component(id) => id,
        };
        let Some((id, component)) = self.components.iter().find(|(known, _)| known.as_str() == id) else {
            let known: Vec<&str> = self.components.keys().map(ComponentId::as_str).collect();
            let error = refuse(format!("there is no component `{id}`"));
            return Err(ManifestError { hint: nearest(id, &known), ..error });
        };
        let path: Vec<&ComponentId> = path.iter().copied().chain([id]).collect();
        if path[..path.len() - 1].contains(&id) {
            let names: Vec<String> = path.iter().map(|id| format!("`{id}`")).collect();
            return Err(refuse(format!(
                "components depend on each other in a circle: {}",
                names.join(" on ")
            )));
        }
        if let Some(field) = own_grant(component) {
            let error =
                refuse(format!("component `{id}` has `{field}`, which does not apply where it is composed"));
            let hint = format!(
                "it can inherit what `{}` was granted, with `inherit_configuration`; give it an entry in `[component]` \
                 without `{field}`",
                path[0]
            );
            return Err(ManifestError { hint: Some(hint), ..error });
        }
        let dependencies = self.below(&path)?;
        Ok(Part { component: Some(id.clone()), source: component.source.clone(), dependencies })
    }
}

/// A field that grants something to a component, if there is one.
fn own_grant(component: &Component) -> Option<&'static str> {
    let given = |configuration: &Configuration| match configuration {
        Configuration::AiModels => !component.ai_models.is_empty(),
        Configuration::AllowedOutboundHosts => !component.allowed_outbound_hosts.is_empty(),
        Configuration::Environment => !component.environment.is_empty(),
        Configuration::Files => !component.files.is_empty(),
        Configuration::KeyValueStores => !component.key_value_stores.is_empty(),
        Configuration::SqliteDatabases => !component.sqlite_databases.is_empty(),
        Configuration::Variables => !component.variables.is_empty(),
    };
    Configuration::ALL.into_iter().find(given).map(Configuration::field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::App;
    use crate::manifest::parse;

    fn app(more: &str) -> Result<App, String> {
        let text = format!(
            "spin_manifest_version = 2\n[application]\nname = \"app\"\n[[trigger.http]]\nroute = \"/\"\n\
             component = \"web\"\n{more}\n[component.web]\nsource = \"web.wasm\"\n"
        );
        parse("spin.toml", &text, &BTreeMap::new()).map_err(|error| match &error.hint {
            Some(hint) => format!("{error}; {hint}"),
            None => error.to_string(),
        })
    }

    fn dependencies(text: &str, more: &str) -> Result<Vec<Dependency>, String> {
        let app = app(&format!("[component.main]\nsource = \"main.wasm\"\n{text}\n{more}"))?;
        Ok(app.components[&"main".parse().unwrap()].dependencies.clone())
    }

    #[test]
    fn every_form_of_a_dependency_is_read() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let text = format!(
            "[component.main.dependencies]\n\
             \"a:b/c@1.0.0\" = {{ path = \"c.wasm\", export = \"x:y/z\", inherit_configuration = true }}\n\
             \"a:d\" = {{ url = \"https://example.com/d.wasm\", digest = \"{digest}\" }}\n\
             \"a:e/f\" = {{ version = \">= 0.1\", registry = \"ghcr.io\" }}\n\
             plain = {{ component = \"web\", inherit_configuration = [\"files\", \"variables\"] }}\n"
        );
        let found = dependencies(&text, "").unwrap();
        let by = |name: &str| found.iter().find(|it| it.name.to_string() == name).unwrap();
        let one = by("a:b/c@1.0.0");
        assert_eq!(one.part.source, Source::Path("c.wasm".into()));
        assert_eq!((one.export.as_deref(), &one.inherited), (Some("x:y/z"), &Inherited::all()));
        assert!(matches!(by("a:d").part.source, Source::Url { .. }));
        assert_eq!(by("a:d").inherited, Inherited::default());
        let Source::Package(package) = &by("a:e/f").part.source else { panic!("it is a package") };
        assert_eq!(package.to_string(), "a:e@>=0.1 of ghcr.io");
        let plain = by("plain");
        assert_eq!(plain.part.component.as_ref().unwrap().as_str(), "web");
        let fields: Vec<_> = plain.inherited.iter().map(Configuration::field).collect();
        assert_eq!(fields, ["files", "variables"]);
    }

    #[test]
    fn a_component_says_for_all_of_them_what_they_inherit() {
        let text = "dependencies_inherit_configuration = true\n[component.main.dependencies]\n\
            one = { path = \"1.wasm\" }\ntwo = { path = \"2.wasm\", inherit_configuration = false }";
        let found = dependencies(text, "").unwrap();
        assert_eq!(found[0].inherited, Inherited::all());
        assert_eq!(found[1].inherited, Inherited::default());
    }

    #[test]
    fn components_may_be_composed_of_components_but_not_in_a_circle() {
        let chain = "[component.main.dependencies]\none = { component = \"b\" }\n\
            [component.b]\nsource = \"b.wasm\"\ndependencies = { two = { component = \"c\" } }\n\
            [component.c]\nsource = \"c.wasm\"\n";
        let found = dependencies(chain, "").unwrap();
        assert_eq!(found[0].part.dependencies[0].part.source, Source::Path("c.wasm".into()));
        let circle = dependencies(chain, "dependencies = { three = { component = \"main\" } }").unwrap_err();
        assert!(circle.contains("depend on each other in a circle: `b` on `c` on `main` on `b`"), "{circle}");
        let own = dependencies("dependencies = { one = { component = \"main\" } }", "").unwrap_err();
        assert!(own.contains("in a circle: `main` on `main`"), "{own}");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let digest = format!("digest = \"sha256:{}\"", "0".repeat(64));
        for (text, expected) in [
            ("\"a:b\" = { path = \"b\" }\n\"a:b/c\" = { path = \"c\" }", "may mean the same import"),
            ("\"a:b@1\" = { path = \"b\" }", "`a:b@1` names no imports"),
            ("one = { component = \"wep\" }", "there is no component `wep`; did you mean `web`?"),
            ("one = { path = \"b\", component = \"web\" }", "says 2 times where it is"),
            ("one = {}", "says 0 times where it is"),
            ("one = { url = \"https://example.com\" }", "has no `digest`"),
            (&format!("one = {{ url = \"x\", {digest}, sha256 = \"\" }}"), "unknown field `sha256`"),
            ("\"a:b\" = { path = \"b\", export = \"x\" }", "means every interface of a package"),
            ("one = { path = \"b\", inherit_configuration = [\"file\"] }", "did you mean `files`?"),
            ("one = { path = \"b\", inherit_configuration = 1 }", "expected an array of strings"),
            ("\"a:b\" = \"1.0\"", "write { registry = \"…\", package = \"a:b\", version = \"1.0\" }"),
            ("\"a:b\" = { version = \"1.0\" }", "has no `registry`"),
            ("one = { version = \"1.0\", registry = \"r.io\" }", "has no `package`"),
            ("\"a:b\" = { version = \"one\", registry = \"r.io\" }", "`one` is not a version"),
            ("one = 1", "`component.main.dependencies.one` is an integer, expected a table"),
        ] {
            let refused = dependencies(&format!("[component.main.dependencies]\n{text}"), "").unwrap_err();
            assert!(refused.contains(expected), "{text}: {refused}");
        }
        let granted = "[component.b]\nsource = \"b.wasm\"\nkey_value_stores = [\"default\"]";
        let refused = dependencies("dependencies = { one = { component = \"b\" } }", granted).unwrap_err();
        assert!(refused.contains("component `b` has `key_value_stores`, which does not apply"), "{refused}");
    }

    /// Each component names the one behind it twice: 2^n parts.
    #[test]
    fn the_parts_of_an_app_are_bounded() {
        let mut text = String::new();
        for number in 0..12 {
            let next = format!("component = \"c{}\"", number + 1);
            text += &format!(
                "[component.c{number}]\nsource = \"c.wasm\"\n\
                 dependencies = {{ one = {{ {next} }}, two = {{ {next} }} }}\n"
            );
        }
        text += "[component.c12]\nsource = \"c.wasm\"\n";
        let refused = app(&text).unwrap_err();
        assert!(refused.contains("composed of more than 256 parts"), "{refused}");
    }

    #[test]
    fn a_trigger_has_middleware() {
        let text = "dependencies.middleware = [{ component = \"auth\" }, { path = \"log.wasm\", \
            inherit_configuration = [\"variables\"] }]\n[component.auth]\nsource = \"auth.wasm\"";
        let found = app(text).unwrap();
        let middleware = &found.triggers[0].middleware;
        assert_eq!(middleware[0].part.component.as_ref().unwrap().as_str(), "auth");
        assert_eq!(middleware[1].part.source, Source::Path("log.wasm".into()));
        assert!(middleware[1].inherited.has(Configuration::Variables));
        let sources: Vec<_> = found.sources().into_iter().map(|(_, source)| source.clone()).collect();
        assert_eq!(sources.len(), 4, "{sources:?}");
        let refused = app("dependencies = { middlewares = [] }").unwrap_err();
        assert!(refused.contains("unknown field `middlewares`"), "{refused}");
        let refused = app("dependencies.middleware = [{ component = \"web\" }]").unwrap_err();
        assert!(refused.contains("in a circle: `web` on `web`"), "{refused}");
    }
}
