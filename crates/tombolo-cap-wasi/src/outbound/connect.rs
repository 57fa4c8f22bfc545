//! From a URI to a connection: once resolved, checked, connected.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};

use http::Uri;
use http::uri::Scheme;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::OwnedSemaphorePermit;
use tombolo_capability::Meter;
use tombolo_model::outbound::Destination;
use wasmtime_wasi_http::Error;

use super::{Outbound, tls};

/// Addresses of one name that are tried. More are no better, and a name could lead a guest's every
/// request through a whole network.
const ADDRESSES_MAX: usize = 16;

/// Bytes both ways, encrypted or not.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// An open connection. Whoever holds it holds one of the component's slots.
pub(super) struct Connection {
    pub(super) stream: Box<dyn Stream>,
    pub(super) slot: OwnedSemaphorePermit,
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
        if host.is_empty() {
            return Err(invalid());
        }
        Ok(Self { is_tls, host: host.to_owned(), port })
    }

    /// The same in the words of a grant.
    pub(super) fn destination(&self) -> Destination<'_> {
        let scheme = if self.is_tls { "https" } else { "http" };
        Destination { scheme, host: &self.host, port: self.port }
    }

    /// The addresses it leads to now.
    async fn addresses(
        &self,
        slot: OwnedSemaphorePermit,
    ) -> Result<(Vec<SocketAddr>, OwnedSemaphorePermit), Error> {
        if let Ok(address) = self.host.parse::<IpAddr>() {
            return Ok((vec![SocketAddr::new(address, self.port)], slot));
        }
        let (host, port) = (self.host.clone(), self.port);
        // A task of its own, because a lookup under way cannot be ended: it keeps its slot until it
        // is over, also if its guest is gone by then. So there are never more of them than slots.
        let lookup = tokio::spawn(async move {
            let found = lookup_host((host, port)).await;
            (found.map(|found| found.take(ADDRESSES_MAX).collect::<Vec<_>>()), slot)
        });
        let (found, slot) = lookup.await.map_err(|error| Error::InternalError(Some(error.to_string())))?;
        match found {
            Ok(found) if !found.is_empty() => Ok((found, slot)),
            Ok(_) | Err(_) => {
                Err(Error::DnsError { rcode: Some("address not available".to_owned()), info_code: None })
            }
        }
    }
}

impl Outbound {
    /// Connects to the first address of `target` that was granted and answers.
    pub(super) async fn connect(
        &self,
        target: &Target,
        slot: OwnedSemaphorePermit,
        meter: &Meter,
    ) -> Result<Connection, Error> {
        let (found, slot) = target.addresses(slot).await?;
        let to = target.destination();
        let granted =
            |address: &&SocketAddr| self.config.allowed.reaches(&to, address.ip(), self.config.private);
        let mut failure = Error::DestinationIpProhibited;
        for address in found.iter().filter(granted) {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    meter.outbound().connection();
                    let stream: Box<dyn Stream> = if target.is_tls {
                        Box::new(tls::encrypt(&self.tls, &target.host, stream).await?)
                    } else {
                        Box::new(stream)
                    };
                    return Ok(Connection { stream, slot });
                }
                Err(error) => failure = unconnected(error),
            }
        }
        Err(failure)
    }
}

/// What WASI calls a connection that did not come about.
fn unconnected(error: io::Error) -> Error {
    match error.kind() {
        ErrorKind::ConnectionRefused => Error::ConnectionRefused,
        ErrorKind::TimedOut => Error::ConnectionTimeout,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Error::DestinationIpUnroutable,
        _ => Error::Connect(error),
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
