//! Reads the files that a component is composed of.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tombolo_model::{Component, Dependency, Middleware, Part, Source};
use tombolo_runtime::Parts;
use tombolo_runtime::compose::{Layer, Plug};

/// Why a part cannot be had.
#[derive(Debug)]
pub(crate) enum PartError {
    /// Its file cannot be read.
    Read { path: PathBuf, source: io::Error },
    /// It is somewhere else than in a file.
    Remote,
}

impl From<PartError> for io::Error {
    fn from(error: PartError) -> Self {
        match error {
            PartError::Read { path, source } => {
                Self::new(source.kind(), format!("`{}`: {source}", path.display()))
            }
            PartError::Remote => Self::new(io::ErrorKind::Unsupported, "a part of it is not in a file"),
        }
    }
}

/// The bytes of a component and of all that is composed into it; relative paths are below `root`.
pub(crate) fn read(
    root: &Path,
    component: &Component,
    middleware: &[Middleware],
) -> Result<Parts, PartError> {
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
