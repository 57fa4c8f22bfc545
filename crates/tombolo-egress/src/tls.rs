//! TLS to servers, with their names proved.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::{Resumption, WantsClientCert};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, ConfigBuilder, RootCertStore, crypto};

/// How a connection is encrypted, and who is trusted at its other end.
pub type Config = ClientConfig;

/// Trusts whom browsers trust.
pub static PUBLIC: LazyLock<Arc<ClientConfig>> =
    LazyLock::new(|| config(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() }));

/// Trusts `roots`.
pub fn config(roots: RootCertStore) -> Arc<ClientConfig> {
    finished(trusting(roots).with_no_client_auth())
}

/// Trusts `roots`, and proves to a server that asks who it is.
///
/// # Errors
///
/// If the key is none that can be used, or not that of the first certificate.
pub fn config_as(
    roots: RootCertStore,
    certificates: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ClientConfig>, rustls::Error> {
    Ok(finished(trusting(roots).with_client_auth_cert(certificates, key)?))
}

/// Never panics: the cryptography that is built in has all that TLS 1.2 and 1.3 need.
fn trusting(roots: RootCertStore) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    let provider = Arc::new(crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let versions = versions.expect("ring has all that TLS 1.2 and 1.3 need");
    versions.with_root_certificates(roots)
}

fn finished(mut config: ClientConfig) -> Arc<ClientConfig> {
    // A session taken up again would tell a server that two guests are of the same node.
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

/// The same, and a server of HTTP is asked for HTTP/2 before HTTP/1.1 (RFC 7301).
pub(crate) fn for_http(config: &ClientConfig) -> Arc<ClientConfig> {
    let mut config = config.clone();
    config.alpn_protocols = vec![HTTP_2.to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

/// What a server calls HTTP/2 that it chose.
pub const HTTP_2: &[u8] = b"h2";

/// Trusts whom browsers trust, and the certificates in `pem`.
///
/// # Errors
///
/// If there is none in it, or what is in it is none.
pub fn with_roots(pem: &[u8]) -> Result<Arc<ClientConfig>, RootError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() };
    let known = roots.len();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate.map_err(|_| RootError)?).map_err(|_| RootError)?;
    }
    if roots.len() == known { Err(RootError) } else { Ok(config(roots)) }
}

/// A text is no certificate whose issuer could be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected one or more certificates in PEM form")]
pub struct RootError;

/// Why a connection is not encrypted.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The host has no name that a certificate could be for.
    #[error("`{0}` is no name that a certificate could be for")]
    Name(String),
    /// The handshake failed.
    #[error("the TLS handshake failed")]
    Handshake(#[from] io::Error),
}

/// Encrypts a connection to `host`, once the host has proved that it is.
///
/// # Errors
///
/// If it has not.
pub async fn encrypt(
    config: &Arc<ClientConfig>,
    host: &str,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, TlsError> {
    let name = match host.parse::<IpAddr>() {
        Ok(address) => ServerName::from(address),
        Err(_) => ServerName::try_from(host.to_owned()).map_err(|_| TlsError::Name(host.to_owned()))?,
    };
    Ok(TlsConnector::from(Arc::clone(config)).connect(name, stream).await?)
}
