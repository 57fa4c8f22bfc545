//! Many components in one process: how soon it serves, what they cost idle, what the first request of
//! one takes, and what it costs to serve a thousand of them in turn.

use std::fmt::Write;
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use super::median;
use super::server::{Setup, get};
use super::wrk;

/// Components asked in turn.
const IN_TURN: usize = 1000;
/// Components whose first request is timed.
const COLD: usize = 500;
/// What is not asked in turn, and not asked before.
const COLD_FROM: usize = 2000;

/// All of it, as text.
pub(crate) fn report(setup: &Setup, components: usize, seconds: u32) -> Result<String, String> {
    let app = app(setup, components)?;
    // The first start compiles what the cache does not have; this one is not measured.
    drop(setup.start_app(&app, Duration::from_secs(3600))?);
    let mut started = Vec::new();
    for _ in 0..3 {
        let before = Instant::now();
        drop(setup.start_app(&app, Duration::from_secs(60))?);
        started.push(before.elapsed().as_secs_f64() * 1000.0);
    }
    let server = setup.start_app(&app, Duration::from_secs(60))?;
    let idle = server.anonymous_kb();
    let cold = cold(&server.address)?;
    // Both by a script: what it costs the load generator to run one is not the server's.
    let scripts = [("one.lua", 1), ("in-turn.lua", IN_TURN)];
    let mut runs = [Vec::new(), Vec::new()];
    for round in 0..5 {
        for ((name, among), runs) in scripts.into_iter().zip(&mut runs) {
            let script = app.join(name);
            write(&script, script_over(among).as_bytes())?;
            let sample = wrk::run_path(&server, 32, seconds, "/", Some(&script))?;
            // The first round brings the components into memory.
            if round > 0 {
                runs.push(sample);
            }
        }
    }
    let [one, turns] = runs;
    let rate = |runs: &[wrk::Sample]| median(runs.iter().map(|run| run.requests_per_s));
    let cpu = |runs: &[wrk::Sample]| median(runs.iter().map(|run| run.cpu_us));
    let ratio = median(one.iter().zip(&turns).map(|(one, turns)| turns.requests_per_s / one.requests_per_s));
    let mut text = format!("| {components} components of 20 kB, each another one | |\n|---|---|\n");
    let mut row = |what: &str, value: String| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "| {what} | {value} |");
    };
    row("exec to first answer, ms, median", format!("{:.0}", median(started.into_iter())));
    row("idle, anonymous memory, MB", format!("{:.0}", idle as f64 / 1024.0));
    row(&format!("first request of one, us, median of {COLD}"), format!("{:.0}", cold.0));
    row("second request of the same, us, median", format!("{:.0}", cold.1));
    row("req/s, one component, 32 connections", format!("{:.0}", rate(&one)));
    row(&format!("req/s, {IN_TURN} in turn"), format!("{:.0}", rate(&turns)));
    row("ratio", format!("{ratio:.2}"));
    row("CPU us/req, one component", format!("{:.1}", cpu(&one)));
    row(&format!("CPU us/req, {IN_TURN} in turn"), format!("{:.1}", cpu(&turns)));
    row("after that, anonymous memory, MB", format!("{:.0}", server.anonymous_kb() as f64 / 1024.0));
    Ok(text)
}

/// Asks so many components in turn.
fn script_over(among: usize) -> String {
    format!(
        "local n = 0\nrequest = function()\n  n = (n + 1) % {among}\n  return wrk.format(\"GET\", \"/a\" .. n)\nend\n"
    )
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes).map_err(|error| format!("cannot write `{}`: {error}", path.display()))
}

/// Microseconds of the first and of the second request of components, each the median.
fn cold(address: &std::net::SocketAddr) -> Result<(f64, f64), String> {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let failed = |error: std::io::Error| format!("a first request went wrong: {error}");
    let mut stream = TcpStream::connect(address).map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    for number in COLD_FROM..COLD_FROM + COLD {
        for took in [&mut first, &mut second] {
            let before = Instant::now();
            let answer = get(&mut stream, &format!("/a{number}")).map_err(failed)?;
            took.push(before.elapsed().as_secs_f64() * 1e6);
            if !answer.starts_with("HTTP/1.1 200") {
                return Err(format!("/a{number} answered {answer}"));
            }
        }
    }
    Ok((median(first.into_iter()), median(second.into_iter())))
}

/// A folder with so many components, each with a number in a custom section, and a route for each.
fn app(setup: &Setup, components: usize) -> Result<std::path::PathBuf, String> {
    let folder = setup.work().join("many");
    fs::create_dir_all(&folder).map_err(|error| format!("cannot make `{}`: {error}", folder.display()))?;
    let lean =
        fs::read(setup.guest("lean")).map_err(|error| format!("cannot read the guest `lean`: {error}"))?;
    let mut manifest = String::from("spin_manifest_version = 2\n[application]\nname = \"many\"\n");
    for number in 0..components {
        // Section 0, nine bytes long: a name of one letter, the number.
        let section = [&[0, 9, 1, b'n'], (number as u64).to_le_bytes().get(..7).unwrap_or_default()].concat();
        write(&folder.join(format!("{number}.wasm")), &[lean.as_slice(), &section].concat())?;
        let _ = write!(
            manifest,
            "[[trigger.http]]\nroute = \"/a{number}\"\ncomponent = \"c{number}\"\n\
             [component.c{number}]\nsource = \"{number}.wasm\"\n"
        );
    }
    write(&folder.join("spin.toml"), manifest.as_bytes())?;
    Ok(folder)
}
