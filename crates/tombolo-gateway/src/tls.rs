//! TLS to clients: which certificate one is shown, and the handshake.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig, crypto};
use tokio_rustls::server::TlsStream;
use webpki::EndEntityCert;

use crate::wire::Version;

/// Certificates and their keys, by the hosts they are for.
#[derive(Default)]
pub struct Certificates {
    /// By host in lower case, the first label of which may be `*`; the first a client can check counts.
    by_host: HashMap<Box<str>, Vec<Arc<CertifiedKey>>>,
    /// For clients that name no host, or one that no certificate is for.
    default: Vec<Arc<CertifiedKey>>,
}

/// Whom a certificate is shown to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShownTo {
    /// Clients that name one of its hosts.
    ItsHosts,
    /// Those, and clients that name none, or one that no certificate is for.
    AllOthers,
}

/// Why a certificate cannot be shown to clients.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// It is none that clients take today.
    #[error("the first certificate is none of X.509 version 3")]
    Form,
    /// It names no host, so that no client would get it.
    #[error("the first certificate is for no host: expected a DNS name among its subject alternative names")]
    Hostless,
    /// The key is none that can be used, or another's.
    #[error("the key is not that of the first certificate")]
    Key(#[source] rustls::Error),
}

impl Certificates {
    /// Adds a certificate, with those that vouch for it behind it, and its key.
    ///
    /// # Errors
    ///
    /// Why clients cannot be shown it.
    pub fn add(
        &mut self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        to: ShownTo,
    ) -> Result<(), CertificateError> {
        let hosts = hosts(chain.first().ok_or(CertificateError::Form)?)?;
        let provider = crypto::ring::default_provider();
        let certified =
            Arc::new(CertifiedKey::from_der(chain, key, &provider).map_err(CertificateError::Key)?);
        match to {
            ShownTo::ItsHosts if hosts.is_empty() => return Err(CertificateError::Hostless),
            ShownTo::ItsHosts => {}
            ShownTo::AllOthers => self.default.push(Arc::clone(&certified)),
        }
        for host in hosts {
            self.by_host.entry(host).or_default().push(Arc::clone(&certified));
        }
        Ok(())
    }

    /// Whether no client can be shown any.
    pub fn is_empty(&self) -> bool {
        self.by_host.is_empty() && self.default.is_empty()
    }

    /// The certificates for a host in lower case: its own before those of a wildcard.
    fn of(&self, host: Option<&str>) -> &[Arc<CertifiedKey>] {
        let found = host.and_then(|host| {
            let any = || self.by_host.get(&*format!("*.{}", host.split_once('.')?.1));
            self.by_host.get(host).or_else(any)
        });
        found.unwrap_or(&self.default)
    }
}

/// The hosts a certificate is for, by its subject alternative names: its common name counts for nothing (RFC 9525
/// §2).
fn hosts(certificate: &CertificateDer<'_>) -> Result<Vec<Box<str>>, CertificateError> {
    let certificate = EndEntityCert::try_from(certificate).map_err(|_| CertificateError::Form)?;
    Ok(certificate.valid_dns_names().map(|host| host.to_ascii_lowercase().into()).collect())
}

impl ResolvesServerCert for Certificates {
    /// A client that gets none is told `access_denied`, and no more.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut found = self.of(hello.server_name()).iter();
        let certified = found.find(|one| one.key.choose_scheme(hello.signature_schemes()).is_some());
        certified.map(Arc::clone)
    }
}

/// Names, no keys.
impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_host.keys()).finish()
    }
}

/// How clients' connections are encrypted.
#[derive(Clone)]
pub struct ServerTls(Arc<ServerConfig>);

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerTls")
    }
}

impl ServerTls {
    /// TLS 1.2 and 1.3 with these certificates, HTTP/2 before HTTP/1.1 (RFC 7301). What a client sends with its first
    /// flight, before the handshake has ended (0-RTT), is not taken: it could be sent again by others.
    ///
    /// # Errors
    ///
    /// If the system has no random numbers.
    pub fn new(certificates: Certificates) -> Result<Self, rustls::Error> {
        let provider = Arc::new(crypto::ring::default_provider());
        let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let versions = versions.expect("ring has all that TLS 1.2 and 1.3 need");
        let mut config = versions.with_no_client_auth().with_cert_resolver(Arc::new(certificates));
        config.alpn_protocols = vec![HTTP_2.to_vec(), b"http/1.1".to_vec()];
        // Who comes again brings what it takes to go on: nothing is kept for those who do not.
        config.ticketer = crypto::ring::Ticketer::new()?;
        Ok(Self(Arc::new(config)))
    }

    /// Takes a client's part of the handshake and ours, for as long as the client makes it take.
    pub(crate) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> std::io::Result<(Box<TlsStream<S>>, Version)> {
        let stream = TlsAcceptor::from(Arc::clone(&self.0)).accept(stream).await?;
        let version = match stream.get_ref().1.alpn_protocol() {
            Some(HTTP_2) => Version::Http2,
            // A client without ALPN knows of no other.
            _ => Version::Http1,
        };
        Ok((Box::new(stream), version))
    }
}

/// What ALPN calls HTTP/2.
const HTTP_2: &[u8] = b"h2";

#[cfg(test)]
mod tests {
    use super::*;

    fn add(
        certificates: &mut Certificates,
        hosts: &[&str],
        to: ShownTo,
    ) -> Result<Vec<u8>, CertificateError> {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(hosts).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        certificates.add(vec![made.cert.der().clone()], key, to)?;
        Ok(made.cert.der().to_vec())
    }

    fn shown(certificates: &Certificates, host: Option<&str>) -> Option<Vec<u8>> {
        certificates.of(host).first().map(|found| found.cert[0].to_vec())
    }

    #[test]
    fn a_host_s_own_certificate_comes_before_a_wildcard_and_that_before_the_default() {
        let mut certificates = Certificates::default();
        let wildcard = add(&mut certificates, &["*.Example.com"], ShownTo::ItsHosts).unwrap();
        let own = add(&mut certificates, &["shop.example.com", "shop.test"], ShownTo::ItsHosts).unwrap();
        for (host, expected) in [
            (Some("shop.example.com"), Some(&own)),
            (Some("shop.test"), Some(&own)),
            (Some("other.example.com"), Some(&wildcard)),
            (Some("a.other.example.com"), None),
            (Some("example.com"), None),
            (Some("com"), None),
            (Some(""), None),
            (None, None),
        ] {
            assert_eq!(shown(&certificates, host).as_ref(), expected, "{host:?}");
        }
        let default = add(&mut certificates, &["default.test"], ShownTo::AllOthers).unwrap();
        for host in [None, Some("com"), Some("example.com"), Some("default.test")] {
            assert_eq!(shown(&certificates, host).as_ref(), Some(&default), "{host:?}");
        }
        assert_eq!(shown(&certificates, Some("shop.test")).as_ref(), Some(&own));
    }

    #[test]
    fn a_certificate_that_no_client_would_get_is_refused() {
        let mut certificates = Certificates::default();
        let nobody = add(&mut certificates, &["127.0.0.1"], ShownTo::ItsHosts);
        assert!(matches!(nobody, Err(CertificateError::Hostless)) && certificates.is_empty());
        assert!(add(&mut certificates, &["127.0.0.1"], ShownTo::AllOthers).is_ok());
        assert!(!certificates.is_empty());
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let made = |host: &str| rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
        let (one, other) = (made("a.test"), made("b.test"));
        let key = PrivateKeyDer::try_from(other.signing_key.serialize_der()).unwrap();
        let wrong = Certificates::default().add(vec![one.cert.der().clone()], key, ShownTo::AllOthers);
        assert!(matches!(wrong, Err(CertificateError::Key(_))), "{wrong:?}");
        let key = PrivateKeyDer::try_from(other.signing_key.serialize_der()).unwrap();
        let wrong = Certificates::default().add(vec![vec![0; 10].into()], key, ShownTo::AllOthers);
        assert!(matches!(wrong, Err(CertificateError::Form)), "{wrong:?}");
    }
}
