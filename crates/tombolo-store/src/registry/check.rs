//! Whether a registry can be opened, without opening it for changes.

use std::fs;
use std::path::Path;

use redb::backends::InMemoryBackend;
use redb::{Builder, DatabaseError, ReadOnlyDatabase, ReadableDatabase, StorageBackend, TableError};

use super::{Done, FORMAT, META, Registry};
use crate::database::unhurt;
use crate::error::{StoreError, at};

/// What [`Registry::check`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing: it would be made.
    Nothing,
    /// A registry that can be opened.
    Registry,
    /// One whose process was ended. It can be opened.
    Cut,
    /// One that a process has open.
    InUse,
}

impl Registry {
    /// Whether [`Registry::open`] would open `path`, as far as that can be told without changing it: all of it is
    /// read, and opened in memory.
    ///
    /// # Errors
    ///
    /// If it is damaged or of a later version, or the disk refuses.
    pub fn check(path: &Path) -> Done<Found> {
        if !path.try_exists().map_err(at("look for", path))? {
            return Ok(Found::Nothing);
        }
        let found = match unhurt(path, || ReadOnlyDatabase::open(path))? {
            Err(DatabaseError::DatabaseAlreadyOpen) => return Ok(Found::InUse),
            // A process that had it open was ended. Whoever opens it repairs it.
            Err(DatabaseError::RepairAborted) => Found::Cut,
            // What is wrong shows below.
            _ => Found::Registry,
        };
        let bytes = fs::read(path).map_err(at("read", path))?;
        let damaged = |reason: String| StoreError::Damaged { path: path.to_owned(), reason };
        if bytes.is_empty() {
            return Err(damaged("it is empty".to_owned()));
        }
        let format = unhurt(path, || format_of(&bytes))?.map_err(|error| damaged(error.to_string()))?;
        match format {
            // Ended before its first commit.
            None => Ok(Found::Nothing),
            Some(FORMAT) => Ok(found),
            Some(found) => Err(StoreError::Format { path: path.to_owned(), found, known: FORMAT }),
        }
    }
}

/// The format of a registry of these bytes, every page of which is as it was written; `None` if it says none.
fn format_of(bytes: &[u8]) -> Result<Option<u64>, redb::Error> {
    let memory = InMemoryBackend::new();
    memory.set_len(bytes.len() as u64)?;
    memory.write(0, bytes)?;
    let open = Builder::new().set_check_integrity_on_open(true).create_with_backend(memory)?;
    let transaction = open.begin_read()?;
    match transaction.open_table(META) {
        Ok(meta) => Ok(meta.get("format")?.map(|format| format.value())),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use redb::Database;

    #[test]
    fn a_registry_is_looked_at_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("registry.redb");
        let check = || Registry::check(&path);
        assert_eq!(check().unwrap(), Found::Nothing);
        assert!(!path.exists());
        let registry = Registry::open(&path).unwrap();
        assert_eq!(check().unwrap(), Found::InUse);
        drop(registry);
        let before = std::fs::read(&path).unwrap();
        assert_eq!(check().unwrap(), Found::Registry);
        assert_eq!(std::fs::read(&path).unwrap(), before);

        let later = Database::open(&path).unwrap();
        let transaction = later.begin_write().unwrap();
        transaction.open_table(META).unwrap().insert("format", FORMAT + 1).unwrap();
        transaction.commit().unwrap();
        drop(later);
        assert!(matches!(check(), Err(StoreError::Format { .. })));
        std::fs::write(&path, "no registry").unwrap();
        assert!(check().is_err());
    }
}
