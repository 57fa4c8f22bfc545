//! What kind of place an address is.
//!
//! A name is somebody else's data: whoever owns it may let it lead to the loopback interface or to
//! the service that hands out a cloud machine's credentials. So a grant is checked again when the
//! address is known, and what it opens depends on the kind of place that address is.
//!
//! Source: the special-purpose address registries of IANA (RFC 6890), and the clouds' documentation
//! for their metadata services.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The kind of place an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The internet.
    Public,
    /// A network of someone's own: RFC 1918, the shared space of carriers (RFC 6598), unique local
    /// addresses (RFC 4193).
    Private,
    /// This machine: 127.0.0.0/8 and ::1.
    Loopback,
    /// The machines on the same wire: 169.254.0.0/16 and fe80::/10.
    LinkLocal,
    /// The service by which a cloud tells a machine its credentials.
    Metadata,
    /// Many machines at once, broadcast included.
    Multicast,
    /// No address: 0.0.0.0/8 and ::. Linux connects it to this machine.
    Unspecified,
    /// Set aside for documentation, tests, or a use still to come.
    Reserved,
}

/// The IPv4 address that one of IPv6 carries.
pub(crate) fn carried_of(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(v6) => carried(v6).map(IpAddr::V4),
    }
}

/// Metadata services of clouds, whatever network their address is in.
const METADATA_V4: [Ipv4Addr; 5] = [
    Ipv4Addr::new(169, 254, 169, 254), // AWS, Azure, Google, Oracle and most others.
    Ipv4Addr::new(169, 254, 170, 2),   // AWS: containers.
    Ipv4Addr::new(169, 254, 170, 23),  // AWS: pods.
    Ipv4Addr::new(100, 100, 100, 200), // Alibaba.
    Ipv4Addr::new(168, 63, 129, 16),   // Azure: the wire server, an address like any public one.
];
const METADATA_V6: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), // AWS.
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),  // AWS: pods.
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),  // Google.
];

impl Place {
    /// The kind of place `address` is. An IPv6 address that carries an IPv4 one is where that one is.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self::of_v4(v4),
            IpAddr::V6(v6) => carried(v6).map_or_else(|| Self::of_v6(v6), Self::of_v4),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        if METADATA_V4.contains(&address) {
            return Self::Metadata;
        }
        match address.octets() {
            [0, ..] => Self::Unspecified,
            [127, ..] => Self::Loopback,
            [169, 254, ..] => Self::LinkLocal,
            [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Self::Private,
            [224..=239, ..] | [255, 255, 255, 255] => Self::Multicast,
            // Protocol assignments, documentation, the relay of 6to4, benchmarks, class E.
            [192, 0, 0 | 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Self::Reserved,
            [192, 88, 99, _] | [198, 18 | 19, ..] | [240..=255, ..] => Self::Reserved,
            _ => Self::Public,
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        if METADATA_V6.contains(&address) {
            return Self::Metadata;
        }
        match address.segments() {
            [0, 0, 0, 0, 0, 0, 0, 0] => Self::Unspecified,
            [0, 0, 0, 0, 0, 0, 0, 1] => Self::Loopback,
            [0xfe80..=0xfebf, ..] => Self::LinkLocal,
            // Unique local, and the site-local addresses that came before it (RFC 3879).
            [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Self::Private,
            [0xff00..=0xffff, ..] => Self::Multicast,
            // Protocol assignments, Teredo among them, and documentation, twice.
            [0x2001, 0x0000..=0x01ff, ..] | [0x2001, 0x0db8, ..] | [0x3fff, 0x0000..=0x0fff, ..] => {
                Self::Reserved
            }
            // Global unicast is 2000::/3; the rest is reserved or of local meaning, as 64:ff9b:1::/48.
            [0x2000..=0x3fff, ..] => Self::Public,
            _ => Self::Reserved,
        }
    }
}

/// The IPv4 address that an IPv6 one is another way to: mapped (::ffff:0:0/96), translated
/// (::ffff:0:0:0/96, RFC 2765; 64:ff9b::/96, RFC 6052) or tunnelled (2002::/16, RFC 3056).
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let (high, low) = match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => (high, low),
        _ => return None,
    };
    Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipnet::IpNet;
    use proptest::prelude::*;

    /// The same as a table: the longest network that holds an address says what it is.
    const TABLE: &[(&str, Place)] = &[
        ("0.0.0.0/0", Place::Public),
        ("0.0.0.0/8", Place::Unspecified),
        ("10.0.0.0/8", Place::Private),
        ("100.64.0.0/10", Place::Private),
        ("100.100.100.200/32", Place::Metadata),
        ("127.0.0.0/8", Place::Loopback),
        ("168.63.129.16/32", Place::Metadata),
        ("169.254.0.0/16", Place::LinkLocal),
        ("169.254.169.254/32", Place::Metadata),
        ("169.254.170.2/32", Place::Metadata),
        ("169.254.170.23/32", Place::Metadata),
        ("172.16.0.0/12", Place::Private),
        ("192.0.0.0/24", Place::Reserved),
        ("192.0.2.0/24", Place::Reserved),
        ("192.88.99.0/24", Place::Reserved),
        ("192.168.0.0/16", Place::Private),
        ("198.18.0.0/15", Place::Reserved),
        ("198.51.100.0/24", Place::Reserved),
        ("203.0.113.0/24", Place::Reserved),
        ("224.0.0.0/4", Place::Multicast),
        ("240.0.0.0/4", Place::Reserved),
        ("255.255.255.255/32", Place::Multicast),
        ("::/0", Place::Reserved),
        ("::/128", Place::Unspecified),
        ("::1/128", Place::Loopback),
        ("2000::/3", Place::Public),
        ("2001::/23", Place::Reserved),
        ("2001:db8::/32", Place::Reserved),
        ("3fff::/20", Place::Reserved),
        ("fc00::/7", Place::Private),
        ("fd00:ec2::23/128", Place::Metadata),
        ("fd00:ec2::254/128", Place::Metadata),
        ("fd20:ce::254/128", Place::Metadata),
        ("fe80::/10", Place::LinkLocal),
        ("fec0::/10", Place::Private),
        ("ff00::/8", Place::Multicast),
    ];

    fn by_table(address: IpAddr) -> Place {
        let nets = TABLE.iter().map(|(net, place)| (net.parse::<IpNet>().unwrap(), *place));
        let holding = nets.filter(|(net, _)| net.contains(&address));
        holding.max_by_key(|(net, _)| net.prefix_len()).unwrap().1
    }

    /// Every way to write an IPv4 address as an IPv6 one.
    fn carriers(v4: Ipv4Addr) -> [Ipv6Addr; 4] {
        let bits = u128::from(v4.to_bits());
        let at = |prefix: &str| prefix.parse::<Ipv6Addr>().unwrap().to_bits();
        [
            at("::ffff:0:0") | bits,
            at("::ffff:0:0:0") | bits,
            at("64:ff9b::") | bits,
            at("2002::1") | bits << 80,
        ]
        .map(Ipv6Addr::from_bits)
    }

    /// An address in a network of the table, its first and last ones and their neighbours too.
    fn addresses() -> impl Strategy<Value = IpAddr> {
        let within = |(place, offset, bits): (usize, u8, u128)| {
            let net = TABLE[place].0.parse::<IpNet>().unwrap();
            match (net.network(), net.broadcast()) {
                (IpAddr::V4(first), IpAddr::V4(last)) => {
                    let (first, last) = (first.to_bits(), last.to_bits());
                    let picked = [
                        first,
                        last,
                        first.wrapping_sub(1),
                        last.wrapping_add(1),
                        first | bits as u32 & (last ^ first),
                    ];
                    IpAddr::from(Ipv4Addr::from_bits(picked[usize::from(offset)]))
                }
                (IpAddr::V6(first), IpAddr::V6(last)) => {
                    let (first, last) = (first.to_bits(), last.to_bits());
                    let picked = [
                        first,
                        last,
                        first.wrapping_sub(1),
                        last.wrapping_add(1),
                        first | bits & (last ^ first),
                    ];
                    IpAddr::from(Ipv6Addr::from_bits(picked[usize::from(offset)]))
                }
                _ => unreachable!("a network is of one family"),
            }
        };
        (0..TABLE.len(), 0u8..5, any::<u128>()).prop_map(within)
    }

    #[test]
    fn what_leads_to_this_machine_is_known_in_every_spelling() {
        let loopback = ["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"];
        for text in loopback.into_iter().chain(["2002:7f00:1::", "::ffff:0:127.0.0.1"]) {
            assert_eq!(Place::of(text.parse().unwrap()), Place::Loopback, "{text}");
        }
        for text in ["169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "fd00:ec2::254"] {
            assert_eq!(Place::of(text.parse().unwrap()), Place::Metadata, "{text}");
        }
        for text in ["1.1.1.1", "2606:4700::1111", "64:ff9b::101:101", "2002:101:101::1"] {
            assert_eq!(Place::of(text.parse().unwrap()), Place::Public, "{text}");
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_table(address in addresses()) {
            let v4 = match address {
                IpAddr::V6(v6) => carried(v6),
                IpAddr::V4(_) => None,
            };
            prop_assert_eq!(Place::of(address), by_table(v4.map_or(address, IpAddr::V4)));
        }

        #[test]
        fn a_carried_address_is_where_it_leads(bits: u32, near in addresses()) {
            let near = match near {
                IpAddr::V4(v4) => v4,
                IpAddr::V6(_) => Ipv4Addr::from_bits(bits),
            };
            for v4 in [Ipv4Addr::from_bits(bits), near] {
                for v6 in carriers(v4) {
                    prop_assert_eq!(Place::of(v6.into()), Place::of(v4.into()), "{} {}", v4, v6);
                }
            }
        }
    }
}
