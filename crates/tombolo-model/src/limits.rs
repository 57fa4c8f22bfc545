//! What one component may use. Every value is usable as it stands; none means "no limit".

use std::time::Duration;

/// Bounds on one component, with the defaults of [`Limits::DEFAULT`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sum over all linear memories and tables of one instance. `memory_mib_max`, default 128.
    pub memory_bytes_max: u64,
    /// From the start of an instance to the last byte of its answer. `request_ms_max`, default 30 s.
    pub request_time_max: Duration,
    /// Requests one component works on at once; one more is answered 503. `concurrency_max`,
    /// default 1,000.
    pub concurrency_max: u32,
    /// Bytes in one request body; one more is answered 413. `request_body_bytes_max`, default 1 GiB.
    pub request_body_bytes_max: u64,
}

impl Limits {
    /// What a component gets that asks for nothing else.
    ///
    /// 128 MiB is what the peers' Python and .NET guests need to start at all; 30 s is the bound
    /// most proxies in front of a node use.
    pub const DEFAULT: Self = Self {
        memory_bytes_max: 128 << 20,
        request_time_max: Duration::from_secs(30),
        concurrency_max: 1000,
        request_body_bytes_max: 1 << 30,
    };
}
