//! What can go wrong on disk.

use std::io;
use std::path::{Path, PathBuf};

use tombolo_model::Digest;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system refused a step on a file.
    #[error("cannot {step} `{}`", path.display())]
    Io {
        /// The step, as a verb.
        step: &'static str,
        /// The file.
        path: PathBuf,
        /// Its reason.
        source: io::Error,
    },
    /// Another process has the database open.
    #[error("`{}` is in use by another tombolo process", path.display())]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// The database could not be opened, read or written.
    #[error("cannot {step} the key-value store")]
    Database {
        /// The step, as a verb.
        step: &'static str,
        /// The database's reason.
        source: Box<redb::Error>,
    },
    /// A change was not written, and nothing of it has happened.
    #[error("the change was not written: {reason}")]
    Lost {
        /// The database's reason; the same for all changes of a transaction.
        reason: String,
    },
    /// What was asked of a value does not fit what is stored.
    #[error("{0}")]
    Value(&'static str),
    /// The file is as large as it may become; removing things goes on.
    #[error("the key-value store has as many bytes as it may")]
    Full,
    /// A key or a value is longer than the store takes.
    #[error("a {what} of {bytes} bytes is too long: at most {bytes_max} are stored")]
    TooLong {
        /// `key` or `value`.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// What was written is not what was announced.
    #[error("the bytes have the digest {found}, expected {expected}")]
    Digest {
        /// The digest that was announced.
        expected: Digest,
        /// The one they have.
        found: Digest,
    },
    /// A file was written by a later version.
    #[error(
        "`{}` has format {found}, and this version of tombolo knows {known}: a later version wrote it",
        path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The one this version reads.
        known: u64,
    },
    /// A record is not as it was written.
    #[error("the registry is damaged: {reason}")]
    Record {
        /// What is wrong.
        reason: String,
    },
    /// The store is being closed.
    #[error("the key-value store is closed")]
    Closed,
}

/// Says, at the call that can fail, which step failed on which file.
pub(crate) fn at(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    move |source| StoreError::Io { step, path: path.to_owned(), source }
}

/// The same for a step on the database.
pub(crate) fn database<E: Into<redb::Error>>(step: &'static str) -> impl FnOnce(E) -> StoreError {
    move |source| StoreError::Database { step, source: Box::new(source.into()) }
}
