//! Files of certificates and keys.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// It cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It has something else.
    #[error("`{}` is not what it should be, expected {expected}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What should be in it.
        expected: &'static str,
    },
}

/// The certificates of a file, at least one.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let pem = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let expected = "one or more certificates in PEM form";
    let found = found.ok().filter(|found| !found.is_empty());
    found.ok_or_else(|| PemError::Content { path: path.to_owned(), expected })
}

/// The private key of a file.
pub(crate) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, PemError> {
    let expected = "a private key in PEM form";
    let key = PrivateKeyDer::from_pem_slice(&read(path)?);
    key.map_err(|_| PemError::Content { path: path.to_owned(), expected })
}

fn read(path: &Path) -> Result<Vec<u8>, PemError> {
    fs::read(path).map_err(|source| PemError::Read { path: path.to_owned(), source })
}
