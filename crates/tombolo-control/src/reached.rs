//! Where clients find what is served.

/// How clients reach the apps of a node, behind their hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// At this port, without TLS.
    Http(u16),
    /// At this port, with TLS.
    Https(u16),
}

impl Reached {
    /// The address of a host.
    pub(crate) fn address(self, host: &str) -> String {
        match self {
            Self::Http(80) => format!("http://{host}/"),
            Self::Http(port) => format!("http://{host}:{port}/"),
            Self::Https(443) => format!("https://{host}/"),
            Self::Https(port) => format!("https://{host}:{port}/"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Reached;

    #[test]
    fn an_address_has_a_port_if_its_scheme_says_another() {
        for (reached, expected) in [
            (Reached::Http(80), "http://shop.test/"),
            (Reached::Http(443), "http://shop.test:443/"),
            (Reached::Https(443), "https://shop.test/"),
            (Reached::Https(3443), "https://shop.test:3443/"),
        ] {
            assert_eq!(reached.address("shop.test"), expected);
        }
    }
}
