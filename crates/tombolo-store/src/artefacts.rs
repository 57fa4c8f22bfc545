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

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use tombolo_model::Digest;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use crate::error::{StoreError, at};

const MAGIC: &[u8; 8] = b"TOMBOLO2";
const TRAILER_BYTES: usize = 8 + 32 + 16;
/// Bytes read at once: few pages to touch, which costs more than reading them.
const CHUNK_BYTES: usize = 64 << 10;

/// Artefacts kept; saving one more removes the one written longest ago. A node with as many apps as
/// this has them all at hand; at the usual 800 kB each that is 16 GB of disk.
const FILES_MAX: usize = 20_000;
/// Files are counted once in so many savings: counting reads the whole folder.
const SAVINGS_PER_COUNT: u64 = 64;

/// A folder of precompiled components.
#[derive(Debug)]
pub struct ArtefactCache {
    folder: PathBuf,
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
        Ok(Self { folder: folder.to_owned() })
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
        sound.map(|()| path.clone()).map_err(untrusted)
    }

    /// Saves `artefact` under `key`. Whoever reads meanwhile sees the old file or the new one.
    ///
    /// Nothing is synced: after a power cut the digest tells, and compiling again costs less than
    /// a sync at every deploy.
    ///
    /// # Errors
    ///
    /// If the disk is full or the folder gone; then no file is left behind.
    pub fn save(&self, key: &Digest, artefact: &[u8]) -> Result<(), StoreError> {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
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
        if serial.is_multiple_of(SAVINGS_PER_COUNT) {
            self.prune(FILES_MAX);
        }
        Ok(())
    }

    /// Removes the oldest files beyond so many. What cannot be removed stays.
    fn prune(&self, files_max: usize) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let written = |entry: fs::DirEntry| Some((entry.metadata().ok()?.modified().ok()?, entry.path()));
        let mut files: Vec<_> = entries.flatten().filter_map(written).collect();
        files.sort_unstable();
        for (_, path) in files.iter().take(files.len().saturating_sub(files_max)) {
            let _ = fs::remove_file(path);
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
        let (_folder, cache) = cache();
        for number in 0..13 {
            let key = key(&number.to_string());
            cache.save(&key, b"code").unwrap();
            // Apart in time, which the clock of a file system may not tell.
            let written = std::time::UNIX_EPOCH + std::time::Duration::from_secs(number);
            File::open(cache.path(&key)).unwrap().set_modified(written).unwrap();
        }
        cache.prune(10);
        assert_eq!(fs::read_dir(&cache.folder).unwrap().count(), 10);
        assert!(cache.has(&key("12")) && !cache.has(&key("0")), "the newest stay");
    }
}
