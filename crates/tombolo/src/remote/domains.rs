//! `tombolo domains`.

use std::io::Write;
use std::process::ExitCode;

use tombolo_api::App;
use tombolo_model::SiteName;
use tombolo_model::name::is_host_name;

use super::session::{At, Environment};
use super::{json, no_app, told};
use crate::failure::Failure;

/// List the other hosts that an app answers at, add one or remove one
///
/// It takes an admin's token to add one: a node cannot tell whose a host is.
///
/// Examples:
///   tombolo domains shop
///   tombolo domains shop add shop.example.com
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Domains {
    /// The app
    app: SiteName,
    /// What to do with a host
    #[arg(requires = "host")]
    change: Option<Change>,
    /// The host, without a port
    #[arg(value_parser = host)]
    host: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Change {
    /// Answer there
    Add,
    /// Answer there no more
    Remove,
}

fn host(text: &str) -> Result<String, String> {
    let text = text.to_ascii_lowercase();
    match is_host_name(&text) {
        true => Ok(text),
        false => Err("expected a name of a host such as `shop.example.com`".to_owned()),
    }
}

impl Domains {
    pub(crate) fn run(self, environment: &Environment, to: &mut impl Write) -> Result<ExitCode, Failure> {
        let client = self.at.client(environment)?;
        let path = |host: &str| format!("/v1/apps/{}/domains/{host}", self.app);
        let app: App = match (self.change, &self.host) {
            (Some(Change::Add), Some(host)) => client.put(&path(host), &())?,
            (Some(Change::Remove), Some(host)) => client.remove(&path(host))?,
            _ => client.app(&self.app)?.ok_or_else(|| no_app(&self.app))?,
        };
        if self.json {
            json(&app.domains, to)?;
            return Ok(ExitCode::SUCCESS);
        }
        app.domains.iter().try_for_each(|domain| told(writeln!(to, "{domain}")))?;
        Ok(ExitCode::SUCCESS)
    }
}
