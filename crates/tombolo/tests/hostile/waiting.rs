//! Attacks that the host does not stand yet.

/// What a fairer share of the processor is for.
const TURNS: &str = "each looping guest takes its slice of 5 ms before each of its neighbour's turns: the neighbour's \
     median was 80 to 120 ms with 2 to 4 loops on 2 cores, 0.4 ms without";
/// The same, with more at work than guests.
const BUSY: &str = "its neighbour's median was 32 to 59 ms (memory, 8 at once) and 240 ms (bodies, 4 at once, with \
     clients that read as fast as they can on the same 2 cores)";
/// What `handles_max` is for: the first bound in reach is wasmtime's own on the handles of a store.
const HELD: &str = "stopped only at wasmtime's own bound on handles: 20 to 110 MB stay in the allocator, whatever the \
     number of requests";
/// The same; letting go of what is held takes long as well.
const DROPPED: &str = "4 at once: the neighbour waited 0.3 s in the median and 2.5 s at worst, and callers up to 3.1 s \
     with a deadline of 1 s, in an optimised host";
/// What a bound on the bytes of one host call is for.
const LIFTED: &str = "reading one argument is not interrupted and bounded at 128 MiB only: with 4 at once the \
     neighbour's median was 2 to 6 s and callers waited up to 15 s (0.1 to 0.2 s and 1.5 s in an optimised host), and \
     up to 190 MB stayed in the allocator";
/// What `prepare` has to tell apart.
const NOT_CACHED: &str =
    "a new file that does not fit the pool is reported as `a cached artefact is of another engine`";
/// What a key of `[component.X.tool.tombolo]` that is not there waits for.
const NEW: &str = "the manifest does not know it yet";

/// Each with what it waits for. One that stands is taken off this list.
const WAITING: &[(&str, &str)] = &[
    ("/hostile/loop at once", TURNS),
    ("/wasi3/loop at once", TURNS),
    ("/hostile/memory at once", BUSY),
    ("/hostile/body-endless at once", BUSY),
    ("/hostile/pollables", HELD),
    ("/hostile/pollables at once", HELD),
    ("/hostile/poll-list", HELD),
    ("/wasi3/streams", HELD),
    ("/wasi3/futures", HELD),
    ("/wasi3/calls", HELD),
    ("/wasi3/calls at once", DROPPED),
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
