//! Messages of Redis for components: a connection for each component and server, which listens to the
//! component's channels there.
//!
//! What Redis publishes while a connection is down is gone; that is how Redis publishes. What has come is
//! never dropped: if the component works on as many messages as it may, the next is not read until it is
//! done with one, and the server keeps what follows.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::{TcpStream, lookup_host};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tombolo_egress::{EgressError, tls};
use tombolo_gateway::AppInside;
use tombolo_model::networking::BlockedNetworks;
use tombolo_redis::{Address, Bytes, Command, Connection, RedisError, Reply, ReplyError};
use tombolo_runtime::{Service, ServiceError, Usage};

/// How long until another try to connect: doubled with each that fails.
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(10);
/// How long connecting and subscribing may take.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
/// After how long without a word the server is asked whether it is still there. One that has not answered
/// after as long again is not.
const QUIET_TIME_MAX: Duration = Duration::from_secs(30);
/// How long a message that began to come may take to be there.
const MESSAGE_TIME_MAX: Duration = Duration::from_secs(120);
/// Messages at work at once, over all components.
const AT_WORK_MAX: u32 = 1 << 16;

/// Which messages a component gets: those of some channels of one server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Source {
    pub(crate) app: String,
    pub(crate) component: String,
    /// The server, as the manifest says.
    pub(crate) address: String,
    /// Sorted, each once.
    pub(crate) channels: Vec<String>,
    /// Which addresses the server may not have.
    pub(crate) blocked: Arc<BlockedNetworks>,
}

/// What an app subscribes to.
pub(crate) type Wanted = BTreeMap<Source, (Address, Taker)>;

/// Who takes messages.
#[derive(Clone)]
pub(crate) struct Taker {
    pub(crate) service: Arc<Service>,
    /// The app whose other parts it may call.
    pub(crate) inside: Arc<AppInside>,
    /// Whom the server is trusted to be.
    pub(crate) tls: Arc<tls::Config>,
}

/// What a node subscribes to now.
pub(crate) struct Subscriptions {
    runtime: Handle,
    /// `None` once no more are taken.
    running: Mutex<Option<BTreeMap<Source, Running>>>,
    /// A permit for each message at work.
    at_work: Arc<Semaphore>,
}

struct Running {
    taker: Arc<ArcSwap<Taker>>,
    /// Dropped, it ends the subscription.
    stop: watch::Sender<()>,
    task: JoinHandle<()>,
}

impl Subscriptions {
    /// None yet. Called within the runtime that they are to run on.
    pub(crate) fn new() -> Self {
        let at_work = Arc::new(Semaphore::new(AT_WORK_MAX as usize));
        Self { runtime: Handle::current(), running: Mutex::new(Some(BTreeMap::new())), at_work }
    }

    /// From now on those of `wanted`. One that stays keeps its connection, so that nothing published meanwhile
    /// is lost or seen twice; the component of its next message is the new one.
    pub(crate) fn replace(&self, wanted: Wanted) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(running) = &mut *running else { return };
        let mut next = BTreeMap::new();
        for (source, (address, taker)) in wanted {
            let kept = running.remove(&source);
            let subscription = match kept {
                Some(kept) => {
                    kept.taker.store(Arc::new(taker));
                    kept
                }
                None => self.start(&source, address, taker),
            };
            next.insert(source, subscription);
        }
        *running = next;
    }

    fn start(&self, source: &Source, address: Address, taker: Taker) -> Running {
        let taker = Arc::new(ArcSwap::from_pointee(taker));
        let (stop, mut stopped) = watch::channel(());
        let subscriber = Subscriber {
            source: source.clone(),
            address,
            taker: Arc::clone(&taker),
            at_work: Arc::clone(&self.at_work),
        };
        let task = self.runtime.spawn(async move {
            tokio::select! {
                () = subscriber.run() => {}
                // It carries nothing: it can only close.
                _ = stopped.changed() => {}
            }
        });
        Running { taker, stop, task }
    }

    /// Takes no more messages, and waits for those at work until `until`; whether all ended.
    pub(crate) async fn drain(&self, until: Instant) -> bool {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        let idle = async {
            for (_, Running { stop, task, .. }) in running.into_iter().flatten() {
                drop(stop);
                // What it read by now has its permit.
                let _ = task.await;
            }
            // All permits in hand means that no message is at work; the semaphore is never closed.
            let _ = self.at_work.acquire_many(AT_WORK_MAX).await;
        };
        tokio::time::timeout_at(until, idle).await.is_ok()
    }
}

struct Subscriber {
    source: Source,
    address: Address,
    taker: Arc<ArcSwap<Taker>>,
    at_work: Arc<Semaphore>,
}

impl Subscriber {
    async fn run(&self) {
        let mut wait = RETRY_MIN;
        loop {
            let connected = timeout(CONNECT_TIME_MAX, self.connect()).await;
            let failure = match connected {
                Ok(Ok(mut connection)) => {
                    tracing::info!("{}: subscribed at {}", self.name(), self.address);
                    let since = Instant::now();
                    let failure = self.listen(&mut connection).await;
                    // One that ends at once is to be left alone for longer and longer.
                    if since.elapsed() > RETRY_MAX {
                        wait = RETRY_MIN;
                    }
                    failure
                }
                Ok(Err(failure)) => failure,
                Err(_) => EgressError::Connect(std::io::ErrorKind::TimedOut.into()).into(),
            };
            tracing::warn!(
                "{}: no messages from {}, next try in {} ms: {}",
                self.name(),
                self.address,
                wait.as_millis(),
                chain(&failure),
            );
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(RETRY_MAX);
        }
    }

    fn name(&self) -> String {
        format!("{}/{}", self.source.app, self.source.component)
    }

    async fn connect(&self) -> Result<Connection, RedisError> {
        let to = self.address.destination();
        // The manifest's own address: it needs no grant, but the operator has a say.
        let found = lookup_host((to.host, to.port)).await.map_err(EgressError::Connect)?;
        let open: Vec<_> = found.filter(|found| self.source.blocked.open(found.ip())).collect();
        if open.is_empty() {
            return Err(EgressError::Prohibited.into());
        }
        let stream = TcpStream::connect(open.as_slice()).await.map_err(EgressError::Connect)?;
        let mut connection = Connection::open(stream, &self.address, &self.taker.load().tls).await?;
        connection.send(&Command::new("SUBSCRIBE").args(&self.source.channels)).await?;
        for _ in &self.source.channels {
            match connection.next(&mut Bytes(64 << 10)).await? {
                Reply::Error(reason) => return Err(RedisError::Server(reason)),
                reply => drop(Push::of(reply).ok_or(ReplyError::Protocol)?),
            }
        }
        Ok(connection)
    }

    /// Hands on every message until the connection fails.
    async fn listen(&self, connection: &mut Connection) -> RedisError {
        loop {
            match self.message(connection).await {
                Ok(Some(message)) => self.hand_on(message).await,
                Ok(None) => {}
                Err(error) => return error,
            }
        }
    }

    /// The next message, or nothing if the server said something else.
    async fn message(&self, connection: &mut Connection) -> Result<Option<Vec<u8>>, RedisError> {
        if timeout(QUIET_TIME_MAX, connection.readable()).await.is_err() {
            connection.send(&Command::new("PING")).await?;
            let answered = timeout(QUIET_TIME_MAX, connection.readable()).await;
            answered.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
        }
        let mut budget = Bytes(self.taker.load().service.limits().memory_bytes_max);
        let next = timeout(MESSAGE_TIME_MAX, connection.next(&mut budget)).await;
        match next.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))?? {
            Reply::Error(reason) => Err(RedisError::Server(reason)),
            reply => match Push::of(reply) {
                Some(Push::Message(payload)) => Ok(Some(payload)),
                Some(Push::Other) => Ok(None),
                None => Err(ReplyError::Protocol.into()),
            },
        }
    }

    /// Gives the component a message, and waits until it is at work on it. If this is dropped meanwhile, the
    /// message still gets its turn.
    async fn hand_on(&self, message: Vec<u8>) {
        let Ok(at_work) = Arc::clone(&self.at_work).acquire_owned().await else { return };
        let (source, taker) = (self.source.clone(), self.taker.load_full());
        let (begun, begins) = oneshot::channel();
        tokio::spawn(async move {
            let placed = taker.service.place().await;
            let _ = begun.send(());
            let (bytes, since) = (message.len(), Instant::now());
            let delivery = placed.deliver(message, Some(Arc::clone(&taker.inside) as _)).await;
            report(&source, bytes, since.elapsed(), &delivery.meter.usage(), &delivery.result);
            drop::<OwnedSemaphorePermit>(at_work);
        });
        let _ = begins.await;
    }
}

/// What a server sends to a subscriber.
enum Push {
    Message(Vec<u8>),
    Other,
}

impl Push {
    fn of(reply: Reply) -> Option<Self> {
        let Reply::Array(parts) = reply else { return None };
        let mut parts = parts.into_iter();
        match (parts.next()?, parts.next()?, parts.next()) {
            (Reply::Bytes(kind), _, Some(Reply::Bytes(payload))) if kind == b"message" => {
                Some(Self::Message(payload))
            }
            (Reply::Bytes(_), _, _) => Some(Self::Other),
            _ => None,
        }
    }
}

/// One event for each message, as there is one for each request; a failure is said to the operator as well.
fn report(source: &Source, bytes: usize, took: Duration, usage: &Usage, result: &Result<(), ServiceError>) {
    let Source { app, component, .. } = source;
    let outcome = match result {
        Ok(()) => "Handled",
        Err(ServiceError::Deadline { .. } | ServiceError::Cpu(_)) => "Deadline",
        Err(_) => "Failed",
    };
    let us = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let Usage { cpu, waited, host_calls, memory_bytes, outbound_requests, outbound_bytes, .. } = usage;
    tracing::info!(
        target: "message",
        app, component, outcome, message_bytes = bytes,
        took_us = us(took),
        cpu_us = us(*cpu),
        waited_us = us(*waited),
        host_calls, memory_bytes, outbound_requests, outbound_bytes,
    );
    if let Err(error) = result {
        tracing::warn!("{app}/{component}: a message was not handled: {error}");
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
