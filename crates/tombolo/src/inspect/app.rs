//! `tombolo inspect` of an app: what its manifest comes to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use http::{HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::Value;
use tombolo_model::manifest::Given;
use tombolo_model::{
    App, Component, Configuration, Digest, Executor, Inherited, Middleware, Part, Source as Code, manifest,
};

use super::list;
use crate::failure::Failure;

type Values = BTreeMap<String, String>;

/// What is printed. The JSON form is an interface: fields are added, not changed.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    app: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authors: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    targets: Vec<Value>,
    variables: Vec<Variable>,
    triggers: Vec<Trigger>,
    components: Vec<Reported>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tools: BTreeMap<String, Value>,
}

#[derive(Debug, Serialize)]
struct Variable {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// What it has; never of a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    is_secret: bool,
    /// Whether the operator still has to give it a value.
    is_missing: bool,
}

/// What leads to a component, or to what answers without one.
#[derive(Debug, Serialize)]
struct Trigger {
    #[serde(rename = "type")]
    kind: &'static str,
    /// The route or the channel; absent for a private route.
    #[serde(skip_serializing_if = "Option::is_none")]
    on: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    leads_to: String,
    /// The arguments of a program that answers as CGI has it; absent for other components.
    #[serde(skip_serializing_if = "Option::is_none")]
    wagi: Option<Vec<String>>,
    /// What is always answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<Response>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    middleware: Vec<Composed>,
}

#[derive(Debug, Serialize)]
struct Response {
    status: u16,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    headers: Vec<[String; 2]>,
    body: String,
}

#[derive(Debug, Serialize)]
struct Reported {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    source: Source,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dependencies: Vec<Composed>,
    /// What it was granted, by the field that grants it.
    grants: BTreeMap<&'static str, Vec<String>>,
    isolation: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    targets: Vec<Value>,
    /// The commands.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    build: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    build_workdir: Option<PathBuf>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    build_watch: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tools: BTreeMap<String, Value>,
}

#[derive(Debug, Serialize)]
struct Source {
    /// A path or a URL.
    at: String,
    /// What is there, or has to be; absent if a file is not there yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
}

/// A dependency or a middleware.
#[derive(Debug, Serialize)]
struct Composed {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    component: Option<String>,
    source: Source,
    #[serde(skip_serializing_if = "Option::is_none")]
    export: Option<String>,
    inherits: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dependencies: Vec<Composed>,
}

impl Report {
    /// Of the manifest in `file`, with the values that the operator gave for variables.
    pub(super) fn read(file: &Path, given: &Values, profile: Option<&str>) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::new(format!("cannot read `{}`: {error}", file.display())))?;
        let named = file.display().to_string();
        let refuse = |error: manifest::ManifestError| Failure::new(error.to_string()).hint(error.hint);
        let declared = manifest::variables(&named, &text).map_err(refuse)?;
        // In place of what is secret, or not there yet, stands something that any field takes, and that becomes the
        // variable's name again before it is shown.
        let mut values = given.clone();
        let hidden = declared.iter().filter(|(name, variable)| {
            variable.is_secret || variable.default.is_none() && !given.contains_key(*name)
        });
        let stands: Vec<(String, String)> = hidden.map(|(name, _)| (name.clone(), stand_in(name))).collect();
        values.extend(stands.iter().cloned());
        let app = manifest::parse_given(&named, &text, &Given::known(&values), profile).map_err(refuse)?;
        let root = file.parent().filter(|root| !root.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let variables = declared.into_iter().map(|(name, variable)| Variable {
            value: match variable.is_secret {
                true => None,
                false => given.get(&name).cloned().or(variable.default.clone()),
            },
            is_secret: variable.is_secret,
            is_missing: variable.default.is_none() && !given.contains_key(&name),
            description: variable.description,
            name,
        });
        let seen = View { root, stands: &stands };
        Ok(seen.report(&app, variables.collect()))
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("text, numbers and maps with texts as keys are JSON") + "\n"
    }

    pub(super) fn to_text(&self) -> String {
        let version = self.version.iter().map(|version| format!(" {version}")).collect::<String>();
        let mut text = format!("{}{version}: an app of {} components\n", self.app, self.components.len());
        self.description.iter().for_each(|description| text += &format!("  {description}\n"));
        let lines = |items: &[Trigger]| -> Vec<String> { items.iter().map(Trigger::line).collect() };
        list(&mut text, "triggers", &lines(&self.triggers));
        let variables: Vec<String> = self.variables.iter().map(Variable::line).collect();
        list(&mut text, "variables", &variables);
        for component in &self.components {
            component.write(&mut text);
        }
        text
    }
}

/// A word that fits wherever a variable may be named, and that nobody writes.
fn stand_in(name: &str) -> String {
    format!("tombolo-variable-{}-without-a-value", name.replace('_', "-"))
}

impl Variable {
    fn line(&self) -> String {
        let Self { name, value, is_secret, is_missing, description } = self;
        let description = description.iter().map(|text| format!(" ({text})")).collect::<String>();
        match (value, is_secret, is_missing) {
            (_, _, true) => {
                format!("{name} has no value yet: SPIN_VARIABLE_{}{description}", name.to_uppercase())
            }
            (_, true, _) => format!("{name} is secret{description}"),
            (value, ..) => format!("{name} = {:?}{description}", value.as_deref().unwrap_or_default()),
        }
    }
}

impl Trigger {
    fn line(&self) -> String {
        let Self { kind, on, address, leads_to, middleware, wagi, response: _ } = self;
        let address = address.iter().map(|address| format!(" at {address}")).collect::<String>();
        let before = middleware.iter().map(|it| format!("{} > ", it.whom())).collect::<String>();
        let how =
            wagi.iter().map(|arguments| format!(", as CGI: {}", arguments.join(" "))).collect::<String>();
        format!("{kind} {}{address}: {before}{leads_to}{how}", on.as_deref().unwrap_or("(private)"))
    }
}

impl Source {
    fn line(&self) -> String {
        let Self { at, digest } = self;
        format!("{at} ({})", digest.as_deref().unwrap_or("not here yet"))
    }
}

impl Composed {
    fn whom(&self) -> &str {
        self.component.as_deref().unwrap_or(&self.source.at)
    }

    fn lines(&self, depth: usize, lines: &mut Vec<String>) {
        let indent = "  ".repeat(depth);
        let name = self.name.iter().map(|name| format!("{name}: ")).collect::<String>();
        let inherits = match self.inherits.as_slice() {
            [] => "inherits nothing".to_owned(),
            fields => format!("inherits {}", fields.join(", ")),
        };
        lines.push(format!("{indent}{name}{}, {inherits}", self.source.line()));
        self.dependencies.iter().for_each(|it| it.lines(depth + 1, lines));
    }
}

impl Reported {
    fn write(&self, text: &mut String) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "component {}: {}", self.id, self.source.line());
        self.description.iter().for_each(|description| *text += &format!("  {description}\n"));
        let mut lines = Vec::new();
        self.dependencies.iter().for_each(|it| it.lines(0, &mut lines));
        list(text, "  dependencies", &lines.iter().map(|line| format!("  {line}")).collect::<Vec<_>>());
        let grants: Vec<String> =
            self.grants.iter().map(|(field, values)| format!("  {field}: {}", values.join(", "))).collect();
        list(text, "  grants", &grants);
    }
}

/// What the report is seen through.
struct View<'a> {
    root: &'a Path,
    /// Variables, and what stands for them in the app.
    stands: &'a [(String, String)],
}

impl View<'_> {
    /// A text of the app, with names of variables where values are not to be shown.
    fn shown(&self, text: impl AsRef<str>) -> String {
        self.stands.iter().fold(text.as_ref().to_owned(), |text, (name, stand)| {
            text.replace(stand.as_str(), &format!("{{{{ {name} }}}}"))
        })
    }

    fn report(&self, app: &App, variables: Vec<Variable>) -> Report {
        Report {
            app: app.name.to_string(),
            version: app.version.clone(),
            description: app.about.description.clone(),
            authors: app.about.authors.clone(),
            targets: app.about.targets.clone(),
            variables,
            triggers: self.triggers(app),
            components: app.components.values().map(|component| self.component(component)).collect(),
            tools: app.about.tools.clone(),
        }
    }

    fn triggers(&self, app: &App) -> Vec<Trigger> {
        let trigger = |kind, on: Option<String>, leads_to: String| Trigger {
            kind,
            on,
            address: None,
            leads_to,
            wagi: None,
            response: None,
            middleware: Vec::new(),
        };
        let mut found = Vec::new();
        for http in &app.triggers {
            let route = http.route.as_ref().map(ToString::to_string);
            found.push(Trigger {
                middleware: http.middleware.iter().map(|it| self.middleware(it)).collect(),
                wagi: match &http.executor {
                    Executor::Http => None,
                    Executor::Wagi { arguments } => Some(arguments.clone()),
                },
                ..trigger("http", route, http.component.to_string())
            });
        }
        for written in &app.responses {
            let leads_to = format!("always {}", written.status.as_u16());
            let header = |(name, value): (&HeaderName, &HeaderValue)| {
                [name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()]
            };
            let response = Response {
                status: written.status.as_u16(),
                headers: written.headers.iter().map(header).collect(),
                body: written.body.clone(),
            };
            let on = Some(written.route.to_string());
            found.push(Trigger { response: Some(response), ..trigger("http", on, leads_to) });
        }
        for assets in &app.assets {
            let leads_to = format!("files in {}", assets.directory.display());
            found.push(trigger("http", Some(assets.route.to_string()), leads_to));
        }
        for redis in &app.redis_triggers {
            let address = Some(without_password(&self.shown(&redis.address)));
            let on = Some(self.shown(&redis.channel));
            found.push(Trigger { address, ..trigger("redis", on, redis.component.to_string()) });
        }
        found
    }

    fn component(&self, component: &Component) -> Reported {
        let all = |items: &[String]| -> Vec<String> { items.iter().map(|item| self.shown(item)).collect() };
        let pair = |(name, value): (&String, &str)| format!("{name} = {}", self.shown(value));
        let environment = component.environment.iter().map(|(name, value)| pair((name, value)));
        // Nobody is asked for values here.
        let variables = component.variables.iter();
        let variables = variables.map(|(name, value)| pair((name, value.known().unwrap_or_default())));
        let files = &component.files;
        let mounts = files.mounts.iter();
        let mut seen: Vec<String> =
            mounts.map(|it| format!("{} at {}", it.source.display(), it.destination)).collect();
        seen.extend(files.globs.iter().map(ToString::to_string));
        seen.extend(files.excluded.iter().map(|glob| format!("not {glob}")));
        let hosts: Vec<String> = component.allowed_outbound_hosts.entries().map(str::to_owned).collect();
        let grants = [
            (Configuration::AiModels, all(&component.ai_models)),
            (Configuration::AllowedOutboundHosts, all(&hosts)),
            (Configuration::Environment, environment.collect()),
            (Configuration::Files, seen),
            (Configuration::KeyValueStores, all(&component.key_value_stores)),
            (Configuration::SqliteDatabases, all(&component.sqlite_databases)),
            (Configuration::Variables, variables.collect()),
        ];
        let grants = grants.into_iter().filter(|(_, values)| !values.is_empty());
        Reported {
            id: component.id.to_string(),
            description: component.about.description.clone(),
            source: self.source(&component.source),
            dependencies: component
                .dependencies
                .iter()
                .map(|it| Composed {
                    name: Some(it.name.to_string()),
                    export: it.export.clone(),
                    ..self.composed(&it.inherited, &it.part)
                })
                .collect(),
            grants: grants.map(|(configuration, values)| (configuration.field(), values)).collect(),
            isolation: match component.isolation {
                tombolo_model::Isolation::Fresh => "fresh".to_owned(),
                tombolo_model::Isolation::Pool { .. } => "pool".to_owned(),
            },
            targets: component.about.targets.clone(),
            build: component.build.iter().flat_map(|build| build.commands.clone()).collect(),
            build_workdir: component.build.as_ref().map(|build| build.workdir.clone()),
            build_watch: component.build.iter().flat_map(|build| build.watch.clone()).collect(),
            tools: component.about.tools.clone(),
        }
    }

    fn middleware(&self, middleware: &Middleware) -> Composed {
        self.composed(&middleware.inherited, &middleware.part)
    }

    fn composed(&self, inherited: &Inherited, part: &Part) -> Composed {
        let below = part.dependencies.iter().map(|it| Composed {
            name: Some(it.name.to_string()),
            export: it.export.clone(),
            ..self.composed(&it.inherited, &it.part)
        });
        Composed {
            name: None,
            component: part.component.as_ref().map(ToString::to_string),
            source: self.source(&part.source),
            export: None,
            inherits: inherited.iter().map(Configuration::field).collect(),
            dependencies: below.collect(),
        }
    }

    fn source(&self, source: &Code) -> Source {
        match source {
            Code::Path(path) => {
                let path: PathBuf = self.root.join(path);
                let digest = std::fs::read(&path).ok().map(|bytes| Digest::of(&bytes).to_string());
                Source { at: path.display().to_string(), digest }
            }
            Code::Package(package) => Source { at: package.to_string(), digest: None },
            Code::Url { url, digest } => Source { at: url.clone(), digest: Some(digest.to_string()) },
        }
    }
}

/// An address with what may be a password left out.
fn without_password(address: &str) -> String {
    match address.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?.1))) {
        Some((scheme, host)) => format!("{scheme}://…@{host}"),
        None => address.to_owned(),
    }
}
