//! The steps by which the store changes a disk.
//!
//! They are few, and each is one call of the system, so that a test can put a disk in its place that fails at any of
//! them, or loses power there.

use std::fmt::Debug;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use redb::{Builder, Database, DatabaseError};
use rustix::fs::{CWD, RenameFlags, renameat_with};

/// A disk. What was written is on it after a power cut once `sync` has returned, and the name of a file or folder
/// once `sync_folder` of the folder above has.
pub(crate) trait Disk: Debug + Send + Sync {
    /// Makes a file for this user alone, where there is none.
    fn create(&self, path: &Path) -> io::Result<File>;
    /// Appends to it.
    fn write(&self, file: &mut File, path: &Path, bytes: &[u8]) -> io::Result<()>;
    fn sync(&self, file: &File, path: &Path) -> io::Result<()>;
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Makes a folder for this user alone, where there is none.
    fn create_folder(&self, folder: &Path) -> io::Result<()>;
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Gives another name, in place of what has it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// The same, where nothing has it.
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, file: &Path) -> io::Result<()>;
    /// Removes a folder with all in it.
    fn remove_folder(&self, folder: &Path) -> io::Result<()>;
    /// Opens a database, made if it is not there.
    fn database(&self, path: &Path, how: &Builder) -> Result<Database, DatabaseError>;
}

/// The disk of the system.
#[derive(Debug)]
pub(crate) struct Os;

impl Disk for Os {
    fn create(&self, path: &Path) -> io::Result<File> {
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
    }

    fn write(&self, file: &mut File, _: &Path, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn sync(&self, file: &File, _: &Path) -> io::Result<()> {
        file.sync_all()
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        fs::DirBuilder::new().mode(0o700).create(folder)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // A file system that cannot tell; a network's.
            Err(rustix::io::Errno::INVAL) => fs::rename(from, to),
            renamed => Ok(renamed?),
        }
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        fs::remove_file(file)
    }

    fn remove_folder(&self, folder: &Path) -> io::Result<()> {
        fs::remove_dir_all(folder)
    }

    fn database(&self, path: &Path, how: &Builder) -> Result<Database, DatabaseError> {
        how.create(path)
    }
}

/// Makes a folder with those above it, as far as they are not there, and has their names on the disk.
pub(crate) fn make_folder(disk: &dyn Disk, folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    make_folder(disk, parent)?;
    match disk.create_folder(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
        made => made?,
    }
    disk.sync_folder(parent)
}
