//! Why a kernel did not compute.

use thiserror::Error;

/// Why a kernel did not compute. What it was to write to holds nothing of use afterwards.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum KernelError {
    /// Lengths, widths and heights do not fit together, or one is zero or too large.
    #[error("bad size: {0}")]
    Size(&'static str),
    /// A number is not finite or outside what the kernel is defined for.
    #[error("bad number: {0}")]
    Number(&'static str),
    /// Memory that the size of the input asks for is not there.
    #[error("out of memory: {bytes} bytes are not to be had")]
    OutOfMemory {
        /// Bytes that were asked for.
        bytes: usize,
    },
    /// The [`crate::Watch`] said stop.
    #[error("aborted")]
    Aborted,
    /// The bytes are not JSON (RFC 8259).
    #[error("invalid JSON at byte {offset}: {reason}")]
    Json {
        /// Bytes before the first that cannot belong to a JSON text.
        offset: usize,
        /// What was expected there.
        reason: &'static str,
    },
    /// The JSON is well formed so far, but no array of objects.
    #[error("at byte {offset}: {reason}")]
    NotRows {
        /// Where the value that is not an object, or not the array, begins.
        offset: usize,
        /// What was expected there.
        reason: &'static str,
    },
    /// The key is no dotted path.
    #[error("bad key: {0}")]
    Key(&'static str),
}
