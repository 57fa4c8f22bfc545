//! `tombolo variables`, also called `secret`: all are kept as secrets are.

use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;

use tombolo_api::VariableValue;
use tombolo_model::SiteName;

use super::session::{At, Environment};
use super::{json, told};
use crate::failure::Failure;

/// Set, list and remove the variables of an app: kept sealed, and never told again
///
/// What is set holds from the next deploy, promote or rollback on.
#[derive(Debug, clap::Args)]
pub(crate) struct Variables {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Set a variable; without a value, to what stdin says
    Set {
        /// The app
        app: SiteName,
        /// The variable's name in the manifest
        name: String,
        /// Its value; others on this machine can see it while this runs
        value: Option<String>,
        #[command(flatten)]
        at: At,
    },
    /// List the names of those that were set
    List {
        /// The app
        app: SiteName,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        at: At,
    },
    /// Remove a variable
    Remove {
        /// The app
        app: SiteName,
        /// The variable's name
        name: String,
        #[command(flatten)]
        at: At,
    },
}

/// Bytes in a value that stdin says.
const VALUE_BYTES_MAX: u64 = 32 << 10;

impl Variables {
    pub(crate) fn run(self, environment: &Environment, to: &mut impl Write) -> Result<ExitCode, Failure> {
        match self.action {
            Action::Set { app, name, value, at } => {
                let value = match value {
                    Some(value) => value,
                    None => asked(&name)?,
                };
                let client = at.client(environment)?;
                client.put_only(&path(&app, &name)?, &VariableValue { value })?;
            }
            Action::List { app, json: as_json, at } => {
                let names: Vec<String> = at.client(environment)?.get(&format!("/v1/apps/{app}/variables"))?;
                if as_json {
                    json(&names, to)?;
                    return Ok(ExitCode::SUCCESS);
                }
                names.iter().try_for_each(|name| told(writeln!(to, "{name}")))?;
            }
            Action::Remove { app, name, at } => at.client(environment)?.delete(&path(&app, &name)?)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Where a variable is. The node says what names are: here it only must not become another path.
fn path(app: &SiteName, name: &str) -> Result<String, Failure> {
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err(Failure::new(format!("`{name}` is no name of a variable, expected lower_snake")));
    }
    Ok(format!("/v1/apps/{app}/variables/{name}"))
}

fn asked(name: &str) -> Result<String, Failure> {
    if io::stdin().is_terminal() {
        let _ = write!(io::stderr().lock(), "{name}: ");
    }
    let mut value = String::new();
    let unread = |error| Failure::new(format!("cannot read the value: {error}"));
    if io::stdin().is_terminal() {
        io::stdin().read_line(&mut value).map_err(unread)?;
    } else {
        io::stdin().take(VALUE_BYTES_MAX + 1).read_to_string(&mut value).map_err(unread)?;
    }
    if value.len() as u64 > VALUE_BYTES_MAX {
        return Err(Failure::new(format!("the value has more than {} KiB", VALUE_BYTES_MAX >> 10)));
    }
    // The end of a line that a person or `echo` ends with.
    let value = value.strip_suffix('\n').unwrap_or(&value);
    Ok(value.strip_suffix('\r').unwrap_or(value).to_owned())
}
