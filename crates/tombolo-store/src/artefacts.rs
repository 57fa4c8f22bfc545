//! Precompiled components, by key.
//!
//! An artefact is native code: loading a wrong one is running it. So a file counts only if it is
//! ours (this user's, writable by nobody else), says it is for the key asked for, and has the
//! checksum it says it has. Anything else is a [`Miss`], answered by compiling again.
//!
//! Format: the artefact as the engine wrote it, then a trailer of 56 bytes: `TOMBOLO2`, the key,
//! the XXH3-128 of the artefact. The trailer comes last because the engine maps the file from 0.
//! Who could forge the artefact could forge a trailer beside it, so the checksum is for damage, such as
//! a power cut before the disk had all of it, and is a fast one: it is taken at every cold start.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tombolo_model::Digest;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use crate::error::{StoreError, at};
use crate::space::Space;

const MAGIC: &[u8; 8] = b"TOMBOLO2";
const TRAILER_BYTES: usize = 8 + 32 + 16;
/// Bytes read at once: few pages to touch, which costs more than reading them.
const CHUNK_BYTES: usize = 64 << 10;

/// Artefacts kept; beyond it those go that were used longest ago. A node with as many apps as
/// this has them all at hand.
const FILES_MAX: usize = 20_000;
/// Bytes of all of them, which is that many at the usual 800 kB each.
const BYTES_MAX: u64 = 16 << 30;
/// Files are counted once in so many savings, or so many bytes: counting reads the whole folder.
const SAVINGS_PER_COUNT: u64 = 64;
/// See [`SAVINGS_PER_COUNT`].
const BYTES_PER_COUNT: u64 = 1 << 30;

/// A folder of precompiled components.
#[derive(Debug)]
pub struct ArtefactCache {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What this process saved or loaded, and which it was among these: the last number is the latest.
    used: HashMap<PathBuf, u64>,
    uses: u64,
    /// Savings since files were counted, and their bytes.
    savings: u64,
    bytes: u64,
}

/// Why there is no artefact for a key.
#[derive(Debug, thiserror::Error)]
pub enum Miss {
    /// Nobody has compiled it yet.
    #[error("not compiled yet")]
    Absent,
    /// A file is there and is not to be trusted.
    #[error("`{}` is not trusted: {reason}", path.display())]
    Untrusted {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A file is there and could not be read.
    #[error(transparent)]
    Unreadable(StoreError),
}

impl ArtefactCache {
    /// The cache in `folder`, made if it is not there, for this user alone.
    ///
    /// # Errors
    ///
    /// If the folder cannot be made or belongs to somebody else.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(folder).map_err(at("make the folder", folder))?;
        let metadata = fs::metadata(folder).map_err(at("read the folder", folder))?;
        if let Some(reason) = foreign(&metadata) {
            let source = io::Error::new(io::ErrorKind::PermissionDenied, reason);
            return Err(at("trust the folder", folder)(source));
        }
        Ok(Self { folder: folder.to_owned(), state: Mutex::default() })
    }

    fn path(&self, key: &Digest) -> PathBuf {
        self.folder.join(format!("{}.cwasm", key.hex()))
    }

    /// Whether there is a file for `key`; whether it can be trusted shows when it is loaded.
    pub fn has(&self, key: &Digest) -> bool {
        self.path(key).exists()
    }

    /// The file of the artefact saved under `key`, to be mapped. The trailer behind it is still
    /// there. Its bytes were checked just now and stay: files are replaced, never changed, and
    /// nobody else can.
    ///
    /// # Errors
    ///
    /// Why there is none that can be trusted.
    pub fn load(&self, key: &Digest) -> Result<PathBuf, Miss> {
        let path = self.path(key);
        let untrusted = |reason| Miss::Untrusted { path: path.clone(), reason };
        let unreadable = |error| Miss::Unreadable(at("read", &path)(error));
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Miss::Absent),
            Err(error) => return Err(unreadable(error)),
        };
        let metadata = file.metadata().map_err(unreadable)?;
        if let Some(reason) = foreign(&metadata) {
            return Err(untrusted(reason));
        }
        let sound = check(&mut file, metadata.len(), key).map_err(unreadable)?;
        self.used(&path);
        sound.map(|()| path.clone()).map_err(untrusted)
    }

    /// Saves `artefact` under `key`. Whoever reads meanwhile sees the old file or the new one.
    ///
    /// Nothing is synced: after a power cut the digest tells, and compiling again costs less than
    /// a sync at every deploy.
    ///
    /// # Errors
    ///
    /// If what is left of the disk is the node's own, or the disk refuses; then no file is left behind.
    pub fn save(&self, key: &Digest, artefact: &[u8]) -> Result<(), StoreError> {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let bytes = artefact.len() as u64;
        Space::of(&self.folder)?.check(bytes)?;
        let temporary = self.folder.join(format!(".{}-{serial}.tmp", std::process::id()));
        let path = self.path(key);
        let saved = write(&temporary, artefact, key)
            .and_then(|()| fs::rename(&temporary, &path))
            .map_err(at("write", &path));
        if saved.is_err() {
            // The first error is the one to report; a leftover would only take space.
            let _ = fs::remove_file(&temporary);
        }
        saved?;
        self.used(&path);
        if self.is_to_be_counted(bytes) {
            self.prune(FILES_MAX, BYTES_MAX);
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn used(&self, path: &Path) {
        let mut state = self.state();
        state.uses += 1;
        let now = state.uses;
        state.used.insert(path.to_owned(), now);
    }

    /// Whether enough was saved since files were counted; the first time nobody knows.
    fn is_to_be_counted(&self, bytes: u64) -> bool {
        let mut state = self.state();
        let is_first = state.savings == 0;
        state.savings += 1;
        state.bytes += bytes;
        if state.savings <= SAVINGS_PER_COUNT && state.bytes <= BYTES_PER_COUNT {
            return is_first;
        }
        (state.savings, state.bytes) = (1, 0);
        true
    }

    /// Removes files beyond so many, or so many bytes: first those that this process did not use, the oldest of them
    /// before others, then those whose use was longest ago. What cannot be removed stays.
    fn prune(&self, files_max: usize, bytes_max: u64) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let mut state = self.state();
        let file = |entry: fs::DirEntry| {
            let (metadata, path) = (entry.metadata().ok()?, entry.path());
            Some((
                state.used.get(&path).copied().unwrap_or(0),
                metadata.modified().ok()?,
                metadata.len(),
                path,
            ))
        };
        let mut files: Vec<_> = entries.flatten().filter_map(file).collect();
        files.sort_unstable();
        let mut left = (files.len(), files.iter().map(|(_, _, bytes, _)| bytes).sum::<u64>());
        for (_, _, bytes, path) in files {
            if left.0 <= files_max && left.1 <= bytes_max {
                break;
            }
            state.used.remove(&path);
            let _ = fs::remove_file(path);
            left = (left.0 - 1, left.1 - bytes);
        }
    }
}

fn write(path: &Path, artefact: &[u8], key: &Digest) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(artefact)?;
    file.write_all(MAGIC)?;
    file.write_all(key.as_bytes())?;
    file.write_all(&xxh3_128(artefact).to_le_bytes())
}

/// Why a file or folder with this metadata could be somebody else's work.
fn foreign(metadata: &fs::Metadata) -> Option<&'static str> {
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Some("it belongs to another user");
    }
    (metadata.mode() & 0o022 != 0).then_some("others may write to it")
}

/// What is wrong with a file of so many bytes, if something is.
fn check(file: &mut File, bytes: u64, key: &Digest) -> io::Result<Result<(), &'static str>> {
    let Some(artefact_bytes) = bytes.checked_sub(TRAILER_BYTES as u64) else {
        return Ok(Err("it is too short"));
    };
    let mut sum = Xxh3::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut artefact = Read::by_ref(file).take(artefact_bytes);
    loop {
        match artefact.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => sum.update(&chunk[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let mut trailer = [0; TRAILER_BYTES];
    file.read_exact(&mut trailer)?;
    let (magic, rest) = trailer.split_at(MAGIC.len());
    let (named, expected) = rest.split_at(32);
    Ok(if magic != MAGIC {
        Err("it is not an artefact of this version of tombolo, or was cut short")
    } else if named != key.as_bytes() {
        Err("it is the artefact of another component")
    } else if expected != sum.digest128().to_le_bytes() {
        Err("it is damaged")
    } else {
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn cache() -> (tempfile::TempDir, ArtefactCache) {
        let folder = tempfile::tempdir().unwrap();
        let cache = ArtefactCache::open(&folder.path().join("artefacts")).unwrap();
        (folder, cache)
    }

    fn key(text: &str) -> Digest {
        Digest::of(text.as_bytes())
    }

    #[test]
    fn what_was_saved_is_loaded() {
        let (_folder, cache) = cache();
        assert!(matches!(cache.load(&key("a")), Err(Miss::Absent)));
        cache.save(&key("a"), b"native code").unwrap();
        let bytes = fs::read(cache.load(&key("a")).unwrap()).unwrap();
        assert!(bytes.starts_with(b"native code"));
    }

    /// Whatever byte is changed, and wherever the file is cut, it is not trusted.
    #[test]
    fn no_damaged_file_is_trusted() {
        let (_folder, cache) = cache();
        cache.save(&key("a"), b"native code").unwrap();
        let path = cache.path(&key("a"));
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, &bad).unwrap();
            assert!(matches!(cache.load(&key("a")), Err(Miss::Untrusted { .. })), "byte {at} changed");
            fs::write(&path, &good[..at]).unwrap();
            assert!(matches!(cache.load(&key("a")), Err(Miss::Untrusted { .. })), "cut at {at}");
        }
    }

    #[test]
    fn a_file_under_another_key_or_open_to_others_is_not_trusted() {
        let (_folder, cache) = cache();
        cache.save(&key("a"), b"native code").unwrap();
        fs::copy(cache.path(&key("a")), cache.path(&key("b"))).unwrap();
        assert!(matches!(cache.load(&key("b")), Err(Miss::Untrusted { .. })));
        fs::set_permissions(cache.path(&key("a")), fs::Permissions::from_mode(0o666)).unwrap();
        assert!(matches!(cache.load(&key("a")), Err(Miss::Untrusted { .. })));
    }

    #[test]
    fn a_folder_open_to_others_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(ArtefactCache::open(folder.path()).is_err());
    }

    #[test]
    fn a_failed_save_leaves_nothing_behind() {
        let (_folder, cache) = cache();
        // A folder where the file should go: the rename fails after the bytes were written.
        fs::create_dir(cache.path(&key("a"))).unwrap();
        assert!(cache.save(&key("a"), b"native code").is_err());
        assert_eq!(fs::read_dir(&cache.folder).unwrap().count(), 1);
    }

    #[test]
    fn the_oldest_files_make_room() {
        let (folder, writer) = cache();
        for number in 0..13 {
            let key = key(&number.to_string());
            writer.save(&key, b"code").unwrap();
            // Apart in time, which the clock of a file system may not tell.
            let written = std::time::UNIX_EPOCH + std::time::Duration::from_secs(number);
            File::open(writer.path(&key)).unwrap().set_modified(written).unwrap();
        }
        let cache = ArtefactCache::open(&folder.path().join("artefacts")).unwrap();
        cache.prune(10, u64::MAX);
        assert_eq!(fs::read_dir(&cache.folder).unwrap().count(), 10);
        assert!(cache.has(&key("12")) && !cache.has(&key("0")), "the newest stay");
        // What serves is not what goes, however long ago it was compiled.
        cache.load(&key("3")).unwrap();
        let each = 4 + TRAILER_BYTES as u64;
        cache.prune(usize::MAX, 3 * each);
        let left = |number: &u64| cache.has(&key(&number.to_string()));
        assert_eq!((0..13).filter(left).collect::<Vec<_>>(), [3, 11, 12]);
        cache.load(&key("12")).unwrap();
        cache.prune(1, u64::MAX);
        assert_eq!((0..13).filter(left).collect::<Vec<_>>(), [12], "used last");
    }
}
