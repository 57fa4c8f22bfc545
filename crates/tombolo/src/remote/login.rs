//! `tombolo login`.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use tombolo_api::App;

use super::client::{Client, Refusal};
use super::session::{Environment, Session, keep, url};
use crate::failure::Failure;

/// Log in to a node: the commands that follow speak to it
///
/// The token is read from stdin, or taken from TOMBOLO_TOKEN. It is kept in ~/.config/tombolo/login.json,
/// which this user alone can read.
///
/// Examples:
///   tombolo login http://127.0.0.1:3001
///   tombolo login https://control.example.com < token.txt
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Login {
    /// The node's control interface
    #[arg(value_name = "URL", value_parser = url)]
    url: String,
}

impl Login {
    pub(crate) fn run(self, environment: &Environment) -> Result<ExitCode, Failure> {
        let token = match environment.get("TOMBOLO_TOKEN") {
            Some(token) => token.clone(),
            None => asked()?,
        };
        let token = token.trim().to_owned();
        if token.is_empty() || token.contains(|c: char| c.is_whitespace() || c.is_control() || !c.is_ascii())
        {
            return Err(Failure::new("that is no token: expected one word like `tbl_…`"));
        }
        let session = Session { url: self.url, token, tenant: None };
        // A token that is good for nothing is not kept.
        Client::new(session.clone()).get::<Vec<App>>("/v1/apps").map_err(|refusal| match refusal {
            Refusal::Problem(problem) if problem.status == 401 => {
                let failure = Failure::new(format!("{} does not know this token", session.url));
                failure
                    .hint("`tombolo serve` prints the first one when it starts for the first time".to_owned())
            }
            other => other.into(),
        })?;
        keep(&session, environment)?;
        crate::up::say(&format!("Logged in to {}\n", session.url));
        Ok(ExitCode::SUCCESS)
    }
}

fn asked() -> Result<String, Failure> {
    if io::stdin().is_terminal() {
        let _ = write!(io::stderr().lock(), "Token: ");
    }
    let mut line = String::new();
    io::stdin()
        .read_line(&mut line)
        .map_err(|error| Failure::new(format!("cannot read the token: {error}")))?;
    Ok(line)
}
