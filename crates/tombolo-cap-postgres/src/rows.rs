//! Rows on their way to a guest that reads them as a stream.

use tokio::sync::{mpsc, watch};

use crate::refusal::Refusal;
use crate::session::{Cursor, Read};
use crate::value::Row;

/// Rows that go to a guest at once.
const PART_ROWS: usize = 256;
/// Bytes of such rows, unless a single one has more.
const PART_BYTES: u64 = 64 << 10;

/// Some rows, and what they take.
pub(crate) type Part = tombolo_capability::Part<Row, Refusal>;

fn part((items, held, end): Read) -> Part {
    Part { items, end, held: vec![held] }
}

fn with(mut part: Part, (items, held, end): Read) -> Part {
    part.items.extend(items);
    part.held.push(held);
    Part { end, ..part }
}

/// Where the parts come from, in their order.
pub(crate) type Rows = mpsc::Receiver<Part>;

/// Sends rows, `first` before all others, as they are taken.
pub(crate) fn send(first: Read, cursor: Cursor, wanted: watch::Receiver<usize>) -> Rows {
    // Of the two places one is kept for the last part, so that the rest can be sent at once, without waiting,
    // when the connection is wanted for something else.
    let (parts, rows) = mpsc::channel(2);
    let first = part(first);
    if first.end.is_some() {
        // There is room: nobody else sends.
        let _ = parts.try_send(first);
    } else {
        tokio::spawn(run(first, cursor, parts, wanted));
    }
    rows
}

/// Ends early when the guest has let go of rows and connection: what is dropped then closes the connection.
async fn run(
    mut part: Part,
    mut cursor: Cursor,
    parts: mpsc::Sender<Part>,
    mut wanted: watch::Receiver<usize>,
) {
    let Ok(last) = parts.clone().try_reserve_owned() else {
        // Not read at all.
        unless_gone(&mut wanted, cursor.skip()).await;
        return;
    };
    loop {
        enum Told {
            Room,
            Unread,
            Wanted,
            Gone,
        }
        let told = tokio::select! {
            biased;
            wanted = wanted.wait_for(|waiting| *waiting > 0) => {
                if wanted.is_ok() { Told::Wanted } else { Told::Gone }
            }
            room = parts.reserve() => match room {
                Ok(room) => {
                    drop(room);
                    Told::Room
                }
                Err(_) => Told::Unread,
            },
        };
        match told {
            Told::Gone => return,
            Told::Wanted => {
                if let Some(rest) = unless_gone(&mut wanted, cursor.read(|_, _| false)).await {
                    drop(cursor);
                    last.send(with(part, rest));
                }
                return;
            }
            Told::Unread => {
                unless_gone(&mut wanted, cursor.skip()).await;
                return;
            }
            Told::Room => {
                // There is room: nobody else sends.
                let _ = parts.try_send(part);
                let enough = |rows, bytes| rows >= PART_ROWS || bytes >= PART_BYTES;
                let Some(next) = unless_gone(&mut wanted, cursor.read(enough)).await else { return };
                part = self::part(next);
                if part.end.is_some() {
                    // The next statement need not wait until this is read.
                    drop(cursor);
                    last.send(part);
                    return;
                }
            }
        }
    }
}

/// What `work` gives; `None` if the guest lets everything go meanwhile.
async fn unless_gone<T>(wanted: &mut watch::Receiver<usize>, work: impl Future<Output = T>) -> Option<T> {
    let gone = async { while wanted.changed().await.is_ok() {} };
    tokio::select! {
        biased;
        () = gone => None,
        done = work => Some(done),
    }
}
