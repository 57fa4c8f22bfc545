//! The cycle of a request in process: a store and an instance made, the guest called, its answer
//! taken, everything dropped. No socket, no HTTP, all limits and all accounting on.
//!
//! `cargo bench --package tombolo-runtime --bench cycle` prints one row for each case. The distribution is
//! over single cycles on one thread. The last row is the part of a cycle before the guest's first
//! instructions: `guests/first` asks its clock, which begins with the request's store. With
//! `-- --components 1000` as many other components are in memory beside the one that is called.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use tombolo_cap_wasi::{Outbound, World};
use tombolo_capability::{Grants, Meter, Usage};
use tombolo_model::{Isolation, Limits};
use tombolo_runtime::{
    Allocation, Caller, Compiler, EngineConfig, Interruption, Load, Pool, RequestBodyError, Runtime, Service,
    ServiceConfig, Trigger,
};
use tombolo_store::ArtefactCache;

/// Cycles before those that count, and those that count.
const CYCLES: (usize, usize) = (2_000, 20_000);

struct Case {
    name: &'static str,
    guest: &'static str,
    isolation: Isolation,
}

const CASES: [Case; 6] = [
    Case { name: "lean, 0.2, fresh", guest: "lean", isolation: Isolation::Fresh },
    Case { name: "hello, 0.2, fresh", guest: "hello-rust", isolation: Isolation::Fresh },
    Case { name: "hello, 0.3, fresh", guest: "hello-wasi3", isolation: Isolation::Fresh },
    Case { name: "lean, 0.2, pool", guest: "lean", isolation: Isolation::POOL },
    Case { name: "hello, 0.2, pool", guest: "hello-rust", isolation: Isolation::POOL },
    Case { name: "hello, 0.3, pool", guest: "hello-wasi3", isolation: Isolation::POOL },
];

#[expect(clippy::print_stdout, reason = "the table is what a benchmark is for")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let others = others();
    let folder = tempfile::tempdir()?;
    let engine =
        EngineConfig { allocation: Allocation::Pooled(Pool::DEFAULT), interruption: Interruption::Sliced };
    let artefacts = ArtefactCache::open(folder.path())?;
    let runtime = Runtime::new(engine, Vec::new(), Some(artefacts), Compiler::Inside);
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let lean = std::fs::read(wasm("lean"))?;
    let beside: Vec<_> =
        (0..others).map(|number| service(&runtime, numbered(&lean, number), Isolation::Fresh)).collect();
    println!("{} other components in memory\n", beside.len());
    println!("| case | p50 us | p90 us | p99 us | least us | host calls | memory KiB |");
    println!("|---|---|---|---|---|---|---|");
    for Case { name, guest, isolation } in CASES {
        let service = service(&runtime, std::fs::read(wasm(guest))?, isolation)?;
        let (cycles, usage) = tokio.block_on(cycles(&service));
        println!("{}", row(name, cycles.iter().map(|cycle| cycle.took).collect(), &usage));
    }
    let service = service(&runtime, std::fs::read(wasm("first"))?, Isolation::Fresh)?;
    let (cycles, usage) = tokio.block_on(cycles(&service));
    let first = |cycle: &Cycle| -> Result<Duration, Box<dyn std::error::Error>> {
        Ok(Duration::from_nanos(u64::from_le_bytes(cycle.answer[..].try_into()?)))
    };
    let first = cycles.iter().map(first).collect::<Result<_, _>>()?;
    println!("{}", row("first, 0.2, fresh, until it runs", first, &usage));
    Ok(())
}

/// One case as a row of the table.
fn row(name: &str, mut took: Vec<Duration>, usage: &Usage) -> String {
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e6;
    let [p50, p90, p99, least] = [0.5, 0.9, 0.99, 0.0].map(at);
    let (calls, kib) = (usage.host_calls, usage.memory_bytes >> 10);
    format!("| {name} | {p50:.1} | {p90:.1} | {p99:.1} | {least:.1} | {calls} | {kib} |")
}

/// One request, from before it was made to after everything of it was dropped.
struct Cycle {
    took: Duration,
    answer: Bytes,
}

/// What `--components` says.
fn others() -> usize {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--components").skip(1);
    arguments.next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn wasm(guest: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.join(format!("target/guests/wasm/{guest}.wasm"))
}

/// The same component with a number in a custom section: another digest, so other code.
fn numbered(component: &[u8], number: usize) -> Vec<u8> {
    let mut wasm = component.to_vec();
    wasm.extend([0, 9]);
    wasm.push(1);
    wasm.push(b'n');
    wasm.extend(u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
    wasm.extend([0; 3]);
    wasm
}

fn service(
    runtime: &Runtime,
    bytes: Vec<u8>,
    isolation: Isolation,
) -> Result<Arc<Service>, Box<dyn std::error::Error>> {
    let origin = Box::new(|| Err(io::ErrorKind::NotFound.into()));
    let prepared = runtime.prepare(&bytes.into(), origin, Load::Now)?;
    let config = ServiceConfig {
        world: World::none(),
        outbound: Outbound::none(),
        grants: Arc::new(Grants::default()),
        limits: Limits::DEFAULT,
        isolation,
        allowance: None,
    };
    Ok(Arc::new(Service::new(prepared, config, Trigger::Http)?))
}

async fn cycles(service: &Arc<Service>) -> (Vec<Cycle>, Usage) {
    let mut cycles = Vec::with_capacity(CYCLES.1);
    let mut usage = Usage::default();
    for cycle in 0..CYCLES.0 + CYCLES.1 {
        let started = Instant::now();
        let meter = Arc::new(Meter::new(Duration::from_secs(30)));
        let body = Full::default().map_err(|never| -> RequestBodyError { match never {} });
        let request = Request::builder().uri("http://bench/").body(body);
        let request = request.expect("a request without anything is one");
        let answer = service.call(request, Caller { meter: &meter, inside: None }).await.expect("it answers");
        let answer = answer.into_body().collect().await.expect("to the end").to_bytes();
        let took = started.elapsed();
        if cycle >= CYCLES.0 {
            cycles.push(Cycle { took, answer });
        }
        usage = meter.usage();
    }
    (cycles, usage)
}
