//! From a URI to a connection.

use std::io::ErrorKind;

use http::Uri;
use http::uri::Scheme;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::rustls;
use tombolo_capability::Meter;
use tombolo_egress::tls::{self, TlsError};
use tombolo_egress::{EgressError, Slot};
use tombolo_model::outbound::{AllowedHosts, Destination, component_of};
use wasmtime_wasi_http::Error;

use super::Outbound;
use super::inside::Part;

/// Bytes both ways, encrypted or not.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// An open connection. Whoever holds it holds one of the component's slots.
pub(super) struct Connection {
    pub(super) stream: Box<dyn Stream>,
    /// Whether the server chose HTTP/2.
    pub(super) is_http2: bool,
    pub(super) slot: Slot,
}

/// Where a request is to go.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    is_tls: bool,
    host: String,
    port: u16,
}

impl Target {
    /// The target of a request, whose URI has a scheme and an authority.
    pub(super) fn of(uri: &Uri) -> Result<Self, Error> {
        let invalid = || Error::HttpRequestUriInvalid;
        let authority = uri.authority().ok_or_else(invalid)?;
        let is_tls = uri.scheme() == Some(&Scheme::HTTPS);
        if !is_tls && uri.scheme() != Some(&Scheme::HTTP) {
            return Err(Error::HttpProtocolError);
        }
        let host = authority.host();
        // `port_u16` is as silent about a port that is none as about no port.
        let place = authority.as_str().rsplit_once('@').map_or(authority.as_str(), |(_, place)| place);
        let port = match place.strip_prefix(host) {
            Some("" | ":") if is_tls => 443,
            Some("" | ":") => 80,
            Some(port) => port.strip_prefix(':').and_then(|port| port.parse().ok()).ok_or_else(invalid)?,
            None => return Err(invalid()),
        };
        // The `http` crate leaves the brackets of an IPv6 address in place.
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        Ok(Self { is_tls, host: host.to_owned(), port })
    }

    /// Which part of the caller's app it is, if it is one and `allowed`.
    ///
    /// Source: Spin, `crates/factor-outbound-http`: no host, as SDKs write a URL that is a path alone, and
    /// `self.alt` are the app itself.
    pub(super) fn inside(&self, allowed: &AllowedHosts) -> Result<Option<Part>, Error> {
        let to = self.destination();
        let (part, allows) = if self.host.is_empty() {
            // The scheme is the library's guess: the guest gave none.
            (Part::Route, allowed.allows_itself("http") || allowed.allows_itself("https"))
        } else if self.host.eq_ignore_ascii_case("self.alt") {
            (Part::Route, allowed.allows_itself(to.scheme))
        } else if let Some(id) = component_of(&self.host) {
            (Part::Component(id.to_owned()), allowed.allows(to.scheme, to.host, to.port))
        } else {
            return Ok(None);
        };
        if allows { Ok(Some(part)) } else { Err(Error::HttpRequestDenied) }
    }

    /// What tells connections apart that requests of one component can go over. How they are encrypted, and who is
    /// trusted at their other ends, is the same for all to one host.
    pub(super) fn key(&self) -> Box<str> {
        let scheme = if self.is_tls { "https" } else { "http" };
        let host = self.host.to_ascii_lowercase();
        format!("{scheme}://{host}:{}", self.port).into()
    }

    /// The same in the words of a grant.
    pub(super) fn destination(&self) -> Destination<'_> {
        let scheme = if self.is_tls { "https" } else { "http" };
        Destination { scheme, host: &self.host, port: self.port }
    }
}

impl Outbound {
    /// Connects to `target`, if it was granted.
    pub(super) async fn connect(&self, target: &Target, meter: &Meter) -> Result<Connection, Error> {
        let (stream, slot) = self.egress.connect(&target.destination()).await.map_err(unconnected)?;
        meter.outbound().connection();
        if !target.is_tls {
            return Ok(Connection { stream: Box::new(stream), is_http2: false, slot });
        }
        let encrypted = tls::encrypt(self.egress.http_tls(&target.host), &target.host, stream).await;
        let stream = encrypted.map_err(unencrypted)?;
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(tls::HTTP_2);
        Ok(Connection { stream: Box::new(stream), is_http2, slot })
    }
}

/// What WASI calls a connection that did not come about.
fn unconnected(error: EgressError) -> Error {
    match error {
        EgressError::Denied => Error::HttpRequestDenied,
        EgressError::Busy => Error::ConnectionLimitReached,
        EgressError::Unresolved => {
            Error::DnsError { rcode: Some("address not available".to_owned()), info_code: None }
        }
        EgressError::Prohibited => Error::DestinationIpProhibited,
        EgressError::Connect(error) => match error.kind() {
            ErrorKind::ConnectionRefused => Error::ConnectionRefused,
            ErrorKind::TimedOut => Error::ConnectionTimeout,
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Error::DestinationIpUnroutable,
            _ => Error::Connect(error),
        },
    }
}

/// What WASI calls a handshake that failed.
fn unencrypted(error: TlsError) -> Error {
    let error = match error {
        TlsError::Name(_) => {
            return Error::DnsError { rcode: Some("invalid dns name".to_owned()), info_code: None };
        }
        TlsError::Handshake(error) => error,
    };
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

#[cfg(test)]
mod tests {
    use super::*;

    fn target(uri: &str) -> Option<(bool, String, u16)> {
        let target = Target::of(&uri.parse().ok()?).ok()?;
        Some((target.is_tls, target.host, target.port))
    }

    #[test]
    fn a_target_is_what_the_uri_says() {
        let found = |is_tls, host: &str, port| Some((is_tls, host.to_owned(), port));
        assert_eq!(target("http://example.com/x"), found(false, "example.com", 80));
        assert_eq!(target("https://example.com"), found(true, "example.com", 443));
        assert_eq!(target("https://example.com:/"), found(true, "example.com", 443));
        assert_eq!(target("http://[::1]:8080/"), found(false, "::1", 8080));
        assert_eq!(target("http://granted.test@other.test:81/"), found(false, "other.test", 81));
        assert_eq!(target("http://example.com:99999/"), None);
        assert_eq!(target("ftp://example.com/"), None);
        assert_eq!(target("/x"), None);
    }
}
