//! Tells the service manager how the node is: sd_notify(3).

use std::io;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::remote::Environment;

/// How long the manager may take to take a message. It is there to be told, and a node does not wait for it.
const SEND_TIME_MAX: Duration = Duration::from_secs(1);

/// The socket of the manager, if one started this process and wants to be told.
#[derive(Clone, Debug, Default)]
pub(super) struct Notify(Option<Arc<UnixDatagram>>);

impl Notify {
    /// Connects to what `NOTIFY_SOCKET` names. To be done before the second wall, which refuses such sockets: one that
    /// is connected stays so. A manager that cannot be told is none.
    pub(super) fn connect(environment: &Environment) -> Self {
        let Some(name) = environment.get("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Self::default();
        };
        let socket = connect(name);
        let warn = |error: &io::Error| tracing::warn!("cannot tell the service manager at `{name}`: {error}");
        Self(socket.inspect_err(warn).ok().map(Arc::new))
    }

    /// It serves, as of now or again.
    pub(super) fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={status}"));
    }

    /// It reads its files again, and will be ready after that.
    pub(super) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let us = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={us}"));
    }

    /// It takes no more connections, and ends when those there are have ended.
    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=Draining");
    }

    fn tell(&self, message: &str) {
        if let Some(socket) = &self.0
            && let Err(error) = socket.send(message.as_bytes())
        {
            tracing::warn!("cannot tell the service manager: {error}");
        }
    }
}

fn connect(name: &str) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    match name.strip_prefix('@') {
        Some(name) => connect_abstract(&socket, name)?,
        None => socket.connect(name)?,
    }
    socket.set_write_timeout(Some(SEND_TIME_MAX))?;
    Ok(socket)
}

#[cfg(target_os = "linux")]
fn connect_abstract(socket: &UnixDatagram, name: &str) -> io::Result<()> {
    use std::os::linux::net::SocketAddrExt;
    socket.connect_addr(&std::os::unix::net::SocketAddr::from_abstract_name(name)?)
}

#[cfg(not(target_os = "linux"))]
fn connect_abstract(_: &UnixDatagram, _: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
