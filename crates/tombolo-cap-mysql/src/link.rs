//! A connection to a server: made, cleaned, closed.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{ChangeUserOpts, Conn, Opts};
use tokio::runtime::Handle;
use tokio::time::timeout;
use tombolo_capability::Meter;
use tombolo_egress::{Egress, Slot, idle};

use crate::address::Address;
use crate::refusal::Refusal;

/// How long connecting may take.
const CONNECTING: Duration = Duration::from_secs(10);
/// How long clearing a connection for the next guest may take, or having a statement ended.
const CLEANING: Duration = Duration::from_secs(5);

/// An open connection.
pub(crate) struct Link {
    pub(crate) client: Conn,
    runtime: Handle,
}

impl idle::Connection for Link {
    fn is_open(&self) -> bool {
        !self.client.is_disconnected()
    }
}

/// Takes a connection that waits, or connects.
pub(crate) async fn open(
    egress: &Egress,
    idle: &idle::Idle<Link>,
    key: &str,
    address: &Address,
    meter: &Meter,
) -> Result<(Link, Slot), Refusal> {
    while let Some((mut link, slot)) = idle.take_soon(key).await {
        // The server may have gone away meanwhile, which only asking tells.
        if let Ok(Ok(())) = timeout(CLEANING, link.client.ping()).await {
            return Ok((link, slot));
        }
        link.discard(slot);
    }
    let refuse = |reason: String| Err(Refusal::Connection(reason));
    match timeout(CONNECTING, connect(egress, address)).await {
        Ok(Ok(opened)) => {
            meter.outbound().connection();
            Ok(opened)
        }
        Ok(Err(reason)) => refuse(reason),
        Err(_) => refuse("the server did not answer in time".to_owned()),
    }
}

async fn connect(egress: &Egress, address: &Address) -> Result<(Link, Slot), String> {
    let resolved = egress.resolve(&address.destination()).await;
    let (found, slot) = resolved.map_err(|error| error.to_string())?;
    let client = Conn::new(address.options(&found)).await.map_err(|error| said(&error))?;
    Ok((Link { client, runtime: Handle::current() }, slot))
}

/// An error of the client, in the server's words where it is the server's.
pub(crate) fn said(error: &mysql_async::Error) -> String {
    match error {
        mysql_async::Error::Server(server) => server.to_string(),
        other => other.to_string(),
    }
}

impl Link {
    /// Gives it to the next who asks by `key`, once nothing of its guest is left on it: to be another user, if by
    /// the same name, is to begin anew. If that fails it is closed.
    pub(crate) fn give_back(mut self, slot: Slot, idle: Arc<idle::Idle<Self>>, key: Arc<str>) {
        let (runtime, returning) = (self.runtime.clone(), idle.returning());
        runtime.spawn(async move {
            match timeout(CLEANING, self.client.change_user(ChangeUserOpts::new())).await {
                Ok(Ok(())) => idle.put(&key, self, slot),
                _ => self.close(slot).await,
            }
            drop(returning);
        });
    }

    /// Closes it in the middle of a statement, and has the server end that.
    pub(crate) fn abandon(self, slot: Slot, returning: idle::Returning) {
        let runtime = self.runtime.clone();
        runtime.spawn(async move {
            let (id, options) = (self.client.id(), self.client.opts().clone());
            // Polled once: it would read to the end of an answer, which may be long.
            let _ = timeout(Duration::ZERO, self.client.disconnect()).await;
            // In its place.
            let ended = timeout(CLEANING, kill(id, options)).await;
            if let Ok(Err(error)) = ended {
                tracing::debug!("a statement in MySQL may run on, it cannot be ended: {error}");
            }
            drop(slot);
            drop(returning);
        });
    }

    /// Closes it as it is.
    pub(crate) fn discard(self, slot: Slot) {
        let runtime = self.runtime.clone();
        runtime.spawn(self.close(slot));
    }

    async fn close(self, slot: Slot) {
        let _ = timeout(CLEANING, self.client.disconnect()).await;
        drop(slot);
    }
}

/// Ends the connection `id` of the same user.
async fn kill(id: u32, options: Opts) -> mysql_async::Result<()> {
    let mut other = Conn::new(options).await?;
    let killed = timeout(CLEANING, other.query_drop(format!("KILL {id}"))).await;
    // Whatever came of it: dropped as it is, it would wait for an answer without end.
    let _ = timeout(Duration::ZERO, other.disconnect()).await;
    match killed {
        // It is gone already.
        Ok(Err(mysql_async::Error::Server(error))) if error.code == 1094 => Ok(()),
        Ok(done) => done,
        Err(_) => Ok(()),
    }
}
