//! Reads the files that a component is composed of.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tombolo_model::{Component, Dependency, Middleware, Part, Source};
use tombolo_runtime::Parts;
use tombolo_runtime::compose::{Layer, Plug};

/// Bytes of all parts of a component that is composed of several: they are put together as one.
const BYTES_MAX: u64 = 256 << 20;
/// What is said of more.
pub(crate) const TOO_LARGE: &str =
    "its parts come to more than 256 MiB, which is the most for one composed of several";

/// Why a part cannot be had.
#[derive(Debug)]
pub(crate) enum PartError {
    /// Its file cannot be read.
    Read { path: PathBuf, source: io::Error },
    /// It is somewhere else than in a file.
    Remote,
    /// All of them have more bytes than they may.
    TooLarge,
}

impl From<PartError> for io::Error {
    fn from(error: PartError) -> Self {
        match error {
            PartError::Read { path, source } => {
                Self::new(source.kind(), format!("`{}`: {source}", path.display()))
            }
            PartError::Remote => Self::new(io::ErrorKind::Unsupported, "a part of it is not in a file"),
            PartError::TooLarge => Self::new(io::ErrorKind::FileTooLarge, TOO_LARGE),
        }
    }
}

/// The bytes of a component and of all that is composed into it; relative paths are below `root`.
pub(crate) fn read(
    root: &Path,
    component: &Component,
    middleware: &[Middleware],
) -> Result<Parts, PartError> {
    if !component.dependencies.is_empty() || !middleware.is_empty() {
        bounded(root, component, middleware)?;
    }
    let layer = |it: &Middleware| Ok(Layer { inherited: it.inherited.clone(), part: part(root, &it.part)? });
    Ok(Parts {
        bytes: file(root, &component.source)?,
        dependencies: plugs(root, &component.dependencies)?,
        middleware: middleware.iter().map(layer).collect::<Result<_, _>>()?,
    })
}

fn part(root: &Path, part: &Part) -> Result<Parts, PartError> {
    let dependencies = plugs(root, &part.dependencies)?;
    Ok(Parts { dependencies, ..Parts::from(file(root, &part.source)?) })
}

fn plugs(root: &Path, dependencies: &[Dependency]) -> Result<Vec<Plug>, PartError> {
    let plug = |it: &Dependency| {
        Ok(Plug {
            name: it.name.clone(),
            export: it.export.clone(),
            inherited: it.inherited.clone(),
            part: part(root, &it.part)?,
        })
    };
    dependencies.iter().map(plug).collect()
}

fn file(root: &Path, source: &Source) -> Result<Vec<u8>, PartError> {
    let Source::Path(path) = source else { return Err(PartError::Remote) };
    let path = root.join(path);
    fs::read(&path).map_err(|source| PartError::Read { path, source })
}

/// Whether all parts together have no more bytes than they may.
fn bounded(root: &Path, component: &Component, middleware: &[Middleware]) -> Result<(), PartError> {
    let mut sources = vec![&component.source];
    let mut parts: Vec<&Part> = component.dependencies.iter().map(|it| &it.part).collect();
    parts.extend(middleware.iter().map(|it| &it.part));
    while let Some(part) = parts.pop() {
        sources.push(&part.source);
        parts.extend(part.dependencies.iter().map(|it| &it.part));
    }
    let mut bytes = 0_u64;
    for source in sources {
        let Source::Path(path) = source else { return Err(PartError::Remote) };
        let path = root.join(path);
        let metadata = fs::metadata(&path).map_err(|source| PartError::Read { path, source })?;
        bytes = bytes.saturating_add(metadata.len());
    }
    if bytes > BYTES_MAX { Err(PartError::TooLarge) } else { Ok(()) }
}
