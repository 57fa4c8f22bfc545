//! The engine's settings, and the two engines made with them.
//!
//! An engine with the component model's native async pays for it on every call (decision
//! 0001), so components that do without, all of WASI 0.1 and 0.2, run on an engine that has it switched
//! off. Each is made when the first component needs it.
//!
//! A pool takes milliseconds to map, and the first request need not wait for it: an engine is first
//! made without one, and another with its pool once a request was answered (decision 0006).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use arc_swap::ArcSwapOption;
use tombolo_capability::{Abi, Access, AnyCapability, Guest};
use tombolo_model::Inherited;
use wasmtime::component::{Component, Linker};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails,
};

use crate::ticker::Ticker;

/// Bytes of stack for a guest's own calls; deeper recursion is a trap.
const STACK_BYTES_MAX: usize = 512 << 10;
/// Bytes of stack of one instance, its host calls included.
const ASYNC_STACK_BYTES: usize = 1 << 20;

/// Instances of the pool that code is tried in before it is kept: enough for the tables of the largest.
const TRIAL_INSTANCES: u32 = 8;

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
    /// 1,000 instances of up to 4 GiB each: 4 TiB for each core of the 128 TiB of addresses a process has.
    pub const DEFAULT: Self = Self { instances_max: 1000, memory_bytes_max: 4 << 30 };
}

/// One engine and what its components can import.
pub(crate) struct AbiEngine {
    pub(crate) engine: Engine,
    pub(crate) abi: Abi,
    /// Whether another with a pool is to take its place.
    pub(crate) is_first: bool,
    capabilities: Arc<[Arc<dyn AnyCapability>]>,
    linker: OnceLock<Linker<Guest>>,
    /// The same, and what parts of a component find that inherit less than it was granted.
    composed: OnceLock<Linker<Guest>>,
}

impl AbiEngine {
    /// What a component imports: WASI and all capabilities. Made when the first component asks; a core
    /// module never does, and what is denied is linked for the first that imports some of it.
    pub(crate) fn linker(&self, component: &Component) -> wasmtime::Result<&Linker<Guest>> {
        let ty = component.component_type();
        let is_denied = ty.imports(&self.engine).any(|(name, _)| Access::of(name).0 == Access::Denied);
        let (place, accesses) = match is_denied {
            false => (&self.linker, &[Access::Granted][..]),
            true => (&self.composed, &[Access::Granted, Access::Denied][..]),
        };
        if let Some(made) = place.get() {
            return Ok(made);
        }
        let mut linker = Linker::new(&self.engine);
        for access in accesses {
            match access {
                Access::Granted => tombolo_cap_wasi::link(self.abi, &mut linker)?,
                Access::Denied => tombolo_cap_wasi::link_denied(self.abi, &mut linker)?,
            }
            for capability in &*self.capabilities {
                capability.link(self.abi, *access, &mut linker)?;
            }
        }
        Ok(place.get_or_init(|| linker))
    }
}

/// Both engines. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Engines(Arc<Both>);

struct Both {
    config: EngineConfig,
    capabilities: Arc<[Arc<dyn AnyCapability>]>,
    sync: Place,
    native_async: Place,
    ticker: Ticker,
}

/// Where one engine is, once there is one.
#[derive(Default)]
struct Place {
    current: ArcSwapOption<AbiEngine>,
    /// One at a time is made: it takes a moment, and the second would find it made.
    making: Mutex<()>,
    /// Whether the one with the pool is made, or was.
    is_growing: AtomicBool,
}

impl Engines {
    pub(crate) fn new(config: EngineConfig, capabilities: Vec<Arc<dyn AnyCapability>>) -> Self {
        Self(Arc::new(Both {
            config,
            capabilities: capabilities.into(),
            sync: Place::default(),
            native_async: Place::default(),
            ticker: Ticker::default(),
        }))
    }

    /// Whether guests of these engines can be interrupted.
    pub(crate) fn interruption(&self) -> Interruption {
        self.0.config.interruption
    }

    /// A guest is about to go on.
    pub(crate) fn goes_on(&self) {
        self.0.ticker.is_wanted();
    }

    /// The engine of an ABI.
    pub(crate) fn get(&self, abi: Abi) -> wasmtime::Result<Arc<AbiEngine>> {
        let place = self.place(abi);
        if let Some(made) = place.current.load_full() {
            return Ok(made);
        }
        let _making = place.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = place.current.load_full() {
            return Ok(made);
        }
        let engine = Engine::new(&settings(abi, self.interruption()))?;
        let is_first = matches!(self.0.config.allocation, Allocation::Pooled(_));
        Ok(self.publish(engine, abi, is_first))
    }

    /// Begins to make the engine with the pool, if nobody has.
    pub(crate) fn grow(&self, abi: Abi) {
        let Allocation::Pooled(pool) = self.0.config.allocation else { return };
        if self.place(abi).is_growing.swap(true, Ordering::Relaxed) {
            return;
        }
        let engines = self.clone();
        let grow = move || {
            let mut config = settings(abi, engines.interruption());
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(pooling(pool)));
            match Engine::new(&config) {
                Ok(engine) => drop(engines.publish(engine, abi, false)),
                // `ulimit -v` and small containers leave no room for the reservation.
                Err(error) => {
                    tracing::warn!(
                        "no address space for a pool of {} instances, so each one is allocated on demand, \
                         which is slower: {error:#}",
                        pool.instances_max
                    );
                    if let Ok(first) = engines.get(abi) {
                        engines.publish(first.engine.clone(), abi, false);
                    }
                }
            }
        };
        if let Err(error) = thread::Builder::new().name("pool".to_owned()).spawn(grow) {
            tracing::warn!("the pool of instances is not made: no thread can be started: {error}");
        }
    }

    /// An engine with a pool so small that it is made at once: what it refuses to load, for it has more
    /// memories or tables than a place holds, the one with the pool would refuse too. `None` where there
    /// is to be no pool.
    pub(crate) fn trial(&self, abi: Abi) -> wasmtime::Result<Option<Engine>> {
        let Allocation::Pooled(pool) = self.0.config.allocation else { return Ok(None) };
        let small = Pool { instances_max: TRIAL_INSTANCES, ..pool };
        let mut config = settings(abi, self.interruption());
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pooling(small)));
        Engine::new(&config).map(Some)
    }

    /// Whether a component of `abi` finds the interface it imports as `name`.
    pub(crate) fn provides(&self, abi: Abi, name: &str) -> bool {
        let (_, interface) = Access::of(name);
        tombolo_cap_wasi::provides(abi, interface)
            || self.0.capabilities.iter().any(|capability| capability.interfaces(abi).contains(&interface))
    }

    /// The interfaces, without versions, that a part of a component has not which inherits so much of its grants.
    pub(crate) fn denied(&self, inherited: &Inherited) -> Vec<String> {
        let wasi = tombolo_cap_wasi::configured();
        let denied = wasi.filter(|(_, configuration)| !inherited.has(*configuration));
        let mut denied: Vec<String> = denied.map(|(interface, _)| interface.to_owned()).collect();
        for capability in self.0.capabilities.iter().filter(|it| !inherited.has(it.configuration())) {
            let interfaces = [Abi::Sync, Abi::Async].map(|abi| capability.interfaces(abi));
            let needed = interfaces.into_iter().flatten().filter(|name| !capability.types().contains(name));
            denied.extend(needed.map(|name| name.split('@').next().unwrap_or(name).to_owned()));
        }
        denied.sort_unstable();
        denied.dedup();
        denied
    }

    fn place(&self, abi: Abi) -> &Place {
        match abi {
            Abi::Sync => &self.0.sync,
            Abi::Async => &self.0.native_async,
        }
    }

    fn publish(&self, engine: Engine, abi: Abi, is_first: bool) -> Arc<AbiEngine> {
        if self.interruption() == Interruption::Sliced {
            self.0.ticker.tick(engine.weak());
        }
        let capabilities = Arc::clone(&self.0.capabilities);
        let (linker, composed) = Default::default();
        let made = Arc::new(AbiEngine { engine, abi, is_first, capabilities, linker, composed });
        self.place(abi).current.store(Some(Arc::clone(&made)));
        made
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
    let memories = instances.saturating_mul(shards());
    config.total_memories(memories);
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
    // cost: so all of them do, that a node with as many apps at work serves each from its own. With as
    // many slots as instances, a thousand components in turn found theirs taken every time.
    config.max_unused_warm_slots(memories);
    // Where the kernel can say which pages were written (Linux 6.7), only those are cleared.
    config.pagemap_scan(Enabled::Auto);
    config
}

/// Parts the engine divides its slots among, one for each core and at most 16; a thread takes from its
/// own. So that every component can have a slot in each, there are as many times the slots: they cost
/// addresses, not memory. At 8 times, two engines' 4 TiB are half of the addresses there are.
fn shards() -> u32 {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(cores.min(8)).expect("eight at most")
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hash, Hasher};
    use std::time::Duration;

    use super::*;

    /// The key of an artefact has this hash in it: code is compiled once for both.
    #[test]
    fn an_engine_with_a_pool_takes_the_code_of_one_without() {
        for abi in [Abi::Sync, Abi::Async] {
            let allocation = Allocation::Pooled(Pool { instances_max: 4, ..Pool::DEFAULT });
            let config = EngineConfig { allocation, interruption: Interruption::Sliced };
            let engines = Engines::new(config, Vec::new());
            let hash = |engine: &AbiEngine| {
                let mut hasher = DefaultHasher::new();
                engine.engine.precompile_compatibility_hash().hash(&mut hasher);
                hasher.finish()
            };
            let first = engines.get(abi).unwrap();
            assert!(first.is_first);
            engines.grow(abi);
            let until = std::time::Instant::now() + Duration::from_secs(60);
            let second = loop {
                let engine = engines.get(abi).unwrap();
                if !engine.is_first {
                    break engine;
                }
                assert!(std::time::Instant::now() < until, "the pool is not made");
                thread::sleep(Duration::from_millis(1));
            };
            assert!(!Engine::same(&first.engine, &second.engine));
            assert_eq!(hash(&first), hash(&second));
            engines.grow(abi);
            assert!(Engine::same(&engines.get(abi).unwrap().engine, &second.engine), "once is enough");
        }
    }

    #[test]
    fn what_no_place_of_the_pool_holds_is_refused_by_the_trial() {
        let config = EngineConfig {
            allocation: Allocation::Pooled(Pool::DEFAULT),
            interruption: Interruption::Sliced,
        };
        let engines = Engines::new(config, Vec::new());
        let engine = engines.trial(Abi::Sync).unwrap().expect("a pool is asked for");
        let component = |tables: usize| {
            let tables = "(table 1 funcref)".repeat(tables);
            let text = format!("(component (core module $m {tables}) (core instance (instantiate $m)))");
            wasmtime::component::Component::new(&engine, wat::parse_str(text).unwrap())
        };
        component(16).unwrap();
        assert!(component(17).is_err());
    }
}
