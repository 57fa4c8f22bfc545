//! The files of one app's lines, as Spin writes them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tombolo_cap_wasi::{LogLine, LogStream};

/// `<component>_stdout.txt` and `<component>_stderr.txt` of each component, opened when first written.
pub(crate) struct Files {
    folder: PathBuf,
    open: HashMap<(Arc<str>, LogStream), File>,
    /// Whether the disk refused: then nothing is written any more.
    has_failed: bool,
}

/// Files open at once: each costs a descriptor.
const OPEN_MAX: usize = 256;

impl Files {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, open: HashMap::new(), has_failed: false }
    }

    pub(super) fn keep(&mut self, line: &LogLine) {
        if self.has_failed {
            return;
        }
        if let Err(error) = self.write(line) {
            tracing::warn!("guest output is no longer written to `{}`: {error}", self.folder.display());
            (self.has_failed, self.open) = (true, HashMap::new());
        }
    }

    fn write(&mut self, line: &LogLine) -> io::Result<()> {
        if self.open.len() >= OPEN_MAX {
            self.open.clear();
        }
        let key = (Arc::clone(&line.component), line.stream);
        let file = match self.open.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(open(&self.folder, line)?),
        };
        file.write_all(&[&line.text, b"\n".as_slice()].concat())
    }
}

fn open(folder: &Path, line: &LogLine) -> io::Result<File> {
    let stream = match line.stream {
        LogStream::Stdout => "stdout",
        LogStream::Stderr => "stderr",
    };
    fs::create_dir_all(folder)?;
    // A component's id has no `/`.
    OpenOptions::new().create(true).append(true).open(folder.join(format!("{}_{stream}.txt", line.component)))
}
