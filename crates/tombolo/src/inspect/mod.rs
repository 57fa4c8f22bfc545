//! `tombolo inspect`.

mod app;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;
use tombolo_cap_wasi::adapt::Shape;
use tombolo_capability::{Abi, AnyCapability};
use tombolo_runtime::inspect::{self, Handler, Inspection, Kind, Redis, Version};

use crate::failure::Failure;
use crate::up::Operator;

/// Show what a WebAssembly file is, what it needs and what it offers; or what an app comes to
///
/// Of an app: triggers, components with the digests of their code, what is composed into them, what they were
/// granted, and which variables have no value yet. Values of secrets are not shown.
///
/// Examples:
///   tombolo inspect app.wasm
///   tombolo inspect my-api --json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Inspect {
    /// A .wasm or .wat file, a spin.toml, or a folder with one
    file: PathBuf,
    /// Show components as this profile of the manifest has them
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is printed. The JSON form is an interface: fields are added, not changed.
#[derive(Debug, Serialize)]
struct Report<'a> {
    file: &'a Path,
    kind: &'static str,
    world: &'static str,
    bytes: usize,
    /// With what adaptation adds; the same as `bytes` where there is nothing to adapt.
    component_bytes: usize,
    imports: Vec<String>,
    exports: Vec<String>,
    /// What it would have to be granted to use all of its imports.
    grants: Vec<&'static str>,
    /// Imports that this version does not provide: the component cannot be served.
    missing: Vec<String>,
}

impl Inspect {
    pub(crate) fn run(
        self,
        variables: impl Iterator<Item = (String, String)>,
        out: &mut impl Write,
    ) -> Result<ExitCode, Failure> {
        let text = match self.manifest() {
            Some(manifest) => {
                let known = Operator::read(None, &variables.collect())?.known;
                let given = known.into_iter().map(|(name, known)| (name, known.value)).collect();
                let report = app::Report::read(&manifest, &given, self.profile.as_deref())?;
                if self.json { report.to_json() } else { report.to_text() }
            }
            None => self.component()?,
        };
        out.write_all(text.as_bytes()).map_err(|error| Failure::new(format!("cannot print: {error}")))?;
        Ok(ExitCode::SUCCESS)
    }

    /// The manifest, if it is an app.
    fn manifest(&self) -> Option<PathBuf> {
        match self.file.is_dir() {
            true => Some(self.file.join("spin.toml")),
            false => self.file.extension().is_some_and(|it| it == "toml").then(|| self.file.clone()),
        }
    }

    fn component(&self) -> Result<String, Failure> {
        let bytes = read(&self.file)?;
        let named =
            |error: &dyn std::error::Error| Failure::new(format!("`{}`: {error}", self.file.display()));
        let binary = inspect::binary(&bytes).map_err(|error| named(&error))?;
        let given = inspect::inspect(&binary).map_err(|error| named(&error))?;
        let component = inspect::component(&binary, &given).map_err(|error| named(&error))?;
        let found = inspect::inspect(&component).map_err(|error| named(&error))?;
        let report = Report {
            file: &self.file,
            kind: kind(given.kind),
            world: world(found.kind),
            bytes: binary.len(),
            component_bytes: component.len(),
            grants: grants(&found.imports),
            missing: missing(&component, &found),
            imports: found.imports,
            exports: found.exports,
        };
        Ok(match self.json {
            true => serde_json::to_string_pretty(&report).expect("text and numbers are JSON") + "\n",
            false => report.to_text(),
        })
    }
}

/// The bytes of a file, or a failure that names it.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|error| Failure::new(format!("cannot read `{}`: {error}", file.display())))
}

impl Report<'_> {
    fn to_text(&self) -> String {
        let mut text = format!("{}: {}, {} bytes\n", self.file.display(), self.kind, self.bytes);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "world: {}", self.world);
        if self.component_bytes != self.bytes {
            let _ = writeln!(text, "as a component: {} bytes", self.component_bytes);
        }
        list(&mut text, "imports", &self.imports);
        list(&mut text, "exports", &self.exports);
        list(&mut text, "grants it can use", &self.grants);
        list(&mut text, "imports that are not there", &self.missing);
        text
    }
}

fn list(text: &mut String, title: &str, items: &[impl AsRef<str>]) {
    if items.is_empty() {
        return;
    }
    let _ = writeln!(text, "{title}:");
    for item in items {
        let _ = writeln!(text, "  {}", item.as_ref());
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Module => "core module",
        Kind::Wasi01(Shape::Command) => "core module of WASI 0.1 (command)",
        Kind::Wasi01(Shape::Reactor) => "core module of WASI 0.1 (reactor)",
        Kind::Http(_) | Kind::Command(_) | Kind::Redis(_) | Kind::Component => "component",
    }
}

fn world(kind: Kind) -> &'static str {
    match kind {
        Kind::Http(Handler::Wasi02) => "wasi:http/proxy@0.2 (serve it with `tombolo up`)",
        Kind::Http(Handler::Snapshot) => "wasi:http/proxy@0.2.0-rc-2023-10-18 (serve it with `tombolo up`)",
        Kind::Http(Handler::Wasi03) => "wasi:http/service@0.3 (serve it with `tombolo up`)",
        Kind::Command(Version::Wasi02) => "wasi:cli/command@0.2 (run it with `tombolo run`)",
        Kind::Command(Version::Wasi03) => "wasi:cli/command@0.3 (run it with `tombolo run`)",
        Kind::Redis(Redis::Unversioned) => "fermyon:spin/inbound-redis (serve it with `tombolo up`)",
        Kind::Redis(Redis::V3) => "spin:redis/inbound-redis@3.0.0 (serve it with `tombolo up`)",
        Kind::Module => "none (call a function with `tombolo run --invoke`)",
        Kind::Wasi01(_) | Kind::Component => "its own",
    }
}

/// The grants that imports can make use of. Toolchains import more than a program uses.
fn grants(imports: &[String]) -> Vec<&'static str> {
    const GRANTS: &[(&str, &str)] = &[
        ("wasi:cli/environment@", "environment variables: --env, `environment`"),
        ("wasi:filesystem/", "directories: --dir, `files`"),
        ("wasi:http/outgoing-handler@", "requests to other hosts: `allowed_outbound_hosts`"),
        ("wasi:http/client@", "requests to other hosts: `allowed_outbound_hosts`"),
        ("wasi:sockets/", "sockets: --allow-net, --listen, `allowed_outbound_hosts`"),
        ("fermyon:spin/key-value@", "key-value stores: `key_value_stores`"),
        ("spin:key-value/", "key-value stores: `key_value_stores`"),
        ("wasi:keyvalue/", "key-value stores: `key_value_stores`"),
        ("fermyon:spin/sqlite@", "SQLite databases: `sqlite_databases`"),
        ("spin:sqlite/", "SQLite databases: `sqlite_databases`"),
        ("fermyon:spin/llm@", "language models: `ai_models`"),
        ("fermyon:spin/redis@", "Redis servers: `allowed_outbound_hosts`"),
        ("spin:redis/redis@", "Redis servers: `allowed_outbound_hosts`"),
        ("fermyon:spin/mqtt@", "MQTT brokers: `allowed_outbound_hosts`"),
        ("spin:mqtt/", "MQTT brokers: `allowed_outbound_hosts`"),
        ("wasi:config/", "variables: `variables`"),
    ];
    let mut found: Vec<&str> = GRANTS
        .iter()
        .filter(|(prefix, _)| imports.iter().any(|import| import.starts_with(prefix)))
        .map(|(_, grant)| *grant)
        .collect();
    let variables = |import: &String| import.contains("spin") && import.contains("/variables@");
    if imports.iter().any(variables) {
        found.push("variables: `variables`");
    }
    found.dedup();
    found
}

fn missing(component: &[u8], found: &Inspection) -> Vec<String> {
    if matches!(found.kind, Kind::Module | Kind::Wasi01(_)) {
        return Vec::new();
    }
    let abi = inspect::abi(component);
    let provided =
        |name: &String| tombolo_cap_wasi::provides(abi, name) || interfaces(abi).contains(&name.as_str());
    found.imports.iter().filter(|name| !provided(name)).cloned().collect()
}

fn interfaces(abi: Abi) -> Vec<&'static str> {
    // Naming interfaces opens nothing: the paths are never touched.
    let kv = tombolo_cap_kv::Kv::new(BTreeMap::new());
    let sqlite = tombolo_cap_sqlite::Sqlite::new(PathBuf::new(), BTreeMap::new());
    let variables = tombolo_cap_variables::Variables::default();
    let llm = tombolo_cap_llm::Llm::new(None);
    let capabilities: [&dyn AnyCapability; 8] = [
        &kv,
        &sqlite,
        &llm,
        &variables,
        &tombolo_cap_redis::Redis,
        &tombolo_cap_mqtt::Mqtt,
        &tombolo_cap_mysql::Mysql,
        &tombolo_cap_postgres::Postgres,
    ];
    capabilities.iter().flat_map(|capability| capability.interfaces(abi)).copied().collect()
}
