//! An application as it is meant: parsed, resolved against nothing yet.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use http::{HeaderMap, StatusCode};

use crate::assets::StaticAssets;
use crate::dependency::{Dependency, Middleware, Part};
use crate::edge::Edge;
use crate::file_glob::FileGlob;
use crate::limits::{Isolation, Limits};
use crate::name::{AppName, ComponentId};
use crate::outbound::AllowedHosts;
use crate::package::Package;
use crate::route::Pattern;
use crate::template::Template;
use crate::{Digest, DigestError};

/// One application: its components and files, and where they answer.
#[derive(Clone, Debug)]
pub struct App {
    /// Its name.
    pub name: AppName,
    /// What `version` says, if it does.
    pub version: Option<String>,
    /// What is written about it.
    pub about: About,
    /// Its variables, by name.
    pub variables: BTreeMap<String, Variable>,
    /// Whether components expect Spin's request headers (`spin-path-info` and its kin). True for an
    /// app from a manifest, false for a bare component.
    pub spin_headers: bool,
    /// What stands in front of every route, `/` for nothing.
    pub base: String,
    /// Where components answer, in the manifest's order.
    pub triggers: Vec<HttpTrigger>,
    /// Which messages components get, in the manifest's order.
    pub redis_triggers: Vec<RedisTrigger>,
    /// Routes that are answered as written, in the manifest's order.
    pub responses: Vec<StaticResponse>,
    /// Directories whose files answer, in the manifest's order.
    pub assets: Vec<StaticAssets>,
    /// What the host does for its clients beside.
    pub edge: Edge,
    /// Its components, in the order of their ids.
    pub components: BTreeMap<ComponentId, Component>,
}

impl App {
    /// Where all code of it is, of components and of what is composed into them, each with the component that needs
    /// it.
    pub fn sources(&self) -> Vec<(&ComponentId, &Source)> {
        let mut all = Vec::new();
        for component in self.components.values() {
            all.push((&component.id, &component.source));
            let parts = component.dependencies.iter().map(|dependency| &dependency.part);
            parts.for_each(|part| part.sources(&component.id, &mut all));
        }
        for trigger in &self.triggers {
            trigger.middleware.iter().for_each(|it| it.part.sources(&trigger.component, &mut all));
        }
        all
    }

    /// The same, to be changed.
    pub fn sources_mut(&mut self) -> Vec<(&ComponentId, &mut Source)> {
        let mut all = Vec::new();
        for Component { id, source, dependencies, .. } in self.components.values_mut() {
            all.push((&*id, source));
            let parts = dependencies.iter_mut().map(|dependency| &mut dependency.part);
            parts.for_each(|part| part.sources_mut(id, &mut all));
        }
        for HttpTrigger { component, middleware, .. } in &mut self.triggers {
            middleware.iter_mut().for_each(|it| it.part.sources_mut(component, &mut all));
        }
        all
    }
}

impl Part {
    fn sources<'a>(&'a self, whose: &'a ComponentId, all: &mut Vec<(&'a ComponentId, &'a Source)>) {
        all.push((whose, &self.source));
        self.dependencies.iter().for_each(|dependency| dependency.part.sources(whose, all));
    }

    fn sources_mut<'a>(
        &'a mut self,
        whose: &'a ComponentId,
        all: &mut Vec<(&'a ComponentId, &'a mut Source)>,
    ) {
        all.push((whose, &mut self.source));
        self.dependencies.iter_mut().for_each(|dependency| dependency.part.sources_mut(whose, all));
    }
}

/// One `[[trigger.http]]`: a pattern and the component behind it.
#[derive(Clone, Debug)]
pub struct HttpTrigger {
    /// Which paths it answers; `None` for a private one, reached only from inside.
    pub route: Option<Pattern>,
    /// The route as the manifest wrote it, before `base` was put in front.
    pub raw_route: String,
    /// Who answers.
    pub component: ComponentId,
    /// Who gets a request before, the outermost first.
    pub middleware: Vec<Middleware>,
    /// How the component is called.
    pub executor: Executor,
}

/// How a component answers a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Executor {
    /// With `wasi:http`.
    #[default]
    Http,
    /// As a program that reads the request as CGI has it, and prints the answer.
    Wagi {
        /// Its arguments: `${SCRIPT_NAME}` in them is the path, and `${ARGS}` by itself all names and values of the
        /// query.
        arguments: Vec<String>,
    },
}

/// One `[[trigger.redis]]`: a channel and the component that gets its messages.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisTrigger {
    /// The server, as a URL; it may hold a password.
    pub address: String,
    /// The channel.
    pub channel: String,
    /// Who gets the messages.
    pub component: ComponentId,
}

/// Without the address, for its password.
impl fmt::Debug for RedisTrigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { channel, component, .. } = self;
        let mut text = f.debug_struct("RedisTrigger");
        text.field("channel", channel).field("component", component).finish_non_exhaustive()
    }
}

/// One `[[trigger.http]]` with a `static_response`: it is answered without a component.
#[derive(Clone, Debug)]
pub struct StaticResponse {
    /// Which paths it answers.
    pub route: Pattern,
    /// The route as the manifest wrote it, before `base` was put in front.
    pub raw_route: String,
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: String,
}

/// One component: where its code is and what it was granted.
#[derive(Clone, Debug)]
pub struct Component {
    /// Its id.
    pub id: ComponentId,
    /// What is written about it.
    pub about: About,
    /// Where its code is.
    pub source: Source,
    /// Who answers imports of it.
    pub dependencies: Vec<Dependency>,
    /// Its whole environment.
    pub environment: BTreeMap<String, String>,
    /// The variables it can read, resolved to their values as far as nobody must be asked for them.
    pub variables: BTreeMap<String, Template>,
    /// Files it can read.
    pub files: Files,
    /// Labels of the key-value stores it can open.
    pub key_value_stores: Vec<String>,
    /// Labels of the SQLite databases it can open.
    pub sqlite_databases: Vec<String>,
    /// Large language models it can use, by name.
    pub ai_models: Vec<String>,
    /// Where it may connect to.
    pub allowed_outbound_hosts: AllowedHosts,
    /// What it may use.
    pub limits: Limits,
    /// How far apart its requests are kept.
    pub isolation: Isolation,
    /// How to build it, if the manifest says.
    pub build: Option<Build>,
}

impl Component {
    /// A component that was granted nothing, with default limits.
    pub fn bare(id: ComponentId, source: Source) -> Self {
        Self {
            id,
            about: About::default(),
            source,
            dependencies: Vec::new(),
            environment: BTreeMap::new(),
            variables: BTreeMap::new(),
            files: Files::default(),
            key_value_stores: Vec::new(),
            sqlite_databases: Vec::new(),
            ai_models: Vec::new(),
            allowed_outbound_hosts: AllowedHosts::none(),
            limits: Limits::DEFAULT,
            isolation: Isolation::Fresh,
            build: None,
        }
    }
}

/// What is written about an app or a component, and changes nothing of how it runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct About {
    /// `description`
    pub description: Option<String>,
    /// `authors`; of an app only.
    pub authors: Vec<String>,
    /// `targets`: environments it is meant for.
    pub targets: Vec<serde_json::Value>,
    /// `tool`: what tools keep there, each under its name. Tombolo's own part is read beside.
    pub tools: BTreeMap<String, serde_json::Value>,
}

/// One of `[variables]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variable {
    /// `description`
    pub description: Option<String>,
    /// `default`
    pub default: Option<String>,
    /// `secret`: its value is not to be shown.
    pub is_secret: bool,
}

/// Where a component's code is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file, relative to the manifest's folder unless absolute.
    Path(PathBuf),
    /// A file to download, with the digest it must have.
    Url {
        /// Where from.
        url: String,
        /// What it must be.
        digest: Digest,
    },
    /// A package of a registry.
    Package(Package),
}

/// Files a component can read.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// Directories and files at paths of the manifest's choice.
    pub mounts: Vec<FileMount>,
    /// Files at their own paths.
    pub globs: Vec<FileGlob>,
    /// What is not to be seen of either.
    pub excluded: Vec<FileGlob>,
}

impl Files {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.mounts.is_empty() && self.globs.is_empty()
    }
}

/// A host directory or file a component can read, and the guest path it sees it at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileMount {
    /// Relative to the manifest's folder unless absolute.
    pub source: PathBuf,
    /// Absolute path inside the guest.
    pub destination: String,
}

/// `[component.X.build]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Build {
    /// Shell commands, run in order.
    pub commands: Vec<String>,
    /// Where they run, relative to the manifest's folder.
    pub workdir: PathBuf,
    /// Globs of the sources, relative to `workdir`; `up --watch` rebuilds when one changes.
    pub watch: Vec<String>,
}

impl Source {
    /// A downloaded source, from the manifest's two texts.
    ///
    /// # Errors
    ///
    /// If `digest` is not a digest.
    pub fn url(url: &str, digest: &str) -> Result<Self, DigestError> {
        Ok(Self::Url { url: url.to_owned(), digest: digest.parse()? })
    }
}
