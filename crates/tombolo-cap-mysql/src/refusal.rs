//! What the interfaces' own error types all say.

use tombolo_capability::MemoryExceeded;

/// Why a call of a guest gets an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{0}")]
    Connection(String),
    #[error("{0}")]
    Parameter(String),
    #[error("{0}")]
    Query(String),
    #[error("{0}")]
    Conversion(String),
    #[error("{0}")]
    Other(String),
}

impl Refusal {
    /// The result of a statement is larger than what is left of the instance's memory.
    pub(crate) fn too_large(error: &MemoryExceeded) -> Self {
        Self::Query(format!(
            "the result is too large: {error} (`memory_mib_max`); ask for fewer rows or columns at once"
        ))
    }

    /// The connection went away.
    pub(crate) fn closed(why: &str) -> Self {
        Self::Connection(format!("the connection is closed: {why}"))
    }
}
