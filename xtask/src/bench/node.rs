//! A node with many apps: what it serves beside `tombolo up`, how soon a deployment is served, how soon a node that
//! starts again, and what it costs idle.

use std::fmt::Write;
use std::fs;
use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::server::{Cores, Server, Setup, free_address, get_of, succeeded};
use super::{median, wrk};

/// What each thing is done so often.
const TIMES: usize = 9;
/// The app whose requests and deployments are measured.
const APP: &str = "measured";

/// A node of a benchmark, and its first admin.
pub(crate) struct Node<'a> {
    pub(crate) server: Server,
    setup: &'a Setup,
    data: PathBuf,
    control: SocketAddr,
    token: String,
}

impl<'a> Node<'a> {
    /// A node on a new data folder of this name.
    pub(crate) fn new(setup: &'a Setup, name: &str) -> Result<Self, String> {
        let data = setup.work().join(name);
        if let Err(error) = fs::remove_dir_all(&data)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(format!("cannot empty `{}`: {error}", data.display()));
        }
        let control = free_address()?;
        let log = setup.work().join(format!("{name}.log"));
        let server = setup.start_node(&data, control, Cores::All, &log)?;
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until {
            let said = fs::read_to_string(&log).unwrap_or_default();
            if said.contains("Listening on")
                && let Some((_, rest)) = said.split_once("told this once: ")
            {
                let token = rest.lines().next().unwrap_or_default().to_owned();
                return Ok(Self { server, setup, data, control, token });
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err(format!("no node serves; see {}", log.display()))
    }

    /// The same node started again on these cores. Returns before it serves.
    fn again(self, cores: Cores) -> Result<Self, String> {
        let Self { server, setup, data, token, .. } = self;
        drop(server);
        let control = free_address()?;
        let server = setup.start_node(&data, control, cores, &data.with_extension("log"))?;
        Ok(Self { server, setup, data, control, token })
    }

    /// A command of a client that is logged in.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.setup.tombolo());
        command.args(arguments).current_dir(self.setup.work());
        command.env("TOMBOLO_NODE", format!("http://{}", self.control)).env("TOMBOLO_TOKEN", &self.token);
        command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
        command.stderr(std::process::Stdio::null());
        command
    }

    /// Runs such a command to its end, in milliseconds.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<f64, String> {
        let started = Instant::now();
        succeeded(&format!("tombolo {}", arguments.join(" ")), self.command(arguments).status())?;
        Ok(started.elapsed().as_secs_f64() * 1000.0)
    }

    /// One request to the control interface, read to its end: milliseconds and bytes.
    fn scrape(&self) -> Result<(f64, usize), String> {
        let failed = |error: std::io::Error| format!("cannot scrape: {error}");
        let started = Instant::now();
        let mut stream = TcpStream::connect(self.control).map_err(failed)?;
        let head = format!(
            "GET /metrics HTTP/1.1\r\nhost: node\r\nconnection: close\r\nauthorization: Bearer {}\r\n\r\n",
            self.token
        );
        stream.write_all(head.as_bytes()).map_err(failed)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).map_err(failed)?;
        if !answer.starts_with(b"HTTP/1.1 200") {
            return Err(format!("a scrape was answered {}", String::from_utf8_lossy(&answer)));
        }
        Ok((started.elapsed().as_secs_f64() * 1000.0, answer.len()))
    }
}

/// All of it, as text.
pub(crate) fn report(setup: &Setup, apps: usize, rounds: u32, seconds: u32) -> Result<String, String> {
    let node = Node::new(setup, "node")?;
    let lean = read(&setup.guest("lean"))?;
    let hello = read(&setup.guest("hello-rust"))?;
    let folder = setup.work().join("node-apps");
    fs::create_dir_all(&folder).map_err(|error| format!("cannot make `{}`: {error}", folder.display()))?;
    let component = folder.join("app.wasm");
    let path = component.to_string_lossy().into_owned();
    for number in 1..apps {
        write(&component, &numbered(&lean, number as u64))?;
        node.run(&["deploy", &path, "--name", &format!("a{number}")])?;
    }
    write(&component, &numbered(&hello, 0))?;
    node.run(&["deploy", &path, "--name", APP])?;

    let unchanged = times(|_| node.run(&["deploy", &path, "--name", APP]))?;
    let changed = times(|turn| {
        // Another one in each run, so that none was compiled before.
        let nonce = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_nanos() as u64);
        write(&component, &numbered(&hello, nonce ^ turn as u64))?;
        node.run(&["deploy", &path, "--name", APP])
    })?;
    let rollback = rollback(&node, &component, [&lean, &hello])?;

    let (mut again, mut idle) = (node, Vec::new());
    let mut started = [Vec::new(), Vec::new()];
    for _ in 0..TIMES {
        for (cores, started) in [Cores::All, Cores::First].into_iter().zip(&mut started) {
            let before = Instant::now();
            again = again.again(cores)?;
            again.server.first_answer(&host(APP), "/", Duration::from_secs(60))?;
            started.push(before.elapsed().as_secs_f64() * 1000.0);
        }
        std::thread::sleep(Duration::from_secs(1));
        idle.push((again.server.memory_kb() as f64 / 1024.0, again.server.anonymous_kb() as f64 / 1024.0));
    }
    let node = again;

    let served = served(&node, rounds, seconds)?;
    let mut stream = TcpStream::connect(node.server.address).map_err(|error| error.to_string())?;
    for number in 1..apps {
        get_of(&mut stream, &host(&format!("a{number}")), "/")
            .map_err(|error| format!("a{number}: {error}"))?;
    }
    let mut bytes = 0;
    let scrape = times(|_| {
        let (took, length) = node.scrape()?;
        bytes = length;
        Ok(took)
    })?;

    let mut text = format!("| {apps} apps, each of another component | |\n|---|---|\n{served}");
    let mut row = |what: &str, value: String| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "| {what} | {value} |");
    };
    let middle = |values: &[f64]| format!("{:.0}", median(values.iter().copied()));
    row("`tombolo deploy` of an unchanged app, ms, median", middle(&unchanged));
    row("`tombolo deploy` of a changed component of 300 kB, compiled, ms, median", middle(&changed));
    row("`tombolo rollback` until the other release answers, ms, median", middle(&rollback));
    row("exec of the node to the first answer, both cores, ms, median", middle(&started[0]));
    row("exec of the node to the first answer, one core, ms, median", middle(&started[1]));
    row("idle, resident, MB", format!("{:.0}", median(idle.iter().map(|idle| idle.0))));
    row("idle, anonymous memory, MB", format!("{:.0}", median(idle.iter().map(|idle| idle.1))));
    row(&format!("scrape of {} kB, ms, median", bytes / 1000), middle(&scrape));
    Ok(text)
}

/// What the node serves of one app, beside `tombolo up` of the same: rows of the report.
fn served(node: &Node<'_>, rounds: u32, seconds: u32) -> Result<String, String> {
    // As a deployment of a component alone has it, so that guests of both are told the same of their route.
    let folder = node.setup.work().join("node-up");
    let component = node.setup.guest("hello-rust");
    let manifest = format!(
        "spin_manifest_version = 2\n[application]\nname = \"{APP}\"\n[[trigger.http]]\nroute = \"/...\"\n\
         component = \"{APP}\"\n[component.{APP}]\nsource = \"{}\"\n",
        component.display()
    );
    fs::create_dir_all(&folder).map_err(|error| format!("cannot make `{}`: {error}", folder.display()))?;
    write(&folder.join("spin.toml"), manifest.as_bytes())?;
    let up = node.setup.start_app(&folder, Duration::from_secs(60))?;
    let servers = [&up, &node.server];
    let mut samples = [Vec::new(), Vec::new()];
    for server in servers {
        wrk::run_host(server, 32, 1, &host(APP))?;
    }
    for round in 0..rounds as usize {
        for turn in 0..2 {
            let which = (turn + round) % 2;
            samples[which].push(wrk::run_host(servers[which], 32, seconds, &host(APP))?);
        }
    }
    let rate = |which: usize| median(samples[which].iter().map(|sample| sample.requests_per_s));
    let cpu = |which: usize| median(samples[which].iter().map(|sample| sample.cpu_us));
    let pairs = || samples[0].iter().zip(&samples[1]);
    let rates = median(pairs().map(|(up, node)| node.requests_per_s / up.requests_per_s));
    let cpus = median(pairs().map(|(up, node)| up.cpu_us / node.cpu_us));
    Ok(format!(
        "| req/s, `tombolo up`, 32 connections | {:.0} |\n| req/s, the node | {:.0} |\n| ratio | {rates:.2} |\n\
         | CPU us/req, `tombolo up` and the node, ratio | {:.1}, {:.1}, {cpus:.2} |\n",
        rate(0),
        rate(1),
        cpu(0),
        cpu(1),
    ))
}

/// Milliseconds from the start of a `tombolo rollback` until clients get the other release.
fn rollback(node: &Node<'_>, component: &Path, releases: [&[u8]; 2]) -> Result<Vec<f64>, String> {
    const NAME: &str = "turned";
    for release in releases {
        write(component, release)?;
        node.run(&["deploy", &component.to_string_lossy(), "--name", NAME])?;
    }
    let mut stream = TcpStream::connect(node.server.address).map_err(|error| error.to_string())?;
    let mut body = || -> Result<String, String> {
        let answer = get_of(&mut stream, &host(NAME), "/").map_err(|error| error.to_string())?;
        match answer.split_once("\r\n\r\n") {
            Some((head, body)) if head.starts_with("HTTP/1.1 200") => Ok(body.to_owned()),
            _ => Err(format!("`{NAME}` answered {answer}")),
        }
    };
    times(|_| {
        let before = body()?;
        let started = Instant::now();
        let mut command = node.command(&["rollback", NAME]);
        let mut child = command.spawn().map_err(|error| format!("cannot run tombolo: {error}"))?;
        while body()? == before {
            if started.elapsed() > Duration::from_secs(10) {
                return Err("a rollback changed nothing".to_owned());
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        let took = started.elapsed().as_secs_f64() * 1000.0;
        succeeded("tombolo rollback", child.wait())?;
        Ok(took)
    })
}

/// What something took each time.
fn times(mut run: impl FnMut(usize) -> Result<f64, String>) -> Result<Vec<f64>, String> {
    (0..TIMES).map(&mut run).collect()
}

/// Where an app of the usual tenant answers.
fn host(app: &str) -> String {
    format!("{app}.localhost")
}

/// A component with a number in a custom section: another one with the same code.
fn numbered(component: &[u8], number: u64) -> Vec<u8> {
    // Section 0, ten bytes long: a name of one letter, the number.
    [component, &[0, 10, 1, b'n'], &number.to_le_bytes()].concat()
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes).map_err(|error| format!("cannot write `{}`: {error}", path.display()))
}
