//! One request, from its head to the last byte of its answer.

use std::sync::Arc;
use std::time::Instant;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Its answer went out whole.
    Answered,
    /// It was refused before it reached a guest.
    Refused,
    /// Its guest failed.
    Failed,
    /// It was cut at its deadline.
    Deadline,
    /// The client left: what is true until something else is, so leaving needs no code path.
    ClientGone,
}

/// One request. Emits exactly one event, when it is dropped.
pub(crate) struct RequestRecord {
    started: Instant,
    /// App and component, once they are known.
    pub(crate) target: Option<(Arc<str>, Arc<str>)>,
    pub(crate) outcome: Outcome,
    /// 0 until there is one.
    pub(crate) status: u16,
    pub(crate) response_bytes: u64,
}

impl RequestRecord {
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
            target: None,
            outcome: Outcome::ClientGone,
            status: 0,
            response_bytes: 0,
        }
    }
}

impl Drop for RequestRecord {
    fn drop(&mut self) {
        let Self { started, target, outcome, status, response_bytes } = self;
        let took_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let (app, component) = target.as_ref().map_or(("", ""), |(app, component)| (&**app, &**component));
        tracing::info!(target: "request", app, component, ?outcome, status, took_us, response_bytes);
    }
}
