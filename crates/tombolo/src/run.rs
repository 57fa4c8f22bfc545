//! `tombolo run`.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use tombolo_cap_wasi::adapt::Shape;
use tombolo_cap_wasi::network::Names;
use tombolo_cap_wasi::{Access, Directory, Input, Network, Output, World};
use tombolo_confine::Plan;
use tombolo_node::{Allocation, EngineConfig, Interruption};
use tombolo_runtime::inspect::{self, Kind};
use tombolo_runtime::invoke::Invoked;
use tombolo_runtime::{Compiler, Load, Parts, PrepareError, Runtime, command, invoke};
use tombolo_store::ArtefactCache;

use crate::failure::Failure;
use crate::inspect::read;
use crate::pairs;

/// Run a WebAssembly program, or one function of a core module
///
/// The program sees clocks, random numbers and its standard streams, and nothing else: no
/// directory, environment variable, network or listening socket that is not granted here. Its exit
/// code is the exit code of this command; WASI 0.2 and 0.3 have none but 0 and 1.
///
/// Examples:
///   tombolo run hello.wasm -- Ada
///   tombolo run fib.wat --invoke fibonacci -- 40
///   tombolo run tool.wasm --dir ./data::/data:ro --env LEVEL=info
///   tombolo run server.wasm --listen 127.0.0.1:3000
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Run {
    /// A .wasm or .wat file
    file: PathBuf,
    /// Call this exported function of a core module; ARGS are its arguments
    #[arg(long, value_name = "FUNCTION")]
    invoke: Option<String>,
    /// Let it use a directory; `:ro` to read only
    #[arg(long = "dir", value_name = "HOST::GUEST[:ro]", value_parser = pairs::directory)]
    directories: Vec<Directory>,
    /// Give it an environment variable
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = pairs::variable)]
    environment: Vec<(String, String)>,
    /// Let it connect to an address
    #[arg(long = "allow-net", value_name = "HOST:PORT", value_parser = pairs::remote)]
    remotes: Vec<pairs::Remote>,
    /// Let it listen at an address
    #[arg(long = "listen", value_name = "ADDRESS")]
    listen: Vec<SocketAddr>,
    /// Let this process itself use any file; to find out whether the second wall is what fails
    #[arg(long)]
    no_confine: bool,
    /// Arguments of the program or function
    #[arg(last = true, value_name = "ARGS")]
    arguments: Vec<String>,
}

/// One memory of 32-bit addresses has at most this much: the guest is the user's own.
const MEMORY_BYTES_MAX: u64 = 4 << 30;

impl Run {
    pub(crate) fn run(self, cache: &Option<PathBuf>) -> Result<ExitCode, Failure> {
        let bytes = read(&self.file)?;
        let world = self.world()?;
        let engine = EngineConfig { allocation: Allocation::OnDemand, interruption: Interruption::Never };
        // Without a cache a program runs as well, only later.
        let artefacts = cache.as_ref().and_then(|folder| ArtefactCache::open(folder).ok());
        if !self.no_confine {
            // Before anything starts a thread. Says nothing: stderr is the program's.
            tombolo_confine::confine_files(&self.plan(cache.as_deref()));
        }
        let runtime = Runtime::new(engine, Vec::new(), artefacts, Compiler::Inside);
        // The guest has this thread, and files are read on others: one more would only take time to start.
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let tokio = tokio.map_err(|error| Failure::new(format!("cannot start: {error}")))?;
        let code = match (&self.invoke, is_wasi01_command(&bytes)) {
            (Some(function), _) => {
                tokio.block_on(self.call(&runtime, &bytes, function, &self.arguments, &world))?
            }
            // As it is, not as a component: WASI 0.2 has no exit code but 0 and 1.
            (None, true) => tokio.block_on(self.call(&runtime, &bytes, "_start", &[], &world))?,
            (None, false) => {
                let file = self.file.clone();
                let origin = Box::new(move || std::fs::read(&file).map(Parts::from));
                let prepared = runtime.prepare(&bytes.into(), origin, Load::Now);
                let prepared = prepared.map_err(|error| self.refusal(&error))?;
                if matches!(prepared.kind, Kind::Http(_)) {
                    let message =
                        format!("`{}` answers HTTP and does not run by itself", self.file.display());
                    return Err(
                        Failure::new(message).hint(format!("serve it: tombolo up {}", self.file.display()))
                    );
                }
                let run = command::run(&prepared, &world, MEMORY_BYTES_MAX);
                tokio.block_on(run).map_err(|error| self.named(&error))?
            }
        };
        // The guest may have left a read of standard input behind, which nobody can end.
        tokio.shutdown_background();
        // What does not fit in eight bits is a failure too.
        Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
    }

    /// What running needs of the file system: the file has been read, the cache is there.
    fn plan(&self, cache: Option<&Path>) -> Plan {
        let mut plan = Plan::program();
        plan.write.extend(cache.map(Path::to_owned));
        for Directory { host, access, .. } in &self.directories {
            match access {
                Access::Read => plan.read.push(host.clone()),
                Access::Write => plan.write.push(host.clone()),
            }
        }
        plan
    }

    async fn call(
        &self,
        runtime: &Runtime,
        bytes: &[u8],
        function: &str,
        arguments: &[String],
        world: &World,
    ) -> Result<i32, Failure> {
        let invoked = invoke::invoke(runtime, bytes, function, arguments, world, MEMORY_BYTES_MAX).await;
        match invoked.map_err(|error| self.named(&error))? {
            Invoked::Exited(code) => Ok(code),
            Invoked::Returned(values) => {
                let text: String = values.iter().map(|value| format!("{value}\n")).collect();
                let written = io::stdout().lock().write_all(text.as_bytes());
                written.map_err(|error| Failure::new(format!("cannot print: {error}")))?;
                Ok(0)
            }
        }
    }

    fn world(&self) -> Result<World, Failure> {
        for Directory { host, .. } in &self.directories {
            let readable = std::fs::read_dir(host).map(drop);
            readable.map_err(|error| {
                Failure::new(format!("cannot grant the directory `{}`: {error}", host.display()))
            })?;
        }
        let name = self.file.file_name().map(|name| name.to_string_lossy().into_owned());
        let by_name = self.remotes.iter().any(|remote| remote.is_name);
        Ok(World {
            arguments: name.into_iter().chain(self.arguments.iter().cloned()).collect(),
            environment: self.environment.clone(),
            directories: self.directories.clone(),
            keeper: None,
            network: Arc::new(Network {
                connect: self.remotes.iter().flat_map(|remote| remote.addresses.clone()).collect(),
                listen: self.listen.clone(),
                names: if by_name { Names::Resolved } else { Names::Refused },
                ..Network::default()
            }),
            input: Input::Inherited,
            printer: None,
            output: Output::Inherited,
        })
    }

    fn refusal(&self, error: &PrepareError) -> Failure {
        let failure = self.named(error);
        match error {
            PrepareError::CoreModule => {
                failure.hint("`tombolo inspect` names the functions it exports".to_owned())
            }
            _ => failure,
        }
    }

    fn named(&self, error: &dyn std::error::Error) -> Failure {
        Failure::new(format!("`{}`: {}", self.file.display(), crate::failure::chain(error)))
    }
}

fn is_wasi01_command(bytes: &[u8]) -> bool {
    let found = inspect::binary(bytes).and_then(|binary| inspect::inspect(&binary));
    found.is_ok_and(|found| found.kind == Kind::Wasi01(Shape::Command))
}
