//! A connection to a server: made, cancelled, cleaned, closed.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::{CancelToken, Client, NoTls, SimpleQueryMessage};
use tokio_rustls::rustls::ClientConfig;
use tombolo_capability::Meter as RequestMeter;
use tombolo_egress::{Egress, Slot, idle, tls};

use crate::address::{Address, Encryption, Server};
use crate::refusal::{Refusal, chain};
use crate::tap::{Meter, Tap};

/// How long a connection that is closed may take to say so to its server.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long clearing a connection for the next guest may take, or having a statement cancelled.
const CLEANING: Duration = Duration::from_secs(5);
/// What a client says to ask for encryption: the length, and a number that is no version.
const ENCRYPT: [u8; 8] = [0, 0, 0, 8, 0x04, 0xD2, 0x16, 0x2F];

/// What messages go over, plain or encrypted.
type Wire = Box<dyn Duplex>;

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// An open connection. Dropped, it takes leave of its server and is closed.
pub(crate) struct Link {
    pub(crate) client: Client,
    pub(crate) meter: Arc<Meter>,
    server: Place,
    task: AbortHandle,
    runtime: Handle,
    /// With it the task learns that nobody has the connection any more.
    _alive: oneshot::Sender<()>,
}

/// Who is trusted, and the name they must prove to have.
type Trust = (Arc<ClientConfig>, String);

/// Where a connection went, and how.
#[derive(Clone)]
struct Place {
    address: SocketAddr,
    /// How it is encrypted there, if it is.
    encrypted: Option<Trust>,
}

impl idle::Connection for Link {
    fn is_open(&self) -> bool {
        !self.client.is_closed()
    }
}

/// Connects to the first server of an address that takes it. `trust` is the guest's own, over the operator's.
pub(crate) async fn open(
    egress: &Egress,
    address: &Address,
    trust: Option<&Arc<ClientConfig>>,
    meter: &RequestMeter,
) -> Result<(Link, Slot), Refusal> {
    let mut failure = Refusal::Connection("the address names no host".to_owned());
    for server in &address.servers {
        let trust = trust.unwrap_or_else(|| egress.tls(&server.name));
        let opened = timeout(address.timeout, open_at(egress, address, server, trust, meter)).await;
        match opened {
            Ok(Ok(opened)) => return Ok(opened),
            Ok(Err(refusal)) => failure = refusal,
            Err(_) => failure = Refusal::Connection("the server did not answer in time".to_owned()),
        }
    }
    Err(failure)
}

async fn open_at(
    egress: &Egress,
    address: &Address,
    server: &Server,
    trust: &Arc<ClientConfig>,
    meter: &RequestMeter,
) -> Result<(Link, Slot), Refusal> {
    let refuse = |reason: String| Refusal::Connection(reason);
    let connected = egress.connect(&server.destination()).await;
    let (stream, slot) = connected.map_err(|error| refuse(chain(&error)))?;
    meter.outbound().connection();
    let peer = stream.peer_addr().map_err(|error| refuse(error.to_string()))?;
    let trust = (Arc::clone(trust), server.name.clone());
    let (wire, encrypted) = encrypt(stream, address.encryption, trust).await.map_err(refuse)?;
    let place = Place { address: peer, encrypted };
    let messages = Arc::<Meter>::default();
    let tap = Tap::on(wire, Arc::clone(&messages));
    let connected = address.config.connect_raw(tap, NoTls).await;
    let (client, connection) = connected.map_err(|error| refuse(said(&error)))?;
    let (alive, gone) = oneshot::channel::<()>();
    let task = tokio::spawn(async move {
        let leave = async {
            let _ = gone.await;
            tokio::time::sleep(FAREWELL).await;
        };
        tokio::select! {
            // What the server says unasked is dropped; an error, everybody who waits for an answer hears.
            _ = connection => {}
            () = leave => {}
        }
    });
    let link = Link {
        client,
        meter: messages,
        server: place,
        task: task.abort_handle(),
        runtime: Handle::current(),
        _alive: alive,
    };
    link.check(address.wanted).await?;
    Ok((link, slot))
}

/// An error of the client, in the server's words where it is the server's.
pub(crate) fn said(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| chain(error), ToString::to_string)
}

/// Encrypts a connection as the address asks and the server can.
async fn encrypt(
    mut stream: TcpStream,
    encryption: Encryption,
    (trust, name): Trust,
) -> Result<(Wire, Option<Trust>), String> {
    // Statements are small, and nobody sends more before there is an answer.
    let _ = stream.set_nodelay(true);
    let can = match encryption {
        Encryption::Never => false,
        Encryption::Preferred | Encryption::Required => {
            asks(&mut stream).await.map_err(|error| chain(&error))?
        }
    };
    if !can && encryption == Encryption::Required {
        return Err("the server does not encrypt, and `sslmode=require`".to_owned());
    }
    if !can {
        return Ok((Box::new(stream), None));
    }
    let encrypted = tls::encrypt(&trust, &name, stream).await;
    let stream = encrypted.map_err(|error| format!("{} (`sslmode=disable` does without)", chain(&error)))?;
    Ok((Box::new(stream), Some((trust, name))))
}

/// Asks a server whether it encrypts.
async fn asks(stream: &mut TcpStream) -> io::Result<bool> {
    stream.write_all(&ENCRYPT).await?;
    // One byte, and no more is read: what came after it in plain text would be taken for encrypted.
    Ok(stream.read_u8().await? == b'S')
}

impl Link {
    /// Whether the server is of the kind that the address asks for.
    async fn check(&self, wanted: TargetSessionAttrs) -> Result<(), Refusal> {
        let read_only = match wanted {
            TargetSessionAttrs::ReadOnly => "on",
            TargetSessionAttrs::ReadWrite => "off",
            _ => return Ok(()),
        };
        let rows = self.client.simple_query("SHOW transaction_read_only").await;
        let rows = rows.map_err(|error| Refusal::Connection(said(&error)))?;
        let is = rows.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        match is == Some(read_only) {
            true => Ok(()),
            false => Err(Refusal::Connection("the server is not as `target_session_attrs` asks".to_owned())),
        }
    }

    /// Leaves nothing of its guest on it: no transaction, no settings, nothing prepared, no temporary tables.
    async fn clean(&self) -> bool {
        // Sent at once, in this order: the second cannot be in a transaction.
        let done = timeout(CLEANING, async {
            tokio::try_join!(self.client.batch_execute("ROLLBACK"), self.client.batch_execute("DISCARD ALL"))
        });
        matches!(done.await, Ok(Ok(_)))
    }

    /// Gives it to the next who asks by `key`, once it is clean. If it cannot be cleaned it is closed.
    pub(crate) fn give_back(self, slot: Slot, idle: Arc<idle::Idle<Self>>, key: Arc<str>) {
        let (runtime, returning) = (self.runtime.clone(), idle.returning());
        runtime.spawn(async move {
            match self.clean().await {
                true => idle.put(&key, self, slot),
                false => drop((self, slot)),
            }
            drop(returning);
        });
    }

    /// Closes it in the middle of a statement, which the server is asked to end. It would not notice otherwise:
    /// a server looks at its client when it has something to say.
    pub(crate) fn abandon(self, slot: Slot, returning: idle::Returning) {
        self.task.abort();
        let (cancel, place, runtime) =
            (self.client.cancel_token(), self.server.clone(), self.runtime.clone());
        drop(self);
        runtime.spawn(async move {
            let asked = timeout(CLEANING, place.cancel(cancel)).await;
            if let Ok(Err(reason)) = asked {
                tracing::debug!("a statement in PostgreSQL may run on, it cannot be cancelled: {reason}");
            }
            // It was in the place of the connection that is closed.
            drop(slot);
            drop(returning);
        });
    }
}

impl Place {
    async fn cancel(&self, cancel: CancelToken) -> Result<(), String> {
        let stream = TcpStream::connect(self.address).await.map_err(|error| chain(&error))?;
        let mut wire: Wire = match &self.encrypted {
            None => Box::new(stream),
            Some(trust) => encrypt(stream, Encryption::Required, trust.clone()).await?.0,
        };
        let asked = cancel.cancel_query_raw(&mut wire, NoTls).await;
        asked.map_err(|error| chain(&error))?;
        // The server closes when it has passed it on.
        let _ = wire.read_u8().await;
        Ok(())
    }
}
