//! `tombolo events`.

use std::io::{self, Write};
use std::process::ExitCode;

use tombolo_api::{Event, Lost};

use super::apps::short;
use super::logs::{each_line, harmless};
use super::session::{At, Environment};
use super::time::utc;
use crate::failure::Failure;

/// Print what happened on a node: activations, rollbacks, refused deployments, apps that failed, tokens
///
/// Examples:
///   tombolo events
///   tombolo events -f --lines 0 --json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Events {
    /// Go on with those that come, until the node stops
    #[arg(short, long)]
    follow: bool,
    /// How many of the last
    #[arg(long, default_value_t = 100, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(..=1000))]
    lines: u32,
    /// Print JSON, one document a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

impl Events {
    pub(crate) fn run(self, environment: &Environment, to: &mut impl Write) -> Result<ExitCode, Failure> {
        let client = self.at.client(environment)?;
        let path = format!("/v1/events?lines={}&follow={}", self.lines, self.follow);
        each_line(&client, &path, |line| {
            match self.json {
                true => writeln!(to, "{line}")?,
                false => told(line, to)?,
            }
            to.flush()
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// An event for people.
fn told(line: &str, to: &mut impl Write) -> io::Result<()> {
    if let Ok(Lost { lost }) = serde_json::from_str(line) {
        return writeln!(to, "({lost} events were lost: they came faster than they were read)");
    }
    // A newer node may tell of what this version does not know.
    let Ok(event) = serde_json::from_str(line) else { return writeln!(to, "{}", harmless(line)) };
    let Event { at, kind, tenant, app, release, who, detail, .. } = event;
    let kind = serde_json::to_value(kind).ok().and_then(|kind| Some(kind.as_str()?.to_owned()));
    let kind = kind.unwrap_or_default();
    let of = match (tenant, app) {
        (Some(tenant), Some(app)) => format!("{tenant}/{app}"),
        (Some(tenant), None) => tenant.to_string(),
        (None, app) => app.map_or("-".to_owned(), |app| app.to_string()),
    };
    let release = release.map(|release| format!(" {}", short(&release))).unwrap_or_default();
    // Reasons are lines of their own; here they follow each other.
    let detail = harmless(&detail.replace("\n  - ", "; "));
    let time = utc(at.saturating_mul(1000));
    let time = time.split('.').next().unwrap_or_default();
    let line = format!("{time}  {kind:18}  {of:20}  {}{release}  {detail}", harmless(&who));
    writeln!(to, "{}", line.trim_end())
}
