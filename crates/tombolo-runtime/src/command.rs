//! Programs that run once: `wasi:cli/run` of WASI 0.2 and 0.3, and of 0.1 by adaptation.

use std::sync::Arc;
use std::time::Duration;

use tombolo_cap_wasi::{Outbound, World};
use tombolo_capability::{Grants, Guest, GuestParts, Meter};
use wasmtime::Store;
use wasmtime::component::InstancePre;
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::p2::bindings as p2;
use wasmtime_wasi::p3::bindings as p3;

use crate::inspect::{Kind, Version};
use crate::instance::made;
use crate::prepare::Prepared;

/// Why a program did not end by itself.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It has no `run`.
    #[error("it is no command: expected an export of `wasi:cli/run@0.2.x` or `wasi:cli/run@0.3.0`")]
    NotCommand,
    /// It could not be started.
    #[error("the guest does not start: {reason}")]
    Start {
        /// Why.
        reason: String,
    },
    /// It stopped with a trap.
    #[error("the guest trapped: {reason}")]
    Trap {
        /// What happened and where in the guest.
        reason: String,
    },
}

/// Runs the program to its end and returns its exit code.
///
/// # Errors
///
/// If it is no program, or ends in a trap.
pub async fn run(prepared: &Prepared, world: &World, memory_bytes_max: u64) -> Result<i32, CommandError> {
    let Kind::Command(version) = prepared.kind else { return Err(CommandError::NotCommand) };
    let start = |error: wasmtime::Error| CommandError::Start { reason: format!("{error:#}") };
    let meter = Arc::new(Meter::new(Duration::MAX));
    let guest = Guest::new(GuestParts {
        wasi: world.open().map_err(start)?,
        outbound: Box::new(Outbound::none().open(&meter, None)),
        memory_bytes_max,
        allowance: None,
        handles_max: u32::MAX,
        meter,
        grants: Arc::new(Grants::default()),
    });
    let pre = prepared.pre().map_err(|error| CommandError::Start { reason: error.to_string() })?;
    let program = Program::new(version, pre).map_err(start)?;
    let mut store = Store::new(program.code().engine(), guest);
    store.limiter(|guest| guest.memory());
    let started = program.start(&mut store).await.map_err(start)?;
    let result = started.run(&mut store).await;
    exit_code(result).map_err(|error| CommandError::Trap { reason: format!("{error:?}") })
}

/// A program in memory, with its `run` found.
#[derive(Clone)]
pub(crate) enum Program {
    Wasi02(p2::CommandPre<Guest>),
    Wasi03(p3::CommandPre<Guest>),
}

/// An instance of a program.
pub(crate) enum Started {
    Wasi02(p2::Command),
    Wasi03(p3::Command),
}

impl Program {
    /// The program, if it has that `run`.
    pub(crate) fn new(version: Version, code: InstancePre<Guest>) -> wasmtime::Result<Self> {
        match version {
            Version::Wasi02 => p2::CommandPre::new(code).map(Self::Wasi02),
            Version::Wasi03 => p3::CommandPre::new(code).map(Self::Wasi03),
        }
    }

    pub(crate) fn code(&self) -> &InstancePre<Guest> {
        match self {
            Self::Wasi02(pre) => pre.instance_pre(),
            Self::Wasi03(pre) => pre.instance_pre(),
        }
    }

    pub(crate) async fn start(&self, store: &mut Store<Guest>) -> wasmtime::Result<Started> {
        match self {
            Self::Wasi02(pre) => made(pre.instantiate_async(&mut *store).await, store).map(Started::Wasi02),
            Self::Wasi03(pre) => made(pre.instantiate_async(&mut *store).await, store).map(Started::Wasi03),
        }
    }
}

impl Started {
    /// Runs it to its end; what it returns, or how it ended otherwise, is for [`exit_code`].
    pub(crate) async fn run(self, store: &mut Store<Guest>) -> wasmtime::Result<Result<(), ()>> {
        match self {
            Self::Wasi02(command) => command.wasi_cli_run().call_run(store).await,
            Self::Wasi03(command) => {
                let run = async |accessor: &wasmtime::component::Accessor<Guest>| {
                    command.wasi_cli_run().call_run(accessor).await
                };
                store.run_concurrent(run).await.and_then(|result| result)
            }
        }
    }
}

/// A program ended with this exit code, which is not 0.
#[derive(Debug, thiserror::Error)]
#[error("it ended with exit code {0}")]
pub(crate) struct Failed(pub(crate) i32);

/// How a program ended.
///
/// # Errors
///
/// If it was with a trap.
pub(crate) fn exit_code(result: wasmtime::Result<Result<(), ()>>) -> wasmtime::Result<i32> {
    match result {
        Ok(Ok(())) => Ok(0),
        Ok(Err(())) => Ok(1),
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(I32Exit(code)) => Ok(*code),
            None => Err(error),
        },
    }
}
