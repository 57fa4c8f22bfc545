//! `tombolo serve --check`: what serving would fail at, without serving or changing anything.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use tombolo_model::access_log::AccessLogTo;
use tombolo_store::registry::Found;

use super::settings::Settings;
use crate::failure::Failure;

/// Reads what `settings` name, and tells what was found.
pub(super) fn check(settings: &Settings, to: &mut impl Write) -> Result<(), Failure> {
    settings.changeable().map_err(|error| Failure::of(&error))?;
    let found = data(&settings.data)?;
    if let Some(AccessLogTo::File(file)) = settings.access_log.as_ref().map(|log| &log.to) {
        access_log(file)?;
    }
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
    if !usable(folder).map_err(refuse)? {
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

/// Whether a line could be added to this file.
fn access_log(file: &Path) -> Result<(), Failure> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let usable = usable(folder).and_then(|_| match fs::metadata(file) {
        Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(_) => Ok(access(file, Access::WRITE_OK)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    });
    usable.map_err(|error| Failure::new(format!("cannot open the access log `{}`: {error}", file.display())))
}

/// Whether this folder is there, and can be written to; if it is not there, an error unless it could be made.
fn usable(folder: &Path) -> io::Result<bool> {
    let absolute = std::path::absolute(folder)?;
    let there = absolute.ancestors().find(|path| path.exists()).map_or(PathBuf::from("/"), Path::to_owned);
    if !fs::metadata(&there)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    access(&there, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK)?;
    Ok(there == absolute)
}
