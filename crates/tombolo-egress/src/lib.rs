//! Connections that a node makes for its guests.
//!
//! Whatever a guest speaks to a server, HTTP or the protocol of a database, the connection is made here. A name is
//! resolved once: the addresses it leads to are checked against the grant, and the connection goes to one of
//! those that passed. Nothing resolves it a second time, so what was checked is what is connected to.

mod bounds;
pub mod idle;
pub mod tls;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::net::{TcpStream, lookup_host};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::rustls::ClientConfig;
use tombolo_model::networking::{BlockedNetworks, Networking, Protocol};
use tombolo_model::outbound::{AllowedHosts, Destination};

pub use bounds::Bounds;
use bounds::Held;
use idle::Waits;

/// Addresses of one name that are tried. More are no better, and a name could lead a guest's every
/// request through a whole network.
const ADDRESSES_MAX: usize = 16;

/// Where the guests of one component may be connected to, and how often at once. All that connects for
/// them shares it.
pub struct Egress {
    config: EgressConfig,
    /// As `tls` and `tls_to` of `config`; servers are asked for HTTP/2.
    http_tls: Arc<ClientConfig>,
    http_tls_to: BTreeMap<String, Arc<ClientConfig>>,
    slots: Arc<Semaphore>,
    /// Whose connections wait and can give their slots back: one for each protocol that keeps some.
    waits: Mutex<Vec<Weak<dyn Waits>>>,
    /// How many connections are between two guests: one that needs a slot waits for them.
    returning: watch::Sender<usize>,
}

/// What an [`Egress`] is made of.
#[derive(Clone, Debug)]
pub struct EgressConfig {
    /// The hosts.
    pub allowed: Arc<AllowedHosts>,
    /// What holds for all components of the node.
    pub common: Arc<Common>,
    /// Connections of all its guests together.
    pub connections_max: u32,
    /// Whom it trusts to be the hosts they say they are.
    pub tls: Arc<ClientConfig>,
    /// The same for some hosts, by their names in lower case.
    pub tls_to: Arc<BTreeMap<String, Arc<ClientConfig>>>,
}

/// What an operator says to the connections of all guests.
#[derive(Debug, Default)]
pub struct Common {
    /// Where none of them may go.
    pub blocked: Arc<BlockedNetworks>,
    /// How many there may be.
    pub bounds: Arc<Bounds>,
    /// Whether each request of HTTP has a connection of its own.
    pub http_connections_end: bool,
    /// Bytes of one MQTT message.
    pub mqtt_message_bytes_max: Option<u64>,
}

impl Common {
    /// As it is written; with no connection yet.
    pub fn new(networking: &Networking) -> Arc<Self> {
        Arc::new(Self {
            blocked: Arc::new(networking.blocked.clone()),
            bounds: Bounds::new(networking.connections_max, &networking.protocols),
            http_connections_end: networking.http_connections_end,
            mqtt_message_bytes_max: networking.mqtt_message_bytes_max,
        })
    }
}

impl EgressConfig {
    /// 256 are a quarter of the file descriptors that a process has on most systems.
    pub const CONNECTIONS_MAX: u32 = 256;

    /// Connections to `allowed` hosts, with the usual bounds.
    pub fn to(allowed: Arc<AllowedHosts>) -> Self {
        Self {
            allowed,
            common: Arc::default(),
            connections_max: Self::CONNECTIONS_MAX,
            tls: Arc::clone(&tls::PUBLIC),
            tls_to: Arc::default(),
        }
    }

    /// No connections.
    pub fn none() -> Self {
        Self::to(Arc::new(AllowedHosts::none()))
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The host was not granted.
    #[error("the host is not among the component's `allowed_outbound_hosts`")]
    Denied,
    /// The component has as many connections as it may.
    #[error("the component has as many connections as it may")]
    Busy,
    /// The name leads nowhere.
    #[error("the name of the host has no address")]
    Unresolved,
    /// The name leads to addresses that were not granted by it.
    #[error("the name of the host leads to an address that was not granted")]
    Prohibited,
    /// No server there.
    #[error("cannot connect")]
    Connect(#[from] io::Error),
}

/// One of a component's connections, and of the node's: held for as long as the connection is open.
#[derive(Debug)]
pub struct Slot {
    _component: OwnedSemaphorePermit,
    node: Option<Held>,
}

impl Slot {
    /// The same for a connection of this protocol, once the node has a place for it.
    async fn held(mut self, bounds: &Bounds, protocol: Option<Protocol>) -> Result<Self, EgressError> {
        if self.node.as_ref().is_none_or(|held| held.protocol != protocol) {
            // That of another protocol is given back before one of this is waited for.
            self.node = None;
            self.node = Some(bounds.hold(protocol).await?);
        }
        Ok(self)
    }
}

impl Egress {
    /// What a component may connect to, with no connection yet.
    pub fn new(config: EgressConfig) -> Arc<Self> {
        let slots = Arc::new(Semaphore::new(config.connections_max as usize));
        let http_tls = tls::for_http(&config.tls);
        let to_host = |(host, tls): (&String, &Arc<ClientConfig>)| (host.clone(), tls::for_http(tls));
        let http_tls_to = config.tls_to.iter().map(to_host).collect();
        let (waits, returning) = (Mutex::default(), watch::Sender::new(0));
        Arc::new(Self { config, http_tls, http_tls_to, slots, waits, returning })
    }

    /// The hosts.
    pub fn allowed(&self) -> &Arc<AllowedHosts> {
        &self.config.allowed
    }

    /// What holds for all components of the node.
    pub fn common(&self) -> &Common {
        &self.config.common
    }

    /// How a connection to `host` is encrypted, and who is trusted at its other end.
    pub fn tls(&self, host: &str) -> &Arc<ClientConfig> {
        let own = self.config.tls_to.get(&host.to_ascii_lowercase());
        own.unwrap_or(&self.config.tls)
    }

    /// The same for HTTP, of which the server may choose a version.
    pub fn http_tls(&self, host: &str) -> &Arc<ClientConfig> {
        self.http_tls_to.get(&host.to_ascii_lowercase()).unwrap_or(&self.http_tls)
    }

    /// Whether a host was granted. To refuse early; both below ask themselves.
    pub fn allows(&self, to: &Destination<'_>) -> bool {
        self.config.allowed.allows(to.scheme, to.host, to.port)
    }

    /// A slot: a free one, or that of the connection that waits the longest for its next request.
    fn slot(&self) -> Result<Slot, EgressError> {
        if let Ok(permit) = Arc::clone(&self.slots).try_acquire_owned() {
            return Ok(Slot { _component: permit, node: None });
        }
        let waits: Vec<_> = self.waiting().iter().filter_map(Weak::upgrade).collect();
        let oldest =
            waits.iter().filter_map(|waits| Some((waits.oldest()?, waits))).min_by_key(|(at, _)| *at);
        oldest.and_then(|(_, waits)| waits.let_go()).ok_or(EgressError::Busy)
    }

    /// The same, once it is clear that no connection comes back that would give its own.
    async fn slot_soon(&self) -> Result<Slot, EgressError> {
        let mut changes = self.returning.subscribe();
        loop {
            // Asked first: one that comes back after this is seen as a change.
            let returning = *changes.borrow_and_update();
            match self.slot() {
                Err(EgressError::Busy) if returning > 0 => {
                    // The other end is in this very value.
                    let _ = changes.changed().await;
                }
                settled => return settled,
            }
        }
    }

    /// Connections of this protocol wait there from now on, and are asked for their slots.
    pub fn waits<W: Waits + 'static>(&self, protocol: Protocol, waits: &Arc<W>) {
        let waits: Weak<dyn Waits> = Arc::downgrade(waits) as _;
        self.config.common.bounds.waits(protocol, &waits);
        let mut all = self.waiting();
        all.retain(|waits| waits.strong_count() > 0);
        all.push(waits);
    }

    /// A connection of this protocol waits for its next request: another component may need its place.
    pub fn parked(&self, protocol: Protocol) {
        self.config.common.bounds.parked(protocol);
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Weak<dyn Waits>>> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The granted addresses that `to` leads to now, at least one, and a slot for the connection to one of them: for
    /// clients that connect by themselves.
    ///
    /// # Errors
    ///
    /// Why there can be no connection.
    pub async fn resolve(&self, to: &Destination<'_>) -> Result<(Vec<SocketAddr>, Slot), EgressError> {
        // A name that was not granted is not even resolved: that would carry data out.
        if !self.allows(to) {
            return Err(EgressError::Denied);
        }
        let Common { blocked, bounds, .. } = self.common();
        let slot = self.slot_soon().await?.held(bounds, Protocol::of(to.scheme)).await?;
        let (mut found, slot) = addresses(to, slot).await?;
        let reaches = |address: IpAddr| {
            self.config.allowed.reaches(to, address, blocked.private) && !blocked.covers(address)
        };
        found.retain(|address| reaches(address.ip()));
        if found.is_empty() {
            return Err(EgressError::Prohibited);
        }
        Ok((found, slot))
    }

    /// Connects to the first address of `to` that was granted and answers. What is written is sent at once: a
    /// client writes whole messages, and the second half of one must not wait until the first is acknowledged.
    ///
    /// # Errors
    ///
    /// Why there is no connection.
    pub async fn connect(&self, to: &Destination<'_>) -> Result<(TcpStream, Slot), EgressError> {
        let (found, slot) = self.resolve(to).await?;
        let mut failure = EgressError::Prohibited;
        for address in found {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok((stream, slot));
                }
                Err(error) => failure = error.into(),
            }
        }
        Err(failure)
    }
}

impl fmt::Debug for Egress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Egress").field("config", &self.config).finish_non_exhaustive()
    }
}

/// The addresses a host has now.
async fn addresses(to: &Destination<'_>, slot: Slot) -> Result<(Vec<SocketAddr>, Slot), EgressError> {
    if let Ok(address) = to.host.parse::<IpAddr>() {
        return Ok((vec![SocketAddr::new(address, to.port)], slot));
    }
    let place = (to.host.to_owned(), to.port);
    // A task of its own, because a lookup under way cannot be ended: it keeps its slot until it
    // is over, also if its guest is gone by then. So there are never more of them than slots.
    let lookup = tokio::spawn(async move {
        let found = lookup_host(place).await;
        (found.map(|found| found.take(ADDRESSES_MAX).collect::<Vec<_>>()), slot)
    });
    // It does not panic, and nothing but the end of the runtime ends it.
    match lookup.await {
        Ok((Ok(found), slot)) if !found.is_empty() => Ok((found, slot)),
        _ => Err(EgressError::Unresolved),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::TcpListener;

    use super::*;

    fn egress(grants: &[&str], connections_max: u32) -> Arc<Egress> {
        let allowed = Arc::new(AllowedHosts::parse(grants.iter().copied()).unwrap());
        Egress::new(EgressConfig { connections_max, ..EgressConfig::to(allowed) })
    }

    fn to(scheme: &'static str, host: &'static str, port: u16) -> Destination<'static> {
        Destination { scheme, host, port }
    }

    #[tokio::test]
    async fn a_connection_goes_where_it_was_granted_and_holds_a_slot() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let egress = egress(&["redis://127.0.0.1:*", "redis://localhost:*"], 1);
        let (_stream, slot) = egress.connect(&to("redis", "localhost", port)).await.unwrap();
        let at = to("redis", "127.0.0.1", port);
        assert!(matches!(egress.connect(&at).await, Err(EgressError::Busy)));
        drop(slot);
        egress.connect(&at).await.unwrap();
        drop(listener);
        let refused = egress.connect(&at).await;
        assert!(matches!(refused, Err(EgressError::Connect(_))), "{refused:?}");
    }

    #[tokio::test]
    async fn what_was_not_granted_is_neither_resolved_nor_connected_to() {
        let egress = egress(&["redis://*:6379", "postgres://db.invalid"], 1);
        let denied = egress.resolve(&to("mysql", "127.0.0.1", 3306)).await;
        assert!(matches!(denied, Err(EgressError::Denied)));
        // `*` opens public addresses alone.
        let prohibited = egress.resolve(&to("redis", "localhost", 6379)).await;
        assert!(matches!(prohibited, Err(EgressError::Prohibited)));
        let unresolved = egress.resolve(&to("postgres", "db.invalid", 5432)).await;
        assert!(matches!(unresolved, Err(EgressError::Unresolved)));
    }

    #[tokio::test]
    async fn what_the_operator_blocked_is_reached_by_no_grant() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = to("redis", "127.0.0.1", listener.local_addr().unwrap().port());
        let allowed = Arc::new(AllowedHosts::parse(["*://127.0.0.0/8:*"]).unwrap());
        let networks = vec!["127.0.0.1/32".parse().unwrap()];
        let blocked = Arc::new(BlockedNetworks { networks, ..BlockedNetworks::default() });
        let common = Arc::new(Common { blocked, ..Common::default() });
        let egress = Egress::new(EgressConfig { common, ..EgressConfig::to(allowed) });
        assert!(matches!(egress.connect(&at).await, Err(EgressError::Prohibited)));
    }

    /// Two components share the places of the node, and one waits until the other gives one back.
    #[tokio::test]
    async fn the_components_of_a_node_share_its_places() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = to("redis", "127.0.0.1", listener.local_addr().unwrap().port());
        let protocols = BTreeMap::from([(Protocol::Redis, 1), (Protocol::Mqtt, 0)]);
        let bounds = Bounds::new(Some(2), &protocols);
        let common = Arc::new(Common { bounds, ..Common::default() });
        let component = || {
            let allowed = Arc::new(AllowedHosts::parse(["*://127.0.0.0/8:*"]).unwrap());
            let common = Arc::clone(&common);
            Egress::new(EgressConfig { common, ..EgressConfig::to(allowed) })
        };
        let (one, other) = (component(), component());
        let held = one.connect(&at).await.unwrap();
        let second = tokio::time::timeout(Duration::from_millis(20), other.connect(&at)).await;
        assert!(second.is_err(), "there is one place for Redis");
        let (second, ()) = tokio::join!(other.connect(&at), async { drop(held) });
        let held = second.unwrap();
        assert!(matches!(one.connect(&to("mqtt", at.host, at.port)).await, Err(EgressError::Busy)));
        // Two in all.
        let http = to("http", at.host, at.port);
        let _http = one.connect(&http).await.unwrap();
        let third = one.connect(&http);
        assert!(tokio::time::timeout(Duration::from_millis(20), third).await.is_err());
        drop(held);
        one.connect(&http).await.unwrap();
    }
}
