//! What the interfaces' own error types all say.

use rusqlite::ErrorCode;

/// Why a call of a guest gets an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("there is no such database")]
    NoSuchDatabase,
    #[error("the database was not granted")]
    AccessDenied,
    #[error("the connection is closed")]
    InvalidConnection,
    #[error("the disk is full, or the database has all the pages it may")]
    DatabaseFull,
    #[error("{0}")]
    Io(String),
}

impl Refusal {
    /// The result of a statement is larger than what is left of the instance's memory.
    pub(crate) fn too_large(error: &tombolo_capability::MemoryExceeded) -> Self {
        Self::Io(format!(
            "the result is too large: {error} (`memory_mib_max`); ask for fewer rows or columns at once"
        ))
    }
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        // SQLite's own words: they name what the guest wrote, and no path of this machine.
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DatabaseFull,
            Some(ErrorCode::AuthorizationForStatementDenied) => Self::Io(
                "not authorized: no statement may reach beyond its own database or change how that is kept"
                    .to_owned(),
            ),
            Some(ErrorCode::OperationInterrupted) => {
                Self::Io("interrupted: the request has had all its time".to_owned())
            }
            _ => Self::Io(error.to_string()),
        }
    }
}
