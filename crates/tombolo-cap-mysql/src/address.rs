//! Where a guest wants to be connected to, in its own words: an address is untrusted text.

use std::net::{IpAddr, SocketAddr};

use mysql_async::{Opts, OptsBuilder, SslOpts};
use tombolo_egress::Egress;
use tombolo_model::outbound::Destination;

use crate::refusal::Refusal;

/// What is granted is called by this.
const SCHEME: &str = "mysql";
/// The longest packet, which a row or a statement is: all of it is held at once.
const PACKET_BYTES_MAX: usize = 16 << 20;
/// Statements that a connection keeps prepared, until another guest has it.
const STATEMENTS_MAX: usize = 16;
/// Seconds a server is taken to keep a connection that is not used: its usual ones. Ours are asked before they are used
/// again.
const WAIT_S: usize = 28_800;
/// A URL is read by code that was not written for strangers.
const ADDRESS_BYTES_MAX: usize = 8 << 10;

/// An address that was understood.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) name: String,
    pub(crate) port: u16,
    user: Option<String>,
    password: Option<String>,
    database: Option<String>,
    pub(crate) encrypted: bool,
}

impl Address {
    /// Reads a URL, `mysql://user:password@host:port/database?ssl-mode=…`.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let refuse = |reason: &str| Refusal::Connection(format!("invalid address: {reason}"));
        if text.len() > ADDRESS_BYTES_MAX {
            return Err(refuse("it is too long"));
        }
        let (start, query) = text.split_once('?').unwrap_or((text, ""));
        let mut encrypted = false;
        let mut rest = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match key.to_ascii_lowercase().as_str() {
                "ssl-mode" | "sslmode" => encrypted = !value.eq_ignore_ascii_case("disabled"),
                "require_ssl" => encrypted = value == "true",
                "socket" => return Err(refuse("a socket in the file system is not there")),
                _ => rest.push(pair),
            }
        }
        // The others say how a client pools, which this one does not; they are right or wrong all the same.
        let url = if rest.is_empty() { start.to_owned() } else { format!("{start}?{}", rest.join("&")) };
        let options = Opts::from_url(&url).map_err(|error| refuse(&error.to_string()))?;
        let name = options.ip_or_hostname();
        let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        if name.is_empty() {
            return Err(refuse("it names no host"));
        }
        Ok(Self {
            name: name.to_owned(),
            port: options.tcp_port(),
            user: options.user().map(str::to_owned),
            password: options.pass().map(str::to_owned),
            database: options.db_name().map(str::to_owned),
            encrypted,
        })
    }

    pub(crate) fn destination(&self) -> Destination<'_> {
        Destination { scheme: SCHEME, host: &self.name, port: self.port }
    }

    /// Refuses an address that was not granted.
    pub(crate) fn check(&self, egress: &Egress) -> Result<(), Refusal> {
        let to = self.destination();
        if egress.allows(&to) {
            return Ok(());
        }
        let Destination { scheme, host, port } = to;
        Err(Refusal::Connection(format!(
            "address {scheme}://{host}:{port} is not permitted: it is not among the component's \
             `allowed_outbound_hosts`"
        )))
    }

    /// What the client needs to connect to these addresses, which the name leads to, and to no others.
    pub(crate) fn options(&self, found: &[SocketAddr]) -> Opts {
        let places: Vec<IpAddr> = found.iter().map(SocketAddr::ip).collect();
        OptsBuilder::default()
            .ip_or_hostname(self.name.clone())
            .tcp_port(self.port)
            .resolved_ips(Some(places))
            .user(self.user.clone())
            .pass(self.password.clone())
            .db_name(self.database.clone())
            .ssl_opts(self.encrypted.then(SslOpts::default))
            // It would leave the network, for a file of the host.
            .prefer_socket(false)
            .stmt_cache_size(STATEMENTS_MAX)
            .max_allowed_packet(Some(PACKET_BYTES_MAX))
            // Asked for, it would be a statement within connecting, which cannot be ended like one.
            .wait_timeout(Some(WAIT_S))
            .into()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use tombolo_egress::EgressConfig;
    use tombolo_model::outbound::AllowedHosts;

    use super::*;

    #[test]
    fn urls_name_a_server() {
        let of = |text: &str| {
            let Address { name, port, encrypted, .. } = Address::parse(text).unwrap();
            (name, port, encrypted)
        };
        assert_eq!(of("mysql://me:secret@db.example/data"), ("db.example".to_owned(), 3306, false));
        assert_eq!(of("mysql://me@db.example:7/data?ssl-mode=REQUIRED"), ("db.example".to_owned(), 7, true));
        assert_eq!(
            of("mysql://me@[::1]:7/data?SslMode=disabled&pool_max=3&pool_min=1"),
            ("::1".to_owned(), 7, false)
        );
        let address = Address::parse("mysql://me:p%40ss@db/data").unwrap();
        let options = address.options(&["10.0.0.1:3306".parse().unwrap()]);
        assert_eq!(
            (options.user(), options.pass(), options.db_name()),
            (Some("me"), Some("p@ss"), Some("data"))
        );
        assert_eq!(options.resolved_ips(), &Some(vec!["10.0.0.1".parse().unwrap()]));
        assert!(!options.prefer_socket() && options.socket().is_none());
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_reason() {
        let cases = [
            ("postgres://me@a/x", "postgres"),
            ("mysql://me@a/x?socket=/run/mysqld.sock", "a socket in the file system"),
            ("mysql://me@a/x?nothing=1", "nothing"),
            ("mysql:///x", ""),
            ("a", ""),
            ("", ""),
        ];
        for (text, reason) in cases {
            let said = Address::parse(text).unwrap_err().to_string();
            assert!(said.starts_with("invalid address: ") && said.contains(reason), "{text}: {said}");
        }
        assert!(Address::parse(&format!("mysql://{}", "a".repeat(9_000))).is_err());
    }

    #[test]
    fn a_server_must_be_granted() {
        let allowed = AllowedHosts::parse(["mysql://a", "mysql://b:7"]).unwrap();
        let egress = Egress::new(EgressConfig::to(Arc::new(allowed)));
        let check = |text: &str| Address::parse(text).unwrap().check(&egress);
        check("mysql://me@a/x").unwrap();
        check("mysql://me@b:7/x").unwrap();
        assert!(check("mysql://me@b/x").unwrap_err().to_string().contains("mysql://b:3306 is not permitted"));
    }

    proptest! {
        #[test]
        fn any_text_is_an_address_or_refused(text in ".{0,80}") {
            let _ = Address::parse(&text);
            let _ = Address::parse(&format!("mysql://{text}"));
            let _ = Address::parse(&format!("mysql://me@a/x?{text}"));
        }

        #[test]
        fn pieces_of_addresses_are_an_address_or_refused(
            pieces in proptest::collection::vec(
                proptest::sample::select(vec![
                    "mysql://", "me", ":", "@", "[", "]", "::1", "/", "?", "&", "=", "#", "%", "%2F", "%FF", "\\",
                    "pool_max", "compression", "socket", "ssl-mode", "1", "99999999999", " ", "\0", "é",
                ]),
                0..12,
            ),
        ) {
            let _ = Address::parse(&pieces.concat());
        }
    }
}
