//! Programs that run once: `wasi:cli/run` of WASI 0.2 and 0.3, and of 0.1 by adaptation.

use std::sync::Arc;
use std::time::Duration;

use tombolo_cap_wasi::{Outbound, World};
use tombolo_capability::{Grants, Guest, GuestParts, Meter};
use wasmtime::Store;
use wasmtime_wasi::I32Exit;

use crate::inspect::{Kind, Version};
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
        handles_max: u32::MAX,
        meter,
        grants: Arc::new(Grants::default()),
    });
    let pre = prepared.pre().map_err(|error| CommandError::Start { reason: error.to_string() })?;
    let mut store = Store::new(pre.engine(), guest);
    store.limiter(|guest| guest.memory());
    let result = match version {
        Version::Wasi02 => {
            use wasmtime_wasi::p2::bindings::CommandPre;
            let command = CommandPre::new(pre).map_err(start)?.instantiate_async(&mut store).await;
            command.map_err(start)?.wasi_cli_run().call_run(&mut store).await
        }
        Version::Wasi03 => {
            use wasmtime_wasi::p3::bindings::CommandPre;
            let command = CommandPre::new(pre).map_err(start)?.instantiate_async(&mut store).await;
            let command = command.map_err(start)?;
            let run = async |accessor: &wasmtime::component::Accessor<Guest>| {
                command.wasi_cli_run().call_run(accessor).await
            };
            store.run_concurrent(run).await.and_then(|result| result)
        }
    };
    exit_code(result)
}

fn exit_code(result: wasmtime::Result<Result<(), ()>>) -> Result<i32, CommandError> {
    match result {
        Ok(Ok(())) => Ok(0),
        Ok(Err(())) => Ok(1),
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(I32Exit(code)) => Ok(*code),
            None => Err(CommandError::Trap { reason: format!("{error:?}") }),
        },
    }
}
