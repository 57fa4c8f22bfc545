//! What one component may see of the machine.

use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder};

use crate::log_budget::LogBudget;
use crate::network::Network;
use crate::output::{GuestOutput, LogSender, LogStream};
use crate::pipe::Printer;

/// Everything an instance starts with. [`World::none`] is nothing.
#[derive(Clone)]
pub struct World {
    /// Its arguments, the name of the program first.
    pub arguments: Vec<String>,
    /// Its whole environment.
    pub environment: Vec<(String, String)>,
    /// Directories it can see.
    pub directories: Vec<Directory>,
    /// Kept as long as one of them may be opened: it may remove them when it is dropped.
    pub keeper: Option<Arc<dyn Any + Send + Sync>>,
    /// Sockets it can open.
    pub network: Arc<Network>,
    /// What it reads.
    pub input: Input,
    /// Where what it prints goes.
    pub output: Output,
    /// Where its standard output goes instead, if somewhere else.
    pub printer: Option<Printer>,
}

/// A directory of the machine inside a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// Where it is on the machine.
    pub host: PathBuf,
    /// Where the guest sees it.
    pub guest: String,
    /// What the guest may do in it.
    pub access: Access,
}

/// What a guest may do in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// List and read.
    Read,
    /// List, read, make, write, rename and remove.
    Write,
}

/// What a guest reads on its standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Nothing.
    Empty,
    /// These.
    Bytes(Bytes),
    /// What this process reads.
    Inherited,
}

/// Where what a guest prints goes.
#[derive(Clone)]
pub enum Output {
    /// Nowhere.
    Discarded,
    /// To the streams of this process, as it is.
    Inherited,
    /// To a collector, line by line.
    Logged {
        /// Who the lines are from.
        component: Arc<str>,
        /// Where they go.
        sender: LogSender,
        /// How many there may be.
        budget: Arc<LogBudget>,
    },
}

impl World {
    /// A world with nothing in it but clocks and random numbers.
    pub fn none() -> Self {
        Self {
            arguments: Vec::new(),
            environment: Vec::new(),
            directories: Vec::new(),
            keeper: None,
            network: Arc::new(Network::default()),
            input: Input::Empty,
            output: Output::Discarded,
            printer: None,
        }
    }

    /// The contexts of one new instance.
    ///
    /// # Errors
    ///
    /// If a directory cannot be opened.
    pub fn open(&self) -> wasmtime::Result<WasiCtx> {
        self.builder().map(|mut builder| builder.build())
    }

    /// The context of one new core module of WASI 0.1.
    ///
    /// # Errors
    ///
    /// If a directory cannot be opened.
    pub fn open_module(&self) -> wasmtime::Result<WasiP1Ctx> {
        self.builder().map(|mut builder| builder.build_p1())
    }

    fn builder(&self) -> wasmtime::Result<WasiCtxBuilder> {
        let mut builder = WasiCtx::builder();
        builder.args(&self.arguments).envs(&self.environment);
        self.network.grant(&mut builder);
        for directory in &self.directories {
            let access = match directory.access {
                Access::Read => FsPerms::ReadOnly,
                Access::Write => FsPerms::ReadWrite,
            };
            builder.preopened_dir(&directory.host, &directory.guest, access)?;
        }
        match &self.input {
            Input::Empty => {}
            Input::Bytes(bytes) => drop(builder.stdin(MemoryInputPipe::new(bytes.clone()))),
            Input::Inherited => drop(builder.inherit_stdin()),
        }
        match &self.output {
            Output::Discarded => {}
            Output::Inherited => drop(builder.inherit_stdout().inherit_stderr()),
            Output::Logged { component, sender, budget } => {
                let output = |stream| GuestOutput {
                    component: Arc::clone(component),
                    stream,
                    sender: sender.clone(),
                    budget: Arc::clone(budget),
                };
                builder.stdout(output(LogStream::Stdout)).stderr(output(LogStream::Stderr));
            }
        }
        if let Some(printer) = &self.printer {
            builder.stdout(printer.clone());
        }
        Ok(builder)
    }
}
