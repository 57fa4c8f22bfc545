//! Where a guest wants to be connected to, in its own words: an address is untrusted text.

use std::net::IpAddr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding, Host, SslMode, SslNegotiation, TargetSessionAttrs};
use tombolo_egress::Egress;
use tombolo_model::outbound::Destination;

use crate::refusal::{Refusal, chain};

/// What is granted is called by this.
const SCHEME: &str = "postgres";
const PORT: u16 = 5432;
/// Servers that one address may name.
const SERVERS_MAX: usize = 16;
/// How long connecting to one of them may take, if the address does not say less.
const TIMEOUT: Duration = Duration::from_secs(10);

/// An address that was understood.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    /// User, password, database, options: with encryption and hosts left to us.
    pub(crate) config: Config,
    /// Tried in this order.
    pub(crate) servers: Vec<Server>,
    pub(crate) encryption: Encryption,
    pub(crate) timeout: Duration,
    pub(crate) wanted: TargetSessionAttrs,
}

/// One server of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// What it is called: what a certificate of it must say.
    pub(crate) name: String,
    /// Where it is, if the address says that besides its name.
    pub(crate) at: Option<String>,
    pub(crate) port: u16,
}

/// Whether a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encryption {
    Never,
    /// If the server can.
    Preferred,
    Required,
}

impl Server {
    /// Where the connection goes.
    pub(crate) fn destination(&self) -> Destination<'_> {
        let host = self.at.as_deref().unwrap_or(&self.name);
        Destination { scheme: SCHEME, host, port: self.port }
    }

    fn named(&self) -> Destination<'_> {
        Destination { scheme: SCHEME, host: &self.name, port: self.port }
    }
}

impl Address {
    /// Reads a URL, `postgres://…` or `postgresql://…`, or `key=value` pairs.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let refuse = |reason: &str| Refusal::Connection(format!("invalid address: {reason}"));
        // What follows a zero would be another parameter to the server.
        if text.contains('\0') {
            return Err(refuse("it has a zero in it"));
        }
        let mut config: Config =
            text.parse().map_err(|error: tokio_postgres::Error| refuse(&chain(&error)))?;
        if config.get_user().is_none_or(str::is_empty) {
            return Err(refuse("it names no user"));
        }
        let encryption = match config.get_ssl_mode() {
            SslMode::Disable => Encryption::Never,
            SslMode::Require => Encryption::Required,
            _ => Encryption::Preferred,
        };
        if config.get_ssl_negotiation() == SslNegotiation::Direct {
            return Err(refuse("`sslnegotiation=direct` is not there"));
        }
        if config.get_channel_binding() == ChannelBinding::Require {
            return Err(refuse("`channel_binding=require` is not there"));
        }
        let servers = servers(&config)?;
        // Encrypted by us, before the client has the connection.
        config.ssl_mode(SslMode::Disable);
        let timeout = config.get_connect_timeout().map_or(TIMEOUT, |timeout| TIMEOUT.min(*timeout));
        let wanted = config.get_target_session_attrs();
        Ok(Self { config, servers, encryption, timeout, wanted })
    }

    /// Refuses an address that names a server which was not granted: none of it is connected to then.
    pub(crate) fn check(&self, egress: &Egress) -> Result<(), Refusal> {
        let destinations = self.servers.iter().flat_map(|server| [server.named(), server.destination()]);
        for to in destinations {
            if !egress.allows(&to) {
                let Destination { scheme, host, port } = to;
                return Err(Refusal::Connection(format!(
                    "address {scheme}://{host}:{port} is not permitted: it is not among the component's \
                     `allowed_outbound_hosts`"
                )));
            }
        }
        Ok(())
    }
}

fn servers(config: &Config) -> Result<Vec<Server>, Refusal> {
    let refuse = |reason: &str| Refusal::Connection(format!("invalid address: {reason}"));
    let (hosts, places, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
    let count = hosts.len().max(places.len());
    if count == 0 {
        return Err(refuse("it names no host"));
    }
    if count > SERVERS_MAX {
        return Err(refuse(&format!("it names {count} hosts, at most {SERVERS_MAX} are tried")));
    }
    if !places.is_empty() && !hosts.is_empty() && places.len() != hosts.len() {
        return Err(refuse("it has another number of `hostaddr` than of `host`"));
    }
    if ports.len() > 1 && ports.len() != count {
        return Err(refuse("it has another number of ports than of hosts"));
    }
    let server = |index: usize| {
        let at = places.get(index).map(IpAddr::to_string);
        let name = match hosts.get(index) {
            Some(Host::Tcp(name)) => {
                name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name)
            }
            Some(Host::Unix(_)) => return Err(refuse("a socket in the file system is not there")),
            None => "",
        };
        let name = match &at {
            Some(at) if name.is_empty() => at.clone(),
            None if name.is_empty() => return Err(refuse("a host has no name")),
            _ => name.to_owned(),
        };
        let port = ports.get(index).or(ports.first()).copied().unwrap_or(PORT);
        Ok(Server { name, at, port })
    };
    (0..count).map(server).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use tombolo_egress::EgressConfig;
    use tombolo_model::outbound::AllowedHosts;

    use super::*;

    fn servers_of(text: &str) -> Vec<(String, Option<String>, u16)> {
        let address = Address::parse(text).unwrap();
        address.servers.into_iter().map(|Server { name, at, port }| (name, at, port)).collect()
    }

    fn refused(text: &str) -> String {
        Address::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn urls_and_pairs_name_servers() {
        let one = |name: &str, port| vec![(name.to_owned(), None, port)];
        assert_eq!(servers_of("postgres://me:secret@db.example/data"), one("db.example", 5432));
        assert_eq!(
            servers_of("postgresql://me@db.example:1234/data?sslmode=require"),
            one("db.example", 1234)
        );
        assert_eq!(servers_of("host=db.example user=me port=7 password='a b'"), one("db.example", 7));
        assert_eq!(servers_of("postgres://me@[::1]:7/data"), one("::1", 7));
        let two = vec![("a".to_owned(), None, 1), ("b".to_owned(), None, 2)];
        assert_eq!(servers_of("postgres://me@a:1,b:2/data"), two);
        let at = vec![("a".to_owned(), Some("10.0.0.1".to_owned()), 5432)];
        assert_eq!(servers_of("host=a hostaddr=10.0.0.1 user=me"), at);
    }

    #[test]
    fn encryption_is_what_the_address_says() {
        let of = |mode: &str| Address::parse(&format!("host=a user=me {mode}")).unwrap().encryption;
        assert_eq!(of(""), Encryption::Preferred);
        assert_eq!(of("sslmode=prefer"), Encryption::Preferred);
        assert_eq!(of("sslmode=disable"), Encryption::Never);
        assert_eq!(of("sslmode=require"), Encryption::Required);
        assert_eq!(
            Address::parse("host=a user=me connect_timeout=3").unwrap().timeout,
            Duration::from_secs(3)
        );
        assert_eq!(Address::parse("host=a user=me connect_timeout=99").unwrap().timeout, TIMEOUT);
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_reason() {
        let cases = [
            ("postgres://db.example/data", "it names no user"),
            ("user=me", "it names no host"),
            ("host=/run/postgresql user=me", "a socket in the file system"),
            ("postgres://me@%2Frun%2Fpostgresql/data", "a socket in the file system"),
            ("host=a,b port=1,2,3 user=me", "another number of ports"),
            ("host=a,b hostaddr=10.0.0.1 user=me", "another number of `hostaddr`"),
            ("host=a user=me sslmode=verify-full", "sslmode"),
            ("host=a user=me channel_binding=require", "channel_binding"),
            ("host=a user=me sslnegotiation=direct", "sslnegotiation"),
            ("host=a user=me passfile=/etc/passwd", "passfile"),
            ("host=a user=me\0 options=x", "zero"),
            ("http://a/", "invalid connection string"),
            ("", "no user"),
        ];
        for (text, reason) in cases {
            let said = refused(text);
            assert!(said.starts_with("invalid address: ") && said.contains(reason), "{text}: {said}");
        }
        assert!(refused(&format!("user=me host={}", ["a"; 17].join(","))).contains("at most 16"));
    }

    #[test]
    fn every_server_must_be_granted_by_its_name_and_by_its_place() {
        let granted = ["postgres://a:1", "postgres://b:5432", "postgres://10.0.0.1:5432"];
        let allowed = AllowedHosts::parse(granted).unwrap();
        let egress = Egress::new(EgressConfig::to(Arc::new(allowed)));
        let check = |text: &str| Address::parse(text).unwrap().check(&egress);
        check("postgres://me@a:1,b/data").unwrap();
        check("host=b hostaddr=10.0.0.1 user=me").unwrap();
        for text in [
            "postgres://me@a:2/data",
            "postgres://me@a:1,c:1/data",
            "host=a hostaddr=10.0.0.1 port=1 user=me",
            "host=c hostaddr=10.0.0.1 user=me",
            "hostaddr=10.0.0.2 user=me",
        ] {
            let said = check(text).unwrap_err().to_string();
            assert!(said.contains("is not permitted"), "{text}: {said}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_an_address_or_refused(text in ".{0,80}") {
            let _ = Address::parse(&text);
            let _ = Address::parse(&format!("postgres://{text}"));
            let _ = Address::parse(&format!("user=me {text}"));
        }

        #[test]
        fn pieces_of_addresses_are_an_address_or_refused(
            pieces in proptest::collection::vec(
                proptest::sample::select(vec![
                    "postgres://", "me", ":", "@", "[", "]", "::1", "/", "?", "&", "=", ",", "%", "%2F", "'", "\\",
                    "host", "hostaddr", "port", "user", "sslmode", "1", "99999999999", " ", "\0", "é",
                ]),
                0..12,
            ),
        ) {
            let _ = Address::parse(&pieces.concat());
        }
    }
}
