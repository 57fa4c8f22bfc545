//! The one writer of a key-value store, with group commit.
//!
//! A commit costs a sync of the disk, whatever it holds. So the writer takes one change, then all
//! that are waiting, applies them in order in one transaction, commits, and answers them all: under
//! load the cost of a sync is shared, and a lone writer waits for nobody.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use redb::{Database, ReadableTable, Table};
use tokio::sync::{mpsc, oneshot};
use tombolo_model::{AppName, Digest};

use crate::database::DatabaseFile;
use crate::error::{StoreError, chain};
use crate::key_value::{Namespace, TABLE, of_app};

/// How long a commit waits for those that the last one answered, who are likely to have changed something else already.
/// A commit takes several times as long, and a lone writer waits for nobody.
const GATHERED_FOR: Duration = Duration::from_micros(200);
/// Changes waiting for the writer; one more waits for room.
const QUEUE_MAX: usize = 1024;

/// One change, applied whole or not at all.
pub(crate) enum Change {
    /// Sets the keys with a value and removes those without.
    Put(Vec<(String, Option<Vec<u8>>)>),
    /// See [`crate::KeyValue::increment`].
    Increment { key: String, delta: i64 },
    /// See [`crate::KeyValue::swap`].
    Swap { key: String, expected: Option<Digest>, value: Vec<u8> },
    /// Removes every key of an app, in whatever store of it; the namespace counts for nothing.
    Forget(AppName),
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Sum(i64),
    /// A swap found another value than it expected.
    Changed,
}

type Answer = oneshot::Sender<Result<Outcome, StoreError>>;

struct Request {
    namespace: Namespace,
    change: Change,
    answer: Answer,
}

/// The thread that writes. It ends when this is dropped, after all that was sent is answered.
pub(crate) struct Writer {
    requests: Option<mpsc::Sender<Request>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Writer {
    pub(crate) fn start(file: Arc<DatabaseFile>) -> Self {
        let (requests, waiting) = mpsc::channel(QUEUE_MAX);
        let run = move || run(&file, waiting);
        let thread = thread::Builder::new().name("key-value-writer".into()).spawn(run);
        let thread = thread.expect("a thread can be started while the program starts");
        Self { requests: Some(requests), thread: Some(thread) }
    }

    pub(crate) async fn send(
        &self,
        namespace: Namespace,
        change: Change,
        answer: Answer,
    ) -> Result<(), StoreError> {
        let requests = self.requests.as_ref().ok_or(StoreError::Closed)?;
        requests.send(Request { namespace, change, answer }).await.map_err(|_| StoreError::Closed)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Closing the queue ends the thread; joining it closes the file before we return.
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(file: &DatabaseFile, mut waiting: mpsc::Receiver<Request>) {
    // How many the last commit answered.
    let mut last = 0;
    while let Some(first) = waiting.blocking_recv() {
        let mut batch = vec![first];
        let since = Instant::now();
        while batch.len() < QUEUE_MAX {
            match waiting.try_recv() {
                Ok(next) => batch.push(next),
                Err(_) if batch.len() < last && since.elapsed() < GATHERED_FOR => thread::yield_now(),
                Err(_) => break,
            }
        }
        last = batch.len();
        commit(file, batch);
    }
}

/// Applies a batch in one transaction and answers each of its requests.
fn commit(file: &DatabaseFile, batch: Vec<Request>) {
    let changes: Vec<_> = batch.iter().map(|request| (&request.namespace, &request.change)).collect();
    let error = match file.database().and_then(|database| {
        apply_all(&database, &changes)
            .map_err(|error| StoreError::Database { step: "write", source: Box::new(error) })
    }) {
        Ok(outcomes) => {
            for (request, outcome) in batch.into_iter().zip(outcomes) {
                // Who no longer waits has no use for the answer; the change stands all the same.
                let _ = request.answer.send(outcome.map_err(StoreError::Value));
            }
            return;
        }
        Err(error) => error,
    };
    // The transaction is lost, and with it every change in it: each is told so, none has happened.
    tracing::error!("the key-value store could not write {} changes: {}", batch.len(), chain(&error));
    let reason = chain(&error);
    for request in batch {
        let _ = request.answer.send(Err(StoreError::Lost { reason: reason.clone() }));
    }
    if let Err(error) = file.reopen() {
        tracing::error!("the key-value store is closed until it can be opened: {}", chain(&error));
    }
}

type Refusal = &'static str;

fn apply_all(
    database: &Database,
    changes: &[(&Namespace, &Change)],
) -> Result<Vec<Result<Outcome, Refusal>>, redb::Error> {
    let transaction = database.begin_write()?;
    let mut outcomes = Vec::with_capacity(changes.len());
    {
        let mut table = transaction.open_table(TABLE)?;
        for (namespace, change) in changes {
            outcomes.push(match namespace.is_forgotten() {
                true => Err("its app was removed"),
                false => apply(&mut table, namespace.as_str(), change)?,
            });
        }
    }
    transaction.commit()?;
    Ok(outcomes)
}

fn apply(
    table: &mut Table<'_, (&str, &str), &[u8]>,
    namespace: &str,
    change: &Change,
) -> Result<Result<Outcome, Refusal>, redb::Error> {
    match change {
        Change::Put(entries) => {
            for (key, value) in entries {
                match value {
                    Some(value) => drop(table.insert((namespace, key.as_str()), value.as_slice())?),
                    None => drop(table.remove((namespace, key.as_str()))?),
                }
            }
            Ok(Ok(Outcome::Done))
        }
        Change::Increment { key, delta } => {
            let at = (namespace, key.as_str());
            let before = match table.get(at)? {
                None => 0,
                Some(value) => match value.value().try_into() {
                    Ok(bytes) => i64::from_le_bytes(bytes),
                    Err(_) => {
                        return Ok(Err("the value is not a number of 8 bytes, so it cannot be incremented"));
                    }
                },
            };
            let Some(sum) = before.checked_add(*delta) else {
                return Ok(Err("the sum does not fit in 64 bits"));
            };
            table.insert(at, sum.to_le_bytes().as_slice())?;
            Ok(Ok(Outcome::Sum(sum)))
        }
        Change::Forget(app) => {
            let (first, behind) = of_app(app);
            table.retain_in((first.as_str(), "")..(behind.as_str(), ""), |_, _| false)?;
            Ok(Ok(Outcome::Done))
        }
        Change::Swap { key, expected, value } => {
            let at = (namespace, key.as_str());
            let same = table.get(at)?.map(|value| Digest::of(value.value())) == *expected;
            if !same {
                return Ok(Ok(Outcome::Changed));
            }
            table.insert(at, value.as_slice())?;
            Ok(Ok(Outcome::Done))
        }
    }
}
