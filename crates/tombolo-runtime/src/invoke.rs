//! One exported function of a core module.

use std::sync::Arc;
use std::time::Duration;

use tombolo_cap_wasi::World;
use tombolo_capability::{MemoryBudget, Meter};
use wasmtime::{ExternType, FuncType, Linker, Store, Val, ValType};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{I32Exit, WasiCtxView, WasiView};

use crate::prepare::{PrepareError, Runtime};

/// Why a function gave no result.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// The file is no module that can run here.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// There is no such function.
    #[error("it exports no function `{name}`: there is {}", list(names))]
    NoFunction {
        /// The name asked for.
        name: String,
        /// The names there are.
        names: Vec<String>,
    },
    /// The arguments do not fit.
    #[error("`{name}` takes {signature}: {reason}")]
    Arguments {
        /// The function.
        name: String,
        /// Its parameters.
        signature: String,
        /// What does not fit.
        reason: String,
    },
    /// It could not be started, or stopped with a trap.
    #[error("the guest trapped: {reason}")]
    Trap {
        /// What happened and where in the guest.
        reason: String,
    },
}

/// What a function did.
#[derive(Debug, PartialEq, Eq)]
pub enum Invoked {
    /// It returned these values.
    Returned(Vec<String>),
    /// It ended the program with this code.
    Exited(i32),
}

struct CoreGuest {
    wasi: WasiP1Ctx,
    memory: MemoryBudget,
}

/// Calls `name` of the module in `bytes` with `arguments`, written as decimal numbers. A module of
/// WASI 0.1 finds its functions, and `world`.
///
/// # Errors
///
/// If there is no such function, the arguments do not fit it, or it traps.
pub async fn invoke(
    runtime: &Runtime,
    bytes: &[u8],
    name: &str,
    arguments: &[String],
    world: &World,
    memory_bytes_max: u64,
) -> Result<Invoked, InvokeError> {
    let trap = |error: wasmtime::Error| InvokeError::Trap { reason: format!("{error:?}") };
    let module = runtime.module(bytes)?;
    let function = module.exports().find_map(|export| match export.ty() {
        ExternType::Func(ty) if export.name() == name => Some(ty),
        _ => None,
    });
    let Some(ty) = function else {
        let functions = module.exports().filter(|export| matches!(export.ty(), ExternType::Func(_)));
        let names = functions.map(|export| export.name().to_owned()).collect();
        return Err(InvokeError::NoFunction { name: name.to_owned(), names });
    };
    let arguments = values(name, &ty, arguments)?;
    let mut linker = Linker::<CoreGuest>::new(module.engine());
    wasmtime_wasi::p1::add_to_linker_async(&mut linker, |guest| &mut guest.wasi).map_err(trap)?;
    let wasi = world.open_module().map_err(trap)?;
    let memory = MemoryBudget::new(memory_bytes_max, Arc::new(Meter::new(Duration::MAX)));
    let mut store = Store::new(module.engine(), CoreGuest { wasi, memory });
    store.limiter(|guest| &mut guest.memory);
    missing(&linker, &mut store, &module)?;
    let instance = linker.instantiate_async(&mut store, &module).await.map_err(trap)?;
    // A library of WASI 0.1 is to be initialised before it is called (WASI, application ABI).
    if name != "_initialize"
        && let Ok(initialize) = instance.get_typed_func::<(), ()>(&mut store, "_initialize")
    {
        initialize.call_async(&mut store, ()).await.map_err(trap)?;
    }
    let function = instance.get_func(&mut store, name).expect("the module's exports were just read");
    let mut results = vec![Val::I32(0); ty.results().len()];
    match function.call_async(&mut store, &arguments, &mut results).await {
        Ok(()) => Ok(Invoked::Returned(results.iter().map(text).collect())),
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(I32Exit(code)) => Ok(Invoked::Exited(*code)),
            None => Err(trap(error)),
        },
    }
}

/// Refuses a module whose imports are not there, naming them all.
fn missing(
    linker: &Linker<CoreGuest>,
    store: &mut Store<CoreGuest>,
    module: &wasmtime::Module,
) -> Result<(), InvokeError> {
    let is_missing = |import: &wasmtime::ImportType<'_>| linker.get_by_import(&mut *store, import).is_none();
    let names: Vec<String> = module
        .imports()
        .filter(is_missing)
        .map(|import| format!("{}::{}", import.module(), import.name()))
        .collect();
    if names.is_empty() { Ok(()) } else { Err(PrepareError::MissingImports { names }.into()) }
}

fn values(name: &str, ty: &FuncType, arguments: &[String]) -> Result<Vec<Val>, InvokeError> {
    let signature = || match ty.params().len() {
        0 => "no arguments".to_owned(),
        _ => ty.params().map(|ty| ty.to_string()).collect::<Vec<_>>().join(", "),
    };
    let refuse = |reason| InvokeError::Arguments { name: name.to_owned(), signature: signature(), reason };
    if arguments.len() != ty.params().len() {
        return Err(refuse(format!("{} given", arguments.len())));
    }
    let value = |(ty, text): (ValType, &String)| {
        parse(&ty, text).ok_or_else(|| refuse(format!("`{text}` is no {ty}")))
    };
    ty.params().zip(arguments).map(value).collect()
}

fn parse(ty: &ValType, text: &str) -> Option<Val> {
    match ty {
        // A bit pattern may be written signed or unsigned: wasm has no difference.
        ValType::I32 => {
            text.parse().ok().or_else(|| Some(text.parse::<u32>().ok()?.cast_signed())).map(Val::I32)
        }
        ValType::I64 => {
            text.parse().ok().or_else(|| Some(text.parse::<u64>().ok()?.cast_signed())).map(Val::I64)
        }
        ValType::F32 => text.parse::<f32>().ok().map(|value| Val::F32(value.to_bits())),
        ValType::F64 => text.parse::<f64>().ok().map(|value| Val::F64(value.to_bits())),
        ValType::V128 | ValType::Ref(_) => None,
    }
}

fn text(value: &Val) -> String {
    match value {
        Val::I32(value) => value.to_string(),
        Val::I64(value) => value.to_string(),
        Val::F32(bits) => f32::from_bits(*bits).to_string(),
        Val::F64(bits) => f64::from_bits(*bits).to_string(),
        Val::V128(value) => value.as_u128().to_string(),
        other => format!("{other:?}"),
    }
}

fn list(names: &[String]) -> String {
    match names.len() {
        0 => "none".to_owned(),
        _ => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    }
}

impl WasiView for CoreGuest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi.ctx()
    }
}
