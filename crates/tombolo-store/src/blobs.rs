//! Files by what they hold.
//!
//! A blob's name is its digest, so it is there whole or not at all, and two that hold the same are one. Beside the
//! blobs are trees: for each release its files under their names, which are links to the blobs and take no space.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};
use tombolo_model::release::ReleasePath;
use tombolo_model::{Digest, Release};

use crate::disk::{Disk, Os, make_folder};
use crate::error::{StoreError, at};

/// A folder of blobs and trees.
#[derive(Debug)]
pub struct Blobs {
    disk: Arc<dyn Disk>,
    blobs: PathBuf,
    trees: PathBuf,
    temporary: PathBuf,
}

impl Blobs {
    /// The blobs in `folder`, made if it is not there, for this user alone. What was half-written when the
    /// last process ended is removed.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::open_on(Arc::new(Os), folder)
    }

    pub(crate) fn open_on(disk: Arc<dyn Disk>, folder: &Path) -> Result<Self, StoreError> {
        let own = Self {
            disk,
            blobs: folder.join("blobs"),
            trees: folder.join("trees"),
            temporary: folder.join("incoming"),
        };
        if own.temporary.exists() {
            own.disk.remove_folder(&own.temporary).map_err(at("clear", &own.temporary))?;
        }
        for folder in [&own.blobs, &own.trees, &own.temporary] {
            make_folder(&*own.disk, folder).map_err(at("make the folder", folder))?;
        }
        Ok(own)
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.blobs.join(digest.hex())
    }

    /// Whether the blob is there.
    pub fn has(&self, digest: &Digest) -> bool {
        self.path(digest).exists()
    }

    /// How many bytes the blob has; `None` if it is not there.
    pub fn bytes(&self, digest: &Digest) -> Option<u64> {
        fs::metadata(self.path(digest)).ok().map(|metadata| metadata.len())
    }

    /// What the blob holds; `None` if it is not there.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is not what its name says.
    pub fn read(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path(digest);
        match fs::read(&path) {
            Ok(bytes) if Digest::of(&bytes) != *digest => {
                let reason = format!("its bytes have the digest {}", Digest::of(&bytes));
                Err(StoreError::Damaged { path, reason })
            }
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(at("read", &path)(error)),
        }
    }

    /// Whether the blob is what its name says, without keeping it in memory.
    ///
    /// # Errors
    ///
    /// If it is not, or cannot be read.
    pub fn verify(&self, digest: &Digest) -> Result<(), StoreError> {
        let path = self.path(digest);
        let mut hash = Sha256::new();
        let read = File::open(&path).and_then(|mut file| io::copy(&mut file, &mut hash));
        read.map_err(at("read", &path))?;
        let found = Digest::from_bytes(hash.finalize().into());
        match found == *digest {
            true => Ok(()),
            false => Err(StoreError::Damaged { path, reason: format!("its bytes have the digest {found}") }),
        }
    }

    /// A blob to be written, a part at a time.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn incoming(&self) -> Result<Incoming<'_>, StoreError> {
        let path = self.temporary_path();
        let file = self.disk.create(&path).map_err(at("write", &path))?;
        Ok(Incoming { blobs: self, file, hash: Sha256::new(), bytes: 0, guard: self.unwanted(path) })
    }

    /// Writes a blob that is at hand, also in place of one that was damaged.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        if self.verify(&digest).is_err() {
            let mut incoming = self.incoming()?;
            incoming.write(bytes)?;
            incoming.keep(&digest)?;
        }
        Ok(digest)
    }

    /// The folder that holds the files of a release. Made now if it is not there, in one step; its blobs must be.
    ///
    /// # Errors
    ///
    /// If a blob is missing or the disk refuses; then nothing is left behind.
    pub fn tree(&self, release: &Release) -> Result<PathBuf, StoreError> {
        let tree = self.trees.join(release.digest().hex());
        if tree.exists() {
            return Ok(tree);
        }
        let new = self.unwanted(self.temporary_path());
        // Those above come before those below.
        let mut folders = BTreeSet::from([new.path.clone()]);
        for path in release.files.keys().map(ReleasePath::as_str) {
            folders.extend(path.match_indices('/').map(|(end, _)| new.path.join(&path[..end])));
        }
        for folder in &folders {
            self.disk.create_folder(folder).map_err(at("make the folder", folder))?;
        }
        for (path, file) in &release.files {
            let link = new.path.join(path.as_str());
            self.disk.link(&self.path(&file.digest), &link).map_err(at("link", &link))?;
        }
        // A tree that is there is whole: so its files are on the disk before it has its name.
        for folder in folders.iter().rev() {
            self.disk.sync_folder(folder).map_err(at("sync", folder))?;
        }
        match self.disk.rename_new(&new.path, &tree) {
            Ok(()) => {}
            // Somebody else made the same meanwhile.
            Err(_) if tree.exists() => return Ok(tree),
            Err(error) => return Err(at("make the folder", &tree)(error)),
        }
        self.disk.sync_folder(&self.trees).map_err(at("sync", &self.trees))?;
        Ok(tree)
    }

    /// Removes the tree of a release. Who has files of it open keeps them.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn remove_tree(&self, release: &Digest) -> Result<(), StoreError> {
        let (tree, gone) = (self.trees.join(release.hex()), self.unwanted(self.temporary_path()));
        // In one step: a tree is whole or not there. And for good, before any blob of it goes.
        match self.disk.rename(&tree, &gone.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            renamed => renamed.and_then(|()| self.disk.sync_folder(&self.trees)).map_err(at("remove", &tree)),
        }
    }

    /// Removes every blob and every tree that is not to be kept; how many blobs went, and their bytes. Nobody may
    /// add any meanwhile.
    ///
    /// # Errors
    ///
    /// If the disk refuses; what was removed until then stays removed.
    pub fn sweep(
        &self,
        is_kept: impl Fn(&Digest) -> bool,
        is_kept_tree: impl Fn(&Digest) -> bool,
    ) -> Result<(u64, u64), StoreError> {
        for tree in named(&self.trees)?.into_iter().filter(|tree| !is_kept_tree(tree)) {
            self.remove_tree(&tree)?;
        }
        let mut gone = (0, 0);
        for blob in named(&self.blobs)?.into_iter().filter(|blob| !is_kept(blob)) {
            let path = self.path(&blob);
            let bytes = fs::metadata(&path).map_err(at("read", &path))?.len();
            self.disk.remove(&path).map_err(at("remove", &path))?;
            gone = (gone.0 + 1, gone.1 + bytes);
        }
        Ok(gone)
    }

    fn temporary_path(&self) -> PathBuf {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        self.temporary.join(SERIAL.fetch_add(1, Ordering::Relaxed).to_string())
    }

    fn unwanted(&self, path: PathBuf) -> Unwanted {
        Unwanted { disk: Arc::clone(&self.disk), path }
    }
}

/// What of a folder is named by a digest.
fn named(folder: &Path) -> Result<Vec<Digest>, StoreError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(at("read the folder", folder))? {
        let name = entry.map_err(at("read the folder", folder))?.file_name();
        let digest = name.to_str().and_then(|name| format!("sha256:{name}").parse::<Digest>().ok());
        found.extend(digest);
    }
    Ok(found)
}

/// A blob on its way. Dropped before it is kept, nothing of it is left.
pub struct Incoming<'a> {
    blobs: &'a Blobs,
    file: File,
    hash: Sha256,
    bytes: u64,
    guard: Unwanted,
}

impl Incoming<'_> {
    /// Appends a part.
    ///
    /// # Errors
    ///
    /// If the disk refuses, as when it is full.
    pub fn write(&mut self, part: &[u8]) -> Result<(), StoreError> {
        self.hash.update(part);
        self.bytes += part.len() as u64;
        let path = &self.guard.path;
        self.blobs.disk.write(&mut self.file, path, part).map_err(at("write", path))
    }

    /// How many bytes came so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Makes it the blob that was `expected`: when this returns it is on disk.
    ///
    /// # Errors
    ///
    /// If it is another one or the disk refuses; then nothing is left behind.
    pub fn keep(self, expected: &Digest) -> Result<(), StoreError> {
        let Self { blobs, file, hash, guard, .. } = self;
        let found = Digest::from_bytes(hash.finalize().into());
        if found != *expected {
            return Err(StoreError::Digest { expected: *expected, found });
        }
        blobs.disk.sync(&file, &guard.path).map_err(at("sync", &guard.path))?;
        let path = blobs.path(expected);
        blobs.disk.rename(&guard.path, &path).map_err(at("write", &path))?;
        blobs.disk.sync_folder(&blobs.blobs).map_err(at("sync", &blobs.blobs))
    }
}

/// A file or folder that is removed when this is dropped, if it is still there.
#[derive(Debug)]
struct Unwanted {
    disk: Arc<dyn Disk>,
    path: PathBuf,
}

impl Drop for Unwanted {
    fn drop(&mut self) {
        // What is left is removed when the folder is opened the next time.
        let _ = match fs::symlink_metadata(&self.path) {
            Ok(metadata) if metadata.is_dir() => self.disk.remove_folder(&self.path),
            Ok(_) => self.disk.remove(&self.path),
            Err(_) => return,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tombolo_model::release::ReleaseFile;

    fn open() -> (tempfile::TempDir, Blobs) {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path()).unwrap();
        (folder, blobs)
    }

    fn files_below(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    fn release(files: &[(&str, &[u8])]) -> Release {
        let file = |bytes: &[u8]| ReleaseFile { digest: Digest::of(bytes), bytes: bytes.len() as u64 };
        let files = files.iter().map(|(path, bytes)| (path.parse().unwrap(), file(bytes))).collect();
        Release { manifest: String::new(), profile: None, files }
    }

    #[test]
    fn a_blob_is_what_its_name_says_or_not_there() {
        let (folder, blobs) = open();
        let digest = Digest::of(b"one two");
        let mut incoming = blobs.incoming().unwrap();
        incoming.write(b"one ").unwrap();
        incoming.write(b"two").unwrap();
        assert!(!blobs.has(&digest));
        incoming.keep(&digest).unwrap();
        assert_eq!(blobs.read(&digest).unwrap().unwrap(), b"one two");
        assert_eq!(blobs.bytes(&digest), Some(7));
        blobs.verify(&digest).unwrap();
        fs::write(folder.path().join("blobs").join(digest.hex()), b"one twp").unwrap();
        assert!(blobs.verify(&digest).is_err());
        let reason = blobs.read(&digest).unwrap_err().to_string();
        assert!(
            reason.contains("is damaged") && reason.contains(&Digest::of(b"one twp").to_string()),
            "{reason}"
        );

        let mut wrong = blobs.incoming().unwrap();
        wrong.write(b"another").unwrap();
        let reason = wrong.keep(&Digest::of(b"else")).unwrap_err().to_string();
        assert!(reason.contains(&Digest::of(b"another").to_string()), "{reason}");
        drop(blobs.incoming().unwrap());
        assert_eq!(files_below(&folder.path().join("incoming")), 0, "nothing is left of what was not kept");
        assert_eq!(files_below(&folder.path().join("blobs")), 1);
    }

    #[test]
    fn a_tree_has_the_files_of_its_release_and_takes_no_space() {
        use std::os::unix::fs::MetadataExt;
        let (_folder, blobs) = open();
        blobs.put(b"code").unwrap();
        blobs.put(b"style").unwrap();
        let release = release(&[("web.wasm", b"code"), ("assets/a.css", b"style"), ("b.css", b"style")]);
        let tree = blobs.tree(&release).unwrap();
        assert_eq!(fs::read(tree.join("assets/a.css")).unwrap(), b"style");
        assert_eq!(fs::metadata(tree.join("b.css")).unwrap().nlink(), 3, "links to one file");
        assert_eq!(blobs.tree(&release).unwrap(), tree);
    }

    #[test]
    fn a_tree_that_lacks_a_blob_is_not_there_at_all() {
        let (folder, blobs) = open();
        blobs.put(b"code").unwrap();
        assert!(blobs.tree(&release(&[("a", b"code"), ("b", b"missing")])).is_err());
        assert_eq!(files_below(&folder.path().join("trees")), 0);
        assert_eq!(files_below(&folder.path().join("incoming")), 0);
    }

    #[test]
    fn what_no_release_needs_is_swept() {
        let (folder, blobs) = open();
        let (kept, gone) = (blobs.put(b"kept").unwrap(), blobs.put(b"gone").unwrap());
        let (new, old) = (release(&[("a", b"kept")]), release(&[("a", b"gone")]));
        let (new_tree, old_tree) = (blobs.tree(&new).unwrap(), blobs.tree(&old).unwrap());
        let swept = blobs.sweep(|blob| *blob == kept, |tree| *tree == new.digest()).unwrap();
        assert_eq!(swept, (1, 4));
        assert!(blobs.has(&kept) && !blobs.has(&gone));
        assert!(new_tree.join("a").exists() && !old_tree.exists());
        assert_eq!(files_below(&folder.path().join("incoming")), 0);
    }

    #[test]
    fn what_was_half_written_is_gone_with_the_next_start() {
        let (folder, blobs) = open();
        std::mem::forget(blobs.incoming().unwrap());
        assert_eq!(files_below(&folder.path().join("incoming")), 1);
        Blobs::open(folder.path()).unwrap();
        assert_eq!(files_below(&folder.path().join("incoming")), 0);
    }
}
