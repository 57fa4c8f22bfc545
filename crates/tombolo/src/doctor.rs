//! `tombolo doctor`.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use serde::Serialize;
use tombolo_confine::{Plan, State};
use tombolo_node::{Allocation, EngineConfig, GatewayConfig, Interruption, Pool};
use tombolo_runtime::survey;
use tombolo_store::ArtefactCache;

use crate::failure::{Failure, chain};

/// Show what this machine has of what Tombolo uses
///
/// Ends with 1 if something that serving needs is missing. What is `off` serving does without: more
/// slowly, or with one wall less.
///
/// Example: tombolo doctor --json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Doctor {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is printed. The JSON form is an interface: fields and checks are added, not changed.
#[derive(Debug, Serialize)]
struct Report {
    version: &'static str,
    checks: Vec<Check>,
}

/// One thing that was looked for.
#[derive(Debug, Serialize)]
struct Check {
    group: Group,
    name: &'static str,
    state: Verdict,
    detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Group {
    Machine,
    Wall,
    Tool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    /// It is there.
    On,
    /// It is not, and serving goes on without.
    Off,
    /// It is not, and serving needs it.
    Missing,
}

impl Doctor {
    pub(crate) fn run(
        self,
        cache: Option<PathBuf>,
        path: Option<OsString>,
        out: &mut impl Write,
    ) -> Result<ExitCode, Failure> {
        // First the tools, which are run, and last the walls.
        let tools = tools(&path.unwrap_or_default());
        let checks = machine(cache.as_deref()).into_iter().chain(walls()).chain(tools).collect();
        let report = Report { version: env!("CARGO_PKG_VERSION"), checks };
        let text = match self.json {
            true => serde_json::to_string_pretty(&report).expect("text is JSON") + "\n",
            false => report.to_text(),
        };
        out.write_all(text.as_bytes()).map_err(|error| Failure::new(format!("cannot print: {error}")))?;
        let is_missing = report.checks.iter().any(|check| check.state == Verdict::Missing);
        Ok(ExitCode::from(u8::from(is_missing)))
    }
}

impl Report {
    fn to_text(&self) -> String {
        let mut text = format!("tombolo {}\n", self.version);
        let groups = [
            (Group::Machine, "This machine"),
            (Group::Wall, "Walls around `tombolo up`"),
            (Group::Tool, "Tools that build components"),
        ];
        for (group, title) in groups {
            let _ = writeln!(text, "\n{title}");
            for Check { name, state, detail, .. } in self.checks.iter().filter(|check| check.group == group) {
                let state = match state {
                    Verdict::On => "on",
                    Verdict::Off => "off",
                    Verdict::Missing => "missing",
                };
                let _ = writeln!(text, "  {name:15}  {state:7}  {detail}");
            }
        }
        text
    }
}

fn machine(cache: Option<&Path>) -> Vec<Check> {
    let engine =
        EngineConfig { allocation: Allocation::Pooled(Pool::DEFAULT), interruption: Interruption::Sliced };
    let found = survey(engine, Pool::DEFAULT);
    let Pool { instances_max, memory_bytes_max } = Pool::DEFAULT;
    let wasmtime = format!("wasmtime {}, {}", found.version, found.compiler);
    let engine = found.engine.map(|()| wasmtime);
    let pool = found
        .pool
        .map(|()| format!("addresses for {instances_max} instances of up to {} GiB", memory_bytes_max >> 30));
    let scan = match found.has_page_scan {
        true => Ok("PAGEMAP_SCAN: only what a guest wrote is cleared".to_owned()),
        false => Err("it takes Linux 6.7 and /proc: more is cleared than a guest wrote".to_owned()),
    };
    let check = |name, found, otherwise| check(Group::Machine, name, found, otherwise);
    vec![
        check("engine", engine, Verdict::Missing),
        check("kernel", kernel(), Verdict::Off),
        check("pool", pool, Verdict::Off),
        check("page scan", scan, Verdict::Off),
        check("cache", cache_folder(cache), Verdict::Missing),
        check("open files", open_files(), Verdict::Off),
    ]
}

fn check(group: Group, name: &'static str, found: Result<String, String>, otherwise: Verdict) -> Check {
    match found {
        Ok(detail) => Check { group, name, state: Verdict::On, detail },
        Err(detail) => Check { group, name, state: otherwise, detail },
    }
}

fn kernel() -> Result<String, String> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease");
    release.map(|release| format!("Linux {}", release.trim())).map_err(|error| format!("not known: {error}"))
}

/// The folder of what is compiled, written to as serving will.
fn cache_folder(folder: Option<&Path>) -> Result<String, String> {
    let Some(folder) = folder else {
        return Err("no home to keep it in: set TOMBOLO_CACHE_DIR, or every start compiles".to_owned());
    };
    ArtefactCache::open(folder).map_err(|error| chain(&error))?;
    let file = folder.join(format!(".doctor-{}.tmp", std::process::id()));
    let tried: io::Result<()> = fs::write(&file, "").and_then(|()| fs::remove_file(&file));
    tried.map_err(|error| format!("cannot write to `{}`: {error}", folder.display()))?;
    Ok(folder.display().to_string())
}

/// A connection is one, and one more for each connection that a guest opens.
fn open_files() -> Result<String, String> {
    let needed = u64::from(GatewayConfig::DEFAULT.connections_max);
    match tombolo_confine::raise_open_files() {
        None => Ok("no limit".to_owned()),
        Some(limit) if limit > needed => Ok(format!("{limit} at once")),
        Some(limit) => Err(format!("{limit} at once, and the gateway takes {needed} connections")),
    }
}

/// What goes up around an app, tried here.
fn walls() -> Vec<Check> {
    let report = tombolo_confine::probe(&Plan::program());
    let check = |(wall, state): (tombolo_confine::Wall, State)| {
        let found = match state {
            State::On { detail } => Ok(detail),
            State::Off { reason } => Err(reason),
        };
        check(Group::Wall, wall.name(), found, Verdict::Off)
    };
    report.walls.into_iter().map(check).collect()
}

/// Programs that manifests' build commands call.
fn tools(path: &OsStr) -> Vec<Check> {
    let check = |name, found| check(Group::Tool, name, found, Verdict::Off);
    let on_path = |name: &str| {
        let found = std::env::split_paths(path).map(|folder| folder.join(name)).find(|file| file.is_file());
        found.map(|file| file.display().to_string()).ok_or_else(|| "not on PATH".to_owned())
    };
    let rust = on_path("rustc").and_then(|file| has_target(&file));
    let mut checks = vec![check("rust", rust)];
    checks.extend(["tinygo", "componentize-py", "jco"].map(|name| check(name, on_path(name))));
    checks
}

/// `rustc`, if it compiles for guests: it knows where the target's libraries are, or would be.
fn has_target(rustc: &str) -> Result<String, String> {
    const TARGET: &str = "wasm32-wasip2";
    let asked = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let answer = asked.map_err(|error| format!("cannot run `{rustc}`: {error}"))?;
    let folder = PathBuf::from(String::from_utf8_lossy(&answer.stdout).trim());
    match folder.is_absolute() && folder.is_dir() {
        true => Ok(format!("{rustc}, {TARGET}")),
        false => Err(format!("`{rustc}` has no target {TARGET}: rustup target add {TARGET}")),
    }
}
