//! Components that are composed of several.
//!
//! [`Parts`] are their bytes and how they belong together. They are put together where they are compiled, which for
//! a server is a process with bounds: so they travel as one text of bytes, a bundle, whose digest is that of all of
//! them. What a part imports and does not inherit is renamed before ([`rename`]); the engine finds it refused there.

mod bundle;
mod graph;
mod rename;

use std::borrow::Cow;

use tombolo_capability::Abi;
use tombolo_model::{DependencyName, Inherited};

use crate::inspect::{self, InspectError};
use crate::prepare::PrepareError;

pub(crate) use bundle::{Bundle, is_bundle};

/// What middleware is called with and calls: the component behind it.
pub(crate) const HANDLER: &str = "wasi:http/handler@0.3.0";

/// A component, and those that are composed into it.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Who answers imports of it.
    pub dependencies: Vec<Plug>,
    /// Who gets its requests before it does, the outermost first.
    pub middleware: Vec<Layer>,
}

/// A component that answers imports of another one.
#[derive(Clone, Debug)]
pub struct Plug {
    /// Which imports.
    pub name: DependencyName,
    /// With which of its exports, if not the one of the import's name.
    pub export: Option<String>,
    /// What it has of what the other one was granted.
    pub inherited: Inherited,
    /// Itself.
    pub part: Parts,
}

/// A component that gets requests before another one.
#[derive(Clone, Debug)]
pub struct Layer {
    /// What it has of what the other one was granted.
    pub inherited: Inherited,
    /// Itself.
    pub part: Parts,
}

/// Why parts do not go together.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// A part by itself cannot be used.
    #[error("{part}: {source}")]
    Part {
        /// Which.
        part: String,
        /// Why.
        source: Box<PrepareError>,
    },
    /// A dependency is for imports that there are not.
    #[error("dependency `{name}` answers none of its imports: it imports {}", listed(imports))]
    NoImport {
        /// Which imports it is for.
        name: DependencyName,
        /// Those there are, without the host's.
        imports: Vec<String>,
    },
    /// Two dependencies are for one import.
    #[error("the import `{import}` is answered by both of the dependencies `{first}` and `{second}`")]
    Twice {
        /// The import.
        import: String,
        /// One.
        first: String,
        /// The other.
        second: String,
    },
    /// A part lacks an export.
    #[error("{part} does not export `{export}`: it exports {}", listed(exports))]
    NoExport {
        /// Which.
        part: String,
        /// What it should export.
        export: String,
        /// What it does.
        exports: Vec<String>,
    },
    /// What a part exports is of another type than what is imported.
    #[error("{part}: its export `{export}` does not fit what is imported as `{import}`: {reason}")]
    Unfit {
        /// Which.
        part: String,
        /// What it exports.
        export: String,
        /// What is imported.
        import: String,
        /// What differs.
        reason: String,
    },
    /// A middleware has nobody to pass requests to.
    #[error("{part} does not import `{HANDLER}`, so no request would get past it")]
    NoNext {
        /// Which.
        part: String,
    },
    /// Each part may be right, and all of them are not.
    #[error("its parts cannot be composed: {reason}")]
    Graph {
        /// Why.
        reason: String,
    },
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "nothing that a component could".to_owned(),
        names => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    }
}

impl From<Vec<u8>> for Parts {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, dependencies: Vec::new(), middleware: Vec::new() }
    }
}

impl Parts {
    /// Whether there is but one.
    pub(crate) fn is_single(&self) -> bool {
        self.dependencies.is_empty() && self.middleware.is_empty()
    }

    /// What is compiled: the component alone, or a bundle. `denied` names the interfaces that a part has not which
    /// inherits so much.
    pub(crate) fn bundle(
        &self,
        denied: &dyn Fn(&Inherited) -> Vec<String>,
    ) -> Result<Cow<'_, [u8]>, InspectError> {
        match self.is_single() {
            true => inspect::binary(&self.bytes),
            false => Bundle::of(self, denied).map(|bundle| Cow::Owned(bundle.encode())),
        }
    }

    /// Which engine they need together, where the component by itself needs that of `own`: if one has promises, all
    /// have.
    pub(crate) fn abi(&self, own: Abi) -> Result<Abi, InspectError> {
        let plugged = self.dependencies.iter().map(|plug| &plug.part);
        let mut others = plugged.chain(self.middleware.iter().map(|layer| &layer.part));
        others.try_fold(own, |abi, part| match abi {
            Abi::Async => Ok(Abi::Async),
            Abi::Sync => {
                let bytes = inspect::binary(&part.bytes)?;
                part.abi(inspect::inspect(&bytes)?.abi(&bytes))
            }
        })
    }
}
