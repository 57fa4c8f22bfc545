//! The app that `up` serves: from a manifest, or a component alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tombolo_model::manifest::{Known, Live};
use tombolo_model::runtime_config::Vault;
use tombolo_model::{About, App, AppName, Component, ComponentId, Edge, Executor, HttpTrigger, manifest};

use super::operator;
use crate::failure::Failure;

/// Where an app is written.
pub(crate) enum Source {
    /// In a `spin.toml`.
    Manifest {
        /// The file.
        file: PathBuf,
        /// Its folder, which its paths are relative to.
        root: PathBuf,
        /// What the operator said.
        given: Given,
    },
    /// In a component that answers everything.
    Component {
        /// The file.
        file: PathBuf,
        /// Its folder.
        root: PathBuf,
    },
}

/// What an operator says about an app beside its manifest.
#[derive(Default)]
pub(crate) struct Given {
    /// Values for its variables.
    pub(crate) known: BTreeMap<String, Known>,
    /// Who is asked for others.
    pub(crate) vaults: Vec<Vault>,
    /// The build profile that was chosen.
    pub(crate) profile: Option<String>,
    /// Where components are kept that were downloaded; in `.tombolo` beside the app unless it says so.
    pub(crate) downloads: Option<PathBuf>,
}

impl Source {
    /// What `path` means: a manifest, a folder with one, or a component.
    pub(crate) fn find(path: &Path, given: Given) -> Result<Self, Failure> {
        let metadata = fs::metadata(path)
            .map_err(|error| Failure::new(format!("cannot read `{}`: {error}", path.display())))?;
        let is_folder = metadata.is_dir();
        let file = if is_folder { path.join("spin.toml") } else { path.to_owned() };
        let root =
            file.parent().filter(|root| !root.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
        if is_folder {
            // Told apart from a folder that may not be read.
            fs::read_dir(path).map_err(|error| {
                Failure::new(format!("cannot read the folder `{}`: {error}", path.display()))
            })?;
            if !file.exists() {
                let message = format!("there is no `spin.toml` in `{}`", path.display());
                let hint = "name a folder with a `spin.toml`, or a component: `tombolo up app.wasm`";
                return Err(Failure::new(message).hint(hint.to_owned()));
            }
        }
        let is_manifest = file.extension().is_some_and(|extension| extension == "toml");
        if is_manifest {
            return Ok(Self::Manifest { file, root, given });
        }
        if let Some(profile) = given.profile {
            let message =
                format!("`{}` is a component alone, and has no profile `{profile}`", file.display());
            return Err(Failure::new(message));
        }
        Ok(Self::Component { file, root })
    }

    /// The same with other values for its variables.
    pub(crate) fn with_values(self, known: BTreeMap<String, Known>) -> Self {
        match self {
            Self::Manifest { file, root, given } => {
                Self::Manifest { file, root, given: Given { known, ..given } }
            }
            component => component,
        }
    }

    /// What paths of the app are relative to.
    pub(crate) fn root(&self) -> &Path {
        match self {
            Self::Manifest { root, .. } | Self::Component { root, .. } => root,
        }
    }

    /// The file the app is written in.
    pub(crate) fn file(&self) -> &Path {
        match self {
            Self::Manifest { file, .. } | Self::Component { file, .. } => file,
        }
    }

    /// The app as it is written now, with what it has at URLs downloaded.
    pub(crate) fn read(&self) -> Result<App, Failure> {
        let (file, root, Given { known, vaults, profile, downloads }) = match self {
            Self::Manifest { file, root, given } => (file, root, given),
            Self::Component { file, .. } => return Ok(bare(file)),
        };
        let text = fs::read_to_string(file)
            .map_err(|error| Failure::new(format!("cannot read `{}`: {error}", file.display())))?;
        let ask =
            |name: &str, providers: usize| operator::ask(vaults.get(..providers).unwrap_or(vaults), name);
        let live = Live { providers: vaults.len(), ask: Some(&ask) };
        let given = manifest::Given { known: known.clone(), live };
        let app = manifest::parse_given(&file.display().to_string(), &text, &given, profile.as_deref());
        let mut app = app.map_err(|error| Failure::new(error.to_string()).hint(error.hint))?;
        let beside = || root.join(".tombolo/downloads");
        super::fetch::fetch(&mut app, &downloads.clone().unwrap_or_else(beside))?;
        Ok(app)
    }
}

/// The app of a component without a manifest: it answers every path and was granted nothing.
fn bare(file: &Path) -> App {
    let stem = file.file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
    let id = ComponentId::from_text(&stem);
    let source = tombolo_model::Source::Path(file.file_name().unwrap_or_default().into());
    App {
        name: AppName::from_text(&stem),
        version: None,
        about: About::default(),
        variables: BTreeMap::new(),
        spin_headers: false,
        base: "/".to_owned(),
        triggers: vec![HttpTrigger {
            route: Some("/...".parse().expect("`/...` is a route")),
            raw_route: "/...".to_owned(),
            component: id.clone(),
            middleware: Vec::new(),
            executor: Executor::Http,
        }],
        redis_triggers: Vec::new(),
        responses: Vec::new(),
        assets: Vec::new(),
        edge: Edge::default(),
        components: BTreeMap::from([(id.clone(), Component::bare(id, source))]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_component_is_an_app_without_grants() {
        let app = bare(Path::new("some/My App.wasm"));
        assert_eq!(app.name.as_str(), "My-App");
        let component = app.components.values().next().unwrap();
        assert!(component.key_value_stores.is_empty() && component.allowed_outbound_hosts.is_empty());
        assert_eq!(component.source, tombolo_model::Source::Path("My App.wasm".into()));
    }
}
