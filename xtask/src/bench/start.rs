//! From exec to the first answer, and from exec to the end of a program.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::median;
use super::server::{Caches, Cores, Kind, Setup};

/// Each server started so many times, in turn, with everything that can be compiled before compiled.
pub(crate) fn table(setup: &Setup, starts: u32) -> Result<String, String> {
    let contenders = Kind::STARTED.map(|kind| (kind, Cores::First, kind.name().to_owned()));
    first_answers(setup, &contenders, Caches::Kept, starts)
}

/// The same with nothing compiled before.
pub(crate) fn uncached(setup: &Setup, starts: u32) -> Result<String, String> {
    let contenders = [(Cores::First, "one core"), (Cores::All, "all cores")].map(|(cores, among)| {
        let kinds = [Kind::WasmtimeUncompiled, Kind::Tombolo];
        kinds.map(|kind| (kind, cores, format!("{}, {among}", kind.name())))
    });
    first_answers(setup, contenders.as_flattened(), Caches::Empty, starts)
}

fn first_answers(
    setup: &Setup,
    contenders: &[(Kind, Cores, String)],
    caches: Caches,
    starts: u32,
) -> Result<String, String> {
    let mut took = vec![Vec::new(); contenders.len()];
    for _ in 0..starts {
        for (place, (kind, cores, _)) in contenders.iter().enumerate() {
            setup.prepare_cache(caches)?;
            let started = Instant::now();
            let server = setup.start_with(*kind, caches, *cores)?;
            took[place].push(started.elapsed().as_secs_f64() * 1000.0);
            drop(server);
        }
    }
    Ok(rows(contenders.iter().map(|(_, _, name)| name.as_str()).zip(&took)))
}

/// Programs that say hello and end, each so many times, in turn.
pub(crate) fn programs(setup: &Setup, starts: u32) -> Result<String, String> {
    let (tombolo, wasmtime) = (setup.tombolo(), setup.wasmtime());
    let (wasi01, wasi02) = (setup.guest("command.wasm32-wasip1"), setup.guest("command.wasm32-wasip2"));
    let (compiled01, compiled02) = (setup.compiled(&wasi01)?, setup.compiled(&wasi02)?);
    let run = |program: &Path, arguments: &[&str], file: &Path| {
        let mut command = Command::new(program);
        command.args(arguments).arg(file).env("TOMBOLO_CACHE_DIR", setup.cache(Caches::Kept));
        command
    };
    let precompiled = ["run", "--allow-precompiled"];
    let mut commands = [
        ("nothing: /bin/true", Command::new("/bin/true")),
        ("tombolo, before it does anything: --version", run(tombolo, &[], Path::new("--version"))),
        ("wasmtime run, WASI 0.1, .cwasm", run(wasmtime, &precompiled, &compiled01)),
        ("tombolo run, WASI 0.1", run(tombolo, &["run"], &wasi01)),
        ("wasmtime run, WASI 0.2, .cwasm", run(wasmtime, &precompiled, &compiled02)),
        ("tombolo run, WASI 0.2", run(tombolo, &["run"], &wasi02)),
    ];
    let mut took = vec![Vec::new(); commands.len()];
    // The first turn fills caches, and does not count.
    for turn in 0..=starts {
        for ((name, command), took) in commands.iter_mut().zip(&mut took) {
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let started = Instant::now();
            let status = command.status().map_err(|error| format!("cannot run {name}: {error}"))?;
            if !status.success() {
                return Err(format!("{name} ended with {status}"));
            }
            if turn > 0 {
                took.push(started.elapsed().as_secs_f64() * 1000.0);
            }
        }
    }
    Ok(rows(commands.iter().map(|(name, _)| *name).zip(&took)))
}

fn rows<'a>(measured: impl Iterator<Item = (&'a str, &'a Vec<f64>)>) -> String {
    let mut text = String::from("| what | ms, median | ms, least |\n|---|---|---|\n");
    for (name, took) in measured {
        let least = took.iter().copied().fold(f64::INFINITY, f64::min);
        text += &format!("| {name} | {:.1} | {least:.1} |\n", median(took.iter().copied()));
    }
    text
}
