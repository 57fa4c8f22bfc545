//! Lines on their way to one client, within bounds: nobody waits for a client that is slow. It loses lines, and is
//! told how many.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use tokio::sync::mpsc;

/// A feed with room for `lines_max` lines that are not read yet, and who fills it.
pub fn feed(lines_max: usize) -> (Feeder, Feed) {
    let (sender, receiver) = mpsc::channel(lines_max);
    let lost = Arc::<AtomicU64>::default();
    (Feeder { sender, lost: Arc::clone(&lost) }, Feed { receiver, lost, next: None })
}

/// Fills a feed, which ends when this is dropped.
pub struct Feeder {
    sender: mpsc::Sender<Part>,
    lost: Arc<AtomicU64>,
}

/// The reading end of a feed.
pub struct Feed {
    receiver: mpsc::Receiver<Part>,
    /// Lines that found no room since the last one that did.
    lost: Arc<AtomicU64>,
    /// The line behind those that were lost.
    next: Option<Bytes>,
}

struct Part {
    /// Lines that found no room before it.
    lost: u64,
    line: Bytes,
}

/// What a feed tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A line.
    Line(Bytes),
    /// So many lines found no room here.
    Lost(u64),
}

impl Feeder {
    /// Sends a line if there is room, and never waits.
    pub fn tell(&self, line: &Bytes) {
        let lost = self.lost.swap(0, Relaxed);
        let sent = self.sender.try_send(Part { lost, line: line.clone() });
        if let Err(mpsc::error::TrySendError::Full(part)) = sent {
            self.lost.fetch_add(part.lost + 1, Relaxed);
        }
    }

    /// Whether nobody reads any more.
    pub fn is_abandoned(&self) -> bool {
        self.sender.is_closed()
    }
}

impl Feed {
    /// What comes next; `None` at the end. Cancel-safe.
    pub async fn next(&mut self) -> Option<Told> {
        if let Some(line) = self.next.take() {
            return Some(Told::Line(line));
        }
        match self.receiver.recv().await {
            Some(Part { lost: 0, line }) => Some(Told::Line(line)),
            Some(Part { lost, line }) => {
                self.next = Some(line);
                Some(Told::Lost(lost))
            }
            None => Some(self.lost.swap(0, Relaxed)).filter(|lost| *lost > 0).map(Told::Lost),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: u64) -> Bytes {
        number.to_string().into()
    }

    async fn all(feed: &mut Feed, count: usize) -> Vec<Told> {
        let mut all = Vec::new();
        while all.len() < count
            && let Some(told) = feed.next().await
        {
            all.push(told);
        }
        all
    }

    /// What a slow reader gets and what it is told to have lost are all there was, in order.
    #[tokio::test]
    async fn who_is_slow_loses_lines_and_is_told_where_and_how_many() {
        let (feeder, mut feed) = feed(2);
        (1..=5).for_each(|number| feeder.tell(&line(number)));
        assert_eq!(all(&mut feed, 2).await, [Told::Line(line(1)), Told::Line(line(2))]);
        (6..=9).for_each(|number| feeder.tell(&line(number)));
        drop(feeder);
        let rest = [Told::Lost(3), Told::Line(line(6)), Told::Line(line(7)), Told::Lost(2)];
        assert_eq!(all(&mut feed, 10).await, rest);
    }

    #[tokio::test]
    async fn a_feed_ends_with_its_feeder_and_a_feeder_knows_of_a_reader_that_left() {
        let (feeder, mut ended) = feed(2);
        assert!(!feeder.is_abandoned());
        drop(feeder);
        assert_eq!(ended.next().await, None);
        let (feeder, abandoned) = feed(2);
        drop(abandoned);
        assert!(feeder.is_abandoned());
        feeder.tell(&line(1));
    }
}
