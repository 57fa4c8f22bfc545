//! Arguments of two parts.

use std::net::{SocketAddr, ToSocketAddrs};

use tombolo_cap_wasi::{Access, Directory};

/// `K=V`.
pub(crate) fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// `HOST::GUEST[:ro]`, or `HOST` for the same path on both sides.
pub(crate) fn directory(text: &str) -> Result<Directory, String> {
    let (text, access) = match text.strip_suffix(":ro") {
        Some(text) => (text, Access::Read),
        None => (text, Access::Write),
    };
    let (host, guest) = text.split_once("::").unwrap_or((text, text));
    if host.is_empty() || guest.is_empty() {
        return Err("expected HOST::GUEST or HOST::GUEST:ro".to_owned());
    }
    Ok(Directory { host: host.into(), guest: guest.to_owned(), access })
}

/// A host and a port a guest may connect to.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    /// What the host is, or is called, and where.
    pub(crate) addresses: Vec<SocketAddr>,
    /// Whether it was called by a name.
    pub(crate) is_name: bool,
}

/// `HOST:PORT`, resolved now: what the name means later is not what was granted.
pub(crate) fn remote(text: &str) -> Result<Remote, String> {
    if text.rsplit_once(':').is_none_or(|(host, port)| host.is_empty() || port.parse::<u16>().is_err()) {
        return Err("expected HOST:PORT".to_owned());
    }
    let addresses = text.to_socket_addrs().map_err(|error| format!("cannot resolve the host: {error}"))?;
    Ok(Remote { addresses: addresses.collect(), is_name: text.parse::<SocketAddr>().is_err() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_two_sides_and_an_access() {
        let parsed = |text| directory(text).map(|it| (it.host.display().to_string(), it.guest, it.access));
        assert_eq!(parsed("a::/b"), Ok(("a".into(), "/b".into(), Access::Write)));
        assert_eq!(parsed("a::/b:ro"), Ok(("a".into(), "/b".into(), Access::Read)));
        assert_eq!(parsed("/a"), Ok(("/a".into(), "/a".into(), Access::Write)));
        assert!(parsed("::b").is_err());
        assert!(parsed("").is_err());
    }

    #[test]
    fn a_remote_has_a_host_and_a_port() {
        assert!(!remote("127.0.0.1:80").unwrap().is_name);
        assert!(remote("localhost:80").unwrap().is_name);
        for bad in ["localhost", ":80", "a:b", ""] {
            assert!(remote(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_variable_has_a_name() {
        assert_eq!(variable("A=b=c"), Ok(("A".into(), "b=c".into())));
        assert!(variable("A").is_err() && variable("=b").is_err());
    }
}
