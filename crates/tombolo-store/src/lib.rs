//! What Tombolo keeps on disk.
//!
//! [`artefacts`] is a cache of precompiled components: losing it costs time, never data.
//! [`key_value`] is the embedded key-value store: what it acknowledged survives `kill -9`.

pub mod artefacts;
mod error;
pub mod key_value;
mod writer;

pub use artefacts::{ArtefactCache, Miss};
pub use error::StoreError;
pub use key_value::{KeyValue, Namespace};
