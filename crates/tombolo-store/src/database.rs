//! A file with a database in it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use redb::{Builder, Database, DatabaseError, StorageError};

use crate::disk::{Disk, make_folder};
use crate::error::{StoreError, at, database};

/// An open database. After an error of the disk it takes nothing more until it is opened anew, so it is.
pub(crate) struct DatabaseFile {
    disk: Arc<dyn Disk>,
    pub(crate) path: PathBuf,
    /// `None` while it cannot be opened.
    open: RwLock<Option<Arc<Database>>>,
}

impl DatabaseFile {
    /// The database in the file `path`, made with its folder if it is not there, by `first` as well.
    ///
    /// A file that was made half cannot be told from a damaged one, so it is made under another name.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        path: &Path,
        first: impl Fn(&Database) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        let folder = path.parent().unwrap_or(Path::new("."));
        make_folder(&*disk, folder).map_err(at("make the folder", folder))?;
        if !path.try_exists().map_err(at("look for", path))? {
            make(&*disk, path, folder, &first)?;
        }
        let open = opened(&*disk, path)?;
        first(&open)?;
        Ok(Self { disk, path: path.to_owned(), open: RwLock::new(Some(Arc::new(open))) })
    }

    /// The database, opened again if it could not be when it was last tried.
    pub(crate) fn database(&self) -> Result<Arc<Database>, StoreError> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner).clone();
        match open {
            Some(database) => Ok(database),
            None => self.reopen(),
        }
    }

    /// Closes the database and opens it anew; what was committed is there.
    pub(crate) fn reopen(&self) -> Result<Arc<Database>, StoreError> {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut old) = open.take() {
            // Readers hold it for the time of one read, and no new one gets it.
            while let Err(shared) = Arc::try_unwrap(old) {
                old = shared;
                std::thread::yield_now();
            }
        }
        let database = Arc::new(opened(&*self.disk, &self.path)?);
        *open = Some(Arc::clone(&database));
        Ok(database)
    }
}

/// Makes a database with what `first` puts there, whole or not at all. Of two processes that do, one has made it.
fn make(
    disk: &dyn Disk,
    path: &Path,
    folder: &Path,
    first: &dyn Fn(&Database) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let new = path.with_extension(format!("{}.new", std::process::id()));
    if new.try_exists().map_err(at("look for", &new))? {
        // Of a process that had this number and was ended.
        disk.remove(&new).map_err(at("remove", &new))?;
    }
    let made = opened(disk, &new).and_then(|empty| {
        first(&empty)?;
        drop(empty);
        match disk.rename_new(&new, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => disk.remove(&new),
            renamed => renamed,
        }
        .map_err(at("make", path))
    });
    if made.is_err() {
        // The first error is the one to report; a leftover would only take space.
        let _ = disk.remove(&new);
    }
    made?;
    disk.sync_folder(folder).map_err(at("sync", folder))
}

/// Opens a database. One that was damaged is found out where it shows: who must know reads all of it first.
fn opened(disk: &dyn Disk, path: &Path) -> Result<Database, StoreError> {
    let failed = |error| match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::InUse { path: path.to_owned() },
        DatabaseError::Storage(StorageError::Io(source)) => at("open", path)(source),
        error => database("open")(error),
    };
    unhurt(path, || disk.database(path, &Builder::new()))?.map_err(failed)
}

/// What `work` makes of a database that may be damaged: what redb once wrote it trusts, and panics if it is not so.
pub(crate) fn unhurt<T>(path: &Path, work: impl FnOnce() -> T) -> Result<T, StoreError> {
    let reason = || "it is not as it was written".to_owned();
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|_| StoreError::Damaged { path: path.to_owned(), reason: reason() })
}
