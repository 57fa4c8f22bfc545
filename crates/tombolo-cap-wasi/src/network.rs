//! Which sockets a guest may open.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tombolo_model::networking::BlockedNetworks;
use tombolo_model::outbound::{AllowedHosts, Destination};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::sockets::SocketAddrUse;

/// The sockets a guest was granted. Nothing by default.
#[derive(Clone, Debug)]
pub struct Network {
    /// Exact addresses it may connect or send to.
    pub connect: Vec<SocketAddr>,
    /// Addresses it may connect or send to by rule: `tcp://…` and `udp://…`. A socket goes to an
    /// address and says no name, so rules with names never match; one with `*` opens public addresses.
    pub allowed: Arc<AllowedHosts>,
    /// Where the operator lets nobody go. `connect` is the operator's own word, and is not asked.
    pub blocked: Arc<BlockedNetworks>,
    /// Addresses it may listen at.
    pub listen: Vec<SocketAddr>,
    /// Whether it may ask for the addresses of a name.
    pub names: Names,
}

/// Whether a guest may resolve names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// It may not: a lookup would carry data out.
    Refused,
    /// It may, every name: the engine has one switch for all. Something it was granted is a name.
    Resolved,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            connect: Vec::new(),
            allowed: Arc::new(AllowedHosts::none()),
            blocked: Arc::default(),
            listen: Vec::new(),
            names: Names::Refused,
        }
    }
}

impl Network {
    /// Whether there is nothing to grant, as for nearly all guests that answer HTTP.
    fn is_empty(&self) -> bool {
        self.connect.is_empty() && self.allowed.is_empty() && self.listen.is_empty()
    }

    /// Grants these sockets to the guest being built.
    pub(crate) fn grant(self: &Arc<Self>, builder: &mut WasiCtxBuilder) {
        builder.allow_ip_name_lookup(self.names == Names::Resolved);
        if self.is_empty() {
            return;
        }
        let network = Arc::clone(self);
        builder.allow_tcp(true).allow_udp(true);
        builder.socket_addr_check(move |address, usage| {
            let allowed = network.allows(address, &usage);
            Box::pin(async move { allowed })
        });
    }

    fn allows(&self, address: SocketAddr, usage: &SocketAddrUse) -> bool {
        match usage {
            SocketAddrUse::TcpBind => self.may_bind(address),
            SocketAddrUse::TcpListen => self.listen.iter().any(|granted| covers(*granted, address)),
            SocketAddrUse::TcpConnect => self.may_reach("tcp", address),
            // Whoever was let in at an address that was granted may be talked to.
            SocketAddrUse::TcpAccept => !self.listen.is_empty(),
            SocketAddrUse::UdpBind => self.may_bind(address),
            SocketAddrUse::UdpSend => self.may_reach("udp", address),
            SocketAddrUse::UdpReceive => !self.listen.is_empty() || self.may_reach("udp", address),
        }
    }

    /// Binding to the address that was granted, or to any as every connecting socket does.
    fn may_bind(&self, address: SocketAddr) -> bool {
        let any = address.ip().is_unspecified() && address.port() == 0;
        any || self.listen.iter().any(|granted| covers(*granted, address))
    }

    fn may_reach(&self, scheme: &str, address: SocketAddr) -> bool {
        let exactly = self.connect.iter().any(|granted| same(*granted, address));
        let host = address.ip().to_canonical().to_string();
        let to = Destination { scheme, host: &host, port: address.port() };
        let is_blocked = self.blocked.covers(address.ip());
        exactly || (!is_blocked && self.allowed.reaches(&to, address.ip(), self.blocked.private))
    }
}

/// Whether a grant to listen at `granted` covers `address`; port 0 is the port the system chooses.
fn covers(granted: SocketAddr, address: SocketAddr) -> bool {
    granted.ip() == address.ip() && (granted.port() == 0 || granted.port() == address.port())
}

fn same(granted: SocketAddr, address: SocketAddr) -> bool {
    let ip = |address: SocketAddr| -> IpAddr { address.ip().to_canonical() };
    ip(granted) == ip(address) && granted.port() == address.port()
}

#[cfg(test)]
mod tests {
    use tombolo_model::reach::PrivateNetworks;

    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_grant_to_connect_is_for_that_address_alone() {
        let network = Network { connect: vec![at("127.0.0.1:80")], ..Network::default() };
        assert!(network.allows(at("127.0.0.1:80"), &SocketAddrUse::TcpConnect));
        assert!(network.allows(at("[::ffff:127.0.0.1]:80"), &SocketAddrUse::TcpConnect));
        assert!(!network.allows(at("127.0.0.1:81"), &SocketAddrUse::TcpConnect));
        assert!(!network.allows(at("127.0.0.2:80"), &SocketAddrUse::TcpConnect));
        assert!(!network.allows(at("127.0.0.1:80"), &SocketAddrUse::TcpBind));
        assert!(!network.allows(at("127.0.0.1:80"), &SocketAddrUse::TcpListen));
        assert!(!network.allows(at("0.0.0.0:0"), &SocketAddrUse::TcpListen));
    }

    #[test]
    fn a_grant_to_listen_is_for_that_address_alone() {
        let network = Network { listen: vec![at("127.0.0.1:80")], ..Network::default() };
        assert!(network.allows(at("127.0.0.1:80"), &SocketAddrUse::TcpListen));
        assert!(!network.allows(at("0.0.0.0:80"), &SocketAddrUse::TcpListen));
        assert!(!network.allows(at("127.0.0.1:80"), &SocketAddrUse::TcpConnect));
        let chosen = Network { listen: vec![at("127.0.0.1:0")], ..Network::default() };
        assert!(chosen.allows(at("127.0.0.1:34567"), &SocketAddrUse::TcpListen));
    }

    #[test]
    fn a_rule_for_every_host_opens_the_internet_and_not_this_machine() {
        let allowed = Arc::new(AllowedHosts::parse(["tcp://*:*", "udp://10.0.0.1:53"]).unwrap());
        let network = Network { allowed, connect: vec![at("127.0.0.1:80")], ..Network::default() };
        let connects = |address| network.allows(at(address), &SocketAddrUse::TcpConnect);
        assert!(connects("1.1.1.1:80") && connects("127.0.0.1:80"));
        for address in ["127.0.0.1:81", "[::1]:80", "169.254.169.254:80", "10.0.0.1:80", "0.0.0.0:80"] {
            assert!(!connects(address), "{address}");
        }
        assert!(network.allows(at("10.0.0.1:53"), &SocketAddrUse::UdpSend));
        let networks = vec!["1.1.1.0/24".parse().unwrap()];
        let blocked = Arc::new(BlockedNetworks { private: PrivateNetworks::Refused, networks });
        let network = Network { blocked, ..network };
        assert!(!network.allows(at("1.1.1.1:80"), &SocketAddrUse::TcpConnect));
        assert!(network.allows(at("127.0.0.1:80"), &SocketAddrUse::TcpConnect), "the operator's word");
        assert!(!network.allows(at("10.0.0.1:53"), &SocketAddrUse::UdpSend));
    }

    #[test]
    fn rules_grant_by_scheme() {
        let allowed = Arc::new(AllowedHosts::parse(["tcp://10.0.0.0/8:7"]).unwrap());
        let network = Network { allowed, ..Network::default() };
        assert!(network.allows(at("10.1.1.1:7"), &SocketAddrUse::TcpConnect));
        assert!(!network.allows(at("10.1.1.1:7"), &SocketAddrUse::UdpSend));
    }
}
