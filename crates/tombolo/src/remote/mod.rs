//! Commands that speak to a node.

mod apps;
mod client;
mod collect;
mod deploy;
mod domains;
mod events;
mod kv;
mod login;
mod logs;
mod progress;
mod session;
mod tenants;
mod time;
mod tokens;
mod top;
mod variables;

pub(crate) use apps::{Apps, Promote, Releases, Rollback, ShowPreview};
pub(crate) use deploy::Deploy;
pub(crate) use domains::Domains;
pub(crate) use events::Events;
pub(crate) use kv::Kv;
pub(crate) use login::Login;
pub(crate) use logs::Logs;
pub(crate) use session::Environment;
pub(crate) use tenants::Tenants;
pub(crate) use tokens::Tokens;
pub(crate) use top::Top;
pub(crate) use variables::Variables;

use std::io::{self, Write};

use serde::Serialize;
use tombolo_model::SiteName;

use crate::failure::Failure;
use client::Client;
use session::At;
use time::ago;

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
pub(crate) fn told(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("cannot write the answer: {error}")))
        }
        _ => Ok(()),
    }
}

fn no_app(app: &SiteName) -> Failure {
    Failure::new(format!("no app `{app}`")).hint("`tombolo apps` lists those there are".to_owned())
}
