//! Sockets that the service manager listens at before the node starts: sd_listen_fds(3).

use std::fs;
use std::net::TcpListener;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::sockopt::socket_acceptconn;

use crate::failure::Failure;
use crate::remote::Environment;

/// The number of the first; the others follow.
const FIRST: RawFd = 3;
/// What they may be called, by `FileDescriptorName` of their units.
const NAMES: [&str; 3] = ["http", "https", "control"];

/// Those that were given, by what they are for.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    pub(super) http: Option<TcpListener>,
    pub(super) https: Option<TcpListener>,
    pub(super) control: Option<TcpListener>,
}

impl Sockets {
    /// Takes those that `LISTEN_FDS` says this process was given. To be called once, first of all.
    pub(super) fn take(environment: &Environment) -> Result<Self, Failure> {
        let mut sockets = Self::default();
        for (number, name) in (FIRST..).zip(names(environment, std::process::id())?) {
            let place = match name {
                "http" => &mut sockets.http,
                "https" => &mut sockets.https,
                _ => &mut sockets.control,
            };
            *place = Some(listener(number, name)?);
        }
        Ok(sockets)
    }
}

/// What each is called, in their order: the first is `http` unless it is called otherwise.
fn names(environment: &Environment, process: u32) -> Result<Vec<&str>, Failure> {
    let number = |name: &str| environment.get(name).and_then(|text| text.parse::<u32>().ok());
    // What another process was given is not ours, for who was given nothing may have inherited the variables.
    if number("LISTEN_PID") != Some(process) {
        return Ok(Vec::new());
    }
    let count = number("LISTEN_FDS").unwrap_or_default();
    let mut said = environment.get("LISTEN_FDNAMES").map(String::as_str).unwrap_or_default().split(':');
    let mut names = Vec::new();
    for index in 0..count {
        let said = said.next().unwrap_or_default();
        let name = match NAMES.iter().find(|name| **name == said) {
            Some(name) => name,
            None if index == 0 => NAMES[0],
            None => {
                let message = format!("socket {} that was given is called `{said}`", index + 1);
                return Err(Failure::new(format!("{message}, expected `http`, `https` or `control`"))
                    .hint("say `FileDescriptorName=` in its unit".to_owned()));
            }
        };
        if names.contains(&name) {
            return Err(Failure::new(format!("two sockets that were given are called `{name}`")));
        }
        names.push(name);
    }
    Ok(names)
}

/// The socket with this number, if it listens for connections of TCP.
fn listener(number: RawFd, name: &str) -> Result<TcpListener, Failure> {
    let refuse =
        |reason: String| Failure::new(format!("the socket `{name}` that was given cannot be used: {reason}"));
    fs::symlink_metadata(format!("/proc/self/fd/{number}"))
        .map_err(|_| refuse(format!("there is no descriptor {number}")))?;
    #[expect(unsafe_code, reason = "a number in the environment is all that there is of it")]
    // SAFETY: it is open, as was just seen, and came that way from whoever started this process, so nothing else in it
    // owns it. Each number is taken once.
    let socket = unsafe { OwnedFd::from_raw_fd(number) };
    // Compilers, which are children, have no use for it.
    fcntl_setfd(&socket, FdFlags::CLOEXEC).map_err(|error| refuse(error.to_string()))?;
    if !socket_acceptconn(&socket).unwrap_or(false) {
        return Err(refuse("it does not listen".to_owned()));
    }
    let listener = TcpListener::from(socket);
    // Asks for an address of the internet.
    listener.local_addr().map_err(|error| refuse(error.to_string()))?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(variables: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let environment =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let names = names(&environment, 7);
        names
            .map(|names| names.into_iter().map(str::to_owned).collect())
            .map_err(|failure| failure.to_string())
    }

    #[test]
    fn sockets_are_what_they_are_called_and_the_first_is_the_public_one() {
        let given =
            |count, names| check(&[("LISTEN_PID", "7"), ("LISTEN_FDS", count), ("LISTEN_FDNAMES", names)]);
        assert_eq!(check(&[]).unwrap(), Vec::<String>::new());
        assert_eq!(check(&[("LISTEN_PID", "8"), ("LISTEN_FDS", "1")]).unwrap(), Vec::<String>::new());
        assert_eq!(check(&[("LISTEN_PID", "7"), ("LISTEN_FDS", "1")]).unwrap(), ["http"]);
        assert_eq!(given("1", "tombolo.socket").unwrap(), ["http"]);
        assert_eq!(given("3", "control:https:http").unwrap(), ["control", "https", "http"]);
        assert_eq!(given("2", "unknown:control").unwrap(), ["http", "control"]);
        assert!(given("2", "http:web").unwrap_err().contains("socket 2 that was given is called `web`"));
        assert!(given("2", "http").unwrap_err().contains("is called ``"));
        assert!(
            given("2", "https:https").unwrap_err().contains("two sockets that were given are called `https`")
        );
    }
}
