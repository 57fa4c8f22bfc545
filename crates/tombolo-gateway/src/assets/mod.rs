//! Static assets: files of a directory, answered without a guest.
//!
//! A request is answered from the files as they are when it comes: nothing is listed before and kept,
//! so what is built anew is served anew. One look on a thread that may block opens the file and, if it
//! is small, reads it; a large one is sent in chunks, as fast as its client takes it.
//!
//! Read in this order: [`answer`] (one request), [`look`] (which file), [`folder`] (never another one),
//! [`tags`], [`conditions`], [`range`], [`accept`], [`content_type`], [`sending`].

mod accept;
mod answer;
mod conditions;
mod content_type;
mod folder;
#[doc(hidden)]
pub mod fuzzed;
mod look;
pub mod range;
mod sending;
mod tags;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Semaphore;
use tombolo_model::StaticAssets;

use crate::config::GatewayConfig;
use folder::Folder;
use sending::Pace;
use tags::Tags;

pub(crate) use accept::encodings;
pub(crate) use answer::{AssetRequest, Reply};
pub(crate) use sending::AssetBody;

/// A directory that answers.
#[derive(Debug)]
pub struct Assets {
    /// Absolute, or relative to where the program was started.
    directory: PathBuf,
    settings: StaticAssets,
}

impl Assets {
    /// The directory of `settings`, which may be relative to `root`.
    ///
    /// # Errors
    ///
    /// If it cannot be opened as a directory now. Later it may be exchanged.
    pub fn open(root: &Path, settings: StaticAssets) -> io::Result<Self> {
        let directory = root.join(&settings.directory);
        Folder::open(&directory)?;
        Ok(Self { directory, settings })
    }

    /// Where the files are, as the manifest says it.
    pub fn directory(&self) -> &Path {
        &self.settings.directory
    }
}

/// What all assets of a node share.
pub(crate) struct Shelf {
    /// One for each file that may be open.
    places: Arc<Semaphore>,
    tags: Tags,
    pace: Pace,
}

impl Shelf {
    pub(crate) fn new(config: &GatewayConfig) -> Self {
        let pace = Pace { wait_max: config.write_time_max, bytes_per_s_min: config.body_bytes_per_s_min };
        Self {
            places: Arc::new(Semaphore::new(config.asset_files_max as usize)),
            tags: Tags::default(),
            pace,
        }
    }
}
