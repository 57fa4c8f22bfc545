//! How clients come: over which listener, and what holds for it.

use std::net::SocketAddr;

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Uri};
use tokio::net::TcpListener;

use crate::admit;
use crate::tls::ServerTls;

/// The listeners of a gateway.
pub struct Doors {
    /// For connections without TLS.
    pub plain: TcpListener,
    /// For those with.
    pub tls: Option<TcpListener>,
}

/// What holds for clients' connections. Replaced as a whole, for requests and handshakes that begin then.
#[derive(Clone, Debug, Default)]
pub struct Front {
    /// How those at the listener with TLS are encrypted; without it they are closed.
    pub tls: Option<ServerTls>,
    /// Where requests without TLS are sent; `None` answers them.
    pub redirect: Option<Redirect>,
    /// What clients are told with TLS.
    pub hsts: Option<Hsts>,
}

/// The value of `strict-transport-security` (RFC 6797): for how long a client is to come with TLS alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hsts(pub(crate) HeaderValue);

impl Hsts {
    /// For so many seconds, for this host alone; for 0 a client forgets that it was told.
    pub fn seconds(seconds: u64) -> Self {
        let value = HeaderValue::try_from(format!("max-age={seconds}"));
        Self(value.expect("a number is a value a header can have"))
    }
}

/// Sends clients to the same host with TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// The port with TLS, as clients see it.
    pub port: u16,
}

/// Whether a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Plain,
    Tls,
}

/// The ends of a connection, and what is between them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) client: SocketAddr,
    pub(crate) local: SocketAddr,
    pub(crate) way: Way,
}

impl Redirect {
    /// Where a request goes; `None` if it has characters that no header can have.
    pub(crate) fn location(self, authority: &str, uri: &Uri) -> Option<HeaderValue> {
        let host = admit::host(authority);
        // `OPTIONS *` has none.
        let path = uri.path_and_query().map(PathAndQuery::as_str).filter(|path| path.starts_with('/'));
        let path = path.unwrap_or("/");
        let location = match self.port {
            443 => format!("https://{host}{path}"),
            port => format!("https://{host}:{port}{path}"),
        };
        HeaderValue::try_from(location).ok()
    }
}

impl Way {
    /// What a guest is asked: the URI of a request, with the scheme it came by, whatever the client claims, and whom
    /// it is for. One that is not of a path stays what it is.
    pub(crate) fn uri(self, uri: &Uri, authority: &str) -> Uri {
        let mut parts = uri.clone().into_parts();
        parts.scheme = Some(match self {
            Self::Plain => Scheme::HTTP,
            Self::Tls => Scheme::HTTPS,
        });
        if parts.authority.is_none() {
            parts.authority = authority.parse::<Authority>().ok();
        }
        parts.path_and_query.get_or_insert_with(|| PathAndQuery::from_static("/"));
        Uri::from_parts(parts).unwrap_or_else(|_| uri.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_sent_to_the_same_place_with_tls() {
        let check = |port: u16, authority: &str, uri: &'static str, expected: &str| {
            let location = Redirect { port }.location(authority, &Uri::from_static(uri));
            assert_eq!(location.unwrap(), expected);
        };
        check(443, "shop.test", "/a?b=c", "https://shop.test/a?b=c");
        check(443, "shop.test:80", "/", "https://shop.test/");
        check(8443, "[::1]:80", "/a%20b?", "https://[::1]:8443/a%20b?");
        check(443, "shop.test", "http://shop.test/a", "https://shop.test/a");
        check(443, "shop.test", "*", "https://shop.test/");
    }

    #[test]
    fn a_guest_is_told_the_scheme_by_which_a_request_came() {
        let check = |way: Way, uri: &'static str, expected: &str| {
            let uri = way.uri(&Uri::from_static(uri), "shop.test:3000");
            assert_eq!(uri.to_string(), expected);
        };
        check(Way::Plain, "/a?b", "http://shop.test:3000/a?b");
        check(Way::Tls, "/a?b", "https://shop.test:3000/a?b");
        check(Way::Tls, "http://other.test/a", "https://other.test/a");
        check(Way::Plain, "https://other.test", "http://other.test/");
    }
}
