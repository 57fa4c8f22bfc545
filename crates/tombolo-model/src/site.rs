//! What answers at which host.
//!
//! Each site is whole: its routes are found by its host first, then by the path. So a site comes, changes and goes
//! without a look at any other's routes.

use std::collections::HashMap;
use std::fmt;

/// Sites by host. Cloned by reference counts if `T` is.
#[derive(Clone)]
pub struct Sites<T> {
    hosts: HashMap<Box<str>, Site<T>>,
    any: Option<T>,
}

/// What answers at one host: one release of an app, or two by a stated split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site<T> {
    /// What answers, but for the clients of `split`.
    pub main: T,
    /// What answers some of the clients.
    pub split: Option<Split<T>>,
}

/// What answers some of the clients of a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split<T> {
    /// So many of a hundred clients, 1 to 99.
    pub percent: u8,
    /// Which they are: the same with the same salt.
    pub salt: u64,
    /// What answers them.
    pub target: T,
}

impl<T> Default for Sites<T> {
    fn default() -> Self {
        Self { hosts: HashMap::new(), any: None }
    }
}

impl<T> Sites<T> {
    /// One site that answers at every host.
    pub fn everywhere(target: T) -> Self {
        Self { hosts: HashMap::new(), any: Some(target) }
    }

    /// These sites, each at its host, written without a port; the last of those with one host counts.
    pub fn new(sites: impl IntoIterator<Item = (Box<str>, Site<T>)>) -> Self {
        let lower = |(host, site): (Box<str>, Site<T>)| (host.to_ascii_lowercase().into(), site);
        Self { hosts: sites.into_iter().map(lower).collect(), any: None }
    }

    /// What answers at `host`, given without a port, to the client with the number `client`: the same for the same
    /// client, so that a split does not send it back and forth.
    pub fn find(&self, host: &str, client: impl FnOnce() -> u64) -> Option<&T> {
        if self.hosts.is_empty() {
            return self.any.as_ref();
        }
        // Host names are compared without case (RFC 9110 §4.2.3); nearly all arrive in lower case.
        let site = if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            self.hosts.get(host.to_ascii_lowercase().as_str())
        } else {
            self.hosts.get(host)
        };
        // A name may be written with the dot of the root.
        let site = site.or_else(|| self.hosts.get(host.strip_suffix('.')?));
        let Some(Site { main, split }) = site else { return self.any.as_ref() };
        match split {
            Some(Split { percent, salt, target }) if scatter(client() ^ salt) % 100 < u64::from(*percent) => {
                Some(target)
            }
            _ => Some(main),
        }
    }
}

/// Spreads numbers evenly, those that are near each other too.
///
/// Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014 (the finalizer of SplitMix64).
fn scatter(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

impl<T> fmt::Debug for Sites<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.hosts.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(main: u8, split: Option<(u8, u8)>) -> Site<u8> {
        let split = split.map(|(percent, target)| Split { percent, salt: 7, target });
        Site { main, split }
    }

    #[test]
    fn a_host_is_found_however_it_is_written() {
        let sites = Sites::new([("a.Test".into(), site(1, None)), ("b.test".into(), site(2, None))]);
        for host in ["a.test", "A.TEST", "a.test."] {
            assert_eq!(sites.find(host, || 0), Some(&1), "{host}");
        }
        assert_eq!(sites.find("c.test", || 0), None);
        assert_eq!(sites.find("", || 0), None);
        assert_eq!(Sites::everywhere(3).find("c.test", || 0), Some(&3));
    }

    /// Addresses of one network follow each other: they must not all fall on one side.
    #[test]
    fn a_split_takes_its_share_of_neighbours_and_each_always_the_same_way() {
        for percent in [1, 10, 50, 99] {
            let sites = Sites::new([("a".into(), site(0, Some((percent, 1))))]);
            let of = |client: u64| *sites.find("a", || client).unwrap();
            let taken: u32 = (0..10_000).map(|client| u32::from(of(client))).sum();
            let expected = u32::from(percent) * 100;
            assert!(taken.abs_diff(expected) < 150, "{taken} of 10,000 where {expected} were meant");
            assert!((0..100).all(|client| of(client) == of(client)));
        }
    }
}
