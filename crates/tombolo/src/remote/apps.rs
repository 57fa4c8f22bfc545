//! Commands about apps and their releases: `apps`, `releases`, `promote`, `rollback`.

use std::io::Write;
use std::process::ExitCode;

use tombolo_api::{Activate, App, Preview, ReleaseInfo, Split};
use tombolo_model::{Digest, SiteName};

use super::client::Client;
use super::session::{At, Environment};
use super::{ago, json, no_app, told};
use crate::failure::Failure;

/// List the apps of a node, or remove one
///
/// Examples:
///   tombolo apps
///   tombolo apps remove shop
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, args_conflicts_with_subcommands = true)]
pub(crate) struct Apps {
    #[command(subcommand)]
    remove: Option<Removal>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

#[derive(Debug, clap::Subcommand)]
enum Removal {
    /// Serve an app no more, and remove its releases, variables and lines
    ///
    /// One that keeps something in key-value stores or SQLite databases stays, and what it keeps is said.
    Remove {
        /// The app
        app: SiteName,
        /// Remove what it keeps in stores too; nothing brings it back
        #[arg(long)]
        with_data: bool,
        #[command(flatten)]
        at: At,
    },
}

impl Removal {
    fn run(self, environment: &Environment, to: &mut impl Write) -> Result<ExitCode, Failure> {
        let Self::Remove { app, with_data, at } = self;
        let client = at.client(environment)?;
        let data = if with_data { "?with_data=true" } else { "" };
        client.delete(&format!("/v1/apps/{app}{data}")).map_err(|refusal| match refusal {
            super::client::Refusal::Problem(problem) if problem.status == 422 && !with_data => {
                Failure::new(problem.to_string())
                    .hint("if that is to go as well: the same with `--with-data`".to_owned())
            }
            super::client::Refusal::Problem(problem) if problem.status == 404 => no_app(&app),
            other => other.into(),
        })?;
        told(writeln!(to, "{app} is removed"))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Apps {
    pub(crate) fn run(self, environment: &Environment, to: &mut impl Write) -> Result<ExitCode, Failure> {
        if let Some(removal) = self.remove {
            return removal.run(environment, to);
        }
        let client = self.at.client(environment)?;
        let apps: Vec<App> = client.get("/v1/apps")?;
        if self.json {
            json(&apps, to)?;
            return Ok(ExitCode::SUCCESS);
        }
        for App { name, addresses, active, .. } in &apps {
            let release =
                active.as_ref().map_or("nothing is active".to_owned(), |active| short(&active.release));
            let address = addresses.first().map_or("", String::as_str);
            told(writeln!(to, "{name:20}  {release}  {address}"))?;
        }
        if apps.is_empty() {
            crate::up::say("No apps yet: `tombolo deploy` in the folder of one\n");
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// List the releases of an app, the last first
#[derive(Debug, clap::Args)]
pub(crate) struct Releases {
    /// The app
    app: SiteName,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

impl Releases {
    pub(crate) fn run(self, environment: &Environment, to: &mut impl Write) -> Result<ExitCode, Failure> {
        let client = self.at.client(environment)?;
        let app = client.app(&self.app)?.ok_or_else(|| no_app(&self.app))?;
        let releases = client.releases(&self.app)?;
        if self.json {
            json(&releases, to)?;
            return Ok(ExitCode::SUCCESS);
        }
        for release in &releases {
            let ReleaseInfo { number, digest, created, by, bytes, version, preview, .. } = release;
            let version = version.as_deref().unwrap_or("-");
            let shown = preview.iter().map(|address| format!("  {address}")).collect::<String>();
            let state = state(&app, digest) + &shown;
            let (when, size) = (ago(*created), bytes / 1000);
            let short = short(digest);
            told(writeln!(
                to,
                "{number:>5}  {short}  {version:10}  {size:>8} kB  {when:>10}  {by:12}  {state}"
            ))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What becomes of a release now.
fn state(app: &App, release: &Digest) -> String {
    match &app.active {
        Some(active) if active.release == *release => match &active.split {
            Some(split) => format!("active for {} %", 100 - split.percent),
            None => "active".to_owned(),
        },
        Some(active) => match &active.split {
            Some(split) if split.release == *release => format!("active for {} %", split.percent),
            _ if app.previous == Some(*release) => "previous".to_owned(),
            _ => String::new(),
        },
        None => String::new(),
    }
}

/// Enough of a digest to tell it from others.
pub(super) fn short(digest: &Digest) -> String {
    digest.hex().chars().take(12).collect()
}

/// Make a release the one that an app serves
#[derive(Debug, clap::Args)]
pub(crate) struct Promote {
    /// The app
    app: SiteName,
    /// The release: its number, or the first digits of its digest. The one that some clients have, if there is one,
    /// or else the last
    release: Option<String>,
    /// Only for so many of a hundred clients, 1 to 99; the others keep what they have
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=99))]
    split: Option<u8>,
    /// What the release newly may do is meant
    #[arg(long)]
    approve: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

impl Promote {
    pub(crate) fn run(self, environment: &Environment, to: &mut impl Write) -> Result<ExitCode, Failure> {
        let client = self.at.client(environment)?;
        let app = client.app(&self.app)?.ok_or_else(|| no_app(&self.app))?;
        let releases = client.releases(&self.app)?;
        let split = app.active.as_ref().and_then(|active| active.split.as_ref());
        let wanted = match (&self.release, split) {
            (Some(named), _) => find(&releases, named)?,
            (None, Some(split)) => by_digest(&releases, &split.release)?,
            (None, None) => releases.first().ok_or_else(|| Failure::new("the app has no release"))?,
        };
        serve(&client, &app, wanted, self.split, self.approve, self.json, to)
    }
}

/// Serve the release again that was active before
#[derive(Debug, clap::Args)]
pub(crate) struct Rollback {
    /// The app
    app: SiteName,
    /// Another release: its number, or the first digits of its digest
    #[arg(long, value_name = "RELEASE")]
    to: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

impl Rollback {
    pub(crate) fn run(self, environment: &Environment, to: &mut impl Write) -> Result<ExitCode, Failure> {
        let client = self.at.client(environment)?;
        let app = client.app(&self.app)?.ok_or_else(|| no_app(&self.app))?;
        let releases = client.releases(&self.app)?;
        let wanted = match (&self.to, &app.previous) {
            (Some(named), _) => find(&releases, named)?,
            (None, Some(previous)) => by_digest(&releases, previous)?,
            (None, None) => {
                let message = format!("`{}` served nothing before what it serves now", self.app);
                return Err(Failure::new(message));
            }
        };
        // What was served was approved then.
        serve(&client, &app, wanted, None, false, self.json, to)
    }
}

/// Makes a release what is served, for all or some, and says so.
fn serve(
    client: &Client,
    app: &App,
    wanted: &ReleaseInfo,
    percent: Option<u8>,
    approve: bool,
    as_json: bool,
    to: &mut impl Write,
) -> Result<ExitCode, Failure> {
    let now = activate(client, app, wanted, percent, approve)?;
    if as_json {
        json(&now, to)?;
        return Ok(ExitCode::SUCCESS);
    }
    let address = now.addresses.first().map_or("", String::as_str);
    let part = percent.map(|percent| format!(" for {percent} % of its clients")).unwrap_or_default();
    told(writeln!(to, "{} serves release {}{part}: {address}", now.name, wanted.number))?;
    Ok(ExitCode::SUCCESS)
}

/// Makes a release what is served, for all or some.
pub(super) fn activate(
    client: &Client,
    app: &App,
    wanted: &ReleaseInfo,
    percent: Option<u8>,
    approve: bool,
) -> Result<App, Failure> {
    let (release, split) = match (percent, &app.active) {
        (None, _) => (wanted.digest, None),
        (Some(_), None) => {
            let message = format!("`{}` serves nothing yet, so there is nothing to split", app.name);
            return Err(Failure::new(message));
        }
        (Some(_), Some(active)) if active.release == wanted.digest => {
            let message = format!("release {} is the active one: split with another", wanted.number);
            return Err(Failure::new(message));
        }
        (Some(percent), Some(active)) => (active.release, Some(Split { release: wanted.digest, percent })),
    };
    let order = Activate { release, generation: app.generation, split, approve };
    client.activate(&app.name, &order).map_err(|refusal| match refusal {
        super::client::Refusal::Problem(problem)
            if problem.status == 422 && !wanted.new_capabilities.is_empty() =>
        {
            Failure::new(problem.to_string()).hint("if that is meant: the same with `--approve`".to_owned())
        }
        super::client::Refusal::Problem(problem) if problem.generation.is_some() => {
            Failure::new(problem.to_string()).hint("look at `tombolo releases`, and try again".to_owned())
        }
        other => other.into(),
    })
}

/// Show a release at an address of its own, beside what its app serves, or no more
///
/// Examples:
///   tombolo preview my-api 4
///   tombolo preview my-api 4 --remove
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ShowPreview {
    /// The app
    app: SiteName,
    /// The release: its number, or the first digits of its digest
    release: String,
    /// Show it no more
    #[arg(long)]
    remove: bool,
    /// What the release may do that the active one may not is meant
    #[arg(long, conflicts_with = "remove")]
    approve: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

impl ShowPreview {
    pub(crate) fn run(self, environment: &Environment, to: &mut impl Write) -> Result<ExitCode, Failure> {
        let client = self.at.client(environment)?;
        let releases = client.releases(&self.app)?;
        let wanted = find(&releases, &self.release)?;
        let now = match self.remove {
            true => client.unpreview(&self.app, &wanted.digest)?,
            false => preview(&client, &self.app, wanted, self.approve)?,
        };
        if self.json {
            json(&now, to)?;
            return Ok(ExitCode::SUCCESS);
        }
        let told_as = match &now.preview {
            Some(address) => format!("{} release {} is shown: {address}", self.app, now.number),
            None => format!("{} release {} is not shown", self.app, now.number),
        };
        told(writeln!(to, "{told_as}"))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Has a release shown at an address of its own.
pub(super) fn preview(
    client: &Client,
    app: &SiteName,
    wanted: &ReleaseInfo,
    approve: bool,
) -> Result<ReleaseInfo, Failure> {
    client.preview(app, &wanted.digest, &Preview { approve }).map_err(|refusal| match refusal {
        super::client::Refusal::Problem(problem)
            if problem.status == 422 && !wanted.new_capabilities.is_empty() && !approve =>
        {
            Failure::new(problem.to_string()).hint("if that is meant: the same with `--approve`".to_owned())
        }
        other => other.into(),
    })
}

fn by_digest<'r>(releases: &'r [ReleaseInfo], digest: &Digest) -> Result<&'r ReleaseInfo, Failure> {
    let known = releases.iter().find(|release| release.digest == *digest);
    known.ok_or_else(|| Failure::new(format!("the release {} is not kept any more", short(digest))))
}

/// The release that a number or the first digits of a digest name.
fn find<'r>(releases: &'r [ReleaseInfo], named: &str) -> Result<&'r ReleaseInfo, Failure> {
    let hex = named.strip_prefix("sha256:").unwrap_or(named);
    let by_number = |release: &&ReleaseInfo| named.parse() == Ok(release.number);
    // Digits alone are a number, unless they are too many for one.
    let mut found: Vec<_> = releases.iter().filter(by_number).collect();
    if found.is_empty() && hex.len() >= 4 {
        found = releases.iter().filter(|release| release.digest.hex().starts_with(hex)).collect();
    }
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(Failure::new(format!(
            "no release `{named}`: expected its number, or 4 or more digits of its digest"
        ))),
        _ => Err(Failure::new(format!(
            "`{named}` is the beginning of {} releases: say more of it",
            found.len()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(number: u64, text: &str) -> ReleaseInfo {
        ReleaseInfo {
            digest: Digest::of(text.as_bytes()),
            number,
            created: 0,
            by: "x".to_owned(),
            version: None,
            bytes: 0,
            capabilities: Default::default(),
            new_capabilities: Default::default(),
            preview: None,
        }
    }

    #[test]
    fn a_release_is_found_by_number_or_by_the_beginning_of_its_digest() {
        let releases = [release(12, "b"), release(11, "a")];
        assert_eq!(find(&releases, "11").unwrap().number, 11);
        let hex = Digest::of(b"b").hex().to_string();
        assert_eq!(find(&releases, &hex[..6]).unwrap().number, 12);
        assert_eq!(find(&releases, &format!("sha256:{hex}")).unwrap().number, 12);
        for bad in ["13", &hex[..3], "zzzzzz", ""] {
            assert!(find(&releases, bad).is_err(), "{bad}");
        }
    }
}
