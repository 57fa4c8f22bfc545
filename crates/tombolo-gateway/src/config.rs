//! Bounds of the gateway.

use std::time::Duration;

/// What the public may use of a node. Every value is usable as it stands.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// Connections open at once; one more is answered 503 and closed.
    pub connections_max: u32,
    /// Bytes in the head of a request; more is answered 431.
    pub header_bytes_max: usize,
    /// Fields in the head of a request; more is answered 431.
    pub headers_max: usize,
    /// From the end of the last answer, or the connection, to the end of the next head.
    pub header_time_max: Duration,
    /// How long a client may take nothing of what is sent to it.
    pub write_time_max: Duration,
    /// Requests on one HTTP/2 connection at once.
    pub streams_max: u32,
    /// How long a drain waits for requests under way.
    pub drain_time_max: Duration,
}

impl GatewayConfig {
    /// The defaults. 64 KiB and 100 fields are hyper's bounds of old, which the peers keep; 10 s of
    /// patience with a head is what ends a slow-header attack before its connections pile up.
    pub const DEFAULT: Self = Self {
        connections_max: 20_000,
        header_bytes_max: 64 << 10,
        headers_max: 100,
        header_time_max: Duration::from_secs(10),
        write_time_max: Duration::from_secs(30),
        streams_max: 200,
        drain_time_max: Duration::from_secs(10),
    };
}
