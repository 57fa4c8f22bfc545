//! From a file to something that can be instantiated in microseconds.

use std::hash::{Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

use tombolo_cap_wasi::adapt::AdaptError;
use tombolo_capability::{Abi, AnyCapability, Guest};
use tombolo_model::Digest;
use tombolo_store::{ArtefactCache, Miss};
use wasmtime::component::{Component, InstancePre};
use wasmtime::{Engine, Module};

use crate::engine::{AbiEngine, EngineConfig, Engines};
use crate::inspect::{self, InspectError, Kind};

/// The engines, and the cache of what they compiled.
pub struct Runtime {
    engines: Engines,
    artefacts: Option<ArtefactCache>,
}

/// A component, compiled and resolved against what it imports.
pub struct Prepared {
    /// What it is.
    pub kind: Kind,
    pub(crate) pre: InstancePre<Guest>,
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
    /// It is a core module where a component is needed.
    #[error("this is a core module without WASI: it can only be run, with `tombolo run --invoke FUNCTION`")]
    CoreModule,
    /// It needs what this build does not provide.
    #[error("it imports what is not there: {}", names.join(", "))]
    MissingImports {
        /// All of them.
        names: Vec<String>,
    },
    /// The engine refuses it.
    #[error("it does not compile: {reason}")]
    Compile {
        /// Why.
        reason: String,
    },
    /// The engine cannot be made.
    #[error("the engine does not start: {reason}")]
    Engine {
        /// Why.
        reason: String,
    },
}

impl Runtime {
    /// Engines of these settings, whose components can import WASI and `capabilities`. Without a
    /// cache, every file is compiled anew.
    pub fn new(
        config: EngineConfig,
        capabilities: Vec<Arc<dyn AnyCapability>>,
        artefacts: Option<ArtefactCache>,
    ) -> Self {
        Self { engines: Engines::new(config, capabilities), artefacts }
    }

    /// Prepares the component, or the WASI 0.1 module, in `bytes`. Takes as long as compiling does:
    /// never call it on the request path.
    ///
    /// # Errors
    ///
    /// Why it cannot run here; all missing imports at once.
    pub fn prepare(&self, bytes: &[u8]) -> Result<Prepared, PrepareError> {
        let bytes = inspect::binary(bytes)?;
        let found = inspect::inspect(&bytes)?;
        if found.kind == Kind::Module {
            return Err(PrepareError::CoreModule);
        }
        let digest = Digest::of(&bytes);
        // A WASI 0.1 module becomes a component that has no native async. Of a component, its types
        // say. Either way the key is of the bytes as given: a warm start adapts nothing.
        let abi = match found.kind {
            Kind::Wasi01(_) => Abi::Sync,
            _ => inspect::abi(&bytes),
        };
        let engine = self.engine(abi)?;
        let key = key(&engine.engine, "component", &digest);
        let cached: Option<Component> = self.load(&engine.engine, &key);
        let component = match cached {
            Some(component) => component,
            None => self.compile(&engine.engine, &key, &inspect::component(&bytes, found.kind)?)?,
        };
        let pre = engine
            .linker
            .instantiate_pre(&component)
            .map_err(|error| self.missing(engine, &component, &error))?;
        let kind = exported(&engine.engine, &component).unwrap_or(found.kind);
        Ok(Prepared { kind, pre })
    }

    fn engine(&self, abi: Abi) -> Result<&AbiEngine, PrepareError> {
        self.engines.get(abi).map_err(|error| PrepareError::Engine { reason: format!("{error:#}") })
    }

    /// The core module in `bytes`, compiled.
    ///
    /// # Errors
    ///
    /// If it is none, or does not compile.
    pub(crate) fn module(&self, bytes: &[u8]) -> Result<Module, PrepareError> {
        let bytes = inspect::binary(bytes)?;
        inspect::inspect(&bytes)?;
        let engine = &self.engine(Abi::Sync)?.engine;
        let key = key(engine, "module", &Digest::of(&bytes));
        match self.load(engine, &key) {
            Some(module) => Ok(module),
            None => self.compile(engine, &key, &bytes),
        }
    }

    /// Compiles and puts what came out into the cache.
    fn compile<C: Compiled>(&self, engine: &Engine, key: &Digest, wasm: &[u8]) -> Result<C, PrepareError> {
        let failed = |error: wasmtime::Error| PrepareError::Compile { reason: format!("{error:#}") };
        let artefact = C::precompile(engine, wasm).map_err(failed)?;
        if let Some(artefacts) = &self.artefacts {
            match artefacts.save(key, &artefact) {
                // Mapped from the file: pages nobody runs need no memory.
                Ok(()) => {
                    if let Some(compiled) = self.load(engine, key) {
                        return Ok(compiled);
                    }
                }
                Err(error) => tracing::warn!(
                    "what was compiled is not cached, so the next start compiles again: {}",
                    chain(&error)
                ),
            }
        }
        C::of_bytes(engine, &artefact).map_err(failed)
    }

    /// The artefact of `key`, if there is one that can be trusted and that this engine takes.
    fn load<C: Compiled>(&self, engine: &Engine, key: &Digest) -> Option<C> {
        let path = match self.artefacts.as_ref()?.load(key) {
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
        let names = imports.imports(&engine.engine).map(|(name, _)| name.to_owned());
        let missing: Vec<String> = names.filter(|name| !self.engines.provides(engine.abi, name)).collect();
        match missing.is_empty() {
            true => PrepareError::MissingImports { names: vec![format!("{error:#}")] },
            false => PrepareError::MissingImports { names: missing },
        }
    }
}

/// What a compiled component is: a module of WASI 0.1 shows it only now.
fn exported(engine: &Engine, component: &Component) -> Option<Kind> {
    use inspect::{Handler, Version};
    let ty = component.component_type();
    let exports: Vec<&str> = ty.exports(engine).map(|(name, _)| name).collect();
    let has = |prefix: &str| exports.iter().any(|name| name.starts_with(prefix) && !name.contains("-rc-"));
    if has("wasi:http/incoming-handler@0.2.") {
        Some(Kind::Http(Handler::Wasi02))
    } else if has("wasi:http/handler@0.3.0") {
        Some(Kind::Http(Handler::Wasi03))
    } else if has("wasi:cli/run@0.2.") {
        Some(Kind::Command(Version::Wasi02))
    } else if has("wasi:cli/run@0.3.0") {
        Some(Kind::Command(Version::Wasi03))
    } else {
        None
    }
}

/// What an artefact depends on: the component, and everything of the engine that shapes its code,
/// its version, its settings and the features of this processor among them.
fn key(engine: &Engine, kind: &str, digest: &Digest) -> Digest {
    let mut settings = Bytes::default();
    engine.precompile_compatibility_hash().hash(&mut settings);
    let version = concat!("tombolo ", env!("CARGO_PKG_VERSION"));
    Digest::of_parts([version.as_bytes(), kind.as_bytes(), digest.as_bytes().as_slice(), &settings.0])
}

/// A hasher that keeps what it is given, so that the key is a digest of it and not of 64 bits.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Hasher for Bytes {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

/// Code of the engine, of either kind.
trait Compiled: Sized {
    fn precompile(engine: &Engine, wasm: &[u8]) -> wasmtime::Result<Vec<u8>>;
    /// `artefact` is what [`Compiled::precompile`] of this engine just returned.
    fn of_bytes(engine: &Engine, artefact: &[u8]) -> wasmtime::Result<Self>;
    /// `path` is what the artefact cache just gave for this engine's key.
    fn of_file(engine: &Engine, path: &Path) -> wasmtime::Result<Self>;
}

macro_rules! compiled {
    ($kind:ty, $precompile:ident) => {
        #[expect(unsafe_code, reason = "an artefact is native code; where it came from is proven here")]
        impl Compiled for $kind {
            fn precompile(engine: &Engine, wasm: &[u8]) -> wasmtime::Result<Vec<u8>> {
                engine.$precompile(wasm)
            }

            fn of_bytes(engine: &Engine, artefact: &[u8]) -> wasmtime::Result<Self> {
                // SAFETY: the bytes were made by this engine in this process and never left it.
                unsafe { <$kind>::deserialize(engine, artefact) }
            }

            fn of_file(engine: &Engine, path: &Path) -> wasmtime::Result<Self> {
                // SAFETY: the cache proved that this user alone can write the file and that its
                // bytes have the digest under which this program saved them; it replaces files and
                // never changes one.
                unsafe { <$kind>::deserialize_file(engine, path) }
            }
        }
    };
}
compiled!(Component, precompile_component);
compiled!(Module, precompile_module);

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
