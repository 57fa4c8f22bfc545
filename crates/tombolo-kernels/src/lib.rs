//! What a page, an edge component and a native program compute with the same code.
//!
//! No browser types and no I/O: bytes and numbers in, bytes and numbers out. Each kernel checks its
//! input and answers with a [`KernelError`]; none panics on what it is given, and each allocation
//! whose size the input decides may fail with [`KernelError::OutOfMemory`].
//!
//! Read in this order: [`error`], [`work`] (threads, progress, abort), then any kernel: [`blur`],
//! [`resample`], [`matmul`], [`json`], [`crc32`], [`equal`], [`fibonacci`].

pub mod error;
pub mod work;

pub mod blur;
pub mod crc32;
pub mod equal;
pub mod fibonacci;
pub mod json;
pub mod matmul;
pub mod resample;

mod lanes;
mod memory;

pub use error::KernelError;
pub use work::{Alone, Crew, Silent, Watch, Work};
