//! From a file to something that can be instantiated in microseconds.

use std::borrow::Cow;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use tombolo_cap_wasi::adapt::AdaptError;
use tombolo_cap_wasi::candidate::CandidateError;
use tombolo_capability::{Abi, Access, AnyCapability, Guest};
use tombolo_model::Digest;
use tombolo_store::{ArtefactCache, Miss};
use wasmtime::component::{Component, InstancePre};
use wasmtime::{Engine, Module};

use crate::artefact::{Compiled, key, of_bytes, places};
use crate::at_work::Charged;
use crate::company::Company;
use crate::compile::{Compiler, Job, Product};
use crate::compose::{ComposeError, Parts};
use crate::engine::{AbiEngine, EngineConfig, Engines, Interruption};
use crate::inspect::{self, InspectError, Kind, Redis};
use crate::lane::Lane;
use crate::shares::Shares;

/// The engines, and the cache of what they compiled. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    shared: Arc<Shared>,
}

struct Shared {
    engines: Engines,
    artefacts: Option<ArtefactCache>,
    compiler: Compiler,
    shares: Shares,
    lane: Arc<Lane<Charged>>,
    company: Company,
    /// One compiler at a time: it takes all cores, and gigabytes.
    compiling: Mutex<()>,
}

/// A component that can run here: compiled, and resolved against what it imports, now or before.
pub struct Prepared {
    /// What it is.
    pub kind: Kind,
    /// How it takes messages of Redis, whatever else it does.
    pub redis: Option<Redis>,
    /// Its code, if it is in memory.
    pub(crate) warm: Option<InstancePre<Guest>>,
    pub(crate) cold: Cold,
}

/// A component whose code can be brought into memory, again and again.
pub(crate) struct Cold {
    runtime: Runtime,
    abi: Abi,
    key: Digest,
    digest: Digest,
    origin: Origin,
    /// Places one instance takes in the pool; known once it was loaded.
    places: AtomicU32,
}

/// Where the bytes of a component, and of its parts, can be read again, should the cache have lost what was compiled.
pub type Origin = Box<dyn Fn() -> io::Result<Parts> + Send + Sync>;

/// When the code of a component comes into memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// At once.
    Now,
    /// When it is first needed, if it was compiled before.
    Later,
}

/// Why a file cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// It is not WebAssembly.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// It is a module that does not become a component.
    #[error(transparent)]
    Adapt(#[from] AdaptError),
    /// It is of a release candidate, and broken.
    #[error(transparent)]
    Candidate(#[from] CandidateError),
    /// It is composed of others, and they do not go together.
    #[error(transparent)]
    Compose(Box<ComposeError>),
    /// It is a core module where a component is needed.
    #[error("this is a core module without WASI: it can only be run, with `tombolo run --invoke FUNCTION`")]
    CoreModule,
    /// It answers HTTP in more than one way, and nothing says which is meant.
    #[error("it exports more than one HTTP handler, expected one: {}", names.join(", "))]
    Handlers {
        /// All of them.
        names: Vec<String>,
    },
    /// It needs what this build does not provide.
    #[error("it imports what is not there: {}", names.join(", "))]
    MissingImports {
        /// All of them.
        names: Vec<String>,
    },
    /// The engine refuses it, or its compiler went over its bounds.
    #[error("it does not compile: {reason}")]
    Compile {
        /// Why.
        reason: String,
    },
    /// A compiling process refuses it, in words of this type.
    #[error("{message}")]
    Said {
        /// What it said.
        message: String,
    },
    /// A compiling process cannot be started or talked to.
    #[error("its compiler does not run")]
    Compiler {
        /// Why.
        source: io::Error,
    },
    /// The engine cannot be made.
    #[error("the engine does not start: {reason}")]
    Engine {
        /// Why.
        reason: String,
    },
    /// What was compiled is no longer there, and neither are the bytes it was compiled from.
    #[error("its compiled code is gone, and so are the bytes it was made of: {reason}")]
    Gone {
        /// What is there instead.
        reason: String,
    },
}

impl From<ComposeError> for PrepareError {
    fn from(error: ComposeError) -> Self {
        Self::Compose(Box::new(error))
    }
}

impl Runtime {
    /// Engines of these settings, whose components can import WASI and `capabilities`. Without a
    /// cache, every file is compiled anew.
    pub fn new(
        config: EngineConfig,
        capabilities: Vec<Arc<dyn AnyCapability>>,
        artefacts: Option<ArtefactCache>,
        compiler: Compiler,
    ) -> Self {
        let engines = Engines::new(config, capabilities);
        let shares = Shares::new(config.instances_max());
        // Who is not interrupted never goes there. To count cores is to read a dozen files.
        let lane = Lane::new(match config.interruption {
            Interruption::Sliced => std::thread::available_parallelism().map_or(1, usize::from),
            Interruption::Never => 1,
        });
        Self {
            shared: Arc::new(Shared {
                engines,
                artefacts,
                compiler,
                shares,
                lane: Arc::new(lane),
                company: Company::new(),
                compiling: Mutex::new(()),
            }),
        }
    }

    /// Guests that have more to compute and wait for a core.
    pub fn waiting(&self) -> u64 {
        self.shared.lane.waiting()
    }

    /// Makes the engine most components need. It takes a millisecond or two: who starts it on
    /// another thread, while files are read, finds it made.
    pub fn warm_up(&self) {
        // Whoever needs the engine gets the error again, and can say what for.
        let _ = self.shared.engines.get(Abi::Sync);
    }

    /// Prepares the component, or the WASI 0.1 module, in `parts`, with all that is composed into it; `origin` reads
    /// them again. Takes as long as compiling does: never call it on the request path.
    ///
    /// # Errors
    ///
    /// Why it cannot run here; all missing imports at once.
    pub fn prepare(&self, parts: &Parts, origin: Origin, load: Load) -> Result<Prepared, PrepareError> {
        let own = inspect::binary(&parts.bytes)?;
        let mut found = inspect::inspect(&own)?;
        if found.kind == Kind::Module {
            return Err(PrepareError::CoreModule);
        }
        let is_handler = |name: &&String| {
            name.starts_with("wasi:http/incoming-handler@") || name.starts_with("wasi:http/handler@")
        };
        let handlers: Vec<String> = found.exports.iter().filter(is_handler).cloned().collect();
        if handlers.len() > 1 {
            return Err(PrepareError::Handlers { names: handlers });
        }
        let bytes = self.bundle(parts)?;
        let digest = Digest::of(&bytes);
        // A WASI 0.1 module becomes a component that has no native async. Of a component, its types
        // say. Either way the key is of the bytes as given: a warm start adapts and composes nothing.
        let abi = parts.abi(found.abi(&own))?;
        let engine = self.engine(abi)?;
        let key = key(&engine.engine, "component", &digest);
        let cold = Cold { runtime: self.clone(), abi, key, digest, origin, places: AtomicU32::new(1) };
        // What is in the cache was resolved before it got there, by this version. Only what a module
        // of WASI 0.1 is, nobody knows before it is a component.
        let adapted = matches!(found.kind, Kind::Wasi01(_));
        if !parts.middleware.is_empty() {
            // Whatever the component exports, the first of them exports that alone.
            (found.kind, found.exports) = (Kind::Http(inspect::Handler::Wasi03), Vec::new());
        }
        if load == Load::Later && !adapted && self.has(&cold.key) {
            let redis = Redis::of(found.exports.iter().map(String::as_str));
            return Ok(Prepared { kind: found.kind, redis, warm: None, cold });
        }
        let (component, pre) = cold.code(|| Ok(bytes.as_ref().into()))?;
        let ty = component.component_type();
        let exports: Vec<&str> = ty.exports(&engine.engine).map(|(name, _)| name).collect();
        let kind = exported(&exports).unwrap_or(found.kind);
        Ok(Prepared { kind, redis: Redis::of(exports), warm: Some(pre), cold })
    }

    /// What is compiled of `parts`.
    fn bundle<'a>(&self, parts: &'a Parts) -> Result<Cow<'a, [u8]>, InspectError> {
        parts.bundle(&|inherited| self.shared.engines.denied(inherited))
    }

    fn has(&self, key: &Digest) -> bool {
        self.shared.artefacts.as_ref().is_some_and(|artefacts| artefacts.has(key))
    }

    fn engine(&self, abi: Abi) -> Result<Arc<AbiEngine>, PrepareError> {
        let engine = self.shared.engines.get(abi);
        engine.map_err(|error| PrepareError::Engine { reason: format!("{error:#}") })
    }

    /// The core module in `bytes`, compiled.
    ///
    /// # Errors
    ///
    /// If it is none, or does not compile.
    pub(crate) fn module(&self, bytes: &[u8]) -> Result<Module, PrepareError> {
        let bytes = inspect::binary(bytes)?;
        inspect::inspect(&bytes)?;
        let AbiEngine { engine, .. } = &*self.engine(Abi::Sync)?;
        let key = key(engine, "module", &Digest::of(&bytes));
        match self.load(engine, &key) {
            Some(module) => Ok(module),
            None => {
                let artefact = self.compile(engine, Abi::Sync, Product::Module, &bytes)?;
                let module = of_bytes(engine, &artefact)?;
                Ok(self.keep(engine, &key, &artefact, module))
            }
        }
    }

    fn compile(
        &self,
        engine: &Engine,
        abi: Abi,
        product: Product,
        wasm: &[u8],
    ) -> Result<Vec<u8>, PrepareError> {
        let job = Job { abi, interruption: self.shared.engines.interruption(), product };
        let _one = self.shared.compiling.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.compiler.compile(engine, job, wasm)
    }

    /// Puts what was compiled into the cache. Returns it as mapped from there, where pages that
    /// nobody runs need no memory; or as it is, if it cannot be kept.
    fn keep<C: Compiled>(&self, engine: &Engine, key: &Digest, artefact: &[u8], compiled: C) -> C {
        let Some(artefacts) = &self.shared.artefacts else { return compiled };
        match artefacts.save(key, artefact) {
            Ok(()) => self.load(engine, key).unwrap_or(compiled),
            Err(error) => {
                tracing::warn!(
                    "what was compiled is not cached, so the next start compiles again: {}",
                    chain(&error)
                );
                compiled
            }
        }
    }

    /// The artefact of `key`, if there is one that can be trusted and that this engine takes.
    fn load<C: Compiled>(&self, engine: &Engine, key: &Digest) -> Option<C> {
        let path = match self.shared.artefacts.as_ref()?.load(key) {
            Ok(path) => path,
            Err(Miss::Absent) => return None,
            Err(miss) => {
                tracing::warn!("a cached artefact is not used, it is compiled again: {}", chain(&miss));
                return None;
            }
        };
        match C::of_file(engine, &path) {
            Ok(compiled) => Some(compiled),
            Err(error) => {
                tracing::warn!("a cached artefact is of another engine, it is compiled again: {error:#}");
                None
            }
        }
    }

    /// Why a component does not resolve: all interfaces there are not, or else what does not fit.
    fn missing(&self, engine: &AbiEngine, component: &Component, error: &wasmtime::Error) -> PrepareError {
        let imports = component.component_type();
        let names = imports.imports(&engine.engine).map(|(name, _)| name);
        let missing = names.filter(|name| !self.shared.engines.provides(engine.abi, name));
        // Whether a part of it would have had it or not.
        let mut missing: Vec<String> = missing.map(|name| Access::of(name).1.to_owned()).collect();
        missing.sort_unstable();
        missing.dedup();
        match missing.is_empty() {
            true => PrepareError::MissingImports { names: vec![format!("{error:#}")] },
            false => PrepareError::MissingImports { names: missing },
        }
    }
}

impl Prepared {
    /// Its code, brought into memory if it is not there.
    ///
    /// # Errors
    ///
    /// If it can no longer be had.
    pub(crate) fn pre(&self) -> Result<InstancePre<Guest>, PrepareError> {
        self.warm.clone().map_or_else(|| self.cold.load(), Ok)
    }
}

impl Cold {
    /// The places of the pool its instances are made in.
    pub(crate) fn shares(&self) -> &Shares {
        &self.runtime.shared.shares
    }

    /// Places one instance takes in the pool.
    pub(crate) fn places(&self) -> u32 {
        self.places.load(Relaxed)
    }

    /// Guests are interrupted from now on, if they compute.
    pub(crate) fn goes_on(&self) {
        self.runtime.shared.engines.goes_on();
    }

    /// Where guests go on that compute.
    pub(crate) fn lane(&self) -> Arc<Lane<Charged>> {
        Arc::clone(&self.runtime.shared.lane)
    }

    /// Who else has guests at work.
    pub(crate) fn company(&self) -> &Company {
        &self.runtime.shared.company
    }

    /// Whether what was compiled is kept where it can be mapped again in a moment.
    pub(crate) fn is_kept(&self) -> bool {
        self.runtime.has(&self.key)
    }

    /// Brings the code into memory: maps it, or compiles it again if the cache has lost it. Blocks
    /// for as long as that takes.
    ///
    /// # Errors
    ///
    /// If it can no longer be had.
    pub(crate) fn load(&self) -> Result<InstancePre<Guest>, PrepareError> {
        let again = || {
            let gone = |reason: String| PrepareError::Gone { reason };
            let parts = (self.origin)().map_err(|error| gone(error.to_string()))?;
            let bytes = self.runtime.bundle(&parts)?;
            match Digest::of(&bytes) == self.digest {
                true => Ok(bytes.into_owned().into()),
                false => Err(gone("the file was changed since".to_owned())),
            }
        };
        self.code(again).map(|(_, pre)| pre)
    }

    /// Whether code in memory is of an engine that another takes the place of, or has.
    pub(crate) fn is_passing(&self, pre: &InstancePre<Guest>) -> bool {
        let current = self.runtime.engine(self.abi);
        current.is_ok_and(|current| current.is_first || !Engine::same(&current.engine, pre.engine()))
    }

    /// The same code in the engine that took the place of its own. Blocks for as long as mapping a file
    /// takes.
    ///
    /// # Errors
    ///
    /// If the code does not load again.
    pub(crate) fn moved(&self, pre: &InstancePre<Guest>) -> Result<InstancePre<Guest>, PrepareError> {
        if self.is_kept() {
            return self.load();
        }
        // What the cache does not have is not compiled again: it is copied.
        let failed = |error: wasmtime::Error| PrepareError::Compile { reason: format!("{error:#}") };
        let engine = self.runtime.engine(self.abi)?;
        let artefact = pre.component().serialize().map_err(failed)?;
        let component: Component = of_bytes(&engine.engine, &artefact)?;
        engine.linker(&component).and_then(|linker| linker.instantiate_pre(&component)).map_err(failed)
    }

    /// Whether the engine with the pool is there; begins to make it if it is not.
    pub(crate) fn is_settled(&self) -> bool {
        let is_first = self.runtime.engine(self.abi).is_ok_and(|engine| engine.is_first);
        if is_first {
            self.runtime.shared.engines.grow(self.abi);
        }
        !is_first
    }

    fn code(
        &self,
        wasm: impl FnOnce() -> Result<Box<[u8]>, PrepareError>,
    ) -> Result<(Component, InstancePre<Guest>), PrepareError> {
        let runtime = &self.runtime;
        let engine = &*runtime.engine(self.abi)?;
        let resolve = |component: &Component| {
            self.places.store(places(component), Relaxed);
            let linker = engine.linker(component);
            let linker = linker.map_err(|error| PrepareError::Engine { reason: format!("{error:#}") })?;
            let pre = linker.instantiate_pre(component);
            pre.map_err(|error| runtime.missing(engine, component, &error))
        };
        if let Some(component) = runtime.load::<Component>(&engine.engine, &self.key) {
            let pre = resolve(&component)?;
            return Ok((component, pre));
        }
        let artefact = runtime.compile(&engine.engine, self.abi, Product::Component, &wasm()?)?;
        let component: Component = of_bytes(&engine.engine, &artefact)?;
        // Kept only if it resolves, and fits the pool: what is found in the cache later is known to.
        resolve(&component)?;
        let trial = runtime.shared.engines.trial(self.abi);
        if let Ok(Some(trial)) = trial {
            of_bytes::<Component>(&trial, &artefact)?;
        }
        let component = runtime.keep(&engine.engine, &self.key, &artefact, component);
        let pre = resolve(&component)?;
        Ok((component, pre))
    }
}

/// What a compiled component is: a module of WASI 0.1 shows it only now.
fn exported(exports: &[&str]) -> Option<Kind> {
    use inspect::{Handler, Version};
    let has = |prefix: &str| exports.iter().any(|name| name.starts_with(prefix) && !name.contains("-rc-"));
    if exports.contains(&inspect::SNAPSHOT_HANDLER) {
        Some(Kind::Http(Handler::Snapshot))
    } else if has("wasi:http/incoming-handler@0.2.") {
        Some(Kind::Http(Handler::Wasi02))
    } else if has("wasi:http/handler@0.3.0") {
        Some(Kind::Http(Handler::Wasi03))
    } else if has("wasi:cli/run@0.2.") {
        Some(Kind::Command(Version::Wasi02))
    } else if has("wasi:cli/run@0.3.0") {
        Some(Kind::Command(Version::Wasi03))
    } else {
        Redis::of(exports.iter().copied()).map(Kind::Redis)
    }
}

pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
