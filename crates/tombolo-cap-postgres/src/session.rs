//! A connection as its guest knows it: statements, one after the other.
//!
//! Whoever executes something has the connection locked. A call that is dropped in the middle, for its guest has
//! gone or had all its time, leaves a half-read answer: then the connection is closed and its statement cancelled.

use std::sync::Arc;

use futures::TryStreamExt;
use tokio::sync::{OwnedMutexGuard, watch};
use tokio_postgres::{Client, RowStream, Statement};
use tombolo_capability::{HeldMemory, HostMemory};
use tombolo_egress::{Slot, idle};

use crate::decode;
use crate::encode::{Encoded, encode};
use crate::link::{Link, said};
use crate::refusal::Refusal;
use crate::rows::{self, Rows};
use crate::tap::Stopped;
use crate::value::{Column, Kind, Row, Value, row_bytes};

/// A connection that a guest has. Given back when it is dropped.
pub(crate) struct Session {
    place: Arc<tokio::sync::Mutex<Place>>,
    /// How many wait for the connection; whoever has it for a stream reads on then, instead of waiting for its
    /// reader. Closed when the guest has let everything go.
    wanted: watch::Sender<usize>,
    idle: Arc<idle::Idle<Link>>,
    key: Arc<str>,
    /// What the key takes of the guest's memory.
    _held: HeldMemory,
}

/// Where the connection is.
pub(crate) struct Place {
    open: Option<(Link, Slot)>,
    /// Why it is not.
    closed: &'static str,
    idle: Arc<idle::Idle<Link>>,
    /// Whether it may be given to another: not once the client keeps something on the server that cleaning takes
    /// away, which is what it knows of types that are not built in.
    may_be_kept: bool,
}

impl Session {
    pub(crate) fn new(
        (link, slot): (Link, Slot),
        idle: Arc<idle::Idle<Link>>,
        key: Arc<str>,
        held: HeldMemory,
    ) -> Self {
        let place =
            Place { open: Some((link, slot)), closed: "", idle: Arc::clone(&idle), may_be_kept: true };
        let place = Arc::new(tokio::sync::Mutex::new(place));
        Self { place, wanted: watch::Sender::new(0), idle, key, _held: held }
    }

    /// The connection, once nobody else executes something on it.
    async fn begin(&self, memory: &HostMemory) -> Result<Busy, Refusal> {
        let waiting = Waiting::on(&self.wanted);
        let mut place = Arc::clone(&self.place).lock_owned().await;
        drop(waiting);
        if place.open.as_ref().is_some_and(|(link, _)| link.client.is_closed()) {
            place.open = None;
            place.closed = "the server closed it";
        }
        match &place.open {
            Some((link, _)) => link.meter.begin(memory.clone()),
            None => return Err(Refusal::closed(place.closed)),
        }
        Ok(Busy { place, done: false })
    }

    /// Executes a statement; how many rows it changed, or found.
    pub(crate) async fn execute(
        &self,
        memory: &HostMemory,
        sql: String,
        parameters: Vec<Value>,
    ) -> Result<u64, Refusal> {
        let _held = hold(memory, &sql, &parameters)?;
        let mut busy = self.begin(memory).await?;
        let statement = busy.prepare(&sql).await?;
        let parameters = busy.encode(&statement, parameters)?;
        match busy.client()?.execute_raw(&statement, parameters).await {
            Ok(rows) => {
                busy.done();
                Ok(rows)
            }
            Err(error) => Err(busy.failed(&error)),
        }
    }

    /// Executes a statement; all its rows, and what they take.
    pub(crate) async fn query(
        &self,
        memory: &HostMemory,
        sql: String,
        parameters: Vec<Value>,
    ) -> Result<(Vec<Column>, Vec<Row>, HeldMemory), Refusal> {
        let (mut cursor, columns) = self.start(memory, sql, parameters).await?;
        let (rows, held, end) = cursor.read(|_, _| false).await;
        end.unwrap_or(Ok(())).map(|()| (columns, rows, held))
    }

    /// Executes a statement; its rows come as they are read. Keep the session until the last has come.
    pub(crate) async fn stream(
        &self,
        memory: &HostMemory,
        sql: String,
        parameters: Vec<Value>,
    ) -> Result<(Vec<Column>, Rows), Refusal> {
        let (mut cursor, columns) = self.start(memory, sql, parameters).await?;
        // What fails at once fails at the call.
        let first = match cursor.read(|rows, _| rows == 1).await {
            (_, _, Some(Err(refusal))) => return Err(refusal),
            first => first,
        };
        Ok((columns, rows::send(first, cursor, self.wanted.subscribe())))
    }

    async fn start(
        &self,
        memory: &HostMemory,
        sql: String,
        parameters: Vec<Value>,
    ) -> Result<(Cursor, Vec<Column>), Refusal> {
        let _held = hold(memory, &sql, &parameters)?;
        let mut busy = self.begin(memory).await?;
        let statement = busy.prepare(&sql).await?;
        let parameters = busy.encode(&statement, parameters)?;
        // A name of a type is there once, and each of its columns has it: so this is asked for before.
        let bytes = |column: &tokio_postgres::Column| {
            (size_of::<Column>() + column.name().len() + column.type_().name().len()) as u64
        };
        let held = match memory.take(2 * statement.columns().iter().map(bytes).sum::<u64>()) {
            Ok(held) => held,
            Err(exceeded) => {
                busy.close("a result was too large");
                return Err(Refusal::too_large(&exceeded));
            }
        };
        let column = |column: &tokio_postgres::Column| Column {
            name: column.name().to_owned(),
            kind: Kind::of(column.type_()),
        };
        let columns: Vec<Column> = statement.columns().iter().map(column).collect();
        let rows = match busy.client()?.query_raw(&statement, parameters).await {
            Ok(rows) => Box::pin(rows),
            Err(error) => return Err(busy.failed(&error)),
        };
        let memory = memory.clone();
        let cursor = Cursor { rows, columns: columns.clone(), _held: held, memory, busy, bad: None };
        Ok((cursor, columns))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Whoever has it locked reads rows that nobody wants any more, and hears of that by `wanted`.
        let Ok(mut place) = Arc::clone(&self.place).try_lock_owned() else { return };
        if let Some((link, slot)) = place.open.take()
            && place.may_be_kept
        {
            link.give_back(slot, Arc::clone(&self.idle), Arc::clone(&self.key));
        }
    }
}

/// Charges the guest for a statement: its text, and its parameters twice, for they are written into a buffer.
fn hold(memory: &HostMemory, sql: &str, parameters: &[Value]) -> Result<HeldMemory, Refusal> {
    let bytes = 2 * (sql.len() as u64 + parameters.iter().map(Value::bytes).sum::<u64>());
    let held = memory.take(bytes);
    held.map_err(|error| Refusal::query(format!("the statement is too large: {error} (`memory_mib_max`)")))
}

/// Somebody waits for the connection, until this is dropped.
struct Waiting<'a>(&'a watch::Sender<usize>);

impl<'a> Waiting<'a> {
    fn on(wanted: &'a watch::Sender<usize>) -> Self {
        wanted.send_modify(|waiting| *waiting += 1);
        Self(wanted)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|waiting| *waiting -= 1);
    }
}

/// The connection while something is executed on it.
pub(crate) struct Busy {
    place: OwnedMutexGuard<Place>,
    done: bool,
}

impl Busy {
    fn client(&self) -> Result<&Client, Refusal> {
        let open = self.place.open.as_ref();
        open.map(|(link, _)| &link.client).ok_or_else(|| Refusal::closed(self.place.closed))
    }

    async fn prepare(&mut self, sql: &str) -> Result<Statement, Refusal> {
        // Also if it fails: it may have asked for types by then.
        let before = std::mem::replace(&mut self.place.may_be_kept, false);
        let prepared = self.client()?.prepare(sql).await;
        if let Some((link, _)) = &self.place.open {
            link.meter.prepared();
        }
        match prepared {
            Ok(statement) => {
                let columns = statement.columns().iter().map(tokio_postgres::Column::type_);
                let mut types = statement.params().iter().chain(columns);
                let is_built_in =
                    types.all(|kind| tokio_postgres::types::Type::from_oid(kind.oid()).is_some());
                self.place.may_be_kept = before && is_built_in;
                Ok(statement)
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn encode(&mut self, statement: &Statement, parameters: Vec<Value>) -> Result<Vec<Encoded>, Refusal> {
        let (expected, given) = (statement.params(), parameters.len());
        let encoded = match expected.len() == given {
            true => {
                let pairs = parameters.into_iter().zip(expected).zip(1..);
                pairs.map(|((value, kind), number)| encode(number, value, kind)).collect()
            }
            false => Err(Refusal::Parameter(format!(
                "{given} parameters are given, the statement expects {}",
                expected.len()
            ))),
        };
        if encoded.is_err() {
            // Nothing was sent that has an answer.
            self.done();
        }
        encoded
    }

    /// The answer was read to its end.
    fn done(&mut self) {
        if let Some((link, _)) = &self.place.open {
            link.meter.end();
        }
        self.done = true;
    }

    /// What an error of the client is to the guest. If the server said it, it is ready for the next statement;
    /// if not, nobody knows what comes next, and the connection is closed.
    fn failed(&mut self, error: &tokio_postgres::Error) -> Refusal {
        match self.place.open.as_ref().and_then(|(link, _)| link.meter.stopped()) {
            Some(Stopped::TooLarge(exceeded)) => {
                self.close("a result was too large");
                return Refusal::too_large(&exceeded);
            }
            Some(Stopped::Types) => {
                self.close("its types lead to too many others");
                return Refusal::query(
                    "its types lead to too many others: cast what is not built in to text",
                );
            }
            None => {}
        }
        // It says good-bye with an error, where it can.
        let is_closed = self.client().map_or(true, Client::is_closed);
        if let Some(of_server) = error.as_db_error() {
            if is_closed {
                self.close("the server closed it");
            } else {
                self.done();
            }
            return of_server.into();
        }
        if error.is_closed() || is_closed {
            self.close("the server closed it");
            return Refusal::closed(&format!("the server closed it: {}", said(error)));
        }
        self.close("the server answered what nobody expected");
        Refusal::query(format!("{}: COPY, for one, is not there", said(error)))
    }

    fn close(&mut self, why: &'static str) {
        if let Some((link, slot)) = self.place.open.take() {
            self.place.closed = why;
            link.abandon(slot, self.place.idle.returning());
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if !self.done {
            self.close("a call was left before its end");
        }
    }
}

/// The rows of a statement that are still to come.
pub(crate) struct Cursor {
    rows: std::pin::Pin<Box<RowStream>>,
    columns: Vec<Column>,
    /// What they take.
    _held: HeldMemory,
    memory: HostMemory,
    busy: Busy,
    /// A row that cannot be expressed: those behind it are read, for the sake of the connection, and dropped.
    bad: Option<Refusal>,
}

/// Rows that were read, what they take, and how they ended, if they did.
pub(crate) type Read = (Vec<Row>, HeldMemory, Option<Result<(), Refusal>>);

impl Cursor {
    /// Reads rows until there are `enough`: asked with their number and bytes before each.
    pub(crate) async fn read(&mut self, mut enough: impl FnMut(usize, u64) -> bool) -> Read {
        let Ok(mut held) = self.memory.take(0) else { unreachable!("nothing is always left") };
        let (mut rows, mut bytes) = (Vec::new(), 0);
        let end = loop {
            if enough(rows.len(), bytes) {
                break None;
            }
            match self.next(&mut held).await {
                Ok(Some(row)) => {
                    bytes += row_bytes(&row);
                    rows.push(row);
                }
                Ok(None) => break Some(Ok(())),
                Err(refusal) => break Some(Err(refusal)),
            }
        };
        (rows, held, end)
    }

    /// Reads the rest, and drops it.
    pub(crate) async fn skip(&mut self) {
        // Not made into values, so nothing can be wrong with them.
        self.bad.get_or_insert_with(|| Refusal::query("not read"));
        let Ok(mut held) = self.memory.take(0) else { return };
        let _ = self.next(&mut held).await;
    }

    /// The next row. It is charged twice, for what comes next is its copy in the memory of the guest.
    async fn next(&mut self, held: &mut HeldMemory) -> Result<Option<Row>, Refusal> {
        loop {
            let row = match self.rows.try_next().await {
                Ok(Some(row)) => row,
                Ok(None) => {
                    self.busy.done();
                    return self.bad.take().map_or(Ok(None), Err);
                }
                Err(error) => return Err(self.busy.failed(&error)),
            };
            if self.bad.is_some() {
                continue;
            }
            // Also one without columns has its place.
            if let Err(exceeded) = held.grow(2 * size_of::<Row>() as u64) {
                self.busy.close("a result was too large");
                return Err(Refusal::too_large(&exceeded));
            }
            let mut full = false;
            let charge = |value: &Value| {
                let grown = held.grow(2 * value.bytes());
                full |= grown.is_err();
                grown.map_err(|error| Refusal::too_large(&error))
            };
            match decode::row(&self.columns, &row, charge) {
                Ok(row) => return Ok(Some(row)),
                Err(refusal) if full => {
                    self.busy.close("a result was too large");
                    return Err(refusal);
                }
                Err(refusal) => self.bad = Some(refusal),
            }
        }
    }
}
