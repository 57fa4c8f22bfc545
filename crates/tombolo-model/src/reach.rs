//! Which addresses a grant opens.
//!
//! `allowed_outbound_hosts` grants names, and a name leads wherever its owner says, from one lookup
//! to the next (DNS rebinding). So what a grant opens depends on how it was written:
//!
//! | written as | opens | because |
//! |---|---|---|
//! | an address or a network | what it says, loopback too | nobody but the manifest's author chose it |
//! | `localhost`, `*.localhost` | loopback | that is what the name means (RFC 6761 §6.3) |
//! | a name | public and private addresses | a database in one's own network is why names are granted; nothing legitimate is reached by its name at a link-local address, or at this machine by another name than `localhost` |
//! | `*`, `*.example.com`, a `/0` | public addresses | its author had no particular machine in mind, and certainly none behind the firewall |
//!
//! A name that was granted may also lead to an address that was granted as one: the guest could go
//! there without the name.

use std::net::IpAddr;

use crate::address::Place;

/// What the operator of a node lets guests do in networks that are not public.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum PrivateNetworks {
    /// A manifest may name what is in them: whoever writes it is trusted with this network.
    #[default]
    ByName,
    /// Nothing but public addresses, whatever a manifest says: tenants write the manifests.
    Refused,
}

impl PrivateNetworks {
    /// Whether the operator lets anybody go to this address.
    pub fn opens_address(self, address: IpAddr) -> bool {
        self.opens(Place::of(address.to_canonical()))
    }

    /// Whether the operator lets anybody go to this kind of place.
    pub(crate) fn opens(self, place: Place) -> bool {
        match self {
            Self::ByName => true,
            Self::Refused => place == Place::Public,
        }
    }
}

/// How a grant was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    Literal,
    Localhost,
    Name,
    Wildcard,
}

impl Reach {
    /// Whether such a grant opens addresses of this kind.
    pub(crate) fn opens(self, place: Place) -> bool {
        match self {
            Self::Literal => true,
            Self::Localhost => place == Place::Loopback,
            Self::Name => matches!(place, Place::Public | Place::Private),
            Self::Wildcard => place == Place::Public,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PrivateNetworks;
    use crate::address::Place;
    use crate::outbound::{AllowedHosts, Destination};
    use proptest::prelude::*;
    use std::net::IpAddr;

    /// An address of every kind.
    const PLACES: [&str; 9] = [
        "1.1.1.1",
        "10.0.0.1",
        "127.0.0.1",
        "::1",
        "169.254.1.1",
        "169.254.169.254",
        "224.0.0.1",
        "0.0.0.0",
        "192.0.2.1",
    ];

    fn to(host: &str) -> Destination<'_> {
        Destination { scheme: "http", host, port: 80 }
    }

    /// The addresses of `PLACES` that `grants` open under the name `host`.
    fn open<'a>(grants: &[&str], host: &str, private: PrivateNetworks) -> Vec<&'a str> {
        let hosts = AllowedHosts::parse(grants.iter().copied()).unwrap();
        let reached = |text: &&str| hosts.reaches(&to(host), text.parse().unwrap(), private);
        PLACES.into_iter().filter(reached).collect()
    }

    #[test]
    fn where_tenants_write_the_manifests_only_public_addresses_are_open() {
        let open = |text: &&str| PrivateNetworks::Refused.opens_address(text.parse().unwrap());
        assert_eq!(PLACES.into_iter().filter(open).collect::<Vec<_>>(), ["1.1.1.1"]);
        assert!(!open(&"::ffff:127.0.0.1"), "another spelling");
        assert!(PLACES.iter().all(|text| PrivateNetworks::ByName.opens_address(text.parse().unwrap())));
    }

    #[test]
    fn a_name_opens_what_its_way_of_writing_opens() {
        let open = |grant: &str, host: &str| open(&[grant], host, PrivateNetworks::ByName);
        assert_eq!(open("http://db.internal:80", "db.internal"), ["1.1.1.1", "10.0.0.1"]);
        assert_eq!(open("http://*:*", "db.internal"), ["1.1.1.1"]);
        assert_eq!(open("http://*.internal:*", "db.internal"), ["1.1.1.1"]);
        assert_eq!(open("http://0.0.0.0/0:80", "1.1.1.1"), ["1.1.1.1"]);
        assert_eq!(open("http://localhost:80", "localhost"), ["127.0.0.1", "::1"]);
        assert_eq!(open("http://app.localhost:80", "app.localhost"), ["127.0.0.1", "::1"]);
        assert_eq!(open("http://*.localhost:80", "app.localhost"), ["127.0.0.1", "::1"]);
        assert_eq!(open("http://*:*", "localhost"), ["1.1.1.1"]);
        assert!(open("http://db.internal:80", "other.internal").is_empty());
        assert!(open("http://self:80", "self").is_empty(), "an app has no address of its own yet");
    }

    #[test]
    fn an_address_that_is_written_out_is_reached_whatever_it_is() {
        for place in PLACES {
            let grant =
                if place.contains(':') { format!("http://[{place}]") } else { format!("http://{place}") };
            assert_eq!(open(&[&grant], place, PrivateNetworks::ByName), [place]);
            let address: IpAddr = place.parse().unwrap();
            let refused = open(&[&grant], place, PrivateNetworks::Refused);
            assert_eq!(refused.is_empty(), Place::of(address) != Place::Public, "{place}");
        }
    }

    #[test]
    fn a_granted_name_may_lead_to_a_granted_address_and_to_no_other() {
        let grants = ["http://*:*", "http://10.0.0.0/8:80"];
        assert_eq!(open(&grants, "db.internal", PrivateNetworks::ByName), ["1.1.1.1", "10.0.0.1"]);
        assert_eq!(open(&grants, "db.internal", PrivateNetworks::Refused), ["1.1.1.1"]);
        // The address alone grants no name: who asks for it by name was not granted that.
        assert!(open(&grants[1..], "db.internal", PrivateNetworks::ByName).is_empty());
        let other_port = ["http://*:*", "http://10.0.0.0/8:81"];
        assert_eq!(open(&other_port, "db.internal", PrivateNetworks::ByName), ["1.1.1.1"]);
    }

    fn any_address() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            any::<u32>().prop_map(|bits| IpAddr::from(bits.to_be_bytes())),
            any::<u128>().prop_map(|bits| IpAddr::from(bits.to_be_bytes())),
            proptest::sample::select(PLACES.to_vec()).prop_map(|text| text.parse().unwrap()),
            proptest::sample::select(PLACES.to_vec()).prop_map(|text| match text.parse().unwrap() {
                IpAddr::V4(v4) => v4.to_ipv6_mapped().into(),
                v6 => v6,
            }),
        ]
    }

    proptest! {
        #[test]
        fn no_wildcard_and_no_refusing_operator_lets_go_but_to_public_places(
            address in any_address(),
            host in "[a-z]{1,9}\\.example\\.com",
        ) {
            let is_public = Place::of(address) == Place::Public;
            let reaches = |grant: &str, host: &str, private| {
                AllowedHosts::parse([grant]).unwrap().reaches(&to(host), address, private)
            };
            let literal = address.to_string();
            let written = format!("http://[{literal}]:80");
            for wild in ["*://*:*", "http://*.example.com:*"] {
                prop_assert_eq!(reaches(wild, &host, PrivateNetworks::ByName), is_public);
            }
            prop_assert_eq!(reaches("*://*:*", &literal, PrivateNetworks::ByName), is_public);
            prop_assert!(reaches(&written, &literal, PrivateNetworks::ByName));
            prop_assert_eq!(reaches(&written, &literal, PrivateNetworks::Refused), is_public);
        }

        #[test]
        fn an_address_leads_to_itself_alone(first in any_address(), second in any_address()) {
            let hosts = AllowedHosts::parse(["*://*:*", "*://1.1.1.1:*"]).unwrap();
            let is_same = first.to_canonical() == second.to_canonical();
            let reached = hosts.reaches(&to(&first.to_string()), second, PrivateNetworks::ByName);
            prop_assert!(is_same || !reached);
        }
    }
}
