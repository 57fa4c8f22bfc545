//! From tables to an [`App`].

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::DeValue;

use super::ManifestError;
use super::about::about;
use super::assets::assets;
use super::dependencies::{self, Resolver, Written};
use super::edge::edge;
use super::fields::{Document, Fields, Placed, nearest};
use super::grants::{files, outbound};
use super::profile::Profiles;
use super::redis;
use super::response::static_response;
use super::settings::{Settings, settings};
use super::variables::{Given, Values, Variables, declared};
use crate::app::{App, Build, Component, Executor, HttpTrigger, RedisTrigger, Source, StaticResponse};
use crate::edge::Edge;
use crate::name::{AppName, ComponentId};
use crate::package::Package;
use crate::route::Pattern;
use crate::template::Template;

/// The whole manifest.
pub(super) fn app(
    document: &Document<'_>,
    given: &Given<'_>,
    profile: Option<&str>,
) -> Result<App, ManifestError> {
    let table = document.parse()?;
    let root = Fields::root(document, &table);
    version(&root)?;
    let application =
        root.table("application")?.ok_or_else(|| root.missing("application", "a table with `name`"))?;
    let name = required(&application, "name", "the name of the app")?;
    let name: AppName = name.value.parse().map_err(|error| at(&application, &name, error))?;
    let version = application.text("version")?.map(|text| text.value.to_owned());
    let mut about = about(&application)?;
    about.authors = texts(&application, "authors")?;
    let base = base(&application)?;
    let (defaults, assets, edge) = match tombolo(&application)? {
        None => (Settings::DEFAULT, Vec::new(), Edge::default()),
        Some(table) => {
            let read = (settings(&table, &Settings::DEFAULT)?, assets(&table, &base)?, edge(&table)?);
            table.done()?;
            read
        }
    };
    application.done()?;

    let declared = declared(&root)?;
    let variables = Variables::of(&declared, given);
    let mut components = Components {
        read: BTreeMap::new(),
        written: BTreeMap::new(),
        variables: &variables,
        defaults: &defaults,
        profiles: Profiles::new(profile),
    };
    if let Some(tables) = root.table("component")? {
        for (key, value) in tables.entries() {
            let id: ComponentId = key.value.parse().map_err(|error| at(&tables, &key, error))?;
            let fields = tables.entry_table(key.value, value)?;
            let component = components.component(&fields, id.clone())?;
            components.read.insert(id, component);
        }
    }
    let redis = redis::address(&application, &variables)?;
    let Triggers { mut triggers, middleware, redis_triggers, responses } =
        triggers(&root, &base, redis.as_deref(), &mut components)?;
    components.profiles.check(&root)?;
    let Components { read: mut components, written, .. } = components;
    root.done()?;
    let resolver = Resolver::new(&root, &components, &written);
    for (trigger, written) in triggers.iter_mut().zip(&middleware) {
        trigger.middleware = resolver.middleware(&trigger.component, written)?;
    }
    let resolved: Vec<_> = components.keys().map(|id| resolver.dependencies(id)).collect::<Result<_, _>>()?;
    for (component, resolved) in components.values_mut().zip(resolved) {
        component.dependencies = resolved;
    }
    Ok(App {
        name,
        version,
        about,
        variables: declared,
        spin_headers: true,
        base: base.to_string(),
        triggers,
        redis_triggers,
        responses,
        assets,
        edge,
        components,
    })
}

/// `tool.tombolo`: what Spin lacks. What other tools keep beside it is theirs.
fn tombolo<'a>(fields: &Fields<'a>) -> Result<Option<Fields<'a>>, ManifestError> {
    match fields.table("tool")? {
        Some(tool) => tool.table("tombolo"),
        None => Ok(None),
    }
}

fn version(root: &Fields<'_>) -> Result<(), ManifestError> {
    let value = root.get("spin_manifest_version").or_else(|| root.get("spin_version"));
    let value = value.ok_or_else(|| root.missing("spin_manifest_version", "`spin_manifest_version = 2`"))?;
    let is_two = value.get_ref().as_integer().is_some_and(|number| number.as_str() == "2");
    if is_two {
        return Ok(());
    }
    Err(root
        .error(value.span(), "expected `spin_manifest_version = 2`, the only version there is support for"))
}

/// `[application.trigger.http] base`.
fn base(application: &Fields<'_>) -> Result<Pattern, ManifestError> {
    let root: Pattern = "/".parse().expect("`/` is a route");
    let Some(triggers) = application.table("trigger")? else { return Ok(root) };
    let http = triggers.table("http")?;
    // It may name variables, which are read later.
    triggers.ignore(&["redis"]);
    triggers.done()?;
    let Some(http) = http else { return Ok(root) };
    let base = match http.text("base")? {
        None => root,
        Some(text) => {
            let base: Pattern = text.value.parse().map_err(|error| at(&http, &text, error))?;
            if base.has_rest() {
                return Err(http.error(text.span, "`base` is a path without a wildcard"));
            }
            base
        }
    };
    http.done()?;
    Ok(base)
}

/// Those that were read, and what reading one needs.
pub(super) struct Components<'a> {
    read: BTreeMap<ComponentId, Component>,
    /// What is to be composed into them.
    written: BTreeMap<ComponentId, Vec<Written>>,
    pub(super) variables: &'a Variables<'a>,
    defaults: &'a Settings,
    profiles: Profiles<'a>,
}

impl Components<'_> {
    /// One `[component.<id>]`.
    fn component(&mut self, fields: &Fields<'_>, id: ComponentId) -> Result<Component, ManifestError> {
        let mut component = component(fields, id.clone(), self.variables, self.defaults)?;
        let inherited = dependencies::usually_inherited(fields)?;
        let mut written = dependencies::read(fields, &inherited)?;
        self.profiles.apply(fields, &inherited, &mut component, &mut written)?;
        fields.done()?;
        self.written.insert(id, written);
        Ok(component)
    }
}

fn component(
    fields: &Fields<'_>,
    id: ComponentId,
    variables: &Variables<'_>,
    defaults: &Settings,
) -> Result<Component, ManifestError> {
    let source = source(fields)?;
    let about = about(fields)?;
    let Settings { limits, isolation } = match tombolo(fields)? {
        None => defaults.clone(),
        Some(table) => {
            let read = settings(&table, defaults)?;
            table.done()?;
            read
        }
    };
    let component = Component {
        environment: environment(fields)?,
        variables: component_variables(fields, variables)?,
        files: files(fields)?,
        key_value_stores: texts(fields, "key_value_stores")?,
        sqlite_databases: texts(fields, "sqlite_databases")?,
        ai_models: texts(fields, "ai_models")?,
        allowed_outbound_hosts: outbound(fields, variables)?,
        build: build(fields)?,
        about,
        limits,
        isolation,
        ..Component::bare(id, source)
    };
    Ok(component)
}

fn texts(fields: &Fields<'_>, field: &'static str) -> Result<Vec<String>, ManifestError> {
    Ok(fields.texts(field)?.iter().map(|text| text.value.to_owned()).collect())
}

pub(super) fn source(fields: &Fields<'_>) -> Result<Source, ManifestError> {
    let expected = "the path of a `.wasm` file, or a table with `url` and `digest`, or with `registry`, `package` and `version`";
    let value = fields.get("source").ok_or_else(|| fields.missing("source", expected))?;
    if let Some(path) = value.get_ref().as_str() {
        return Ok(Source::Path(PathBuf::from(path)));
    }
    let table = fields.table("source")?.ok_or_else(|| fields.missing("source", expected))?;
    if table.get("package").is_some() {
        let package = required(&table, "package", "`namespace:name`")?;
        let version = required(&table, "version", "one version, such as `1.0.0`")?;
        let registry = registry(&table)?;
        let source = Package::exact(registry.value, package.value, version.value);
        let source = source.map_err(|error| table.error(table.span.clone(), error.to_string()))?;
        table.done()?;
        return Ok(Source::Package(source));
    }
    let url = required(&table, "url", "where to download the component from")?;
    let digest = required(&table, "digest", "`sha256:` and 64 hex digits")?;
    let source = Source::url(url.value, digest.value).map_err(|error| at(&table, &digest, error))?;
    table.done()?;
    Ok(source)
}

/// Where packages are: there is no registry that all share.
pub(super) fn registry<'a>(table: &Fields<'a>) -> Result<Placed<&'a str>, ManifestError> {
    required(table, "registry", "the host of a registry of packages, such as `ghcr.io`")
}

pub(super) fn environment(fields: &Fields<'_>) -> Result<Values, ManifestError> {
    let Some(table) = fields.table("environment")? else { return Ok(Values::new()) };
    let entry = |(key, value): (Placed<&str>, _)| {
        Ok((key.value.to_owned(), table.entry_text(key.value, value)?.to_owned()))
    };
    table.entries().map(entry).collect()
}

fn component_variables(
    fields: &Fields<'_>,
    variables: &Variables<'_>,
) -> Result<BTreeMap<String, Template>, ManifestError> {
    let Some(table) = fields.table("variables")? else { return Ok(BTreeMap::new()) };
    let entry = |(key, value): (Placed<&str>, &Spanned<DeValue<'_>>)| {
        lower_snake(&table, &key)?;
        let template = value.get_ref().as_str().ok_or_else(|| {
            table.error(
                value.span(),
                format!("`{}` is no string, expected text with `{{{{ name }}}}`", table.path(key.value)),
            )
        })?;
        Ok((key.value.to_owned(), variables.template(&table, template, value.span())?))
    };
    table.entries().map(entry).collect()
}

/// `command` of a table `build`.
pub(super) fn commands(table: &Fields<'_>) -> Result<Vec<String>, ManifestError> {
    let expected = "a shell command, or an array of them";
    let value = table.get("command").ok_or_else(|| table.missing("command", expected))?;
    Ok(match value.get_ref().as_str() {
        Some(command) => vec![command.to_owned()],
        None => table.texts("command")?.iter().map(|text| text.value.to_owned()).collect(),
    })
}

fn build(fields: &Fields<'_>) -> Result<Option<Build>, ManifestError> {
    let Some(table) = fields.table("build")? else { return Ok(None) };
    let build = Build {
        commands: commands(&table)?,
        workdir: table.text("workdir")?.map(|text| text.value.into()).unwrap_or_default(),
        watch: table.texts("watch")?.iter().map(|text| text.value.to_owned()).collect(),
    };
    table.done()?;
    Ok(Some(build))
}

/// Those that components answer, and those that are answered as written.
#[derive(Default)]
struct Triggers {
    triggers: Vec<HttpTrigger>,
    /// Before each of those.
    middleware: Vec<Vec<Written>>,
    redis_triggers: Vec<RedisTrigger>,
    responses: Vec<StaticResponse>,
}

/// Every `[[trigger.http]]` and `[[trigger.redis]]`.
fn triggers(
    root: &Fields<'_>,
    base: &Pattern,
    redis: Option<&str>,
    components: &mut Components<'_>,
) -> Result<Triggers, ManifestError> {
    let mut found = Triggers::default();
    let Some(kinds) = root.table("trigger")? else { return Ok(found) };
    for (number, fields) in kinds.tables("http")?.into_iter().enumerate() {
        fields.ignore(&["id"]);
        // Kept for triggers to come: an HTTP trigger has one.
        fields.ignore(&["components"]);
        let before = dependencies::middleware(&fields)?;
        let executor = executor(&fields)?;
        let (route, raw_route) = route(&fields, base)?;
        match static_response(&fields, route.clone(), &raw_route)? {
            Some(response) => {
                if let Some(first) = before.first() {
                    let message = "middleware stands before a component, and this is a `static_response`";
                    return Err(fields.error(first.place(), message));
                }
                found.responses.push(response);
            }
            None => {
                if let (Executor::Wagi { .. }, Some(first)) = (&executor, before.first()) {
                    let message =
                        "middleware stands before a component of `wasi:http`, and this one is a program";
                    return Err(fields.error(first.place(), message));
                }
                let component = trigger_component(&fields, number, components)?;
                let middleware = Vec::new();
                found.triggers.push(HttpTrigger { route, raw_route, component, middleware, executor });
                found.middleware.push(before);
            }
        }
        fields.done()?;
    }
    let numbered = found.triggers.len() + found.responses.len();
    found.redis_triggers = redis::triggers(&kinds, redis, numbered, components)?;
    kinds.done()?;
    Ok(found)
}

pub(super) fn trigger_component(
    fields: &Fields<'_>,
    number: usize,
    components: &mut Components<'_>,
) -> Result<ComponentId, ManifestError> {
    let expected = "the id of a component";
    let value = fields.get("component").ok_or_else(|| fields.missing("component", expected))?;
    if value.get_ref().is_table() {
        let table = fields.table("component")?.ok_or_else(|| fields.missing("component", expected))?;
        let id = ComponentId::from_text(&format!("inline-{number}"));
        let inline = components.component(&table, id.clone())?;
        if components.read.insert(id.clone(), inline).is_some() {
            let message =
                format!("`{id}` is the id of this inline component: call the other one by another name");
            return Err(fields.error(value.span(), message));
        }
        return Ok(id);
    }
    let text = required(fields, "component", expected)?;
    let id: ComponentId = text.value.parse().map_err(|error| at(fields, &text, error))?;
    if components.read.contains_key(&id) {
        return Ok(id);
    }
    let known: Vec<&str> = components.read.keys().map(ComponentId::as_str).collect();
    let error = fields.error(text.span, format!("there is no component `{id}`"));
    Err(ManifestError { hint: nearest(id.as_str(), &known), ..error })
}

fn route(fields: &Fields<'_>, base: &Pattern) -> Result<(Option<Pattern>, String), ManifestError> {
    let expected = "a path such as `/api/...`, or `{ private = true }`";
    let value = fields.get("route").ok_or_else(|| fields.missing("route", expected))?;
    if value.get_ref().is_table() {
        let table = fields.table("route")?.ok_or_else(|| fields.missing("route", expected))?;
        if table.flag("private")? != Some(true) {
            return Err(table.missing("private", "`private = true`"));
        }
        table.done()?;
        return Ok((None, String::new()));
    }
    let text = required(fields, "route", expected)?;
    let pattern: Pattern = text.value.parse().map_err(|error| at(fields, &text, error))?;
    Ok((Some(pattern.below(base)), text.value.to_owned()))
}

/// `executor`.
fn executor(fields: &Fields<'_>) -> Result<Executor, ManifestError> {
    let Some(table) = fields.table("executor")? else { return Ok(Executor::Http) };
    let kind = required(&table, "type", "`http` or `wagi`")?;
    let executor = match kind.value {
        "http" | "spin" => Executor::Http,
        "wagi" => {
            let arguments = table.text("argv")?.map_or("${SCRIPT_NAME} ${ARGS}", |text| text.value);
            if let Some(entrypoint) = table.text("entrypoint")?.filter(|text| text.value != "_start") {
                let message = format!("`{}` is not called, expected `_start`", entrypoint.value);
                return Err(table.error(entrypoint.span, message));
            }
            Executor::Wagi { arguments: arguments.split_whitespace().map(str::to_owned).collect() }
        }
        other => {
            let message = format!("there is no executor `{other}`, expected `http` or `wagi`");
            return Err(table.error(kind.span, message));
        }
    };
    table.done()?;
    Ok(executor)
}

pub(crate) fn required<'a>(
    fields: &Fields<'a>,
    field: &'static str,
    expected: &str,
) -> Result<Placed<&'a str>, ManifestError> {
    fields.text(field)?.ok_or_else(|| fields.missing(field, expected))
}

pub(super) fn at(fields: &Fields<'_>, place: &Placed<&str>, error: impl std::error::Error) -> ManifestError {
    fields.error(place.span.clone(), error.to_string())
}

pub(crate) fn lower_snake(fields: &Fields<'_>, key: &Placed<&str>) -> Result<(), ManifestError> {
    let fits = key.value.starts_with(|first: char| first.is_ascii_lowercase())
        && key.value.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if fits {
        return Ok(());
    }
    let message = format!("`{}` is not the name of a variable, expected lower_snake_case", key.value);
    Err(fields.error(key.span.clone(), message))
}
