//! Connections: taken within a bound, served until they end or the node drains.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use tombolo_runtime::Service;

use crate::activity::Activity;
use crate::answer::answer;
use crate::assets::Shelf;
use crate::clients::{ClientSlot, Clients};
use crate::config::GatewayConfig;
use crate::counts::{Counted, Counts};
use crate::record::RequestId;
use crate::route::Published;
use crate::wire::{Version, Wire};

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drain {
    /// Every connection ended by itself.
    Complete,
    /// Some were cut when the time was over.
    Forced,
}

/// The public side of a node. Cheap to clone; all clones publish and read the same table.
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) config: GatewayConfig,
    pub(crate) published: ArcSwap<Published>,
    /// Behind a pointer, as a look at a file may outlive its request.
    pub(crate) shelf: Arc<Shelf>,
    clients: Clients,
    /// Requests for hosts that are nobody's.
    pub(crate) unknown: Arc<Counts>,
    /// What was served before, as long as it has guests.
    retired: Mutex<Vec<Weak<Service>>>,
    /// The number of the next request. It starts where chance has it, so that the numbers of one run
    /// are not those of another.
    next_id: AtomicU64,
    /// The port of the client that was answered last.
    pub(crate) last_answered: AtomicU16,
}

impl Shared {
    fn retired(&self) -> MutexGuard<'_, Vec<Weak<Service>>> {
        self.retired.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The name of the next request.
    pub(crate) fn next_id(&self) -> RequestId {
        RequestId(self.next_id.fetch_add(1, Ordering::Relaxed))
    }
}

/// How often what nobody uses is looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);

impl Gateway {
    /// A gateway that answers 404 to everything until something is published.
    pub fn new(config: GatewayConfig) -> Self {
        let published = ArcSwap::from_pointee(Published::default());
        let shelf = Arc::new(Shelf::new(&config));
        let next_id = AtomicU64::new(RandomState::new().hash_one(()));
        Self {
            shared: Arc::new(Shared {
                config,
                published,
                shelf,
                clients: Clients::default(),
                unknown: Arc::default(),
                retired: Mutex::default(),
                next_id,
                last_answered: AtomicU16::new(0),
            }),
        }
    }

    /// From now on this is served. Requests under way end as they began.
    pub fn publish(&self, published: Published) {
        let stays: HashSet<*const Service> = published.services.iter().map(Arc::as_ptr).collect();
        let before = self.shared.published.swap(Arc::new(published));
        let mut retired = self.shared.retired();
        retired.retain(|service| service.strong_count() > 0);
        // One app of a thousand changes: the others do not retire each time.
        let gone = before.services.iter().filter(|service| !stays.contains(&Arc::as_ptr(service)));
        retired.extend(gone.map(Arc::downgrade));
    }

    /// Connections that are open.
    pub fn connections(&self) -> u64 {
        self.shared.clients.connections()
    }

    /// What became of requests for hosts that are nobody's, or that said none.
    pub fn unknown(&self) -> Counted {
        self.shared.unknown.counted()
    }

    /// For what the table leads to.
    pub(crate) fn shared(&self) -> Weak<Shared> {
        Arc::downgrade(&self.shared)
    }

    /// Serves connections until `stop` is done, then lets those open end their requests.
    pub async fn serve(&self, listener: TcpListener, stop: impl Future<Output = ()>) -> Drain {
        let config = &self.shared.config;
        let slots = Arc::new(Semaphore::new(config.connections_max as usize));
        let (drain, draining) = watch::channel(());
        tokio::pin!(stop);
        loop {
            let (stream, client) = tokio::select! {
                () = &mut stop => break,
                accepted = accept(&listener) => accepted,
            };
            let client_slot = self.shared.clients.take(client.ip(), config.client_connections_max);
            let (Ok(slot), Some(client_slot)) = (Arc::clone(&slots).try_acquire_owned(), client_slot) else {
                refuse(stream);
                continue;
            };
            let connection =
                Connection { shared: Arc::clone(&self.shared), client, draining: draining.clone() };
            tokio::spawn(async move {
                connection.serve(stream).await;
                drop::<(_, ClientSlot)>((slot, client_slot));
            });
        }
        drop((listener, draining));
        // Who waits on the channel sees it closed.
        drop(drain);
        // Every slot back in hand means that every connection has ended; the semaphore is never closed.
        match timeout(config.drain_time_max, slots.acquire_many(config.connections_max)).await {
            Ok(_) => Drain::Complete,
            Err(_) => Drain::Forced,
        }
    }

    /// Waits until no guest is at work, those that go on after their answers included. To be called when
    /// nothing calls one any more.
    pub async fn idle(&self) {
        let published = self.shared.published.load_full();
        let retired = self.shared.retired().iter().filter_map(Weak::upgrade).collect::<Vec<_>>();
        for service in published.services.iter().chain(&retired) {
            service.idle().await;
        }
    }

    /// Lets go what no request needs any more, again and again, for as long as there is a gateway. Called
    /// within a runtime.
    pub fn look_after(&self) {
        tokio::spawn(sweep(Arc::downgrade(&self.shared)));
    }
}

/// Lets go what no request needs any more, again and again.
async fn sweep(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(SWEEP_INTERVAL).await;
        let Some(shared) = shared.upgrade() else { return };
        let sweeps_max = shared.config.unused_time_max.as_secs() / SWEEP_INTERVAL.as_secs();
        let sweeps_max = u32::try_from(sweeps_max).unwrap_or(u32::MAX);
        let published = shared.published.load_full();
        // Instances that wait keep a service that nothing leads to any more.
        let retired = shared.retired().iter().filter_map(Weak::upgrade).collect::<Vec<_>>();
        drop(shared);
        let now = Instant::now();
        published.services.iter().chain(&retired).for_each(|service| service.sweep(now, sweeps_max));
    }
}

/// The next connection. Running out of file descriptors passes, so it is waited out.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Tells a client that there is no room, without reading what it wants.
fn refuse(mut stream: TcpStream) {
    const ANSWER: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\n\
        content-length: 0\r\n\r\n";
    tokio::spawn(async move {
        // Who does not take these bytes at once does without them.
        let _ = timeout(Duration::from_secs(1), stream.write_all(ANSWER)).await;
    });
}

struct Connection {
    shared: Arc<Shared>,
    client: SocketAddr,
    draining: watch::Receiver<()>,
}

/// After how long without a request a connection of HTTP/1.1 gives back what serving takes, its buffers
/// above all, and keeps its socket alone. It is looked for as often as that, so it takes up to twice as long.
const REST_AFTER: Duration = Duration::from_secs(2);

impl Connection {
    async fn serve(self, stream: TcpStream) {
        // Answers are written whole, so there is nothing to gain by holding small ones back.
        let _ = stream.set_nodelay(true);
        let Ok(local) = stream.local_addr() else { return };
        let GatewayConfig { header_time_max, write_time_max, .. } = self.shared.config;
        let mut draining = self.draining.clone();
        let activity = Arc::<Activity>::default();
        let mut wire = Wire::new(stream, write_time_max, Arc::clone(&activity));
        let (mut patience, mut is_new) = (header_time_max, true);
        loop {
            // What waits and what serves is boxed: a task keeps room for the largest of its states, and
            // most of the time most connections wait.
            let version = tokio::select! {
                // The channel carries nothing: it can only close.
                _ = draining.changed() => return,
                version = Box::pin(timeout(patience, wire.version())) => version,
            };
            // Too slow, or gone before it said anything.
            let Ok(Ok(version)) = version else { return };
            if version == Version::Http2 && is_new {
                return Box::pin(self.serve_http2(wire, local, &activity)).await;
            }
            match Box::pin(self.serve_http1(wire, local, &activity)).await {
                Some(resting) => wire = resting,
                None => return,
            }
            (patience, is_new) = (header_time_max.saturating_sub(REST_AFTER), false);
        }
    }

    /// Serves a connection until it ends, or there was no request for some time: then it is given back.
    async fn serve_http1(
        &self,
        wire: Wire<TcpStream>,
        local: SocketAddr,
        activity: &Arc<Activity>,
    ) -> Option<Wire<TcpStream>> {
        let Self { shared, client, draining } = self;
        let config = &shared.config;
        // Boxed, for hyper keeps room for it while the connection is idle: some 15 kB.
        let answer =
            service_fn(|request| Box::pin(answer(shared, request, *client, local, activity.begin())));
        let mut http1 = http1::Builder::new();
        http1.timer(TokioTimer::new()).header_read_timeout(config.header_time_max);
        http1.max_buf_size(config.header_bytes_max).max_headers(config.headers_max);
        let mut connection = http1.serve_connection(TokioIo::new(wire), answer);
        let mut draining = draining.clone();
        // An error here is the client's: it broke the protocol or left. Its requests told already.
        let rests = tokio::select! {
            _ = &mut connection => return None,
            _ = draining.changed() => false,
            () = activity.rests(REST_AFTER) => true,
        };
        if rests {
            // Nothing is half-way: neither a request nor an answer, nor anything in hyper's buffers but
            // what a client sent too early.
            let parts = connection.into_parts();
            let mut wire = parts.io.into_inner();
            wire.unread(&parts.read_buf);
            return Some(wire);
        }
        Pin::new(&mut connection).graceful_shutdown();
        let _ = connection.await;
        None
    }

    async fn serve_http2(&self, wire: Wire<TcpStream>, local: SocketAddr, activity: &Arc<Activity>) {
        let Self { shared, client, draining } = self;
        let (config, client, mut draining) = (&shared.config, *client, draining.clone());
        let answer = service_fn(|request| {
            let (shared, under_way) = (Arc::clone(shared), activity.begin());
            async move { answer(&shared, request, client, local, under_way).await }
        });
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(config.header_time_max)
            .keep_alive_timeout(config.header_time_max)
            .max_concurrent_streams(config.streams_max)
            .max_header_list_size(u32::try_from(config.header_bytes_max).unwrap_or(u32::MAX))
            .serve_connection(TokioIo::new(wire), answer);
        tokio::pin!(connection);
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = draining.changed() => connection.as_mut().graceful_shutdown(),
            // Answers still being sent are sent; no new request is taken.
            () = activity.ceased(config.header_time_max) => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }
}
