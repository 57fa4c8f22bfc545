//! What the operator says about guests' connections to other hosts, in Spin's runtime configuration.
//!
//! ```toml
//! [outbound_networking]
//! block_networks = ["private", "203.0.113.0/24"]
//! max_total_connections = 500
//!
//! [outbound_http]                     # also redis, pg, mysql, mqtt
//! max_connections = 100
//! connection_pooling = false
//!
//! [[client_tls]]
//! component_ids = ["orders"]
//! hosts = ["db.internal"]
//! ca_roots_file = "roots.pem"
//! ```
//!
//! Source: Spin, `crates/factor-outbound-networking/src/runtime_config/spin.rs` and the `runtime_config/spin.rs` of each
//! `factor-outbound-*`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;

use crate::address::carried_of;
use crate::manifest::ManifestError;
use crate::manifest::fields::{Fields, Placed};
use crate::reach::PrivateNetworks;

/// What holds for the guests of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networking {
    /// Where none of them may go, whatever a manifest says.
    pub blocked: BlockedNetworks,
    /// Connections of all of them together; as many as there may be unless it is said.
    pub connections_max: Option<u32>,
    /// The same for each protocol.
    pub protocols: BTreeMap<Protocol, u32>,
    /// Whether each request of HTTP has a connection of its own.
    pub http_connections_end: bool,
    /// Bytes of one MQTT message; what the memory of an instance allows unless it is said.
    pub mqtt_message_bytes_max: Option<u64>,
    /// How some components speak TLS to some hosts; the first that names both counts.
    pub client_tls: Vec<ClientTls>,
}

/// What is spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// `http` and `https`.
    Http,
    /// `redis` and `rediss`.
    Redis,
    /// `postgres`.
    Postgres,
    /// `mysql`.
    Mysql,
    /// `mqtt` and `mqtts`.
    Mqtt,
}

impl Protocol {
    /// All there are.
    pub const ALL: [Self; 5] = [Self::Http, Self::Redis, Self::Postgres, Self::Mysql, Self::Mqtt];

    /// What a scheme of `allowed_outbound_hosts` is for.
    pub fn of(scheme: &str) -> Option<Self> {
        match scheme {
            "http" | "https" => Some(Self::Http),
            "redis" | "rediss" => Some(Self::Redis),
            "postgres" => Some(Self::Postgres),
            "mysql" => Some(Self::Mysql),
            "mqtt" | "mqtts" => Some(Self::Mqtt),
            _ => None,
        }
    }

    /// Its table in the configuration.
    fn table(self) -> &'static str {
        match self {
            Self::Http => "outbound_http",
            Self::Redis => "outbound_redis",
            Self::Postgres => "outbound_pg",
            Self::Mysql => "outbound_mysql",
            Self::Mqtt => "outbound_mqtt",
        }
    }
}

/// Networks that no guest may connect to.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlockedNetworks {
    /// Whether that is every network that is not public.
    pub private: PrivateNetworks,
    /// Others.
    pub networks: Vec<IpNet>,
}

impl BlockedNetworks {
    /// Whether somebody may go to this address if nothing but the operator has a say.
    pub fn open(&self, address: IpAddr) -> bool {
        self.private.opens_address(address) && !self.covers(address)
    }

    /// Whether `address` is in one of `networks`. One of IPv6 that carries one of IPv4 is where that is, too.
    pub fn covers(&self, address: IpAddr) -> bool {
        let within = |address: IpAddr| self.networks.iter().any(|network| network.contains(&address));
        within(address) || carried_of(address).is_some_and(within)
    }
}

/// How components speak TLS to hosts. Files are relative to the folder of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientTls {
    /// Their ids.
    pub components: Vec<String>,
    /// Names or addresses, without ports.
    pub hosts: Vec<String>,
    /// Whom they trust.
    pub trust: RootsChosen,
    /// How they prove who they are.
    pub identity: Option<ClientIdentity>,
}

/// Whose certificates are trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RootsChosen {
    /// Those that browsers trust.
    pub webpki: bool,
    /// Those that this machine trusts.
    pub platform: bool,
    /// Those in this file, in PEM form.
    pub file: Option<PathBuf>,
}

/// Files in PEM form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientIdentity {
    /// Its certificate, and those that vouch for it.
    pub certificates: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Reads these sections of a configuration.
pub(crate) fn read(root: &Fields<'_>) -> Result<Networking, ManifestError> {
    let mut networking = Networking { client_tls: client_tls(root)?, ..Networking::default() };
    if let Some(table) = root.table("outbound_networking")? {
        networking.blocked = blocked(&table)?;
        networking.connections_max = count(&table, "max_total_connections")?;
        table.unsupported("max_socket_connections", "which sockets of a guest are open is not known here")?;
        table.done()?;
    }
    for protocol in Protocol::ALL {
        let Some(table) = root.table(protocol.table())? else { continue };
        let mut max = count(&table, "max_connections")?;
        match protocol {
            Protocol::Http => {
                networking.http_connections_end = table.flag("connection_pooling")? == Some(false);
                if let Some(placed) = table.count("max_concurrent_requests")? {
                    if max.is_some() {
                        let message =
                            "`max_concurrent_requests` is the old name of `max_connections`, expected one";
                        return Err(table.error(placed.span, message));
                    }
                    // In Spin, 0 of these was one.
                    max = count(&table, "max_concurrent_requests")?.map(|max| max.saturating_add(1));
                }
            }
            Protocol::Mqtt => {
                networking.mqtt_message_bytes_max =
                    table.count("max_payload_size_bytes")?.map(|bytes| bytes.value);
            }
            _ => {}
        }
        table.done()?;
        if let Some(max) = max {
            networking.protocols.insert(protocol, max);
        }
    }
    Ok(networking)
}

/// More connections than a process has file descriptors need no bound.
const COUNT_MAX: u64 = 1 << 20;

fn count(table: &Fields<'_>, field: &'static str) -> Result<Option<u32>, ManifestError> {
    let number = |Placed { value, .. }: Placed<u64>| u32::try_from(value.min(COUNT_MAX)).unwrap_or(u32::MAX);
    Ok(table.count(field)?.map(number))
}

fn blocked(table: &Fields<'_>) -> Result<BlockedNetworks, ManifestError> {
    let mut blocked = BlockedNetworks::default();
    for Placed { value, span } in table.texts("block_networks")? {
        if value == "private" {
            blocked.private = PrivateNetworks::Refused;
        } else if let Ok(network) = value.parse::<IpNet>() {
            blocked.networks.push(network.trunc());
        } else if let Ok(address) = value.parse::<IpAddr>() {
            blocked.networks.push(address.into());
        } else {
            let message = format!("`{value}` is no network, expected one such as `10.0.0.0/8`, or `private`");
            return Err(table.error(span, message));
        }
    }
    Ok(blocked)
}

fn client_tls(root: &Fields<'_>) -> Result<Vec<ClientTls>, ManifestError> {
    let read = |table: Fields<'_>| {
        let some = |field: &'static str, what: &str| {
            let texts = table.texts(field)?;
            let texts: Vec<String> = texts.iter().map(|text| text.value.to_owned()).collect();
            if texts.is_empty() { Err(table.missing(field, what)) } else { Ok(texts) }
        };
        let components = some("component_ids", "the components it is for")?;
        let hosts = some("hosts", "the hosts it is for")?;
        for Placed { value, span } in table.texts("hosts")? {
            if !is_host(value) {
                let message = format!("`{value}` is no host, expected a name or an address without a port");
                return Err(table.error(span, message));
            }
        }
        let file = table.text("ca_roots_file")?.map(|text| PathBuf::from(text.value));
        let (platform, webpki) = (table.flag("ca_use_platform_roots")?, table.flag("ca_use_webpki_roots")?);
        let platform = platform.unwrap_or(webpki.is_none() && file.is_none());
        let trust = RootsChosen { webpki: webpki.unwrap_or(false), platform, file };
        if trust == RootsChosen::default() {
            let expected =
                "one source of roots: `ca_roots_file`, `ca_use_webpki_roots` or `ca_use_platform_roots`";
            return Err(table.missing("ca_roots_file", expected));
        }
        let pair = (table.text("client_cert_file")?, table.text("client_private_key_file")?);
        let identity = match pair {
            (Some(certificates), Some(key)) => {
                Some(ClientIdentity { certificates: certificates.value.into(), key: key.value.into() })
            }
            (None, None) => None,
            (Some(_), None) => {
                return Err(table.missing("client_private_key_file", "the key of `client_cert_file`"));
            }
            (None, Some(_)) => {
                return Err(table.missing("client_cert_file", "whose key `client_private_key_file` is"));
            }
        };
        table.done()?;
        Ok(ClientTls { components, hosts, trust, identity })
    };
    root.tables("client_tls")?.into_iter().map(read).collect()
}

fn is_host(text: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let address = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    address.parse::<IpAddr>().is_ok() || (!text.is_empty() && text.bytes().all(is_name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime_config::parse;

    fn networking(text: &str) -> Networking {
        parse("runtime.toml", text).unwrap().networking
    }

    fn refused(text: &str) -> String {
        let error = parse("runtime.toml", text).unwrap_err();
        error.hint.iter().fold(error.to_string(), |text, hint| format!("{text} [{hint}]"))
    }

    #[test]
    fn connections_and_networks_are_read() {
        let read = networking(
            "[outbound_networking]\nblock_networks = [\"1.1.1.1/32\", \"8.8.8.8/16\", \"private\"]\n\
             max_total_connections = 9\n[outbound_http]\nmax_concurrent_requests = 0\nconnection_pooling = false\n\
             [outbound_pg]\nmax_connections = 3\n[outbound_redis]\n[outbound_mqtt]\nmax_payload_size_bytes = 5\n",
        );
        assert_eq!(read.connections_max, Some(9));
        assert_eq!(read.protocols, BTreeMap::from([(Protocol::Http, 1), (Protocol::Postgres, 3)]));
        assert!(read.http_connections_end && read.mqtt_message_bytes_max == Some(5));
        assert_eq!(read.blocked.private, PrivateNetworks::Refused);
        for (address, is_blocked) in [
            ("1.1.1.1", true),
            ("8.8.255.1", true),
            ("::ffff:8.8.0.1", true),
            ("64:ff9b::808:1", true),
            ("1.1.1.2", false),
            ("2606:4700::1111", false),
        ] {
            assert_eq!(read.blocked.covers(address.parse().unwrap()), is_blocked, "{address}");
        }
        assert_eq!(networking("[outbound_http]\nconnection_pooling = true\n"), Networking::default());
    }

    #[test]
    fn whom_a_component_trusts_is_as_in_spin() {
        let trust = |lines: &str| {
            let text = format!("[[client_tls]]\ncomponent_ids = [\"a\"]\nhosts = [\"b.example\"]\n{lines}");
            networking(&text).client_tls.remove(0).trust
        };
        let (webpki, platform, file) = (true, true, Some(PathBuf::from("roots.pem")));
        let none = RootsChosen::default();
        assert_eq!(trust(""), RootsChosen { platform, ..none.clone() });
        assert_eq!(
            trust("ca_roots_file = \"roots.pem\""),
            RootsChosen { file: file.clone(), ..none.clone() }
        );
        assert_eq!(trust("ca_use_webpki_roots = true"), RootsChosen { webpki, ..none.clone() });
        let all = "ca_use_webpki_roots = true\nca_use_platform_roots = true\nca_roots_file = \"roots.pem\"";
        assert_eq!(trust(all), RootsChosen { webpki, platform, file });
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let tls = "[[client_tls]]\ncomponent_ids = [\"a\"]\n";
        for (text, expected) in [
            (
                "[outbound_networking]\nblock_networks = [\"public\"]\n".to_owned(),
                "runtime.toml:2:19: `public` is no network, expected one such as `10.0.0.0/8`, or `private`",
            ),
            (
                "[outbound_networking]\nmax_socket_connections = 1\n".to_owned(),
                "runtime.toml:2:26: `outbound_networking.max_socket_connections` is not supported by this version \
                 of tombolo [which sockets of a guest are open is not known here]",
            ),
            (
                "[outbound_http]\nmax_connections = 1\nmax_concurrent_requests = 1\n".to_owned(),
                "runtime.toml:3:27: `max_concurrent_requests` is the old name of `max_connections`, expected one",
            ),
            (
                format!("{tls}hosts = [\"b:443\"]\n"),
                "runtime.toml:3:10: `b:443` is no host, expected a name or an address without a port",
            ),
            (
                format!("{tls}hosts = [\"b\"]\nclient_cert_file = \"c.pem\"\n"),
                "runtime.toml:1:1: `[client_tls]` has no `client_private_key_file`, expected the key of \
                 `client_cert_file`",
            ),
            (
                format!("{tls}hosts = [\"b\"]\nca_use_platform_roots = false\n"),
                "runtime.toml:1:1: `[client_tls]` has no `ca_roots_file`, expected one source of roots: \
                 `ca_roots_file`, `ca_use_webpki_roots` or `ca_use_platform_roots`",
            ),
        ] {
            assert_eq!(refused(&text), expected);
        }
    }
}
