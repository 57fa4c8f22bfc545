//! Without vectors of its own.

pub(super) use super::portable::{columns, row};

/// The shortest row.
pub(super) const BYTES_MIN: usize = 4;
