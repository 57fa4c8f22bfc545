//! The certificates that clients are shown, as files.

use std::path::PathBuf;

use tokio_rustls::rustls;
use tombolo_gateway::{CertificateError, Certificates, ServerTls, ShownTo};
use tombolo_model::node_config::CertificateFiles;

use crate::pem::{self, PemError};

/// Why certificates cannot be shown to clients.
#[derive(Debug, thiserror::Error)]
pub enum CertificatesError {
    /// A file is not what it should be.
    #[error(transparent)]
    File(#[from] PemError),
    /// A certificate cannot be shown, or not with its key.
    #[error("cannot show clients `{}` with the key `{}`", chain.display(), key.display())]
    Certificate {
        /// The file of the certificate.
        chain: PathBuf,
        /// That of the key.
        key: PathBuf,
        /// Why.
        source: CertificateError,
    },
    /// The system lacks something.
    #[error("cannot encrypt connections")]
    System(#[source] rustls::Error),
}

/// Reads the certificates that clients are shown.
///
/// # Errors
///
/// Which file is wrong, and why.
pub fn read(files: &[CertificateFiles]) -> Result<ServerTls, CertificatesError> {
    let mut certificates = Certificates::default();
    for CertificateFiles { chain, key, is_default } in files {
        let to = if *is_default { ShownTo::AllOthers } else { ShownTo::ItsHosts };
        certificates.add(pem::certificates(chain)?, pem::key(key)?, to).map_err(|source| {
            CertificatesError::Certificate { chain: chain.clone(), key: key.clone(), source }
        })?;
    }
    ServerTls::new(certificates).map_err(CertificatesError::System)
}
