//! What one component may use. Every value is usable as it stands; none means "no limit".

use std::time::Duration;

/// Bounds on one component, with the defaults of [`Limits::DEFAULT`].
///
/// The name in code is that of the manifest's field, its unit turned into a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sum over all linear memories and tables of one instance, and of what the host holds for it.
    /// `memory_mib_max`, default 128.
    pub memory_bytes_max: u64,
    /// From the start of an instance to the last byte of its answer. `request_ms_max`, default 30 s.
    pub request_time_max: Duration,
    /// Time on a core for one request, of the guest and of the host on its behalf. `cpu_ms_max`,
    /// default 30 s, so that only a component that asks for less is bound by it.
    pub cpu_time_max: Duration,
    /// Requests one component works on at once; one more is answered 503. `concurrency_max`,
    /// default 1,000.
    pub concurrency_max: u32,
    /// Bytes in one request body; one more is answered 413. `request_body_bytes_max`, default 1 GiB.
    pub request_body_bytes_max: u64,
    /// Bytes in one answer's body; it is cut before one more. `response_body_bytes_max`, default
    /// 4 GiB.
    pub response_body_bytes_max: u64,
    /// Resources one instance holds at once: headers, bodies, streams, files, sockets, stores; for
    /// one more the guest traps. `handles_max`, default 4,096.
    pub handles_max: u32,
    /// Bytes a second a component prints, over all its instances; what is above is dropped and
    /// counted. `log_bytes_per_s_max`, default 1 MiB.
    pub log_bytes_per_s_max: u32,
    /// Connections to other hosts a component has open at once; one more fails.
    /// `outbound_connections_max`, default 256.
    pub outbound_connections_max: u32,
    /// Bytes of bodies one request's guest sends to, or takes from, other hosts.
    /// `outbound_bytes_max`, default 1 GiB.
    pub outbound_bytes_max: u64,
}

impl Limits {
    /// What a component gets that asks for nothing else.
    ///
    /// 128 MiB is what the peers' Python and .NET guests need to start at all; 30 s is the bound
    /// most proxies in front of a node use. 4,096 handles are hundreds of requests to other hosts at
    /// once, at some six handles each, and hold at most 64 KiB of headers each.
    pub const DEFAULT: Self = Self {
        memory_bytes_max: 128 << 20,
        request_time_max: Duration::from_secs(30),
        cpu_time_max: Duration::from_secs(30),
        concurrency_max: 1000,
        request_body_bytes_max: 1 << 30,
        response_body_bytes_max: 4 << 30,
        handles_max: 4096,
        log_bytes_per_s_max: 1 << 20,
        outbound_connections_max: 256,
        outbound_bytes_max: 1 << 30,
    };
}

/// How far apart two requests of one component are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// A new instance for each. The default.
    Fresh,
    /// An instance that ended one request well may take another: what the guest keeps in its memory
    /// is then seen by later requests. `isolation = "pool"`.
    Pool {
        /// Requests one instance takes. `pool_requests_max`, default 1,000.
        requests_max: u32,
        /// How long an instance waits for its next request. `pool_idle_ms_max`, default 10 s.
        idle_time_max: Duration,
    },
}

impl Isolation {
    /// The pool of a component that says no more than `isolation = "pool"`.
    pub const POOL: Self = Self::Pool { requests_max: 1000, idle_time_max: Duration::from_secs(10) };
}
