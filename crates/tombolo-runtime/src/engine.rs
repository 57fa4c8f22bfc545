//! The engine's settings, and the two engines made with them.
//!
//! An engine with the component model's native async pays for it on every call (decision
//! 0001), so components that do without, all of WASI 0.1 and 0.2, run on an engine that has it switched off. Each is made when the first component needs it.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use tombolo_capability::{Abi, AnyCapability, Guest};
use wasmtime::component::Linker;
use wasmtime::{
    Config, Enabled, Engine, EngineWeak, InstanceAllocationStrategy, PoolingAllocationConfig,
    WasmBacktraceDetails,
};

/// How long a guest runs before it lets others: the period of the engines' epochs.
///
/// Shorter costs wake-ups of an idle process, longer lets a looping guest hold a core longer.
const TICK: Duration = Duration::from_millis(5);
/// Bytes of stack for a guest's own calls; deeper recursion is a trap.
const STACK_BYTES_MAX: usize = 512 << 10;
/// Bytes of stack of one instance, its host calls included.
const ASYNC_STACK_BYTES: usize = 1 << 20;

/// Settings of the engines.
#[derive(Clone, Copy, Debug)]
pub struct EngineConfig {
    /// Where instances live.
    pub allocation: Allocation,
    /// Whether a guest that computes can be interrupted.
    pub interruption: Interruption,
}

impl EngineConfig {
    /// Instances there can be at once.
    pub(crate) fn instances_max(&self) -> u32 {
        match self.allocation {
            Allocation::Pooled(pool) => pool.instances_max,
            Allocation::OnDemand => u32::MAX,
        }
    }
}

/// Whether a guest that computes can be interrupted.
///
/// Checking costs a tight loop much of its speed: 32 and 46 % more time on two loops with wasmtime 49,
/// measured on this kind of machine before the project began. A small request showed no cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// It is, every few milliseconds: for a server, whose other guests want their turn.
    Sliced,
    /// It runs until it is done: for a program that has this process to itself.
    Never,
}

/// Where instances live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allocation {
    /// In slots reserved once: for a server, an instance costs microseconds.
    Pooled(Pool),
    /// In memory asked from the system for each: for a program that runs once.
    OnDemand,
}

/// The size of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Component instances that can live at once.
    pub instances_max: u32,
    /// Bytes one linear memory can grow to. Address space is reserved for it, memory is not.
    pub memory_bytes_max: u64,
}

impl Pool {
    /// 1,000 instances of up to 4 GiB each: 4 TiB of the 128 TiB of addresses a process has.
    pub const DEFAULT: Self = Self { instances_max: 1000, memory_bytes_max: 4 << 30 };
}

/// One engine and what its components can import.
pub(crate) struct AbiEngine {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<Guest>,
    pub(crate) abi: Abi,
}

/// Both engines.
pub(crate) struct Engines {
    config: EngineConfig,
    capabilities: Vec<Arc<dyn AnyCapability>>,
    sync: OnceLock<AbiEngine>,
    native_async: OnceLock<AbiEngine>,
    /// One engine at a time is made: it takes milliseconds, and the second would find it made.
    making: Mutex<()>,
    ticker: Ticker,
}

impl Engines {
    pub(crate) fn new(config: EngineConfig, capabilities: Vec<Arc<dyn AnyCapability>>) -> Self {
        Self {
            config,
            capabilities,
            sync: OnceLock::new(),
            native_async: OnceLock::new(),
            making: Mutex::new(()),
            ticker: Ticker::default(),
        }
    }

    /// Whether guests of these engines can be interrupted.
    pub(crate) fn interruption(&self) -> Interruption {
        self.config.interruption
    }

    /// The engine of an ABI.
    pub(crate) fn get(&self, abi: Abi) -> wasmtime::Result<&AbiEngine> {
        let cell = match abi {
            Abi::Sync => &self.sync,
            Abi::Async => &self.native_async,
        };
        if let Some(made) = cell.get() {
            return Ok(made);
        }
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if cell.get().is_none() {
            let made = self.make(abi)?;
            if self.config.interruption == Interruption::Sliced {
                self.ticker.tick(made.engine.weak());
            }
            let _ = cell.set(made);
        }
        Ok(cell.get().expect("set above, under the lock"))
    }

    /// Whether a component of `abi` finds the interface it imports as `name`.
    pub(crate) fn provides(&self, abi: Abi, name: &str) -> bool {
        tombolo_cap_wasi::provides(abi, name)
            || self.capabilities.iter().any(|capability| capability.interfaces(abi).contains(&name))
    }

    fn make(&self, abi: Abi) -> wasmtime::Result<AbiEngine> {
        let engine = self.engine(abi)?;
        let mut linker = Linker::new(&engine);
        tombolo_cap_wasi::link(abi, &mut linker)?;
        for capability in &self.capabilities {
            capability.link(abi, &mut linker)?;
        }
        Ok(AbiEngine { engine, linker, abi })
    }

    fn engine(&self, abi: Abi) -> wasmtime::Result<Engine> {
        let mut config = settings(abi, self.config.interruption);
        let Allocation::Pooled(pool) = self.config.allocation else { return Engine::new(&config) };
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pooling(pool)));
        Engine::new(&config).or_else(|error| {
            // `ulimit -v` and small containers leave no room for the reservation.
            tracing::warn!(
                "no address space for a pool of {} instances, so each one is allocated on demand, \
                 which is slower: {error:#}",
                pool.instances_max
            );
            Engine::new(&settings(abi, self.config.interruption))
        })
    }
}

/// All settings but the allocation; what changes code is part of an artefact's key.
pub(crate) fn settings(abi: Abi, interruption: Interruption) -> Config {
    let mut config = Config::new();
    config.concurrency_support(abi == Abi::Async);
    config.epoch_interruption(interruption == Interruption::Sliced);
    config.max_wasm_stack(STACK_BYTES_MAX);
    config.async_stack_size(ASYNC_STACK_BYTES);
    config.memory_init_cow(true);
    // Names of functions, and lines where the guest has them, in the operator's log.
    config.wasm_backtrace_details(WasmBacktraceDetails::Enable);
    config
}

pub(crate) fn pooling(pool: Pool) -> PoolingAllocationConfig {
    let instances = pool.instances_max;
    let mut config = PoolingAllocationConfig::new();
    config.total_component_instances(instances);
    // A component of Rust is up to six core instances and tables, most without code of their own. Of core
    // instances only the number is kept; tables have room reserved, so who has more takes more places.
    config.total_core_instances(instances.saturating_mul(64));
    config.total_tables(instances.saturating_mul(8));
    config.total_memories(instances);
    config.total_stacks(instances);
    config.max_core_instances_per_component(64);
    config.max_memories_per_component(8);
    config.max_tables_per_component(64);
    config.max_memories_per_module(8);
    config.max_tables_per_module(16);
    config.max_memory_size(usize::try_from(pool.memory_bytes_max).unwrap_or(usize::MAX));
    // Pages a guest of the usual size touches are cleared by hand and kept, which beats returning
    // them to the system and faulting them in again at the next request.
    config.linear_memory_keep_resident(256 << 10);
    config.table_keep_resident(64 << 10);
    config.async_stack_keep_resident(64 << 10);
    // A slot remembers which component it last had, and takes the same one again for a fraction of the
    // cost: so all of them do, that a node with as many apps at work serves each from its own.
    config.max_unused_warm_slots(instances);
    // Where the kernel can say which pages were written (Linux 6.7), only those are cleared.
    config.pagemap_scan(Enabled::Auto);
    config
}

/// Advances the epochs of the engines it was given, for as long as they live.
#[derive(Default)]
struct Ticker {
    engines: Arc<Mutex<Vec<EngineWeak>>>,
    started: OnceLock<()>,
}

impl Ticker {
    fn tick(&self, engine: EngineWeak) {
        self.engines.lock().unwrap_or_else(PoisonError::into_inner).push(engine);
        self.started.get_or_init(|| {
            let engines = Arc::downgrade(&self.engines);
            let run = move || {
                while let Some(engines) = engines.upgrade() {
                    let engines = engines.lock().unwrap_or_else(PoisonError::into_inner);
                    engines
                        .iter()
                        .filter_map(EngineWeak::upgrade)
                        .for_each(|engine| engine.increment_epoch());
                    drop(engines);
                    thread::sleep(TICK);
                }
            };
            let started = thread::Builder::new().name("epochs".to_owned()).spawn(run);
            started.expect("a thread can be started while the program starts");
        });
    }
}
