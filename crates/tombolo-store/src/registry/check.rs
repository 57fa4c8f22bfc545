//! Whether a registry can be opened, without opening it for changes.

use std::path::Path;

use redb::{DatabaseError, ReadOnlyDatabase, ReadableDatabase, TableError};

use super::{Done, FORMAT, META, Registry};
use crate::error::{StoreError, database};

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
    /// Whether [`Registry::open`] would open `path`, as far as that can be told without changing it.
    ///
    /// # Errors
    ///
    /// If it is damaged or of a later version, or the disk refuses.
    pub fn check(path: &Path) -> Done<Found> {
        if !path.try_exists().map_err(crate::error::at("look for", path))? {
            return Ok(Found::Nothing);
        }
        let open = match ReadOnlyDatabase::open(path) {
            Ok(open) => open,
            Err(DatabaseError::DatabaseAlreadyOpen) => return Ok(Found::InUse),
            // A process that had it open was ended. Whoever opens it repairs it.
            Err(DatabaseError::RepairAborted) => return Ok(Found::Cut),
            Err(error) => return Err(database("open")(error)),
        };
        let transaction = open.begin_read().map_err(database("open"))?;
        let meta = match transaction.open_table(META) {
            Ok(meta) => meta,
            // Ended before its first commit.
            Err(TableError::TableDoesNotExist(_)) => return Ok(Found::Nothing),
            Err(error) => return Err(database("open")(error)),
        };
        match meta.get("format").map_err(database("open"))?.map(|format| format.value()) {
            Some(FORMAT) | None => Ok(Found::Registry),
            Some(found) => Err(StoreError::Format { path: path.to_owned(), found, known: FORMAT }),
        }
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
