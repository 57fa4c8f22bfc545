//! What a guest used of the network by way of requests.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts of one guest. They only grow; the tasks of its connections add to them.
#[derive(Debug, Default)]
pub struct OutboundUsage {
    requests: AtomicU64,
    connections: AtomicU64,
    bytes_sent: AtomicU64,
    bytes_received: AtomicU64,
}

/// A body came to more bytes than a guest may move one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverBudget;

impl OutboundUsage {
    /// Requests it asked for, those that were refused included.
    pub fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    /// Connections that were made for it.
    pub fn connections(&self) -> u64 {
        self.connections.load(Relaxed)
    }

    /// Bytes in the bodies of its requests, as far as they were sent.
    pub fn bytes_sent(&self) -> u64 {
        self.bytes_sent.load(Relaxed)
    }

    /// Bytes in the bodies of the answers, as far as it took them.
    pub fn bytes_received(&self) -> u64 {
        self.bytes_received.load(Relaxed)
    }

    /// It asked for a request.
    pub fn request(&self) {
        self.requests.fetch_add(1, Relaxed);
    }

    /// A connection was made for it.
    pub fn connection(&self) {
        self.connections.fetch_add(1, Relaxed);
    }

    /// It sends so many bytes more, of at most `bytes_max` in all.
    ///
    /// # Errors
    ///
    /// If that is more than it may; then nothing is counted.
    pub fn send(&self, bytes: u64, bytes_max: u64) -> Result<(), OverBudget> {
        add(&self.bytes_sent, bytes, bytes_max)
    }

    /// It takes so many bytes more, of at most `bytes_max` in all.
    ///
    /// # Errors
    ///
    /// If that is more than it may; then nothing is counted.
    pub fn receive(&self, bytes: u64, bytes_max: u64) -> Result<(), OverBudget> {
        add(&self.bytes_received, bytes, bytes_max)
    }
}

fn add(counter: &AtomicU64, bytes: u64, bytes_max: u64) -> Result<(), OverBudget> {
    let add = |sum: u64| sum.checked_add(bytes).filter(|sum| *sum <= bytes_max);
    counter.fetch_update(Relaxed, Relaxed, add).map(drop).map_err(|_| OverBudget)
}
