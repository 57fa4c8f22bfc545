//! One request, from its head to the last byte of its answer.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderValue;
use tombolo_runtime::{Meter, Usage};

use crate::access::{Entry, Seen};
use crate::activity::{Activity, UnderWay};
use crate::counts::Counts;
use crate::route::{Name, Part};

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Its answer went out whole.
    Answered,
    /// It was refused before it reached a guest.
    Refused,
    /// Its guest failed.
    Failed,
    /// It was cut at its deadline, or when it had had its time on a core.
    Deadline,
    /// The client left: what is true until something else is, so leaving needs no code path.
    ClientGone,
}

/// The name of a request, by which a caller can ask an operator what happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RequestId {
    /// The node's own.
    Own(u64),
    /// A client's, of characters that can be written anywhere.
    Given(Box<str>),
}

impl RequestId {
    /// As a header has it.
    pub(crate) fn value(&self) -> HeaderValue {
        HeaderValue::from_str(&self.to_string()).expect("digits and plain text are a value a header can have")
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(number) => write!(f, "{number:016x}"),
            Self::Given(text) => f.write_str(text),
        }
    }
}

/// Where a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Client,
    /// Another component of the same app.
    Inside,
}

/// One request. Emits exactly one event, when it is dropped.
pub(crate) struct RequestRecord {
    pub(crate) id: RequestId,
    started: Instant,
    origin: Origin,
    /// Who is to answer, once that is known.
    pub(crate) target: Option<Arc<Name>>,
    /// Who counts it, if nobody is to answer.
    untargeted: Option<Arc<Counts>>,
    /// What the guest uses, once there is one.
    pub(crate) meter: Option<Arc<Meter>>,
    pub(crate) outcome: Outcome,
    /// 0 until there is one.
    pub(crate) status: u16,
    pub(crate) response_bytes: u64,
    /// What the access log says of it, if it does.
    pub(crate) seen: Option<Box<Seen>>,
    /// Its connection does not rest meanwhile.
    under_way: UnderWay,
}

impl RequestRecord {
    /// The record of a request that came from inside, over no connection.
    pub(crate) fn inside(id: RequestId) -> Self {
        let mut record = Self::start(id, Arc::<Activity>::default().begin());
        record.origin = Origin::Inside;
        record
    }

    /// This one is to answer.
    pub(crate) fn is_for(&mut self, target: &Arc<Name>) {
        if self.origin == Origin::Client {
            target.counts.begin();
        }
        self.target = Some(Arc::clone(target));
    }

    /// Nobody is to answer it.
    pub(crate) fn is_for_nobody(&mut self, counts: &Arc<Counts>) {
        if self.origin == Origin::Client {
            counts.begin();
        }
        self.untargeted = Some(Arc::clone(counts));
    }

    fn count(&self, took: Duration) {
        let counts = self.target.as_ref().map(|name| &name.counts).or(self.untargeted.as_ref());
        match (counts, self.origin) {
            (Some(counts), Origin::Client) => counts.end(self.status, took),
            (Some(counts), Origin::Inside) => counts.end_inside(),
            (None, _) => {}
        }
    }

    /// To be kept by whatever else keeps the connection from resting.
    pub(crate) fn under_way(&self) -> &UnderWay {
        &self.under_way
    }

    pub(crate) fn start(id: RequestId, under_way: UnderWay) -> Self {
        Self {
            id,
            started: Instant::now(),
            origin: Origin::Client,
            target: None,
            untargeted: None,
            meter: None,
            outcome: Outcome::ClientGone,
            status: 0,
            response_bytes: 0,
            seen: None,
            under_way,
        }
    }

    fn usage(&self) -> Usage {
        self.meter.as_ref().map(|meter| meter.usage()).unwrap_or_default()
    }

    /// What was used until now, as `server-timing` says it (W3C Server Timing): durations are in
    /// milliseconds.
    pub(crate) fn server_timing(&self) -> HeaderValue {
        let usage = self.usage();
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let text = format!(
            "total;dur={:.3}, cpu;dur={:.3}, wait;dur={:.3}, host;desc=\"{} calls\", memory;desc=\"{} KiB\"",
            ms(self.started.elapsed()),
            ms(usage.cpu),
            ms(usage.waited),
            usage.host_calls,
            usage.memory_bytes >> 10,
        );
        HeaderValue::from_str(&text).expect("numbers and plain text are a value a header can have")
    }
}

impl Drop for RequestRecord {
    fn drop(&mut self) {
        let took = self.started.elapsed();
        self.count(took);
        let Usage { cpu, waited, host_calls, memory_bytes, request_bytes, .. } = self.usage();
        let Usage { outbound_requests, outbound_bytes, .. } = self.usage();
        let Self { id, target, outcome, status, response_bytes, seen, .. } = self;
        let us = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let app = target.as_ref().map_or("", |name| &*name.app);
        let (component, assets) = match target.as_ref().map(|name| &name.part) {
            Some(Part::Component(id)) => (&**id, None),
            Some(Part::Assets(route) | Part::Response(route)) => ("", Some(&**route)),
            None => ("", None),
        };
        tracing::info!(
            target: "request",
            %id, app, component, assets, ?outcome, status,
            took_us = us(took),
            cpu_us = us(cpu),
            waited_us = us(waited),
            host_calls, memory_bytes, request_bytes, response_bytes, outbound_requests, outbound_bytes,
        );
        if let Some(seen) = seen {
            seen.log(&Entry { id, app, component, status: *status, bytes: *response_bytes, took });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_is_told_in_milliseconds() {
        let record = RequestRecord::start(RequestId::Own(255), Arc::<Activity>::default().begin());
        assert_eq!(record.id.to_string(), "00000000000000ff");
        let timing = record.server_timing();
        let timing = timing.to_str().unwrap();
        assert!(timing.starts_with("total;dur=0.0"), "{timing}");
        let rest = ", cpu;dur=0.000, wait;dur=0.000, host;desc=\"0 calls\", memory;desc=\"0 KiB\"";
        assert!(timing.ends_with(rest), "{timing}");
    }
}
