//! An application as it is written: `spin.toml`, version 2.
//!
//! The format is Spin's, so that apps stay portable; what Spin lacks is in
//! `[application.tool.tombolo]` and `[component.<id>.tool.tombolo]`, which Spin ignores. Unknown
//! fields are refused: a misspelt grant must not be a grant that silently is not there.
//!
//! Source: Spin, `crates/manifest/src/schema/v2.rs`.

mod about;
mod assets;
mod dependencies;
mod edge;
pub(crate) mod fields;
mod grants;
mod profile;
pub(crate) mod read;
mod redis;
mod response;
mod settings;
pub mod variables;

use std::collections::BTreeMap;
use std::fmt;

use crate::app::{App, Variable};
pub use variables::{Given, Known, Live};

/// Why a manifest, or a runtime configuration, was refused, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError {
    /// The file, as the caller named it.
    pub file: String,
    /// Line and column, both from 1, where one place is to blame.
    pub place: Option<(usize, usize)>,
    /// What is wrong, naming the field and what was expected.
    pub message: String,
    /// What to do about it, where that can be said.
    pub hint: Option<String>,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some((line, column)) => write!(f, "{}:{line}:{column}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

impl std::error::Error for ManifestError {}

/// Reads the manifest `text`. `file` is what messages call it; `values` are the values that the
/// operator gave for variables, by name.
///
/// # Errors
///
/// The first thing that is wrong, in the order of the file's tables.
pub fn parse(file: &str, text: &str, values: &BTreeMap<String, String>) -> Result<App, ManifestError> {
    parse_given(file, text, &Given::known(values), None)
}

/// The variables that the manifest `text` declares, whether they have a value or not.
///
/// # Errors
///
/// If it is not TOML, or they are not declared as variables are.
pub fn variables(file: &str, text: &str) -> Result<BTreeMap<String, Variable>, ManifestError> {
    let document = fields::Document { file, text };
    let table = document.parse()?;
    variables::declared(&fields::Fields::root(&document, &table))
}

/// The same with all that an operator says of variables, and where components are what a build profile makes them, if
/// one is chosen.
///
/// # Errors
///
/// As [`parse`]; also if no component has that profile.
pub fn parse_given(
    file: &str,
    text: &str,
    given: &Given<'_>,
    profile: Option<&str>,
) -> Result<App, ManifestError> {
    read::app(&fields::Document { file, text }, given, profile)
}

/// What may stand for the value of a variable that is not known, so that the rest can be read. A value may be a word, an
/// address or a part of one.
pub const STAND_INS: [&str; 3] = ["1", "https://localhost", "localhost:1"];

/// The variables that must be given values.
///
/// # Errors
///
/// If the manifest cannot be read as far as that.
pub fn required(file: &str, text: &str) -> Result<Vec<String>, ManifestError> {
    let all = variables(file, text)?;
    Ok(all.into_iter().filter(|(_, variable)| variable.default.is_none()).map(|(name, _)| name).collect())
}

#[cfg(test)]
mod tests;
