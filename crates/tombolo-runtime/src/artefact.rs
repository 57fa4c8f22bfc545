//! Native code as the engine takes it: under which key it is kept, and why it may be run.

use std::hash::{Hash, Hasher};
use std::path::Path;

use tombolo_model::Digest;
use wasmtime::component::Component;
use wasmtime::{Engine, Module};

use crate::prepare::PrepareError;

/// Places an instance of a component takes, of a pool that has one memory and eight tables for each.
pub(crate) fn places(component: &Component) -> u32 {
    let required = component.resources_required();
    required.map_or(1, |required| required.num_memories.max(required.num_tables.div_ceil(8)).max(1))
}

pub(crate) fn of_bytes<C: Compiled>(engine: &Engine, artefact: &[u8]) -> Result<C, PrepareError> {
    C::of_bytes(engine, artefact).map_err(|error| PrepareError::Compile { reason: format!("{error:#}") })
}

/// What an artefact depends on: the component, and everything of the engine that shapes its code,
/// its version, its settings and the features of this processor among them.
pub(crate) fn key(engine: &Engine, kind: &str, digest: &Digest) -> Digest {
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
pub(crate) trait Compiled: Sized {
    /// `artefact` is what this program's compiler just made for this engine.
    fn of_bytes(engine: &Engine, artefact: &[u8]) -> wasmtime::Result<Self>;
    /// `path` is what the artefact cache just gave for this engine's key.
    fn of_file(engine: &Engine, path: &Path) -> wasmtime::Result<Self>;
}

macro_rules! compiled {
    ($kind:ty) => {
        #[expect(unsafe_code, reason = "an artefact is native code; where it came from is proven here")]
        impl Compiled for $kind {
            fn of_bytes(engine: &Engine, artefact: &[u8]) -> wasmtime::Result<Self> {
                // SAFETY: the bytes were made by this program's compiler, in this process or in one that
                // this process started, and came over a pipe between the two.
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
compiled!(Component);
compiled!(Module);
