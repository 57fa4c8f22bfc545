//! The connections of one database.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::refusal::Refusal;
use crate::worker::{Open, Worker};

/// Instances that have connections to a database at once; one more waits, within its own time.
const INSTANCES_MAX: usize = 32;
/// Connections of one instance to a database at once. Those behind the first do not wait, for two that had
/// one each and waited for another would wait for each other.
const CONNECTIONS_MAX: usize = 8;
/// Connections that are kept for the next request.
const IDLE_MAX: usize = 8;

/// One database: a file, and the connections to it.
pub(crate) struct Database {
    pub(crate) path: PathBuf,
    /// Bytes in it.
    pub(crate) bytes_max: Arc<AtomicU64>,
    slots: Arc<Semaphore>,
    idle: Mutex<Vec<Worker>>,
}

impl Database {
    /// The database in the file `path`, made with its folder if it is not there. `at_start` is executed in it.
    pub(crate) fn open(
        path: &Path,
        at_start: &[String],
        bytes_max: &Arc<AtomicU64>,
    ) -> Result<Arc<Self>, OpenError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|source| OpenError::Folder { path: folder.to_owned(), source })?;
        }
        let database = Arc::new(Self {
            path: path.to_owned(),
            bytes_max: Arc::clone(bytes_max),
            slots: Arc::new(Semaphore::new(INSTANCES_MAX)),
            idle: Mutex::default(),
        });
        let open = Open::file(path)
            .and_then(|open| {
                // A file that is no database is found out when it is first read.
                open.connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
                Ok(open)
            })
            .map_err(|source| OpenError::Database { path: path.to_owned(), source })?;
        for statements in at_start {
            // On a connection of its own, so that nothing of it is left for the first guest.
            let done = Open::file(path).and_then(|open| open.connection.execute_batch(statements));
            done.map_err(|source| OpenError::AtStart { path: path.to_owned(), source })?;
        }
        let worker = Worker::start(&database, Some(open)).map_err(OpenError::Thread)?;
        database.take_back(worker);
        Ok(database)
    }

    /// A connection that waits for work, or a new one.
    fn worker(self: &Arc<Self>) -> Result<Worker, Refusal> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| Worker::start(self, None), Ok)
            .map_err(|error| Refusal::Io(format!("no thread for a connection: {error}")))
    }

    /// Keeps a connection for the next request, or lets it go.
    pub(crate) fn take_back(&self, worker: Worker) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(worker);
        }
    }
}

/// Why a database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("cannot make the folder `{}`", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("cannot open the database `{}`", path.display())]
    Database { path: PathBuf, source: rusqlite::Error },
    #[error("cannot execute the statements of `--sqlite` in `{}`", path.display())]
    AtStart { path: PathBuf, source: rusqlite::Error },
    #[error("cannot start a thread for the database")]
    Thread(std::io::Error),
}

/// One instance's part of a database.
pub(crate) struct Share {
    database: Arc<Database>,
    /// Its place among the instances, while it has connections.
    slot: tokio::sync::Mutex<Weak<OwnedSemaphorePermit>>,
    connections: AtomicUsize,
}

impl Share {
    pub(crate) fn of(database: Arc<Database>) -> Arc<Self> {
        let slot = tokio::sync::Mutex::new(Weak::new());
        Arc::new(Self { database, slot, connections: AtomicUsize::new(0) })
    }

    /// A connection of the instance's own, until it is dropped.
    pub(crate) async fn connection(self: &Arc<Self>) -> Result<Lease, Refusal> {
        let slot = self.slot().await?;
        if self.connections.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS_MAX {
            self.connections.fetch_sub(1, Ordering::Relaxed);
            return Err(Refusal::Io(format!(
                "an instance may use at most {CONNECTIONS_MAX} connections to a database at once: close one"
            )));
        }
        // From here on counted, also if there is no worker: dropping the lease counts down.
        let mut lease = Lease { held: None, share: Arc::clone(self) };
        lease.held = Some((self.database.worker()?, slot));
        Ok(lease)
    }

    async fn slot(&self) -> Result<Arc<OwnedSemaphorePermit>, Refusal> {
        let mut slot = self.slot.lock().await;
        if let Some(held) = slot.upgrade() {
            return Ok(held);
        }
        let permit = Arc::clone(&self.database.slots).acquire_owned().await;
        let permit = Arc::new(permit.map_err(|_| Refusal::InvalidConnection)?);
        *slot = Arc::downgrade(&permit);
        Ok(permit)
    }
}

/// A connection that one handle of an instance has for itself, with its transaction, its temporary tables and
/// what it last inserted. Dropped, it is rolled back and given to the next.
pub(crate) struct Lease {
    /// Taken when it is given back.
    held: Option<(Worker, Arc<OwnedSemaphorePermit>)>,
    share: Arc<Share>,
}

impl Lease {
    /// A hand on the connection.
    pub(crate) fn worker(&self) -> Result<Worker, Refusal> {
        self.held.as_ref().map(|(worker, _)| worker.again()).ok_or(Refusal::InvalidConnection)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.share.connections.fetch_sub(1, Ordering::Relaxed);
        if let Some((worker, slot)) = self.held.take() {
            worker.give_back(slot);
        }
    }
}
