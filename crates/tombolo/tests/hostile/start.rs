//! Files that cost more to compile, or to read, than they are worth.
//!
//! The node serves such a file or refuses it with one clear error, within bounds of time and memory.

use std::fs::{self, File};
use std::process::{Child, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::ground::{self, sandbox};
use crate::waiting;

/// How long a start may take: an unoptimised host on a busy machine.
const START_MAX: Duration = Duration::from_secs(30);
/// What a start may hold at its highest. `tombolo up` of the guest `web` holds 40 MB.
const PEAK_KB_MAX: u64 = 1 << 20;
/// Bytes of an error that a person reads.
const ERROR_BYTES_MAX: usize = 2000;

/// How a start has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    /// It serves, or says why not.
    Either,
    /// It says why not.
    Refused,
}

/// How a start ended.
#[derive(Debug)]
enum Start {
    Serves,
    Exited(ExitStatus),
    Endless,
}

/// A component whose one module has these fields besides its handler.
fn component(fields: &str) -> String {
    let text = include_str!("../../../../guests/hostile/wat/start-loop.wat");
    text.replace("(func $start (loop $again (br $again)))\n    (start $start)", fields)
}

#[test]
fn a_file_that_is_costly_to_compile_costs_a_bounded_start() {
    let _turn = ground::turn();
    let repeat = |part: &str, times: usize| part.repeat(times);
    let sum = "local.get 0 i32.const 7 i32.mul i32.const 3 i32.xor local.set 0\n";
    let files = [
        ("function", component(&format!("(func (param i32) {})", repeat(sum, 500_000))), Ends::Either),
        ("functions", component(&repeat("(func (result i32) i32.const 1)\n", 100_000)), Ends::Either),
        (
            "blocks",
            component(&format!("(func {}{})", repeat("block ", 50_000), repeat("end ", 50_000))),
            Ends::Either,
        ),
        (
            "br-table",
            component(&format!("(func (param i32) local.get 0 br_table {})", repeat("0 ", 1_000_000))),
            Ends::Either,
        ),
        ("locals", component(&format!("(func (local {}))", repeat("i64 ", 50_001))), Ends::Refused),
        ("parentheses", repeat("(component ", 100_000) + &repeat(")", 100_000), Ends::Refused),
        ("types", types(), Ends::Refused),
        ("instances", instances(1000), Ends::Refused),
        ("two-tables", component("(table 1 funcref) (table 1 funcref)"), Ends::Either),
        ("two-memories", component("(memory 1) (memory 1)"), Ends::Either),
        ("shared-memory", component("(memory 1 65536 shared)"), Ends::Refused),
        ("huge-memory", component("(memory i64 0x1000000000)"), Ends::Refused),
        ("zeroes", "\0".repeat(8 << 20), Ends::Refused),
    ];
    let failures: Vec<String> =
        files.into_iter().filter_map(|(name, text, ends)| start(name, &text, ends).err()).collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// Each type is two of the one before: written out, there would be 2^64 fields.
fn types() -> String {
    let tuple = |level: usize| format!("(type $t{level} (tuple $t{0} $t{0}))\n", level - 1);
    let tuples: String = (1..=64).map(tuple).collect();
    let export = "(export \"wasi:http/incoming-handler@0.2.0\"";
    component("").replace(export, &format!("(type $t0 (tuple u8 u8))\n{tuples}{export}"))
}

/// So many instances of one module.
fn instances(count: usize) -> String {
    let more: String =
        (0..count).map(|number| format!("(core instance $i{number} (instantiate $attack))\n")).collect();
    component("").replace("(core instance $guest", &format!("{more}(core instance $guest"))
}

/// Starts the program with a file, says how that ended, and whether it should have.
fn start(name: &str, text: &str, ends: Ends) -> Result<(), String> {
    let name = format!("start {name}");
    if let Some(reason) = waiting::reason(&name) {
        println!("{name:<32} waits: {reason}");
        return Ok(());
    }
    let sandbox = sandbox();
    let file = sandbox.file("bomb.wat", text);
    let said = sandbox.path().join("said");
    let stream = || File::options().append(true).create(true).open(&said).unwrap();
    let mut command = sandbox.command(&["up", "--listen", "127.0.0.1:0"]);
    let started = Instant::now();
    let mut child =
        command.arg(&file).stdin(Stdio::null()).stdout(stream()).stderr(stream()).spawn().unwrap();
    let (start, peak_kb) = watch(&mut child, started, || fs::read_to_string(&said).unwrap());
    let took = started.elapsed();
    let _ = child.kill();
    let _ = child.wait();
    let said = fs::read_to_string(&said).unwrap();
    let is_clear = said.starts_with("error: ") && said.len() < ERROR_BYTES_MAX;
    let is_good = match &start {
        Start::Serves => ends == Ends::Either,
        Start::Exited(status) => status.code() == Some(1) && is_clear,
        Start::Endless => false,
    };
    let brief: String = said.chars().take(200).collect();
    let line = format!("{start:?}, {peak_kb} kB at most, {took:?}: {brief:?}");
    let is_good = is_good && peak_kb <= PEAK_KB_MAX;
    println!("{name:<32} {}: {line}", if is_good { "stands" } else { "FAILS" });
    if is_good { Ok(()) } else { Err(format!("{name}: expected {ends:?}, got {line}")) }
}

/// Waits until it serves, has ended, or has had its time.
fn watch(child: &mut Child, started: Instant, said: impl Fn() -> String) -> (Start, u64) {
    let mut peak_kb = 0;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return (Start::Exited(status), peak_kb);
        }
        peak_kb = peak_kb.max(highest_kb(child.id()).unwrap_or(0));
        if said().contains("Listening on") {
            return (Start::Serves, peak_kb);
        }
        if started.elapsed() > START_MAX {
            return (Start::Endless, peak_kb);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn highest_kb(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
