//! Addresses of brokers, as URLs.

use percent_encoding::percent_decode_str;
use tombolo_model::outbound::Destination;
use url::Url;

/// Bytes of a text in the protocol: its length has two bytes.
pub(crate) const TEXT_BYTES_MAX: usize = u16::MAX as usize;

/// Where a broker is, and as whom to speak to it: `mqtt[s]://[user[:password]@]host[:port][?client_id=id]`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) is_encrypted: bool,
    pub(crate) host: String,
    port: u16,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) client_id: Option<String>,
}

/// The text is no address of a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AddressError;

/// Bytes of an address.
const ADDRESS_BYTES_MAX: usize = 8 << 10;

impl Address {
    pub(crate) fn parse(text: &str) -> Result<Self, AddressError> {
        // Each handle keeps it.
        if text.len() > ADDRESS_BYTES_MAX {
            return Err(AddressError);
        }
        let url = Url::parse(text).map_err(|_| AddressError)?;
        let (is_encrypted, port) = match url.scheme() {
            "mqtt" => (false, 1883),
            "mqtts" => (true, 8883),
            _ => return Err(AddressError),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(AddressError)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(AddressError);
        }
        let client_id = url.query_pairs().find(|(name, _)| name == "client_id");
        let client_id = client_id.map(|(_, id)| id.into_owned());
        if client_id.as_ref().is_some_and(|id| id.is_empty() || id.len() > TEXT_BYTES_MAX) {
            return Err(AddressError);
        }
        Ok(Self {
            is_encrypted,
            host: decoded(host)?,
            port: url.port().unwrap_or(port),
            user: decoded(url.username())?,
            password: decoded(url.password().unwrap_or_default())?,
            client_id,
        })
    }

    /// Where it is, as a grant names it.
    pub(crate) fn destination(&self) -> Destination<'_> {
        let scheme = if self.is_encrypted { "mqtts" } else { "mqtt" };
        Destination { scheme, host: &self.host, port: self.port }
    }
}

fn decoded(text: &str) -> Result<String, AddressError> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| AddressError)?;
    Ok(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_is_kept_and_so_it_has_a_bound() {
        let address = |bytes: usize| format!("mqtt://{}@host", "u".repeat(bytes));
        assert!(Address::parse(&address(1 << 10)).is_ok() && Address::parse(&address(8 << 10)).is_err());
    }

    #[test]
    fn an_address_says_where_and_as_whom() {
        let address = Address::parse("mqtts://a%40b:c@[::1]?client_id=me%20too").ok().unwrap();
        assert_eq!(address.destination(), Destination { scheme: "mqtts", host: "::1", port: 8883 });
        assert_eq!((address.user.as_str(), address.password.as_str()), ("a@b", "c"));
        assert_eq!(address.client_id.as_deref(), Some("me too"));
        let address = Address::parse("mqtt://broker.example:1/").ok().unwrap();
        assert_eq!(address.destination(), Destination { scheme: "mqtt", host: "broker.example", port: 1 });
        assert_eq!((address.user.as_str(), address.client_id), ("", None));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("mqtt://a?client_id={}", "x".repeat(70_000));
        for text in
            ["", "a:1883", "tcp://a", "mqtt://", "mqtt://a/b", "mqtt://a?client_id=", "mqtt://a:x", &long]
        {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "(mqtts?://)?([a-z%@:]{0,9}@)?.{0,20}(:[0-9]{0,6})?([/?#].{0,9})?") {
            if let Ok(address) = Address::parse(&text) {
                prop_assert!(!address.destination().host.is_empty());
            }
        }
    }
}
