//! What the interfaces' own error types all say.

use std::error::Error;

use tokio_postgres::error::DbError;
use tombolo_capability::MemoryExceeded;

/// Why a call of a guest gets an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{0}")]
    Connection(String),
    #[error("{0}")]
    Parameter(String),
    #[error("{}", .0.text)]
    Query(Box<Failure>),
    #[error("{0}")]
    Conversion(String),
    #[error("{0}")]
    Other(String),
}

/// Why a statement failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// All of it, for people.
    pub(crate) text: String,
    /// What the server said, if it was the server.
    pub(crate) said: Option<Said>,
}

/// What a server says of an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) severity: String,
    /// Five letters and digits: SQLSTATE.
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) detail: Option<String>,
    /// Whatever else it said, by name.
    pub(crate) extras: Vec<(String, String)>,
}

impl Refusal {
    pub(crate) fn query(text: impl Into<String>) -> Self {
        Self::Query(Box::new(Failure { text: text.into(), said: None }))
    }

    /// The result of a statement is larger than what is left of the instance's memory.
    pub(crate) fn too_large(error: &MemoryExceeded) -> Self {
        Self::query(format!(
            "the result is too large: {error} (`memory_mib_max`); ask for fewer rows or columns at once"
        ))
    }

    /// The connection went away.
    pub(crate) fn closed(why: &str) -> Self {
        Self::Connection(format!("the connection is closed: {why}"))
    }
}

impl From<&DbError> for Refusal {
    fn from(error: &DbError) -> Self {
        let position = |position: &tokio_postgres::error::ErrorPosition| match position {
            tokio_postgres::error::ErrorPosition::Original(at) => at.to_string(),
            tokio_postgres::error::ErrorPosition::Internal { position, .. } => position.to_string(),
        };
        let extras = [
            ("hint", error.hint().map(str::to_owned)),
            ("position", error.position().map(position)),
            ("where_", error.where_().map(str::to_owned)),
            ("schema", error.schema().map(str::to_owned)),
            ("table", error.table().map(str::to_owned)),
            ("column", error.column().map(str::to_owned)),
            ("datatype", error.datatype().map(str::to_owned)),
            ("constraint", error.constraint().map(str::to_owned)),
            ("file", error.file().map(str::to_owned)),
            ("line", error.line().map(|line| line.to_string())),
            ("routine", error.routine().map(str::to_owned)),
        ];
        let extras = extras.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        let said = Said {
            severity: error.severity().to_owned(),
            code: error.code().code().to_owned(),
            message: error.message().to_owned(),
            detail: error.detail().map(str::to_owned),
            extras,
        };
        // With detail and hint, where there are any.
        Self::Query(Box::new(Failure { text: error.to_string(), said: Some(said) }))
    }
}

/// An error with all its causes.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
