//! `tombolo kv`.

use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tombolo_api::Keys;
use tombolo_model::SiteName;

use super::logs::harmless;
use super::session::{At, Environment};
use super::{json, told};
use crate::failure::Failure;

/// Look at, set and remove what an app keeps in a key-value store
///
/// Examples:
///   tombolo kv list shop
///   tombolo kv set shop greeting welcome
///   tombolo kv get shop picture > picture.png
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Kv {
    #[command(subcommand)]
    action: Action,
}

/// Which store of which app.
#[derive(Debug, clap::Args)]
struct Of {
    /// The app
    app: SiteName,
    /// The store's label in the manifest
    #[arg(long, default_value = "default", value_name = "LABEL")]
    store: String,
    #[command(flatten)]
    at: At,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List the keys
    List {
        #[command(flatten)]
        of: Of,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print a value, as it is; on a terminal without what a terminal obeys
    Get {
        #[command(flatten)]
        of: Of,
        /// The key
        key: String,
    },
    /// Set a key; without a value, to what stdin says
    Set {
        #[command(flatten)]
        of: Of,
        /// The key
        key: String,
        /// Its value
        value: Option<String>,
    },
    /// Remove a key; one that is not there is as it should be
    Delete {
        #[command(flatten)]
        of: Of,
        /// The key
        key: String,
    },
}

/// Bytes of a value that stdin says: as many as a node takes.
const VALUE_BYTES_MAX: u64 = 8 << 20;

/// What a part of a path may not have as it is (RFC 3986 §3.3).
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~');

fn part(text: &str) -> impl std::fmt::Display {
    utf8_percent_encode(text, PART)
}

impl Of {
    fn path(&self) -> String {
        format!("/v1/apps/{}/key-value/{}", self.app, part(&self.store))
    }

    fn value(&self, key: &str) -> Result<String, Failure> {
        match key {
            "" => Err(Failure::new("a key has at least one character")),
            key => Ok(format!("{}/{}", self.path(), part(key))),
        }
    }
}

impl Kv {
    pub(crate) fn run(self, environment: &Environment, to: &mut impl Write) -> Result<ExitCode, Failure> {
        match self.action {
            Action::List { of, json: as_json } => {
                let keys = all(&of, environment)?;
                if as_json {
                    json(&keys, to)?;
                    return Ok(ExitCode::SUCCESS);
                }
                keys.iter().try_for_each(|key| told(writeln!(to, "{}", harmless(key))))?;
            }
            Action::Get { of, key } => {
                let value = of.at.client(environment)?.bytes(&of.value(&key)?)?;
                // What an app keeps is not obeyed by a terminal; anything else gets it as it is.
                let shown = if io::stdout().is_terminal() { readable(&value) } else { value };
                told(to.write_all(&shown).and_then(|()| to.flush()))?;
            }
            Action::Set { of, key, value } => {
                let path = of.value(&key)?;
                let value = value.map(String::into_bytes).map_or_else(asked, Ok)?;
                of.at.client(environment)?.put_as_is(&path, &value)?;
            }
            Action::Delete { of, key } => of.at.client(environment)?.delete(&of.value(&key)?)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A value as a person reads it.
fn readable(value: &[u8]) -> Vec<u8> {
    let lines = String::from_utf8_lossy(value);
    lines.lines().flat_map(|line| (harmless(line) + "\n").into_bytes()).collect()
}

/// Every key, however many answers it takes.
fn all(of: &Of, environment: &Environment) -> Result<Vec<String>, Failure> {
    let client = of.at.client(environment)?;
    let mut all: Vec<String> = Vec::new();
    loop {
        let after = all.last().map(|last| format!("?after={}", part(last))).unwrap_or_default();
        let Keys { keys, more } = client.get(&format!("{}{after}", of.path()))?;
        let is_last = !more || keys.is_empty();
        all.extend(keys);
        if is_last {
            return Ok(all);
        }
    }
}

fn asked() -> Result<Vec<u8>, Failure> {
    if io::stdin().is_terminal() {
        crate::up::say("The value is what you type until Ctrl-D\n");
    }
    let mut value = Vec::new();
    let read = io::stdin().take(VALUE_BYTES_MAX + 1).read_to_end(&mut value);
    read.map_err(|error| Failure::new(format!("cannot read the value: {error}")))?;
    match value.len() as u64 > VALUE_BYTES_MAX {
        true => Err(Failure::new(format!("the value has more than {} MiB", VALUE_BYTES_MAX >> 20))),
        false => Ok(value),
    }
}
