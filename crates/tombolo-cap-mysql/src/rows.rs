//! Rows on their way to a guest that reads them as a stream.

use tokio::sync::{mpsc, oneshot, watch};
use tombolo_capability::{HeldMemory, HostMemory};

use crate::cursor::{Cursor, Read, Stop};
use crate::refusal::Refusal;
use crate::session::Busy;
use crate::value::{Column, Row, Value};

/// Rows that go to a guest at once.
const PART_ROWS: usize = 256;
/// Bytes of such rows, unless a single one has more.
const PART_BYTES: u64 = 64 << 10;

/// Some rows, and what they take.
pub(crate) type Part = tombolo_capability::Part<Row, Refusal>;

impl From<Read> for Part {
    fn from(Read { rows, held, end }: Read) -> Self {
        Self { items: rows, end, held: vec![held] }
    }
}

/// Where the parts come from, in their order.
pub(crate) type Rows = mpsc::Receiver<Part>;

type Answer = Result<(Vec<Column>, Rows), Refusal>;

/// Executes a statement, and sends its rows as they are taken.
pub(crate) async fn start(
    mut busy: Busy,
    wanted: watch::Receiver<usize>,
    memory: HostMemory,
    sql: String,
    parameters: Vec<Value>,
    held: HeldMemory,
) -> Answer {
    let (answer, answered) = oneshot::channel();
    // Of the two places one is kept for the last part, so that the rest can be sent at once, without waiting,
    // when the connection is wanted for something else.
    let (parts, rows) = mpsc::channel(2);
    let last = parts.clone().try_reserve_owned().map_err(|_| Refusal::closed("it was lost"))?;
    tokio::spawn(async move {
        let mut run = Run { answer: Some((answer, rows)), parts, wanted };
        let outcome = match busy.client() {
            Ok(client) => run.run(client, memory, (sql, parameters, held)).await,
            Err(refusal) => {
                run.refuse(refusal);
                return;
            }
        };
        let settled = busy.settle(outcome);
        // The next statement need not wait until this is read.
        drop(busy);
        match settled {
            Ok(Some(part)) => drop(last.send(part)),
            Ok(None) => {}
            Err(refusal) => {
                if let Some(refusal) = run.refuse(refusal) {
                    last.send(Part { items: Vec::new(), end: Some(Err(refusal)), held: Vec::new() });
                }
            }
        }
    });
    // It answers, or the runtime ends.
    answered.await.unwrap_or_else(|_| Err(Refusal::closed("it was lost")))
}

struct Run {
    /// Taken when the call is answered.
    answer: Option<(oneshot::Sender<Answer>, Rows)>,
    parts: mpsc::Sender<Part>,
    wanted: watch::Receiver<usize>,
}

/// What the one who has the connection is told.
enum Told {
    /// There is room for another part.
    Room,
    /// Nobody reads any more.
    Unread,
    /// Another statement waits.
    Wanted,
    /// Rows and connection were let go.
    Gone,
}

impl Run {
    /// Answers the call with an error; gives it back if the call was answered before.
    fn refuse(&mut self, refusal: Refusal) -> Option<Refusal> {
        match self.answer.take() {
            Some((answer, _)) => {
                let _ = answer.send(Err(refusal));
                None
            }
            None => Some(refusal),
        }
    }

    /// The last part, if anybody is there to read it.
    async fn run(
        &mut self,
        client: &mut mysql_async::Conn,
        memory: HostMemory,
        (sql, parameters, held): (String, Vec<Value>, HeldMemory),
    ) -> Result<Option<Part>, Stop> {
        let (mut answer, rows) = self.answer.take().ok_or(Stop::Gone)?;
        let begin = async {
            let mut cursor = Cursor::start(client, &sql, parameters, memory).await?;
            // What fails at once fails at the call.
            let first = cursor.read(|rows, _| rows == 1).await?;
            Ok((cursor, first))
        };
        let begun = tokio::select! {
            biased;
            () = answer.closed() => return Err(Stop::Gone),
            begun = begin => begun,
        };
        let (mut cursor, first) = match begun {
            Ok(begun) => begun,
            Err(stop) => {
                self.answer = Some((answer, rows));
                return Err(stop);
            }
        };
        drop((sql, held));
        let mut part = Part::from(first);
        if answer.send(Ok((cursor.columns.clone(), rows))).is_err() {
            return Err(Stop::Gone);
        }
        loop {
            if part.end.is_some() {
                return Ok(Some(part));
            }
            match self.told().await {
                Told::Gone => return Err(Stop::Gone),
                Told::Unread => {
                    self.unless_gone(cursor.skip()).await?;
                    return Ok(None);
                }
                Told::Wanted => {
                    let Read { rows, held, end } = self.unless_gone(cursor.read(|_, _| false)).await?;
                    part.items.extend(rows);
                    part.held.push(held);
                    part.end = end;
                }
                Told::Room => {
                    // There is room: nobody else sends.
                    let _ = self.parts.try_send(part);
                    let enough = |rows, bytes| rows >= PART_ROWS || bytes >= PART_BYTES;
                    part = self.unless_gone(cursor.read(enough)).await?.into();
                }
            }
        }
    }

    async fn told(&mut self) -> Told {
        tokio::select! {
            biased;
            wanted = self.wanted.wait_for(|waiting| *waiting > 0) => {
                if wanted.is_ok() { Told::Wanted } else { Told::Gone }
            }
            room = self.parts.reserve() => if room.is_ok() { Told::Room } else { Told::Unread },
        }
    }

    /// What `work` gives, if the guest does not let everything go meanwhile.
    async fn unless_gone<T>(&mut self, work: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
        let gone = async { while self.wanted.changed().await.is_ok() {} };
        tokio::select! {
            biased;
            () = gone => Err(Stop::Gone),
            done = work => done,
        }
    }
}
