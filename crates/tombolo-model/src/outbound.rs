//! Where a guest may connect to: the grammar of `allowed_outbound_hosts`.
//!
//! Each entry is `scheme://host[:port]`. The scheme is letters or `*`; the host is a name, an
//! address, `*`, `*.suffix`, a network in CIDR form, `self` or `self.alt`; the port is a number, a
//! range `low..high`, which ends before `high`, or `*`, and may be left out where the scheme has a usual one.
//!
//! A grant is for a name; which addresses it opens behind that name, [`crate::reach`] says.
//!
//! Source: Spin, `crates/outbound-networking-config/src/allowed_hosts.rs`, and its documentation.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::address::Place;
use crate::reach::{PrivateNetworks, Reach};

/// What a component may connect to. Empty allows nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedHosts(Vec<Rule>);

/// Where a connection is to go, in the words of whoever asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination<'a> {
    /// What is spoken there: `http`, `tcp`.
    pub scheme: &'a str,
    /// A name or an address, without brackets.
    pub host: &'a str,
    /// The port.
    pub port: u16,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    scheme: Scheme,
    host: Host,
    port: Port,
    text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Scheme {
    Any,
    Exactly(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Any,
    /// A name.
    Exactly(String),
    /// Every name that ends in this, the leading dot included.
    Below(String),
    /// Addresses, often one.
    Network(IpNet),
    /// The app's own address: `self` or `self.alt`.
    Itself,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Port {
    Any,
    /// From the first to before the second.
    Between(u16, u16),
    Exactly(u16),
}

/// Why an entry of `allowed_outbound_hosts` was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{entry}` is not an allowed outbound host: {reason}")]
pub struct OutboundError {
    entry: String,
    reason: String,
}

/// What stands behind the id of a component where another one of its app calls it by a host.
const INTERNAL: &str = ".spin.internal";

/// The component of the caller's own app that a host is: `cart` of `cart.spin.internal`.
pub fn component_of(host: &str) -> Option<&str> {
    let start = host.len().checked_sub(INTERNAL.len()).filter(|start| host.is_char_boundary(*start))?;
    let (id, suffix) = host.split_at(start);
    (!id.is_empty() && suffix.eq_ignore_ascii_case(INTERNAL)).then_some(id)
}

impl AllowedHosts {
    /// Allows nothing.
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// Reads the entries. One that a template left empty, or with a scheme only, is skipped, as
    /// Spin does, so that an optional host can be a variable without a value.
    ///
    /// # Errors
    ///
    /// If an entry is not of the grammar above.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, OutboundError> {
        let blank = |entry: &&str| !matches!(entry.trim(), "" | "http://" | "https://");
        entries.into_iter().filter(blank).map(Rule::parse).collect::<Result<_, _>>().map(Self)
    }

    /// Whether nothing is allowed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a host was granted, so that its name may be resolved. Whether an address it leads to
    /// may be connected to, only [`Self::reaches`] knows. `host` is without brackets.
    pub fn allows(&self, scheme: &str, host: &str, port: u16) -> bool {
        self.0.iter().any(|rule| rule.allows(scheme, host, port))
    }

    /// Whether the app's own routes were granted: as `self`, or with every host.
    pub fn allows_itself(&self, scheme: &str) -> bool {
        let own = |rule: &&Rule| matches!(rule.host, Host::Itself | Host::Any);
        self.0.iter().filter(own).any(|rule| rule.scheme.fits(scheme))
    }

    /// The names of this app's components that entries name, as in `http://cart.spin.internal`.
    pub fn components(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|rule| match &rule.host {
            Host::Exactly(name) => Some((rule.text.as_str(), component_of(name)?)),
            _ => None,
        })
    }

    /// Whether a connection may go to `address`, which is where `to` leads at the moment.
    pub fn reaches(&self, to: &Destination<'_>, address: IpAddr, private: PrivateNetworks) -> bool {
        let address = canonical(address);
        let place = Place::of(address);
        let is_itself = to.host.parse().map_or(true, |named| canonical(named) == address);
        if !is_itself || !private.opens(place) || !self.allows(to.scheme, to.host, to.port) {
            return false;
        }
        let literal = address.to_string();
        let fits = |rule: &&Rule| {
            rule.allows(to.scheme, to.host, to.port) || rule.allows(to.scheme, &literal, to.port)
        };
        self.0.iter().filter(fits).any(|rule| rule.host.reach().opens(place))
    }

    /// Whether a socket may go to a host that is called by a name, so that names must be resolved.
    /// Requests of `wasi:http` are not meant: the host resolves theirs.
    pub fn sockets_by_name(&self) -> bool {
        let socket = |rule: &Rule| match &rule.scheme {
            Scheme::Any => true,
            Scheme::Exactly(name) => matches!(name.as_str(), "tcp" | "udp"),
        };
        let named = |rule: &Rule| match &rule.host {
            Host::Any | Host::Below(_) | Host::Exactly(_) => true,
            Host::Network(_) | Host::Itself => false,
        };
        self.0.iter().any(|rule| socket(rule) && named(rule))
    }

    /// The entries as they were written.
    pub fn entries(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|rule| rule.text.as_str())
    }
}

impl Rule {
    fn parse(entry: &str) -> Result<Self, OutboundError> {
        let entry = entry.trim();
        let refuse = |reason: &str| OutboundError { entry: entry.into(), reason: reason.into() };
        if entry == "*" || entry == ":" || entry == "?" {
            return Err(refuse("write `*://*:*` to allow every host"));
        }
        if entry == "insecure:allow-all" {
            return Err(refuse("no longer supported; write `*://*:*` to allow every host"));
        }
        let (scheme, rest) = entry
            .split_once("://")
            .ok_or_else(|| refuse("expected `scheme://host[:port]`, such as `https://example.com`"))?;
        let (host, port) = split_port(rest).map_err(|reason| refuse(&reason))?;
        let scheme_name = scheme;
        let scheme = Scheme::parse(scheme).map_err(|reason| refuse(&reason))?;
        let host = Host::parse(host).map_err(|reason| refuse(&reason))?;
        let port = match port {
            Some(port) => Port::parse(port).map_err(|reason| refuse(&reason))?,
            None => {
                let missing = || refuse("expected a port: this scheme has no usual one");
                let usual = usual_port(scheme_name).ok_or_else(missing)?;
                Port::Exactly(usual)
            }
        };
        Ok(Self { scheme, host, port, text: entry.to_owned() })
    }

    fn allows(&self, scheme: &str, host: &str, port: u16) -> bool {
        let port_fits = match self.port {
            Port::Any => true,
            Port::Between(low, high) => (low..high).contains(&port),
            Port::Exactly(only) => only == port,
        };
        self.scheme.fits(scheme) && port_fits && self.host.fits(host)
    }
}

impl Scheme {
    fn fits(&self, scheme: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(name) => name.eq_ignore_ascii_case(scheme),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "*" => Ok(Self::Any),
            _ if text.starts_with('{') => Err("lists in braces are not supported".into()),
            _ if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
                Ok(Self::Exactly(text.to_ascii_lowercase()))
            }
            _ => Err(format!("expected letters or `*` as the scheme, found `{text}`")),
        }
    }
}

impl Host {
    fn parse(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        match text {
            "" => return Err("expected a host".into()),
            "*" => return Ok(Self::Any),
            "self" | "self.alt" => return Ok(Self::Itself),
            _ => {}
        }
        if text.starts_with('{') {
            return Err("lists in braces are not supported".into());
        }
        if let Ok(network) = text.parse() {
            return Ok(Self::Network(network));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Network(canonical(address).into()));
        }
        if text.contains('/') {
            return Err("expected no path after the host".into());
        }
        if let Some(suffix) = text.strip_prefix('*') {
            return match suffix.strip_prefix('.') {
                Some(rest) if !rest.is_empty() && !rest.contains('*') => {
                    Ok(Self::Below(suffix.to_ascii_lowercase()))
                }
                _ => Err("expected `*` alone or as the whole first label, `*.example.com`".into()),
            };
        }
        if text.contains('*') {
            return Err("expected `*` alone or as the whole first label, `*.example.com`".into());
        }
        Ok(Self::Exactly(text.to_ascii_lowercase()))
    }

    fn fits(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(name) => name.eq_ignore_ascii_case(host),
            // Longer by at least one byte: the bare suffix does not match.
            Self::Below(suffix) => {
                host.len() > suffix.len()
                    && host.is_char_boundary(host.len() - suffix.len())
                    && host[host.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
            }
            Self::Network(network) => {
                host.parse::<IpAddr>().is_ok_and(|address| network.contains(&canonical(address)))
            }
            Self::Itself => false,
        }
    }

    /// How it was written.
    fn reach(&self) -> Reach {
        match self {
            // A network of all addresses is `*` by another name.
            Self::Any => Reach::Wildcard,
            Self::Network(network) if network.prefix_len() == 0 => Reach::Wildcard,
            Self::Network(_) | Self::Itself => Reach::Literal,
            Self::Exactly(name) if name == "localhost" => Reach::Localhost,
            Self::Exactly(name) | Self::Below(name) if name.ends_with(".localhost") => Reach::Localhost,
            Self::Exactly(_) => Reach::Name,
            Self::Below(_) => Reach::Wildcard,
        }
    }
}

/// An IPv4 address written as an IPv6 one (RFC 4291 §2.5.5.2) is the IPv4 address.
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

impl Port {
    fn parse(text: &str) -> Result<Self, String> {
        let number = |text: &str| {
            let refuse = |_| format!("expected a port from 0 to 65535, a range or `*`, found `{text}`");
            text.parse::<u16>().map_err(refuse)
        };
        match text.split_once("..") {
            _ if text == "*" => Ok(Self::Any),
            Some((low, high)) => {
                let (low, high) = (number(low)?, number(high)?);
                if low >= high {
                    return Err(format!("the port range `{text}` is empty: its end is not part of it"));
                }
                Ok(Self::Between(low, high))
            }
            None => number(text).map(Self::Exactly),
        }
    }
}

/// Splits `host[:port]`; an IPv6 address is in brackets.
fn split_port(text: &str) -> Result<(&str, Option<&str>), String> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']').ok_or("expected `]` after the address")?;
        let host = &text[..address.len() + 2];
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() || rest == "/" => Ok((host, None)),
            None => Err("expected `:port` after the address".into()),
        };
    }
    match text.rsplit_once(':') {
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((text.strip_suffix('/').unwrap_or(text), None)),
    }
}

fn usual_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        "redis" => Some(6379),
        "mysql" => Some(3306),
        "postgres" => Some(5432),
        "mqtt" => Some(1883),
        _ => None,
    }
}

impl fmt::Display for AllowedHosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.entries().collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(entry: &str, allowed: &[(&str, &str, u16)], refused: &[(&str, &str, u16)]) {
        let hosts = AllowedHosts::parse([entry]).unwrap();
        for &(scheme, host, port) in allowed {
            assert!(hosts.allows(scheme, host, port), "{entry} must allow {scheme}://{host}:{port}");
        }
        for &(scheme, host, port) in refused {
            assert!(!hosts.allows(scheme, host, port), "{entry} must not allow {scheme}://{host}:{port}");
        }
    }

    #[test]
    fn a_rule_allows_what_it_says_and_nothing_else() {
        check(
            "https://example.com",
            &[("https", "example.com", 443), ("HTTPS", "Example.COM", 443)],
            &[("http", "example.com", 443), ("https", "example.com", 80), ("https", "a.example.com", 443)],
        );
        check(
            "http://*.example.com:8000..8010",
            &[("http", "a.example.com", 8000), ("http", "a.b.example.com", 8009)],
            &[
                ("http", "example.com", 8000),
                ("http", "badexample.com", 8000),
                ("http", "a.example.com", 8010),
            ],
        );
        check(
            "*://10.0.0.0/8:7",
            &[("tcp", "10.1.2.3", 7), ("tcp", "::ffff:10.1.2.3", 7)],
            &[("tcp", "11.0.0.1", 7), ("tcp", "10.1.2.3", 8), ("tcp", "ten.example.com", 7)],
        );
        check("*://*:*", &[("http", "a", 1), ("x", "::1", 65535)], &[]);
        check("http://[::1]:80", &[("http", "::1", 80), ("http", "0:0::1", 80)], &[("http", "::2", 80)]);
        check("redis://localhost", &[("redis", "localhost", 6379)], &[("redis", "localhost", 1)]);
    }

    #[test]
    fn what_is_not_of_the_grammar_is_refused() {
        let bad = [
            "*",
            "example.com",
            "https://example.com/path",
            "tcp://example.com",
            "http://a:99999",
            "http://*.*.com",
            "http://a*b.com",
            "http://:80",
            "ht1p://a:1",
            "http://{a,b}",
            "insecure:allow-all",
            "http://a:9..1",
            "http://a:9..9",
            "http://[::1",
        ];
        for entry in bad {
            assert!(AllowedHosts::parse([entry]).is_err(), "{entry}");
        }
    }

    #[test]
    fn an_app_s_own_parts_are_granted_like_hosts() {
        let hosts = |entry: &str| AllowedHosts::parse([entry]).unwrap();
        assert!(hosts("http://self").allows_itself("http") && !hosts("http://self").allows_itself("https"));
        assert!(hosts("*://*:*").allows_itself("http") && !hosts("http://*.com").allows_itself("http"));
        assert_eq!(component_of("Cart.spin.INTERNAL"), Some("Cart"));
        assert_eq!((component_of(".spin.internal"), component_of("spin.internal")), (None, None));
        let cart = hosts("http://cart.spin.internal");
        assert_eq!(cart.components().collect::<Vec<_>>(), [("http://cart.spin.internal", "cart")]);
        assert_eq!(hosts("http://*.spin.internal").components().count(), 0);
    }

    #[test]
    fn names_are_resolved_only_for_sockets_that_need_it() {
        let by_name = |entry| AllowedHosts::parse([entry]).unwrap().sockets_by_name();
        assert!(by_name("tcp://example.com:1") && by_name("*://*.example.com:1") && by_name("*://*:*"));
        assert!(
            !by_name("https://example.com") && !by_name("tcp://10.0.0.1:1") && !by_name("*://10.0.0.0/8:1")
        );
    }

    #[test]
    fn an_entry_left_empty_by_a_template_is_skipped() {
        let hosts = AllowedHosts::parse(["", "http://", "https://"]).unwrap();
        assert!(hosts.is_empty());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(entry in ".{0,40}") {
            if let Ok(hosts) = AllowedHosts::parse([entry.as_str()]) {
                hosts.allows("http", "example.com", 80);
            }
        }

        #[test]
        fn an_exact_rule_allows_exactly_itself(host in "[a-z]{1,9}(\\.[a-z]{1,9}){0,2}", port: u16, other: u16) {
            let hosts = AllowedHosts::parse([format!("http://{host}:{port}").as_str()]).unwrap();
            prop_assert!(hosts.allows("http", &host, port));
            prop_assert_eq!(hosts.allows("http", &host, other), other == port);
        }
    }
}
