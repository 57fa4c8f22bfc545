//! Attacks that the host does not stand yet.

/// What a bound on guest CPU per request is for.
const TURNS: &str = "each looping guest takes a slice of 5 ms from every turn of its neighbour, which has several: \
    its median was 80 to 120 ms with 2 to 4 loops on 2 cores, 0.4 ms without";
/// What `handles_max` is for: the first bound in reach is wasmtime's own on the handles of a store.
const HELD: &str = "stopped only at wasmtime's own bound on handles: 20 to 110 MB stay in the allocator";
/// What a bound on the bytes of one host call is for.
const LIFTED: &str = "reading one argument is not interrupted and not bounded below 128 MiB: its neighbour's median was \
    2 to 6 s with 4 of these at once (0.1 s in an optimised host), its callers waited up to 15 s, and up to 190 MB \
    stayed in the allocator";
/// What `prepare` has to tell apart.
const NOT_CACHED: &str =
    "a new file that does not fit the pool is reported as `a cached artefact is of another engine`";
/// What a key of `[component.X.tool.tombolo]` that is not there yet waits for.
const NEW: &str = "the manifest does not know it yet";

/// Each with what it waits for. One that stands is taken off this list.
const WAITING: &[(&str, &str)] = &[
    ("/hostile/loop at once", TURNS),
    ("/wasi3/loop at once", TURNS),
    ("/hostile/memory at once", TURNS),
    ("/hostile/body-endless at once", TURNS),
    ("/hostile/pollables", HELD),
    ("/hostile/pollables at once", HELD),
    ("/hostile/poll-list", HELD),
    ("/wasi3/streams", HELD),
    ("/wasi3/futures", HELD),
    ("/wasi3/calls", HELD),
    ("/wasi3/fields", HELD),
    ("/hostile/fields-list", LIFTED),
    ("/hostile/fields-list at once", LIFTED),
    ("/hostile/argument at once", LIFTED),
    ("/hostile/status?101", "the head goes out as it is: a proxy in front would open a tunnel"),
    ("/wildcard/outbound", "addresses of this machine and of its link are to be granted by name alone"),
    ("/granted/outbound-flood", "`outbound_connections_max`"),
    (
        "/granted/outbound-flood at once",
        "`outbound_connections_max`: 4 of these take all of 1024 file descriptors",
    ),
    ("bound cpu_ms_max", NEW),
    ("bound handles_max", NEW),
    ("bound response_body_bytes_max", NEW),
    ("bound log_bytes_per_s_max", NEW),
    ("bound outbound_connections_max", NEW),
    ("start two-tables", NOT_CACHED),
    ("start two-memories", NOT_CACHED),
    ("start shared-memory", NOT_CACHED),
    ("start huge-memory", NOT_CACHED),
];

/// What this attack waits for.
pub(crate) fn reason(name: &str) -> Option<&'static str> {
    WAITING.iter().find(|(waiting, _)| *waiting == name).map(|(_, reason)| *reason)
}
