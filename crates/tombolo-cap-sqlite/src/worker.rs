//! The thread of one connection: all that touches a database file happens on such threads.
//!
//! A worker takes statements from whoever has it. One whose rows are read as a stream goes on between
//! reads; when another statement comes before its end, the rest of its rows is fetched first.

use std::cell::Cell;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use futures::executor::block_on;
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::confine::Marks;
use crate::open::{forget_changes, open};
use crate::pool::Database;
use crate::refusal::Refusal;
use crate::statement::{Next, Statement, execute};
use crate::watch::Watch;

/// Statements of one guest that wait for a connection.
const WAITING_MAX: usize = 64;

/// What a worker is asked to do.
pub(crate) enum Command {
    Execute(Box<Statement>),
    /// Whoever had the worker is done: it makes itself ready for the next.
    Return {
        worker: Worker,
        slot: Arc<OwnedSemaphorePermit>,
    },
}

/// A connection in the hands of its thread. The thread ends, and the connection with it, once nobody can
/// send to it any more.
pub(crate) struct Worker {
    commands: mpsc::Sender<Command>,
}

/// A connection and what its hooks know.
pub(crate) struct Open {
    pub(crate) connection: Connection,
    pub(crate) marks: Arc<Marks>,
    pub(crate) watch: Arc<Watch>,
    /// Whether its log has more bytes than it may.
    is_over: Cell<bool>,
}

impl Open {
    /// Opens the database in the file `path`.
    pub(crate) fn file(path: &Path) -> rusqlite::Result<Self> {
        let (marks, watch) = (Arc::<Marks>::default(), Arc::<Watch>::default());
        let mut connection = open(path, &marks)?;
        watch.attach(&mut connection)?;
        Ok(Self { connection, marks, watch, is_over: Cell::new(false) })
    }

    /// Has the database grow to so many bytes at most, whatever a guest has set, and its log of changes as well: beyond
    /// that nothing is written until readers let the log shrink.
    fn bound(&self, path: &Path, bytes_max: u64) -> rusqlite::Result<()> {
        let connection = &self.connection;
        let log = || {
            let mut name = path.as_os_str().to_owned();
            name.push("-wal");
            std::fs::metadata(name).map_or(0, |log| log.len())
        };
        self.marks.as_own(|| {
            let number = |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, i64>(0));
            let page = u64::try_from(number("PRAGMA page_size")?).unwrap_or(4096).max(512);
            // SQLite's own bound is what it takes larger ones for.
            let pages = i64::try_from((bytes_max / page).clamp(1, 0xffff_fffe)).unwrap_or(i64::MAX);
            if number("PRAGMA max_page_count")? > pages || bytes_max == u64::MAX {
                number(&format!("PRAGMA max_page_count = {pages}"))?;
            }
            if log() > bytes_max {
                // Within a transaction it does nothing, and says so.
                let _ = number("PRAGMA wal_checkpoint(TRUNCATE)");
            }
            let is_over = log() > bytes_max;
            if is_over != self.is_over.replace(is_over) {
                connection.execute_batch(&format!("PRAGMA query_only = {is_over}"))?;
            }
            Ok(())
        })
    }

    /// Whether the connection is as good as a new one now.
    fn clear(&self, changes_before: u64) -> rusqlite::Result<bool> {
        self.watch.clear();
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        if self.marks.is_altered() {
            return Ok(false);
        }
        if self.connection.total_changes() != changes_before {
            forget_changes(&self.connection, &self.marks)?;
        }
        Ok(true)
    }
}

impl Worker {
    /// A worker of `database`, with a connection that is open or one that its thread opens.
    pub(crate) fn start(database: &Arc<Database>, connection: Option<Open>) -> std::io::Result<Self> {
        let (commands, waiting) = mpsc::channel(WAITING_MAX);
        let owner = Arc::downgrade(database);
        let (path, bytes_max) = (database.path.clone(), Arc::clone(&database.bytes_max));
        std::thread::Builder::new().name("sqlite".to_owned()).spawn(move || {
            // A database that computes leaves the cores to whoever answers requests.
            let _ = rustix::process::nice(NICE);
            match connection.map_or_else(|| Open::file(&path), Ok) {
                Ok(connection) => run(&connection, waiting, &owner, (&path, &bytes_max)),
                Err(error) => refuse(waiting, &path, &error),
            }
        })?;
        Ok(Self { commands })
    }

    /// Hands a statement over once there is room.
    pub(crate) async fn execute(&self, statement: Box<Statement>) -> Result<(), Refusal> {
        let sent = self.commands.send(Command::Execute(statement)).await;
        sent.map_err(|_| Refusal::InvalidConnection)
    }

    /// A second hand on the same connection.
    pub(crate) fn again(&self) -> Self {
        Self { commands: self.commands.clone() }
    }

    /// Gives the connection back. Where too much waits to say so, it ends instead.
    pub(crate) fn give_back(self, slot: Arc<OwnedSemaphorePermit>) {
        let commands = self.commands.clone();
        let _ = commands.try_send(Command::Return { worker: self, slot });
    }
}

/// How much less a database's share of the cores is than a request's.
const NICE: i32 = 5;

fn run(
    open: &Open,
    mut waiting: mpsc::Receiver<Command>,
    owner: &Weak<Database>,
    (path, bytes_max): (&Path, &AtomicU64),
) {
    let mut changes = open.connection.total_changes();
    let mut bound = u64::MAX;
    let mut next = None;
    loop {
        let command = match next.take() {
            Some(command) => command,
            None => match block_on(waiting.recv()) {
                Some(command) => command,
                None => return,
            },
        };
        match command {
            Command::Execute(statement) => {
                // Who no longer waits for it gets nothing done.
                if statement.stop.load(Ordering::Relaxed) {
                    continue;
                }
                let wanted = bytes_max.load(Ordering::Relaxed);
                if wanted != u64::MAX || bound != u64::MAX {
                    if let Err(error) = open.bound(path, wanted) {
                        tracing::warn!("the database `{}` cannot be bounded: {error}", path.display());
                        statement.refuse(Refusal::Io("the database cannot be bounded".to_owned()));
                        continue;
                    }
                    bound = wanted;
                }
                match execute(open, *statement, &mut waiting) {
                    Next::Any => {}
                    Next::This(command) => next = Some(command),
                    Next::End => return,
                }
            }
            Command::Return { worker, slot } => {
                match (open.clear(changes), owner.upgrade()) {
                    (Ok(true), Some(database)) => database.take_back(worker),
                    (Err(error), _) => tracing::warn!("a connection to a database is closed: {error}"),
                    _ => {}
                }
                changes = open.connection.total_changes();
                drop(slot);
            }
        }
    }
}

/// Answers whoever asked for a connection that cannot be opened.
fn refuse(mut waiting: mpsc::Receiver<Command>, path: &Path, error: &rusqlite::Error) {
    tracing::error!("cannot open the database `{}`: {error}", path.display());
    if let Some(Command::Execute(statement)) = block_on(waiting.recv()) {
        statement.refuse(Refusal::Io("the database cannot be opened".to_owned()));
    }
}
