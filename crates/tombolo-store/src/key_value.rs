//! The embedded key-value store: one file, many namespaces.
//!
//! Reads see a snapshot and wait for nobody. Writes go through one writer, which commits all that
//! came in while it was committing as one transaction ([`crate::writer`]): a write returns once the
//! transaction that holds it is on disk, synced, so what returned survives `kill -9`,
//! and a power cut as far as the disk keeps what it says it has synced.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{ReadableDatabase, TableDefinition, TableError};
use tokio::sync::oneshot;
use tombolo_model::{AppName, Digest};

use crate::database::DatabaseFile;
use crate::disk::{Disk, Os};
use crate::error::{StoreError, at, database};
use crate::writer::{Change, Outcome, Writer};

/// Namespace and key to value.
pub(crate) const TABLE: TableDefinition<'static, (&str, &str), &[u8]> = TableDefinition::new("key_value");

/// Bytes in a key. Spin documents 256; more is taken so that no app that runs there fails here.
pub const KEY_BYTES_MAX: usize = 4096;
/// Bytes in a value.
pub const VALUE_BYTES_MAX: usize = 64 << 20;

/// One store of one app: what keeps apps, and the stores of one app, apart. Another app of the same name, after this one
/// was forgotten, has another one.
#[derive(Clone, Debug)]
pub struct Namespace {
    name: Arc<str>,
    is_forgotten: Arc<AtomicBool>,
}

impl Namespace {
    /// A name of an app has no `/`, so no two share one.
    fn new(app: &AppName, label: &str, is_forgotten: Arc<AtomicBool>) -> Self {
        Self { name: format!("{app}/{label}").into(), is_forgotten }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.name
    }

    /// Whether its app is no more: a request that still runs leaves nothing behind.
    pub(crate) fn is_forgotten(&self) -> bool {
        self.is_forgotten.load(Ordering::Acquire)
    }
}

/// The namespaces of an app: from the first, to what is behind them.
pub(crate) fn of_app(app: &AppName) -> (String, String) {
    // `0` comes behind `/`.
    (format!("{app}/"), format!("{app}0"))
}

/// What became of a compare-and-swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swap {
    /// The value was the expected one and is now the new one.
    Done,
    /// The value was another one and still is.
    Changed,
}

/// An open store. Cheap to clone; the file is closed with the last clone.
#[derive(Clone)]
pub struct KeyValue {
    file: Arc<DatabaseFile>,
    writer: Arc<Writer>,
    bytes_max: Arc<AtomicU64>,
    /// Whether they are forgotten, as their namespaces know it.
    apps: Arc<Mutex<HashMap<AppName, Arc<AtomicBool>>>>,
}

impl KeyValue {
    /// The store in the file `path`, made with its folder if it is not there.
    ///
    /// # Errors
    ///
    /// If another process has it open, or it is no such store, or the disk refuses.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_on(Arc::new(Os), path)
    }

    pub(crate) fn open_on(disk: Arc<dyn Disk>, path: &Path) -> Result<Self, StoreError> {
        // The table is made now, so that a reader never meets a database without it.
        let file = Arc::new(DatabaseFile::open(disk, path, |open| {
            let transaction = open.begin_read().map_err(database("open"))?;
            match transaction.open_table(TABLE) {
                // Nothing is written where nothing has to be: the disk may be full.
                Ok(_) => return Ok(()),
                Err(TableError::TableDoesNotExist(_)) => {}
                Err(error) => return Err(database("open")(error)),
            }
            drop(transaction);
            let transaction = open.begin_write().map_err(database("open"))?;
            transaction.open_table(TABLE).map_err(database("open"))?;
            transaction.commit().map_err(database("open"))
        })?);
        let writer = Arc::new(Writer::start(Arc::clone(&file)));
        Ok(Self { file, writer, bytes_max: Arc::new(AtomicU64::new(u64::MAX)), apps: Arc::default() })
    }

    /// The same, whose file grows to so many bytes at most, and what one change adds. The bound may be set anew at any
    /// time.
    #[must_use]
    pub fn bounded(self, bytes_max: Arc<AtomicU64>) -> Self {
        Self { bytes_max, ..self }
    }

    /// The store that `app` knows as `label`.
    pub fn namespace(&self, app: &AppName, label: &str) -> Namespace {
        let mut apps = self.apps();
        let is_forgotten = Arc::clone(apps.entry(app.clone()).or_default());
        Namespace::new(app, label, is_forgotten)
    }

    fn apps(&self) -> MutexGuard<'_, HashMap<AppName, Arc<AtomicBool>>> {
        self.apps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value of `key`, as of the last commit.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn get(&self, namespace: &Namespace, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(namespace, key, |value| value.to_vec())
    }

    /// Whether `key` has a value.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn exists(&self, namespace: &Namespace, key: &str) -> Result<bool, StoreError> {
        self.read(namespace, key, |_| ()).map(|found| found.is_some())
    }

    fn read<T>(
        &self,
        namespace: &Namespace,
        key: &str,
        take: impl FnOnce(&[u8]) -> T,
    ) -> Result<Option<T>, StoreError> {
        let open = self.file.database()?;
        let transaction = open.begin_read().map_err(database("read"))?;
        let table = transaction.open_table(TABLE).map_err(database("read"))?;
        let value = table.get((namespace.as_str(), key)).map_err(database("read"))?;
        Ok(value.map(|value| take(value.value())))
    }

    /// Up to `count_max` keys in order, from the first one behind `after`.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn keys(
        &self,
        namespace: &Namespace,
        after: Option<&str>,
        count_max: usize,
    ) -> Result<Vec<String>, StoreError> {
        let open = self.file.database()?;
        let transaction = open.begin_read().map_err(database("read"))?;
        let table = transaction.open_table(TABLE).map_err(database("read"))?;
        let from = (namespace.as_str(), after.unwrap_or(""));
        let mut keys = Vec::new();
        for entry in table.range(from..).map_err(database("read"))? {
            let (key, _) = entry.map_err(database("read"))?;
            let (space, key) = key.value();
            if space != namespace.as_str() || keys.len() == count_max {
                break;
            }
            if after != Some(key) {
                keys.push(key.to_owned());
            }
        }
        Ok(keys)
    }

    /// Sets `key`. When this returns, the value is on disk.
    ///
    /// # Errors
    ///
    /// If key or value are too long, the file is as large as it may be, or the disk refuses; then nothing has changed.
    pub async fn set(&self, namespace: &Namespace, key: String, value: Vec<u8>) -> Result<(), StoreError> {
        self.set_many(namespace, vec![(key, value)]).await
    }

    /// Sets all of these keys, or none.
    ///
    /// # Errors
    ///
    /// As [`KeyValue::set`].
    pub async fn set_many(
        &self,
        namespace: &Namespace,
        entries: Vec<(String, Vec<u8>)>,
    ) -> Result<(), StoreError> {
        for (key, value) in &entries {
            check(key, value)?;
        }
        let entries = entries.into_iter().map(|(key, value)| (key, Some(value))).collect();
        self.change(namespace, Change::Put(entries)).await.map(drop)
    }

    /// Removes all of these keys, or none. One that is not there is no error.
    ///
    /// # Errors
    ///
    /// If the disk refuses; then nothing has changed.
    pub async fn delete_many(&self, namespace: &Namespace, keys: Vec<String>) -> Result<(), StoreError> {
        let entries = keys.into_iter().map(|key| (key, None)).collect();
        self.change(namespace, Change::Put(entries)).await.map(drop)
    }

    /// Adds `delta` to the number at `key`, kept as 8 bytes, least significant first, which is what
    /// Spin's embedded store does; a key that is not there counts as 0. Returns the sum.
    ///
    /// # Errors
    ///
    /// If the value is no such number, the sum does not fit, or the disk refuses.
    pub async fn increment(&self, namespace: &Namespace, key: String, delta: i64) -> Result<i64, StoreError> {
        check(&key, &[])?;
        match self.change(namespace, Change::Increment { key, delta }).await? {
            Outcome::Sum(sum) => Ok(sum),
            Outcome::Done | Outcome::Changed => unreachable!("the writer answers an increment with a sum"),
        }
    }

    /// Sets `key` to `value` if its value has the digest `expected`; `None` means that it has none.
    ///
    /// # Errors
    ///
    /// As [`KeyValue::set`].
    pub async fn swap(
        &self,
        namespace: &Namespace,
        key: String,
        expected: Option<Digest>,
        value: Vec<u8>,
    ) -> Result<Swap, StoreError> {
        check(&key, &value)?;
        match self.change(namespace, Change::Swap { key, expected, value }).await? {
            Outcome::Changed => Ok(Swap::Changed),
            Outcome::Done | Outcome::Sum(_) => Ok(Swap::Done),
        }
    }

    /// Whether an app has keys, in whatever store.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn has_keys(&self, app: &AppName) -> Result<bool, StoreError> {
        let open = self.file.database()?;
        let transaction = open.begin_read().map_err(database("read"))?;
        let table = transaction.open_table(TABLE).map_err(database("read"))?;
        let (first, behind) = of_app(app);
        let mut keys = table.range((first.as_str(), "")..(behind.as_str(), "")).map_err(database("read"))?;
        keys.next().transpose().map_err(database("read")).map(|first| first.is_some())
    }

    /// Removes every key of an app, in all of its stores. Who has a namespace of it from before changes nothing there
    /// any more.
    ///
    /// # Errors
    ///
    /// If the disk refuses; then nothing has changed.
    pub async fn forget(&self, app: &AppName) -> Result<(), StoreError> {
        // First, so that what is behind this change in the queue is refused.
        let known = self.apps().remove(app).unwrap_or_default();
        known.store(true, Ordering::Release);
        let forgotten =
            self.change(&Namespace::new(app, "", Arc::default()), Change::Forget(app.clone())).await;
        if forgotten.is_err() {
            known.store(false, Ordering::Release);
            self.apps().insert(app.clone(), known);
        }
        forgotten.map(drop)
    }

    async fn change(&self, namespace: &Namespace, change: Change) -> Result<Outcome, StoreError> {
        let adds = match &change {
            Change::Put(entries) => entries.iter().any(|(_, value)| value.is_some()),
            Change::Increment { .. } | Change::Swap { .. } => true,
            Change::Forget(_) => false,
        };
        let bytes_max = self.bytes_max.load(Ordering::Relaxed);
        if adds && bytes_max != u64::MAX {
            let path = &self.file.path;
            let bytes = fs::metadata(path).map_err(at("look at", path))?.len();
            if bytes >= bytes_max {
                return Err(StoreError::Full);
            }
        }
        let (answer, answered) = oneshot::channel();
        self.writer.send(namespace.clone(), change, answer).await?;
        answered.await.map_err(|_| StoreError::Closed)?
    }
}

fn check(key: &str, value: &[u8]) -> Result<(), StoreError> {
    if key.len() > KEY_BYTES_MAX {
        return Err(StoreError::TooLong { what: "key", bytes: key.len(), bytes_max: KEY_BYTES_MAX });
    }
    if value.len() > VALUE_BYTES_MAX {
        return Err(StoreError::TooLong { what: "value", bytes: value.len(), bytes_max: VALUE_BYTES_MAX });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
