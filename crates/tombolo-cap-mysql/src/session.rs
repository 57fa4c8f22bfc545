//! A connection as its guest knows it: statements, one after the other.
//!
//! Whoever executes something has the connection locked. A call that is dropped in the middle, for its guest has
//! gone or had all its time, leaves a half-read answer: then the connection is closed and its statement ended.

use std::sync::Arc;

use mysql_async::{Conn, DriverError, Error};
use tokio::sync::{OwnedMutexGuard, watch};
use tombolo_capability::{HeldMemory, HostMemory};
use tombolo_egress::{Slot, idle};

use crate::cursor::{Cursor, Read, Stop};
use crate::link::{Link, said};
use crate::refusal::Refusal;
use crate::rows::{self, Rows};
use crate::value::{Column, Value};

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
struct Place {
    open: Option<(Link, Slot)>,
    /// Why it is not.
    closed: &'static str,
    idle: Arc<idle::Idle<Link>>,
}

impl Session {
    pub(crate) fn new(
        opened: (Link, Slot),
        idle: Arc<idle::Idle<Link>>,
        key: Arc<str>,
        held: HeldMemory,
    ) -> Self {
        let place = Arc::new(tokio::sync::Mutex::new(Place {
            open: Some(opened),
            closed: "",
            idle: Arc::clone(&idle),
        }));
        Self { place, wanted: watch::Sender::new(0), idle, key, _held: held }
    }

    /// The connection, once nobody else executes something on it.
    async fn begin(&self) -> Busy {
        let waiting = Waiting::on(&self.wanted);
        let place = Arc::clone(&self.place).lock_owned().await;
        drop(waiting);
        Busy { place, done: false }
    }

    /// Executes a statement.
    pub(crate) async fn execute(
        &self,
        memory: &HostMemory,
        sql: String,
        parameters: Vec<Value>,
    ) -> Result<(), Refusal> {
        let _held = hold(memory, &sql, &parameters)?;
        let mut busy = self.begin().await;
        let client = busy.client()?;
        let run = async { Cursor::start(client, &sql, parameters, memory.clone()).await?.skip().await };
        let outcome = run.await;
        busy.settle(outcome)
    }

    /// Executes a statement; its columns, and all its rows.
    pub(crate) async fn query(
        &self,
        memory: &HostMemory,
        sql: String,
        parameters: Vec<Value>,
    ) -> Result<(Vec<Column>, Read), Refusal> {
        let _held = hold(memory, &sql, &parameters)?;
        let mut busy = self.begin().await;
        let client = busy.client()?;
        let run = async {
            let mut cursor = Cursor::start(client, &sql, parameters, memory.clone()).await?;
            let read = cursor.read(|_, _| false).await?;
            Ok((cursor.columns, read))
        };
        let outcome = run.await;
        let (columns, mut read) = busy.settle(outcome)?;
        read.end.take().unwrap_or(Ok(())).map(|()| (columns, read))
    }

    /// Executes a statement; its rows come as they are read. Keep the session until the last has come.
    pub(crate) async fn stream(
        &self,
        memory: &HostMemory,
        sql: String,
        parameters: Vec<Value>,
    ) -> Result<(Vec<Column>, Rows), Refusal> {
        let held = hold(memory, &sql, &parameters)?;
        let mut busy = self.begin().await;
        busy.client()?;
        rows::start(busy, self.wanted.subscribe(), memory.clone(), sql, parameters, held).await
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Whoever has it locked reads rows that nobody wants any more, and hears of that by `wanted`.
        let Ok(mut place) = Arc::clone(&self.place).try_lock_owned() else { return };
        if let Some((link, slot)) = place.open.take() {
            link.give_back(slot, Arc::clone(&self.idle), Arc::clone(&self.key));
        }
    }
}

/// Charges the guest for a statement: its text, and its parameters twice, for they are written into a buffer.
/// Bytes of the text of a statement: a connection keeps the last of them prepared, text and all.
const TEXT_BYTES_MAX: usize = 256 << 10;

fn hold(memory: &HostMemory, sql: &str, parameters: &[Value]) -> Result<HeldMemory, Refusal> {
    if sql.len() > TEXT_BYTES_MAX {
        let reason = format!(
            "the statement is too large: more than {TEXT_BYTES_MAX} bytes, hand values over as parameters"
        );
        return Err(Refusal::Query(reason));
    }
    let bytes = 2 * (sql.len() as u64 + parameters.iter().map(Value::bytes).sum::<u64>());
    let held = memory.take(bytes);
    held.map_err(|error| Refusal::Query(format!("the statement is too large: {error} (`memory_mib_max`)")))
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
    pub(crate) fn client(&mut self) -> Result<&mut Conn, Refusal> {
        let Place { open, closed, .. } = &mut *self.place;
        match open {
            Some((link, _)) => Ok(&mut link.client),
            None => Err(Refusal::closed(closed)),
        }
    }

    /// What came of a statement, to the guest. If it ended, or the server refused it, the connection is ready for
    /// the next; if not, nobody knows what comes next, and it is closed.
    pub(crate) fn settle<T>(&mut self, outcome: Result<T, Stop>) -> Result<T, Refusal> {
        let refusal = match outcome {
            Ok(done) => {
                self.done = true;
                return Ok(done);
            }
            Err(Stop::Failed(Error::Server(error))) => {
                self.done = true;
                return Err(Refusal::Query(error.to_string()));
            }
            Err(Stop::Parameters { expected, given }) => {
                self.done = true;
                return Err(Refusal::Parameter(format!(
                    "{given} parameters are given, the statement expects {expected}"
                )));
            }
            // Names in place of question marks. The client has closed the connection.
            Err(Stop::Failed(Error::Driver(error @ (DriverError::MixedParams | DriverError::Params(_))))) => {
                self.close("its parameters were no positions");
                Refusal::Parameter(error.to_string())
            }
            Err(Stop::TooLarge(error)) => {
                self.close("a result was too large");
                Refusal::too_large(&error)
            }
            Err(Stop::Gone) => {
                self.close("a call was left before its end");
                Refusal::closed("a call was left before its end")
            }
            Err(Stop::Failed(error)) => {
                self.close("it was lost");
                Refusal::closed(&said(&error))
            }
        };
        Err(refusal)
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
