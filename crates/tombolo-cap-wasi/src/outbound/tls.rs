//! TLS to the hosts that answer `https`.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, crypto};
use wasmtime_wasi_http::Error;

/// Trusts whom browsers trust.
pub(super) static PUBLIC: LazyLock<Arc<ClientConfig>> =
    LazyLock::new(|| config(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() }));

/// Trusts `roots`.
pub(super) fn config(roots: RootCertStore) -> Arc<ClientConfig> {
    let provider = Arc::new(crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let versions = versions.expect("ring has all that TLS 1.2 and 1.3 need");
    let mut config = versions.with_root_certificates(roots).with_no_client_auth();
    // A session taken up again would tell a server that two guests are of the same node.
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

/// Encrypts a connection to `host`, once the host has proved that it is.
pub(super) async fn encrypt(
    config: &Arc<ClientConfig>,
    host: &str,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, Error> {
    let name = match host.parse::<IpAddr>() {
        Ok(address) => ServerName::from(address),
        Err(_) => ServerName::try_from(host.to_owned())
            .map_err(|_| Error::DnsError { rcode: Some("invalid dns name".to_owned()), info_code: None })?,
    };
    TlsConnector::from(Arc::clone(config)).connect(name, stream).await.map_err(unencrypted)
}

/// What WASI calls a handshake that failed.
fn unencrypted(error: io::Error) -> Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
            Error::TlsCertificateError
        }
        Some(rustls::Error::AlertReceived(alert)) => Error::TlsAlertReceived {
            alert_id: Some((*alert).into()),
            alert_message: Some(format!("{alert:?}")),
        },
        _ => Error::Tls(error),
    }
}
