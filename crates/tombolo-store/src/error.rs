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
    #[error("cannot {step} the database")]
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
    /// What is left on the disk is the node's own.
    #[error("the disk has {} MiB left, of which the node keeps {} for itself", free >> 20, floor.div_ceil(1 << 20))]
    NoRoom {
        /// Bytes that could be written.
        free: u64,
        /// Bytes of them that are kept.
        floor: u64,
    },
    /// As many files are on the disk as it has room for, but for the node's own.
    #[error("the disk has nearly as many files as it can have")]
    NoFiles,
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
    /// A file is not as it was written.
    #[error("`{}` is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
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

impl StoreError {
    /// Whether it is for want of room that the disk refused.
    pub fn is_disk_full(&self) -> bool {
        let is_full = |error: &io::Error| {
            matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        };
        match self {
            Self::Io { source, .. } => is_full(source),
            Self::Database { source, .. } => matches!(&**source, redb::Error::Io(error) if is_full(error)),
            _ => false,
        }
    }
}

/// Says, at the call that can fail, which step failed on which file.
pub(crate) fn at(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    move |source| StoreError::Io { step, path: path.to_owned(), source }
}

/// The same for a step on the database.
pub(crate) fn database<E: Into<redb::Error>>(step: &'static str) -> impl FnOnce(E) -> StoreError {
    move |source| StoreError::Database { step, source: Box::new(source.into()) }
}

/// An error and its causes on one line, outermost first: `a: b: c`.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
