//! `tombolo serve --check`: what serving would fail at, without serving or changing anything.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use tombolo_store::registry::Found;

use super::settings::Settings;
use crate::failure::Failure;

/// Reads what `settings` name, and tells what was found.
pub(super) fn check(settings: &Settings, to: &mut impl Write) -> Result<(), Failure> {
    settings.changeable().map_err(|error| Failure::of(&error))?;
    let found = data(&settings.data)?;
    let certificates = settings.tls.as_ref().map_or(0, |tls| tls.certificates.len());
    let file = settings.config.iter().map(|file| format!("configuration: `{}`\n", file.display()));
    let text = format!(
        "{}certificates: {certificates}\ndata: `{}`, {found}\n",
        file.collect::<String>(),
        settings.data.display()
    );
    let written = to.write_all(text.as_bytes());
    written.map_err(|error| Failure::new(format!("cannot write: {error}")))
}

/// What is in the data folder; if there is none yet, whether it could be made.
fn data(folder: &Path) -> Result<&'static str, Failure> {
    let refuse = |error: io::Error| {
        Failure::new(format!("cannot use the data folder `{}`: {error}", folder.display()))
    };
    let absolute = std::path::absolute(folder).map_err(refuse)?;
    let there = absolute.ancestors().find(|path| path.exists()).map_or(PathBuf::from("/"), Path::to_owned);
    if !fs::metadata(&there).map_err(refuse)?.is_dir() {
        return Err(refuse(io::ErrorKind::NotADirectory.into()));
    }
    let may = access(&there, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK);
    may.map_err(|error| refuse(error.into()))?;
    if there != absolute {
        return Ok("to be made");
    }
    let found = tombolo_node::check_data(folder).map_err(|error| Failure::of(&error))?;
    Ok(match found {
        Found::Nothing => "empty",
        Found::Registry => "of a node",
        Found::Cut => "of a node whose process was ended: starting repairs it",
        Found::InUse => "of a node that serves now",
    })
}
