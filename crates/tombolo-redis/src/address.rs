//! Addresses of servers, as URLs.

use std::fmt;

use percent_encoding::percent_decode_str;
use tombolo_model::outbound::Destination;
use url::Url;

/// Where a server is, and as whom to speak to it: `redis[s]://[user[:password]@]host[:port][/database]`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address {
    is_encrypted: bool,
    host: String,
    port: u16,
    user: Option<String>,
    password: Option<String>,
    database: u32,
}

/// The text is no address of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an address of a Redis server, expected `redis[s]://[user[:password]@]host[:port][/database]`")]
pub struct AddressError;

/// Bytes of an address.
const ADDRESS_BYTES_MAX: usize = 8 << 10;
/// The port of a server unless its address says another.
const PORT: u16 = 6379;

impl Address {
    /// Reads an address. What is behind a `?` is passed over, as it says how other clients are to behave.
    ///
    /// # Errors
    ///
    /// If it is none, or asks that the server's certificate is not looked at.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        // Each handle keeps it, and each connection.
        if text.len() > ADDRESS_BYTES_MAX {
            return Err(AddressError);
        }
        let url = Url::parse(text).map_err(|_| AddressError)?;
        let is_encrypted = match url.scheme() {
            "redis" => false,
            "rediss" => true,
            _ => return Err(AddressError),
        };
        if url.fragment().is_some() {
            return Err(AddressError);
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(AddressError)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let database = match url.path().trim_start_matches('/') {
            "" => 0,
            number => number.parse().map_err(|_| AddressError)?,
        };
        let password = url.password().map(decoded).transpose()?;
        let user = Some(decoded(url.username())?).filter(|user| !user.is_empty());
        let host = decoded(host)?;
        Ok(Self { is_encrypted, host, port: url.port().unwrap_or(PORT), user, password, database })
    }

    /// Where it is, as a grant names it.
    pub fn destination(&self) -> Destination<'_> {
        let scheme = if self.is_encrypted { "rediss" } else { "redis" };
        Destination { scheme, host: &self.host, port: self.port }
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    pub(crate) fn database(&self) -> u32 {
        self.database
    }

    /// The arguments of `AUTH`, if it says as whom to speak.
    pub(crate) fn credentials(&self) -> Option<Vec<&[u8]>> {
        let password = self.password.as_ref()?.as_bytes();
        Some(self.user.iter().map(|user| user.as_bytes()).chain([password]).collect())
    }
}

fn decoded(text: &str) -> Result<String, AddressError> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| AddressError)?;
    Ok(decoded.into_owned())
}

/// Without user and password: it stands in messages.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Destination { scheme, host, port } = self.destination();
        match host.contains(':') {
            true => write!(f, "{scheme}://[{host}]:{port}")?,
            false => write!(f, "{scheme}://{host}:{port}")?,
        }
        if self.database != 0 {
            write!(f, "/{}", self.database)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_is_kept_and_so_it_has_a_bound() {
        let address = |bytes: usize| format!("redis://{}@host", "u".repeat(bytes));
        assert!(Address::parse(&address(1 << 10)).is_ok() && Address::parse(&address(8 << 10)).is_err());
    }

    #[test]
    fn an_address_says_where_and_as_whom() {
        let address = Address::parse("rediss://a%40b:p%3As@[::1]:7000/3?protocol=resp2").unwrap();
        assert_eq!(address.destination(), Destination { scheme: "rediss", host: "::1", port: 7000 });
        assert_eq!(address.credentials().unwrap(), [b"a@b".as_slice(), b"p:s"]);
        assert_eq!((address.database(), address.to_string().as_str()), (3, "rediss://[::1]:7000/3"));
        let address = Address::parse("redis://:secret@Host.Example").unwrap();
        assert_eq!(address.credentials().unwrap(), [b"secret"]);
        assert_eq!(address.destination().port, 6379);
        assert!(!format!("{address:?} {address}").contains("secret"));
        assert_eq!(Address::parse("redis://localhost/").unwrap().credentials(), None);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "localhost:6379",
            "http://localhost",
            "redis://",
            "redis:///1",
            "redis://localhost/a",
            "redis://localhost/-1",
            "redis://localhost:99999",
            "rediss://localhost/#insecure",
            "unix:///run/redis.sock",
            "redis://%ff@localhost",
        ] {
            assert_eq!(Address::parse(text), Err(AddressError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "(rediss?://)?([a-z%@:]{0,9}@)?.{0,20}(:[0-9]{0,6})?(/.{0,5})?") {
            if let Ok(address) = Address::parse(&text) {
                prop_assert!(!address.destination().host.is_empty());
            }
        }
    }
}
