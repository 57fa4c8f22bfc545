//! How a command fails: `error:` says what, `hint:` what to do, the exit code how.

use std::error::Error;
use std::fmt;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    hint: Option<String>,
    /// Read by a program: said without `error:`.
    is_bare: bool,
    /// 1, or 2 for wrong usage, most of which is found while arguments are read.
    pub(crate) code: u8,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, is_bare: false, code: 1 }
    }

    /// Arguments that do not go together.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { code: 2, ..Self::new(message) }
    }

    /// A failure told to another program.
    pub(crate) fn bare(message: String) -> Self {
        Self { is_bare: true, ..Self::new(message) }
    }

    /// The failure of an error, with its causes.
    pub(crate) fn of(error: &dyn Error) -> Self {
        Self::new(chain(error))
    }

    #[must_use]
    pub(crate) fn hint(self, hint: impl Into<Option<String>>) -> Self {
        Self { hint: hint.into(), ..self }
    }
}

/// An error and its causes on one line, outermost first: `a: b: c`.
pub(crate) fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = if self.is_bare { "" } else { "error: " };
        writeln!(f, "{error}{}", self.message)?;
        self.hint.iter().try_for_each(|hint| writeln!(f, "\nhint: {hint}"))
    }
}
