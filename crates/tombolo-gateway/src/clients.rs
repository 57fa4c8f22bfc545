//! How many connections each client has.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts connections by client, an IPv6 client being its /64: one customer has at least that many
/// addresses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clients(Arc<Mutex<HashMap<IpAddr, u32>>>);

/// One connection of a client, while it is there.
#[derive(Debug)]
pub(crate) struct ClientSlot {
    clients: Clients,
    client: IpAddr,
}

impl Clients {
    /// A slot for one more connection, if the client has fewer than `connections_max`.
    pub(crate) fn take(&self, address: IpAddr, connections_max: u32) -> Option<ClientSlot> {
        let client = client(address);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(client).or_default();
        if *count >= connections_max {
            return None;
        }
        *count += 1;
        Some(ClientSlot { clients: self.clone(), client })
    }

    /// How many there are of all clients.
    pub(crate) fn connections(&self) -> u64 {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.values().map(|count| u64::from(*count)).sum()
    }
}

impl Drop for ClientSlot {
    fn drop(&mut self) {
        let mut counts = self.clients.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.client);
            }
        }
    }
}

fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_has_so_many_and_others_theirs() {
        let clients = Clients::default();
        let take = |address: &str| clients.take(address.parse().unwrap(), 2);
        let held = (take("10.0.0.1"), take("::ffff:10.0.0.1"));
        assert!(held.0.is_some() && held.1.is_some());
        assert!(take("10.0.0.1").is_none());
        assert!(take("10.0.0.2").is_some());
        let held6 = (take("2001:db8::1"), take("2001:db8::2"));
        assert!(take("2001:db8::3").is_none(), "one /64 is one client");
        assert!(take("2001:db8:0:1::3").is_some());
        drop((held, held6));
        assert!(take("10.0.0.1").is_some());
        assert!(clients.0.lock().unwrap().is_empty(), "who left is forgotten");
    }
}
