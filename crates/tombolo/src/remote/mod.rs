//! Commands that speak to a node.

mod apps;
mod client;
mod collect;
mod deploy;
mod login;
mod session;
mod tenants;
mod tokens;
mod variables;

pub(crate) use apps::{Apps, Promote, Releases, Rollback};
pub(crate) use deploy::Deploy;
pub(crate) use login::Login;
pub(crate) use session::Environment;
pub(crate) use tenants::Tenants;
pub(crate) use tokens::Tokens;
pub(crate) use variables::Variables;

use std::io::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tombolo_model::SiteName;

use crate::failure::Failure;
use client::Client;
use session::At;

impl At {
    fn client(&self, environment: &Environment) -> Result<Client, Failure> {
        Ok(Client::new(self.session(environment)?))
    }
}

/// Writes JSON, for programs.
fn json(value: &impl Serialize, to: &mut impl Write) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).expect("answers are texts, numbers and lists of them");
    told(writeln!(to, "{text}"))
}

/// Whoever reads may have seen enough; anything else is a failure.
fn told(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("cannot write the answer: {error}")))
        }
        _ => Ok(()),
    }
}

/// How long ago something was, in its largest unit.
fn ago(then: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let seconds = now.saturating_sub(then);
    match seconds {
        0..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

fn no_app(app: &SiteName) -> Failure {
    Failure::new(format!("no app `{app}`")).hint("`tombolo apps` lists those there are".to_owned())
}
