//! Bounds of the gateway.

use std::time::Duration;

/// What the public may use of a node. Every value is usable as it stands.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// Connections open at once; one more is answered 503 and closed.
    pub connections_max: u32,
    /// Connections of one client address open at once, an IPv6 client being its /64; one more is
    /// answered 503 and closed.
    pub client_connections_max: u32,
    /// Bytes in the head of a request; more is answered 431.
    pub header_bytes_max: usize,
    /// Fields in the head of a request; more is answered 431.
    pub headers_max: usize,
    /// From the end of the last answer, or the connection, to the end of the next head.
    pub header_time_max: Duration,
    /// How long a guest may wait for a client that sends a body, on top of what the body takes at
    /// `body_bytes_per_s_min`; past it 408.
    pub body_wait_max: Duration,
    /// How fast a client must send a body that a guest waits for, and take a file.
    pub body_bytes_per_s_min: u64,
    /// How long a client may take nothing of what is sent to it.
    pub write_time_max: Duration,
    /// Requests on one HTTP/2 connection at once.
    pub streams_max: u32,
    /// Requests on one HTTP/2 connection that the client takes back before anyone looked at them; one more closes it
    /// (CVE-2023-44487).
    pub resets_max: usize,
    /// Requests on one HTTP/2 connection that are refused because they break the protocol; one more closes it
    /// (CVE-2025-8671).
    pub stream_errors_max: usize,
    /// Files of static assets open at once; for one more 503.
    pub asset_files_max: u32,
    /// Answers that are compressed on their way at once; one more goes out as it is.
    pub encoders_max: u32,
    /// Whether clients are told in `server-timing` what their request used.
    pub server_timing: bool,
    /// How long the code of a component stays in memory without a request.
    pub unused_time_max: Duration,
    /// How long a drain waits for requests under way.
    pub drain_time_max: Duration,
}

impl GatewayConfig {
    /// The defaults. 64 KiB and 100 fields are hyper's bounds of old, which the peers keep; 10 s of
    /// patience with a head is what ends a slow-header attack before its connections pile up. A fifth of the connections for one
    /// address is more than a proxy in front needs, and leaves room for others. 1 KiB/s is a tenth of
    /// what the slowest mobile networks give. 1,024 large files on their way keep 128 MiB of memory, 256 encoders as much
    /// as 400 MiB. Resets and errors are h2's own bounds.
    pub const DEFAULT: Self = Self {
        connections_max: 20_000,
        client_connections_max: 4_000,
        header_bytes_max: 64 << 10,
        headers_max: 100,
        header_time_max: Duration::from_secs(10),
        body_wait_max: Duration::from_secs(10),
        body_bytes_per_s_min: 1024,
        write_time_max: Duration::from_secs(30),
        streams_max: 200,
        resets_max: 20,
        stream_errors_max: 1024,
        asset_files_max: 1024,
        encoders_max: 256,
        server_timing: false,
        unused_time_max: Duration::from_secs(300),
        drain_time_max: Duration::from_secs(10),
    };
}
