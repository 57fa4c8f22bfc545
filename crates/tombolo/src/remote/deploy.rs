//! `tombolo deploy`.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;
use tombolo_api::{App, ReleaseInfo};
use tombolo_model::manifest::Known;
use tombolo_model::{AppName, SiteName, manifest};

use super::apps::{activate, preview, short};
use super::collect::{Collected, collect};
use super::progress::Progress;
use super::session::{At, Environment};
use super::{json, told};
use crate::failure::Failure;
use crate::up::app::{Given, Source};
use crate::up::build;

/// Deploy an app to a node: send what the node does not have, and serve it
///
/// Returns when the release answers, and prints its address. Values of variables are the node's:
/// `tombolo variables set`.
///
/// Examples:
///   tombolo deploy
///   tombolo deploy my-api --build
///   tombolo deploy hello.wasm --name hello
///   tombolo deploy --split 10
///   tombolo deploy --preview
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Deploy {
    /// A spin.toml, a folder with one, or a component
    #[arg(default_value = ".", value_name = "FILE|DIR")]
    path: PathBuf,
    /// The app's name on the node, in place of the manifest's
    #[arg(long)]
    name: Option<SiteName>,
    /// Run the build commands of the manifest first
    #[arg(long)]
    build: bool,
    /// Build and serve components as this profile of the manifest has them
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Serve it to so many of a hundred clients, 1 to 99; the others keep what they have
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=99))]
    split: Option<u8>,
    /// Send it, and serve what was served: `tombolo promote` serves it later
    #[arg(long, conflicts_with = "split")]
    no_activate: bool,
    /// Send it, and show it at an address of its own beside what is served
    #[arg(long, conflicts_with_all = ["split", "no_activate"])]
    preview: bool,
    /// What the release may do that the last one may not is meant
    #[arg(long)]
    approve: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

/// What became of it.
#[derive(Serialize)]
struct Deployed {
    app: App,
    release: ReleaseInfo,
}

impl Deploy {
    pub(crate) fn run(self, environment: &Environment, to: &mut impl Write) -> Result<ExitCode, Failure> {
        let client = self.at.client(environment)?;
        let (app, Collected { release, sources }) = self.collect()?;
        let name = match &self.name {
            Some(name) => name.clone(),
            None => site(&app)?,
        };
        let wanted: Vec<_> = sources.keys().copied().collect();
        let missing = client.missing(wanted)?;
        let bytes: u64 = missing.iter().filter_map(|digest| Some(sources.get(digest)?.bytes)).sum();
        let known = sources.len().saturating_sub(missing.len());
        let progress = Progress::of(self.json, environment);
        if !missing.is_empty() {
            let sending = progress.sending(missing.len(), bytes, known);
            for digest in &missing {
                let source = sources.get(digest).ok_or_else(|| {
                    Failure::new(format!("the node asks for {digest}, which is not of this app"))
                })?;
                client.send(digest, &source.path, &sending)?;
            }
        }
        let working = (!missing.is_empty()).then(|| progress.working("The node checks and compiles it"));
        let document = release.document();
        let release = client.release(&name, &release.digest(), &document)?;
        drop(working);
        let app = client.app(&name)?.ok_or_else(|| Failure::new("the app was removed meanwhile"))?;
        let is_active = app
            .active
            .as_ref()
            .is_some_and(|active| active.release == release.digest && active.split.is_none());
        let release = match self.preview {
            true => preview(&client, &name, &release, self.approve)?,
            false => release,
        };
        let app =
            match self.no_activate || self.preview || (is_active && !app.is_stale && self.split.is_none()) {
                true => app,
                false => activate(&client, &app, &release, self.split, self.approve)?,
            };
        if self.json {
            json(&Deployed { app, release }, to)?;
            return Ok(ExitCode::SUCCESS);
        }
        let what = match (self.no_activate, self.split) {
            _ if self.preview => "is shown".to_owned(),
            (true, _) => "is there".to_owned(),
            (_, Some(percent)) => format!("is active for {percent} %"),
            _ => "is active".to_owned(),
        };
        let address = release.preview.as_ref().filter(|_| self.preview).or(app.addresses.first());
        let address = address.map_or("", String::as_str);
        told(writeln!(
            to,
            "{name} release {} ({}) {what}: {address}",
            release.number,
            short(&release.digest)
        ))?;
        Ok(ExitCode::SUCCESS)
    }

    /// The app, and its release.
    fn collect(&self) -> Result<(tombolo_model::App, Collected), Failure> {
        let given = Given { profile: self.profile.clone(), ..Given::default() };
        let source = Source::find(&self.path, given)?;
        let text = match &source {
            Source::Manifest { file, .. } => fs::read_to_string(file)
                .map_err(|error| Failure::new(format!("cannot read `{}`: {error}", file.display())))?,
            Source::Component { .. } => String::new(),
        };
        let (source, app) = read(source, &text)?;
        if self.build {
            build::build(&app, source.root())?;
        }
        let text = if text.is_empty() { manifest_of(&app) } else { text };
        let collected = collect(&app, text, self.profile.clone(), source.root())?;
        Ok((app, collected))
    }
}

/// The app as it is written.
fn read(mut source: Source, text: &str) -> Result<(Source, tombolo_model::App), Failure> {
    let required = manifest::required(&source.file().display().to_string(), text);
    let required = required.map_err(|error| Failure::new(error.to_string()).hint(error.hint))?;
    let mut first = None;
    let known = |value: &str| Known { value: value.to_owned(), behind: 0 };
    for value in manifest::STAND_INS {
        source = source.with_values(required.iter().map(|name| (name.clone(), known(value))).collect());
        match source.read() {
            Ok(app) => return Ok((source, app)),
            Err(failure) if required.is_empty() => return Err(failure),
            Err(failure) => {
                first.get_or_insert(failure);
            }
        }
    }
    Err(first.expect("there are stand-ins, and none of them fits"))
}

/// The name of an app on a node.
fn site(app: &tombolo_model::App) -> Result<SiteName, Failure> {
    let name = app.name.as_str().to_ascii_lowercase().replace(['_', '.'], "-");
    name.parse().map_err(|_| {
        let message = format!("`{}` cannot be the name of a host", AppName::as_str(&app.name));
        Failure::new(message).hint("name it for the node: `--name`, small letters, digits and `-`".to_owned())
    })
}

/// A manifest for a component alone: it answers every path and was granted nothing.
fn manifest_of(app: &tombolo_model::App) -> String {
    let id = app.components.keys().next().map(ToString::to_string).unwrap_or_default();
    format!(
        "spin_manifest_version = 2\n\n[application]\nname = \"{}\"\n\n[[trigger.http]]\nroute = \"/...\"\n\
         component = \"{id}\"\n\n[component.{id}]\nsource = \"{id}.wasm\"\n",
        app.name
    )
}
