//! What one instance has of Redis, and the operations all interfaces share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tokio::sync::Mutex;
use tombolo_capability::{HeldMemory, HostMemory, Meter};
use tombolo_redis::{Address, Budget, Command, Lease, Pool, RedisError, Reply, TooLarge};
use wasmtime::component::{Resource, ResourceTable};

use crate::Granted;
use crate::refusal::Refusal;
use crate::shared::{Effect, effect};

/// Handles one instance may have open at once, as in Spin.
const OPEN_MAX: usize = 256;

/// The connections of one instance.
pub struct View {
    granted: Arc<Granted>,
    open: usize,
}

impl View {
    pub(crate) fn new(granted: Arc<Granted>) -> Self {
        Self { granted, open: 0 }
    }
}

/// An open connection, as a resource of the guest.
#[expect(unreachable_pub, reason = "bindgen re-exports it, and only a public type can be")]
#[derive(Clone)]
pub struct OpenConnection(Arc<Session>);

/// A connection as its guest knows it.
struct Session {
    pool: Arc<Pool>,
    address: Arc<Address>,
    bytes_max: u64,
    /// Whether it has a connection of its own from now on.
    is_kept: AtomicBool,
    own: Mutex<Own>,
}

/// The connection that one handle has for itself.
enum Own {
    None,
    Open(Lease),
    /// What was set on it is gone, so going on with another would do what the guest did not ask for: what is
    /// within `MULTI` is done at once, what is in one database ends up in another.
    Lost,
}

/// An instance's view and its resources, borrowed for one call.
pub(crate) struct Host<'a> {
    pub(crate) view: &'a mut View,
    pub(crate) table: &'a mut ResourceTable,
    pub(crate) account: Account,
}

/// Whom a command is charged to.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) meter: Arc<Meter>,
    pub(crate) memory: HostMemory,
}

impl Account {
    /// What `command` takes, and then its answer.
    fn spending(&self, command: &Command, bytes_max: u64) -> Result<Spending, Refusal> {
        let usage = self.meter.outbound();
        usage.request();
        usage.send(command.bytes(), bytes_max).map_err(|_| Refusal::Other(over_budget(bytes_max)))?;
        let held = self.memory.take(command.bytes());
        let held = held.map_err(|error| Refusal::Other(format!("the command is too large: {error}")))?;
        Ok(Spending { meter: Arc::clone(&self.meter), held, bytes_max })
    }
}

/// What a command and its answer take, until the answer is the guest's.
struct Spending {
    meter: Arc<Meter>,
    held: HeldMemory,
    bytes_max: u64,
}

impl Budget for Spending {
    fn take(&mut self, bytes: u64) -> Result<(), TooLarge> {
        self.held.grow(bytes).map_err(|error| TooLarge(format!("{error} (`memory_mib_max`)")))?;
        self.meter
            .outbound()
            .receive(bytes, self.bytes_max)
            .map_err(|_| TooLarge(over_budget(self.bytes_max)))
    }
}

fn over_budget(bytes_max: u64) -> String {
    format!(
        "a request may move {bytes_max} bytes to other hosts and as many from them (`outbound_bytes_max`)"
    )
}

/// Where a guest asks to connect to.
pub(crate) struct Opening {
    granted: Arc<Granted>,
    address: Address,
}

impl Host<'_> {
    /// Reads an address; one that was not granted is refused before anything is done with it.
    pub(crate) fn opening(&self, address: &str) -> Result<Opening, Refusal> {
        let address = Address::parse(address).map_err(|_| Refusal::InvalidAddress)?;
        if !self.view.granted.egress.allows(&address.destination()) {
            return Err(Refusal::InvalidAddress);
        }
        if self.view.open == OPEN_MAX {
            return Err(Refusal::TooManyConnections);
        }
        Ok(Opening { granted: Arc::clone(&self.view.granted), address })
    }

    /// Hands an open connection to the guest.
    pub(crate) fn push(&mut self, open: OpenConnection) -> Result<Resource<OpenConnection>, Refusal> {
        // Others may have been opened while this one was.
        if self.view.open == OPEN_MAX {
            return Err(Refusal::TooManyConnections);
        }
        let resource = self.table.push(open).map_err(|_| Refusal::TooManyConnections)?;
        self.view.open += 1;
        Ok(resource)
    }

    /// The connection behind a resource. The guest cannot have made one up: an error is a trap.
    pub(crate) fn connection(&self, resource: &Resource<OpenConnection>) -> wasmtime::Result<OpenConnection> {
        Ok(self.table.get(resource)?.clone())
    }

    pub(crate) fn close(&mut self, resource: Resource<OpenConnection>) -> wasmtime::Result<()> {
        self.table.delete(resource)?;
        self.view.open -= 1;
        Ok(())
    }
}

impl Opening {
    /// Connects, so that an address where nobody answers is an error here.
    pub(crate) async fn open(self) -> Result<OpenConnection, Refusal> {
        let Self { granted, address } = self;
        let (pool, address) = (Arc::clone(&granted.pool), Arc::new(address));
        drop(pool.lease(&address).await?);
        let session = Session {
            pool,
            address,
            bytes_max: granted.bytes_max,
            is_kept: AtomicBool::new(false),
            own: Mutex::new(Own::None),
        };
        Ok(OpenConnection(Arc::new(session)))
    }
}

impl OpenConnection {
    /// The answer to a command, and what is taken for it.
    async fn call(&self, account: Account, command: Command) -> Result<(Reply, HeldMemory), Refusal> {
        let session = &*self.0;
        let mut spending = account.spending(&command, session.bytes_max)?;
        if !session.is_kept.load(Relaxed) {
            let mut lease = session.pool.lease(&session.address).await?;
            let reply = lease.call(&command, &mut spending).await?;
            return Ok((reply, spending.held));
        }
        let mut own = session.own.lock().await;
        if let Own::None = *own {
            let mut lease = session.pool.lease(&session.address).await?;
            lease.keep();
            *own = Own::Open(lease);
        }
        // If this future is dropped the answer is half read, and the connection says so by itself.
        let called = match &mut *own {
            Own::Open(lease) => lease.call(&command, &mut spending).await,
            Own::None | Own::Lost => Err(RedisError::Lost),
        };
        if !matches!(called, Ok(_) | Err(RedisError::Server(_))) {
            *own = Own::Lost;
        }
        Ok((called?, spending.held))
    }

    pub(crate) async fn publish(
        &self,
        account: Account,
        channel: String,
        payload: Vec<u8>,
    ) -> Result<(), Refusal> {
        self.call(account, Command::new("PUBLISH").arg(channel).arg(payload)).await.map(drop)
    }

    pub(crate) async fn get(&self, account: Account, key: String) -> Result<Option<Vec<u8>>, Refusal> {
        match self.call(account, Command::new("GET").arg(key)).await?.0 {
            Reply::Nil => Ok(None),
            Reply::Bytes(bytes) => Ok(Some(bytes)),
            other => Err(unexpected(other)),
        }
    }

    pub(crate) async fn set(&self, account: Account, key: String, value: Vec<u8>) -> Result<(), Refusal> {
        self.call(account, Command::new("SET").arg(key).arg(value)).await.map(drop)
    }

    pub(crate) async fn incr(&self, account: Account, key: String) -> Result<i64, Refusal> {
        self.number(account, Command::new("INCR").arg(key)).await
    }

    pub(crate) async fn del(&self, account: Account, keys: Vec<String>) -> Result<u32, Refusal> {
        self.count(account, Command::new("DEL").args(keys)).await
    }

    pub(crate) async fn sadd(
        &self,
        account: Account,
        key: String,
        values: Vec<String>,
    ) -> Result<u32, Refusal> {
        self.count(account, Command::new("SADD").arg(key).args(values)).await
    }

    pub(crate) async fn srem(
        &self,
        account: Account,
        key: String,
        values: Vec<String>,
    ) -> Result<u32, Refusal> {
        self.count(account, Command::new("SREM").arg(key).args(values)).await
    }

    pub(crate) async fn smembers(&self, account: Account, key: String) -> Result<Vec<String>, Refusal> {
        match self.call(account, Command::new("SMEMBERS").arg(key)).await?.0 {
            Reply::Array(members) => members.into_iter().map(text).collect(),
            other => Err(unexpected(other)),
        }
    }

    /// The parts of the answer to any command, one after the other, whatever they are parts of.
    pub(crate) async fn execute(
        &self,
        account: Account,
        name: String,
        arguments: Vec<Vec<u8>>,
    ) -> Result<(Vec<Reply>, HeldMemory), Refusal> {
        match effect(&name, arguments.first().map(Vec::as_slice)) {
            Effect::None => {}
            Effect::Kept => self.0.is_kept.store(true, Relaxed),
            Effect::Refused => {
                return Err(Refusal::Other(format!(
                    "`{name}` is not possible here: each command has one answer, in version 2 of the protocol"
                )));
            }
        }
        let (reply, held) = self.call(account, Command::new(&name).args(arguments)).await?;
        let mut parts = Vec::new();
        flatten(reply, &mut parts)?;
        Ok((parts, held))
    }

    async fn number(&self, account: Account, command: Command) -> Result<i64, Refusal> {
        match self.call(account, command).await?.0 {
            Reply::Integer(number) => Ok(number),
            other => Err(unexpected(other)),
        }
    }

    async fn count(&self, account: Account, command: Command) -> Result<u32, Refusal> {
        let number = self.number(account, command).await?;
        u32::try_from(number).map_err(|_| Refusal::Other(format!("the server counted {number}")))
    }
}

fn text(reply: Reply) -> Result<String, Refusal> {
    match reply {
        // Text that is none is of another type than what was asked for.
        Reply::Bytes(bytes) => String::from_utf8(bytes).map_err(|_| Refusal::TypeError),
        other => Err(unexpected(other)),
    }
}

fn flatten(reply: Reply, parts: &mut Vec<Reply>) -> Result<(), Refusal> {
    match reply {
        Reply::Array(inner) => inner.into_iter().try_for_each(|reply| flatten(reply, parts)),
        Reply::Error(reason) => Err(RedisError::Server(reason).into()),
        reply => {
            parts.push(reply);
            Ok(())
        }
    }
}

/// Within `MULTI` every command is answered `QUEUED`.
fn unexpected(reply: Reply) -> Refusal {
    match reply {
        Reply::Status(status) => Refusal::Other(format!("the server answered `{status}`")),
        _ => Refusal::TypeError,
    }
}
