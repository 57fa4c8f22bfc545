//! Where a service of the operator's answers HTTP, and what it is shown.

use std::fmt;
use std::str::FromStr;

use http::Uri;
use http::uri::Scheme;

/// The address of a service: scheme, host, port, and a path that stands in front of every other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Whether it is spoken to over TLS.
    pub is_tls: bool,
    /// A name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Host and port as the address wrote them, for `host`.
    pub authority: String,
    /// Without a slash at its end: empty for none.
    pub path: String,
}

/// A text is no address of a service. It does not repeat the text, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `http://` or `https://`, a host, and maybe a port and a path")]
pub struct EndpointError;

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let uri: Uri = text.parse().map_err(|_| EndpointError)?;
        let is_tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(EndpointError),
        };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'));
        let authority = authority.filter(|_| uri.query().is_none()).ok_or(EndpointError)?;
        let port = match authority.as_str().rsplit_once(':') {
            // What stands behind the last colon of an address in brackets may be of the address.
            Some((_, port)) if !port.ends_with(']') => port.parse().map_err(|_| EndpointError)?,
            _ => {
                if is_tls {
                    443
                } else {
                    80
                }
            }
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || port == 0 {
            return Err(EndpointError);
        }
        let path = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { is_tls, host: host.to_owned(), port, authority: authority.to_string(), path })
    }
}

/// A text that is not for messages or logs: a token.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text, for whoever it is to be shown to.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn endpoint(text: &str) -> Option<(bool, String, u16, String, String)> {
        let Endpoint { is_tls, host, port, authority, path } = text.parse().ok()?;
        Some((is_tls, host, port, authority, path))
    }

    #[test]
    fn an_address_has_a_host_and_maybe_a_port_and_a_path() {
        let found = |is_tls, host: &str, port, authority: &str, path: &str| {
            Some((is_tls, host.to_owned(), port, authority.to_owned(), path.to_owned()))
        };
        assert_eq!(endpoint("https://llm.test"), found(true, "llm.test", 443, "llm.test", ""));
        assert_eq!(endpoint("http://llm.test/"), found(false, "llm.test", 80, "llm.test", ""));
        assert_eq!(endpoint("http://[::1]:8200/a/b/"), found(false, "::1", 8200, "[::1]:8200", "/a/b"));
        assert_eq!(endpoint("http://[::1]"), found(false, "::1", 80, "[::1]", ""));
        for text in
            ["", "/", "llm.test", "ftp://llm.test", "http://", "http://a:99999", "http://a:", "http://a:0"]
        {
            assert_eq!(endpoint(text), None, "{text}");
        }
        assert_eq!(endpoint("http://me:secret@llm.test"), None);
        assert_eq!(endpoint("http://llm.test/?a=b"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(https?://)?\\PC{0,12}") {
            let _ = text.parse::<Endpoint>();
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!(format!("{:?}", Secret::new("token")), "Secret");
    }
}
