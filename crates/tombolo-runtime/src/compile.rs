//! Turning wasm into native code, within bounds.
//!
//! A compiler handed hostile input may take gigabytes or minutes, and whoever serves others must
//! survive that: so a server compiles in a process of its own, which bounds its memory and time and
//! can be killed. What comes back over the pipe is as good as what comes out of the cache: this
//! program made it for this engine.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, WaitId, WaitIdOptions, waitid};
use tombolo_capability::Abi;
use wasmtime::Engine;

use crate::compose::{self, Bundle};
use crate::engine::{Interruption, settings};
use crate::inspect;
use crate::prepare::PrepareError;

/// Where compiling happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compiler {
    /// In this process: for a program that runs what its user chose.
    Inside,
    /// In a process of its own, within [`BOUNDS`]: for a server. The program is called with
    /// [`Job::arguments`] behind the name of its subcommand, and there calls [`work`].
    Process {
        /// The program.
        program: PathBuf,
        /// The subcommand that calls [`work`].
        subcommand: &'static str,
    },
}

/// What a compiler in a process of its own may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of address space.
    pub memory_bytes_max: u64,
    /// Time from start to end.
    pub time_max: Duration,
    /// Time over all its threads.
    pub cpu_time_max: Duration,
}

/// A guest with a whole JavaScript or Python engine inside takes 7 s of two cores and below 1 GiB.
pub const BOUNDS: Bounds = Bounds {
    memory_bytes_max: 4 << 30,
    time_max: Duration::from_secs(120),
    cpu_time_max: Duration::from_secs(240),
};

/// The largest artefact that is taken.
const ARTEFACT_BYTES_MAX: u64 = 1 << 30;
/// How much of what a compiler says is kept.
const SAID_BYTES_MAX: u64 = 16 << 10;

/// Something to compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// For which engine.
    pub abi: Abi,
    /// With which interruption.
    pub interruption: Interruption,
    /// Into what.
    pub product: Product,
}

/// What comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// A component; a module of WASI 0.1 is adapted first, parts are composed.
    Component,
    /// A core module.
    Module,
}

impl Job {
    /// The job as arguments of a command: [`Job::parse`] reads them.
    pub fn arguments(self) -> [&'static str; 3] {
        let abi = if self.abi == Abi::Async { "async" } else { "sync" };
        let interruption = if self.interruption == Interruption::Sliced { "sliced" } else { "never" };
        let product = if self.product == Product::Component { "component" } else { "module" };
        [abi, interruption, product]
    }

    /// The job of such arguments; `None` if they are others.
    pub fn parse(arguments: &[String]) -> Option<Self> {
        let [abi, interruption, product] = arguments else { return None };
        Some(Self {
            abi: match abi.as_str() {
                "sync" => Abi::Sync,
                "async" => Abi::Async,
                _ => return None,
            },
            interruption: match interruption.as_str() {
                "sliced" => Interruption::Sliced,
                "never" => Interruption::Never,
                _ => return None,
            },
            product: match product.as_str() {
                "component" => Product::Component,
                "module" => Product::Module,
                _ => return None,
            },
        })
    }
}

impl Compiler {
    /// The native code of `wasm`.
    ///
    /// # Errors
    ///
    /// If it does not compile, or not within the bounds.
    pub(crate) fn compile(&self, engine: &Engine, job: Job, wasm: &[u8]) -> Result<Vec<u8>, PrepareError> {
        match self {
            Self::Inside => compile(engine, job.product, wasm),
            Self::Process { program, subcommand } => elsewhere(program, subcommand, job, wasm),
        }
    }
}

fn compile(engine: &Engine, product: Product, wasm: &[u8]) -> Result<Vec<u8>, PrepareError> {
    let failed = |error: wasmtime::Error| PrepareError::Compile { reason: format!("{error:#}") };
    match product {
        Product::Module => engine.precompile_module(wasm).map_err(failed),
        Product::Component if compose::is_bundle(wasm) => {
            let bundle = Bundle::decode(wasm).ok_or_else(|| PrepareError::Compile {
                reason: "its parts did not arrive as they were sent".to_owned(),
            })?;
            engine.precompile_component(&bundle.compose()?).map_err(failed)
        }
        Product::Component => {
            let found = inspect::inspect(wasm)?;
            engine.precompile_component(&inspect::component(wasm, &found)?).map_err(failed)
        }
    }
}

/// The work of a compiling process: binds itself, reads wasm, writes its native code.
///
/// # Errors
///
/// What to tell whoever started it.
pub fn work(job: Job, mut input: impl Read, mut output: impl Write) -> Result<(), String> {
    let text = |error: &dyn std::error::Error| error.to_string();
    bind().map_err(|error| format!("a compiling process cannot bound itself: {error}"))?;
    let mut wasm = Vec::new();
    input.read_to_end(&mut wasm).map_err(|error| text(&error))?;
    let engine = Engine::new(&settings(job.abi, job.interruption)).map_err(|error| format!("{error:#}"))?;
    let artefact = compile(&engine, job.product, &wasm).map_err(|error| text(&error))?;
    output.write_all(&artefact).and_then(|()| output.flush()).map_err(|error| text(&error))
}

/// Takes no more than [`BOUNDS`] from now on, and lets those who serve go first.
fn bind() -> io::Result<()> {
    let limit = |most: u64| Rlimit { current: Some(most), maximum: Some(most) };
    rustix::process::setrlimit(Resource::As, limit(BOUNDS.memory_bytes_max))?;
    rustix::process::setrlimit(Resource::Cpu, limit(BOUNDS.cpu_time_max.as_secs()))?;
    rustix::process::setrlimit(Resource::Core, limit(0))?;
    // Nobody would take what it makes.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    rustix::process::nice(5)?;
    Ok(())
}

fn elsewhere(program: &Path, subcommand: &str, job: Job, wasm: &[u8]) -> Result<Vec<u8>, PrepareError> {
    let started = Command::new(program)
        .arg(subcommand)
        .args(job.arguments())
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = started.map_err(|source| PrepareError::Compiler { source })?;
    let Heard { artefact, said, late } = converse(&mut child, wasm);
    let status = child.wait().map_err(|source| PrepareError::Compiler { source })?;
    if late {
        let reason = format!("it took more than {} s", BOUNDS.time_max.as_secs());
        return Err(PrepareError::Compile { reason });
    }
    if status.success() {
        return artefact.map_err(|source| PrepareError::Compiler { source });
    }
    match status.code() {
        // It said why, in the words of `PrepareError`.
        Some(1) => Err(PrepareError::Said { message: said.trim_end().to_owned() }),
        _ => {
            let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no word");
            let most = BOUNDS.memory_bytes_max >> 20;
            let reason = format!("its compiler may use {most} MiB, and ended with {status}: {last}");
            Err(PrepareError::Compile { reason })
        }
    }
}

/// What came of a conversation with a compiling process.
struct Heard {
    artefact: io::Result<Vec<u8>>,
    said: String,
    /// Whether it was killed because its time was over.
    late: bool,
}

/// Gives a process its wasm and takes what it writes, for so long as it may.
fn converse(child: &mut Child, wasm: &[u8]) -> Heard {
    let piped = "asked to be piped";
    let mut input = child.stdin.take().expect(piped);
    let (output, errors) = (child.stdout.take().expect(piped), child.stderr.take().expect(piped));
    // Until it is waited for, nobody else gets its number.
    let pid = Pid::from_child(child);
    std::thread::scope(|scope| {
        let (ended, end) = mpsc::sync_channel::<()>(0);
        // One that ends before it has read everything says why on its way out.
        scope.spawn(move || drop(input.write_all(wasm)));
        let said = scope.spawn(move || {
            let mut said = Vec::new();
            let _ = errors.take(SAID_BYTES_MAX).read_to_end(&mut said);
            String::from_utf8_lossy(&said).into_owned()
        });
        let watch = scope.spawn(move || {
            let late = end.recv_timeout(BOUNDS.time_max) == Err(RecvTimeoutError::Timeout);
            late && rustix::process::kill_process(pid, Signal::KILL).is_ok()
        });
        let mut artefact = Vec::new();
        let read = output.take(ARTEFACT_BYTES_MAX).read_to_end(&mut artefact);
        let said = said.join().unwrap_or_default();
        // Ended, and not yet waited for: its number is still its own.
        let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        drop(ended);
        Heard { artefact: read.map(|_| artefact), said, late: watch.join().unwrap_or(false) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_survives_being_arguments() {
        for abi in [Abi::Sync, Abi::Async] {
            for product in [Product::Component, Product::Module] {
                let job = Job { abi, interruption: Interruption::Sliced, product };
                let arguments = job.arguments().map(str::to_owned);
                assert_eq!(Job::parse(&arguments), Some(job));
            }
        }
        assert_eq!(Job::parse(&["sync".into(), "sliced".into(), "x".into()]), None);
        assert_eq!(Job::parse(&[]), None);
    }

    /// A compiler that dies, or is none, is an error of this component and nothing more.
    #[test]
    fn a_compiler_that_dies_is_an_error() {
        let job = Job { abi: Abi::Sync, interruption: Interruption::Never, product: Product::Module };
        let absent = elsewhere(Path::new("/no/such/program"), "compile", job, b"");
        assert!(matches!(absent, Err(PrepareError::Compiler { .. })), "{absent:?}");
        // Prints nothing and fails with 1; given more than a pipe holds.
        let failing = elsewhere(Path::new("/bin/false"), "compile", job, &vec![0; 1 << 20]);
        assert!(matches!(failing, Err(PrepareError::Said { .. })), "{failing:?}");
    }
}
