//! One statement: what it is given, and its rows on their way to the guest.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use futures::executor::block_on;
use rusqlite::{CachedStatement, Connection, Rows, params_from_iter};
use tokio::sync::{mpsc, oneshot};
use tombolo_capability::{HeldMemory, HostMemory, Meter};

use crate::refusal::Refusal;
use crate::value::{Row, Value, row_bytes};
use crate::worker::{Command, Open};

/// Rows that go to a guest at once, when it reads them as a stream.
const PART_ROWS: usize = 256;
/// Bytes of such rows, unless a single one has more.
const PART_BYTES: u64 = 64 << 10;

/// A statement on its way to a connection.
pub(crate) struct Statement {
    pub(crate) sql: String,
    pub(crate) parameters: Vec<Value>,
    pub(crate) delivery: Delivery,
    /// Whom its time is charged to.
    pub(crate) meter: Arc<Meter>,
    /// What its rows are taken from.
    pub(crate) memory: HostMemory,
    /// What text and parameters take.
    pub(crate) held: HeldMemory,
    /// Set once nobody waits for it.
    pub(crate) stop: Arc<AtomicBool>,
    /// What its connection says of changes, for whoever has it.
    pub(crate) changes: Arc<Changes>,
    pub(crate) answer: oneshot::Sender<Result<Answer, Refusal>>,
}

/// How rows are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// All at once.
    Whole,
    /// As the guest reads them.
    Streamed,
}

/// What the last changing statement of a connection did.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    last_insert_rowid: AtomicI64,
    rows: AtomicU64,
}

impl Changes {
    /// The row that was inserted last, 0 if none was.
    pub(crate) fn last_insert_rowid(&self) -> i64 {
        self.last_insert_rowid.load(Ordering::Relaxed)
    }

    /// How many rows the last change changed.
    pub(crate) fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    fn note(&self, connection: &Connection) {
        self.last_insert_rowid.store(connection.last_insert_rowid(), Ordering::Relaxed);
        self.rows.store(connection.changes(), Ordering::Relaxed);
    }
}

/// What a statement gives: its columns, rows, and where more rows come from.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) columns: Vec<String>,
    pub(crate) first: Part,
    /// `None` if the first part was all.
    pub(crate) rest: Option<mpsc::Receiver<Part>>,
}

/// Some rows, and what they take.
pub(crate) type Part = tombolo_capability::Part<Row, Refusal>;

/// What a worker does after a statement.
pub(crate) enum Next {
    /// Whatever comes.
    Any,
    /// This, which came meanwhile.
    This(Command),
    /// Nothing: nobody has it any more.
    End,
}

impl Statement {
    pub(crate) fn refuse(self, refusal: Refusal) {
        let _ = self.answer.send(Err(refusal));
    }
}

/// Executes a statement and answers it. Returns when all its rows are sent or nobody wants more.
pub(crate) fn execute(open: &Open, statement: Statement, waiting: &mut mpsc::Receiver<Command>) -> Next {
    open.watch.begin(&statement.stop, &statement.meter);
    let next = run(open, statement, waiting);
    open.watch.clear();
    next
}

fn run(open: &Open, statement: Statement, waiting: &mut mpsc::Receiver<Command>) -> Next {
    let Statement { sql, parameters, delivery, memory, held, changes, answer, .. } = statement;
    let refuse = |answer: oneshot::Sender<_>, refusal| {
        let _ = answer.send(Err(refusal));
        Next::Any
    };
    let mut prepared = match open.connection.prepare_cached(&sql) {
        Ok(prepared) => prepared,
        Err(error) => return refuse(answer, error.into()),
    };
    let columns = columns(&prepared);
    let mut cursor = match prepared.query(params_from_iter(parameters)) {
        Ok(rows) => Cursor { rows, columns: columns.len(), memory },
        Err(error) => return refuse(answer, error.into()),
    };
    // SQLite has them now.
    drop((sql, held));
    let first = match delivery {
        Delivery::Whole => cursor.rest(),
        Delivery::Streamed => cursor.part(),
    };
    changes.note(&open.connection);
    open.watch.settle();
    if let Some(Err(refusal)) = &first.end {
        let refusal = refusal.clone();
        // Before the guest goes on, so that what it held is not held against it.
        drop(first);
        return refuse(answer, refusal);
    }
    let (parts, rest) = mpsc::channel(2);
    let more = first.end.is_none();
    let sent = answer.send(Ok(Answer { columns, first, rest: more.then_some(rest) }));
    if !more || sent.is_err() {
        return Next::Any;
    }
    let next = stream(&mut cursor, parts, waiting, open);
    changes.note(&open.connection);
    next
}

fn columns(prepared: &CachedStatement<'_>) -> Vec<String> {
    prepared.column_names().map(ToOwned::to_owned).collect()
}

/// What a worker with an unread stream is told.
enum Told {
    /// There is room for another part.
    Room,
    /// Nobody reads any more.
    Unread,
    /// Another statement came, or nobody has the connection any more.
    Other(Option<Command>),
}

/// Sends part by part as they are taken. Of the two places in the channel one is kept for the last part, so
/// that the rest can be sent at once, without waiting, when the connection is wanted for something else.
fn stream(
    cursor: &mut Cursor<'_>,
    parts: mpsc::Sender<Part>,
    waiting: &mut mpsc::Receiver<Command>,
    open: &Open,
) -> Next {
    let Ok(last) = parts.clone().try_reserve_owned() else { return Next::Any };
    loop {
        let told = block_on(async {
            tokio::select! {
                biased;
                room = parts.reserve() => match room {
                    Ok(room) => { drop(room); Told::Room }
                    Err(_) => Told::Unread,
                },
                command = waiting.recv() => Told::Other(command),
            }
        });
        match told {
            Told::Unread => return Next::Any,
            Told::Other(None) => return Next::End,
            Told::Other(Some(command)) => {
                last.send(cursor.rest());
                return Next::This(command);
            }
            Told::Room => {
                let part = cursor.part();
                open.watch.settle();
                if part.end.is_some() {
                    last.send(part);
                    return Next::Any;
                }
                // There is room: nobody else sends.
                let _ = parts.try_send(part);
            }
        }
    }
}

/// The rows of a statement that are still to come.
struct Cursor<'statement> {
    rows: Rows<'statement>,
    columns: usize,
    memory: HostMemory,
}

impl Cursor<'_> {
    /// So many rows as go at once.
    fn part(&mut self) -> Part {
        self.take(|rows, bytes| rows >= PART_ROWS || bytes >= PART_BYTES)
    }

    /// All rows.
    fn rest(&mut self) -> Part {
        self.take(|_, _| false)
    }

    fn take(&mut self, mut enough: impl FnMut(usize, u64) -> bool) -> Part {
        let mut held = match self.memory.take(0) {
            Ok(held) => held,
            Err(_) => unreachable!("nothing is always left"),
        };
        let (mut rows, mut bytes) = (Vec::new(), 0);
        let end = loop {
            if enough(rows.len(), bytes) {
                break None;
            }
            match self.next(&mut held) {
                Ok(Some((row, size))) => {
                    rows.push(row);
                    bytes += size;
                }
                Ok(None) => break Some(Ok(())),
                Err(refusal) => break Some(Err(refusal)),
            }
        };
        Part { items: rows, end, held: vec![held] }
    }

    /// The next row. It is charged twice, for what comes next is its copy in the memory of the guest.
    fn next(&mut self, held: &mut HeldMemory) -> Result<Option<(Row, u64)>, Refusal> {
        let Some(found) = self.rows.next()? else { return Ok(None) };
        let mut row = Row::with_capacity(self.columns);
        for column in 0..self.columns {
            let value = Value::read(column, found.get_ref(column)?)?;
            held.grow(2 * value.bytes()).map_err(|error| Refusal::too_large(&error))?;
            row.push(value);
        }
        let bytes = row_bytes(&row);
        Ok(Some((row, bytes)))
    }
}
