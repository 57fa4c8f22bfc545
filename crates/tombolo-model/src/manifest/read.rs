//! From tables to an [`App`].

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::DeValue;

use super::ManifestError;
use super::assets::assets;
use super::fields::{Document, Fields, Item, Placed, nearest};
use super::profile::Profiles;
use super::redis;
use super::response::static_response;
use super::settings::{Settings, settings};
use super::variables::{Given, Values, Variables};
use crate::app::{
    App, Build, Component, FileMount, Files, HttpTrigger, RedisTrigger, Source, StaticResponse,
};
use crate::file_glob::{FileGlob, Star};
use crate::name::{AppName, ComponentId};
use crate::outbound::AllowedHosts;
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
    application.ignore(&["description", "authors", "targets"]);
    let base = base(&application)?;
    let (defaults, assets) = match tombolo(&application)? {
        None => (Settings::DEFAULT, Vec::new()),
        Some(table) => {
            let read = (settings(&table, &Settings::DEFAULT)?, assets(&table, &base)?);
            table.done()?;
            read
        }
    };
    application.done()?;

    let variables = Variables::read(&root, given)?;
    let mut components = Components {
        read: BTreeMap::new(),
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
    let Triggers { triggers, redis_triggers, responses } =
        triggers(&root, &base, redis.as_deref(), &mut components)?;
    components.profiles.check(&root)?;
    let components = components.read;
    root.done()?;
    Ok(App {
        name,
        version,
        spin_headers: true,
        base: base.to_string(),
        triggers,
        redis_triggers,
        responses,
        assets,
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

pub(super) const DEPENDENCIES: &str =
    "compose the component before it is served, with `wac` or `wasm-tools compose`";

/// Those that were read, and what reading one needs.
pub(super) struct Components<'a> {
    read: BTreeMap<ComponentId, Component>,
    pub(super) variables: &'a Variables<'a>,
    defaults: &'a Settings,
    profiles: Profiles<'a>,
}

impl Components<'_> {
    /// One `[component.<id>]`.
    fn component(&mut self, fields: &Fields<'_>, id: ComponentId) -> Result<Component, ManifestError> {
        let mut component = component(fields, id, self.variables, self.defaults)?;
        self.profiles.apply(fields, &mut component)?;
        fields.done()?;
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
    fields.ignore(&["description", "targets"]);
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
        key_value_stores: labels(fields, "key_value_stores")?,
        sqlite_databases: labels(fields, "sqlite_databases")?,
        ai_models: labels(fields, "ai_models")?,
        allowed_outbound_hosts: outbound(fields, variables)?,
        build: build(fields)?,
        limits,
        isolation,
        ..Component::bare(id, source)
    };
    fields.unsupported("allowed_http_hosts", "write `allowed_outbound_hosts = [\"https://example.com\"]`")?;
    fields.unsupported("dependencies", DEPENDENCIES)?;
    fields.ignore(&["dependencies_inherit_configuration"]);
    Ok(component)
}

fn labels(fields: &Fields<'_>, field: &'static str) -> Result<Vec<String>, ManifestError> {
    Ok(fields.texts(field)?.iter().map(|text| text.value.to_owned()).collect())
}

pub(super) fn source(fields: &Fields<'_>) -> Result<Source, ManifestError> {
    let expected = "the path of a `.wasm` file, or a table with `url` and `digest`";
    let value = fields.get("source").ok_or_else(|| fields.missing("source", expected))?;
    if let Some(path) = value.get_ref().as_str() {
        return Ok(Source::Path(PathBuf::from(path)));
    }
    let table = fields.table("source")?.ok_or_else(|| fields.missing("source", expected))?;
    table.unsupported("package", "download the package and name its file")?;
    table.unsupported("registry", "download the package and name its file")?;
    table.ignore(&["version"]);
    let url = required(&table, "url", "where to download the component from")?;
    let digest = required(&table, "digest", "`sha256:` and 64 hex digits")?;
    let source = Source::url(url.value, digest.value).map_err(|error| at(&table, &digest, error))?;
    table.done()?;
    Ok(source)
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

fn outbound(fields: &Fields<'_>, variables: &Variables<'_>) -> Result<AllowedHosts, ManifestError> {
    let entries = fields.texts("allowed_outbound_hosts")?;
    let mut texts = Vec::new();
    for entry in &entries {
        let text = variables.filled(fields, entry.value, entry.span.clone())?;
        AllowedHosts::parse([text.as_str()]).map_err(|error| at(fields, entry, error))?;
        texts.push(text);
    }
    let hosts = AllowedHosts::parse(texts.iter().map(String::as_str));
    Ok(hosts.expect("each entry was just parsed alone"))
}

/// `files`, each a glob or a table, and `exclude_files`.
fn files(fields: &Fields<'_>) -> Result<Files, ManifestError> {
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
        fields.unsupported("components", "name one `component`")?;
        fields.unsupported("dependencies", "HTTP middleware comes with a later version")?;
        executor(&fields)?;
        let (route, raw_route) = route(&fields, base)?;
        match static_response(&fields, route.clone(), &raw_route)? {
            Some(response) => found.responses.push(response),
            None => {
                let component = trigger_component(&fields, number, components)?;
                found.triggers.push(HttpTrigger { route, raw_route, component });
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

/// `executor = { type = "http" }` and its alias are what happens anyway.
fn executor(fields: &Fields<'_>) -> Result<(), ManifestError> {
    let Some(table) = fields.table("executor")? else { return Ok(()) };
    let kind = required(&table, "type", "`http`")?;
    if !matches!(kind.value, "http" | "spin") {
        let message = format!(
            "the executor `{}` is not supported by this version of tombolo, expected `http`",
            kind.value
        );
        return Err(table.error(kind.span, message));
    }
    table.done()
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
