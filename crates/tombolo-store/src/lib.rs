//! What Tombolo keeps on disk.
//!
//! [`artefacts`] is a cache of precompiled components: losing it costs time, never data.
//! [`key_value`] is the embedded key-value store: what it acknowledged survives `kill -9`.
//! [`blobs`] are the files of releases, and [`registry`] is what a node knows about them. [`Space`] says how much room
//! there is for all of it.

pub mod artefacts;
pub mod blobs;
#[cfg(test)]
mod crash_tests;
mod database;
mod disk;
mod error;
#[cfg(test)]
mod faulty;
pub mod key_value;
pub mod records;
pub mod registry;
mod space;
mod writer;

pub use artefacts::{ArtefactCache, Miss};
pub use blobs::Blobs;
pub use error::StoreError;
pub use key_value::{KeyValue, Namespace};
pub use registry::Registry;
pub use space::Space;
