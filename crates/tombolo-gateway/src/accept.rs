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
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use tombolo_runtime::Service;

use crate::access::AccessLog;
use crate::activity::Activity;
use crate::answer::answer;
use crate::assets::Shelf;
use crate::clients::{ClientSlot, Clients};
use crate::config::GatewayConfig;
use crate::counts::{Counted, Counts};
use crate::front::{Doors, Ends, Front, Way};
use crate::record::RequestId;
use crate::route::Published;
use crate::socket::Socket;
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
    pub(crate) front: ArcSwap<Front>,
    /// Behind a pointer, as a look at a file may outlive its request.
    pub(crate) shelf: Arc<Shelf>,
    /// A place for each answer that may be compressed at once.
    pub(crate) encoders: Arc<Semaphore>,
    pub(crate) access_log: Option<AccessLog>,
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
        RequestId::Own(self.next_id.fetch_add(1, Ordering::Relaxed))
    }
}

/// How often what nobody uses is looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);

impl Gateway {
    /// A gateway that answers 404 to everything until something is published, and writes requests down in
    /// `access_log`, if there is one.
    pub fn new(config: GatewayConfig, access_log: Option<AccessLog>) -> Self {
        let published = ArcSwap::from_pointee(Published::default());
        let shelf = Arc::new(Shelf::new(&config));
        let encoders = Arc::new(Semaphore::new(config.encoders_max as usize));
        let next_id = AtomicU64::new(RandomState::new().hash_one(()));
        Self {
            shared: Arc::new(Shared {
                config,
                published,
                front: ArcSwap::default(),
                shelf,
                encoders,
                access_log,
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

    /// From now on this holds for clients that come. Connections that are there stay.
    pub fn face(&self, front: Front) {
        self.shared.front.store(Arc::new(front));
    }

    /// For what the table leads to.
    pub(crate) fn shared(&self) -> Weak<Shared> {
        Arc::downgrade(&self.shared)
    }

    /// Serves connections until `stop` is done, then lets those open end their requests.
    pub async fn serve(&self, doors: Doors, stop: impl Future<Output = ()>) -> Drain {
        let config = &self.shared.config;
        let slots = Arc::new(Semaphore::new(config.connections_max as usize));
        let (drain, draining) = watch::channel(());
        tokio::pin!(stop);
        loop {
            let ((stream, client), way) = tokio::select! {
                () = &mut stop => break,
                accepted = accept(&doors.plain) => (accepted, Way::Plain),
                accepted = accept_at(doors.tls.as_ref()) => (accepted, Way::Tls),
            };
            let client_slot = self.shared.clients.take(client.ip(), config.client_connections_max);
            let (Ok(slot), Some(client_slot)) = (Arc::clone(&slots).try_acquire_owned(), client_slot) else {
                // With TLS it would take a handshake to say anything: it is closed.
                if way == Way::Plain {
                    refuse(stream);
                }
                continue;
            };
            let connection =
                Connection { shared: Arc::clone(&self.shared), client, way, draining: draining.clone() };
            tokio::spawn(async move {
                connection.serve(stream).await;
                drop::<(_, ClientSlot)>((slot, client_slot));
            });
        }
        drop((doors, draining));
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

/// The same at a listener that may not be there.
async fn accept_at(listener: Option<&TcpListener>) -> (TcpStream, SocketAddr) {
    match listener {
        Some(listener) => accept(listener).await,
        None => std::future::pending().await,
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
    way: Way,
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
        let ends = Ends { client: self.client, local, way: self.way };
        let activity = Arc::<Activity>::default();
        let socket = Socket::new(stream, self.shared.config.write_time_max, Arc::clone(&activity));
        match self.way {
            Way::Plain => self.converse(Wire::new(socket, Arc::clone(&activity)), ends, &activity).await,
            // Boxed, so that a connection without TLS keeps no room for it.
            Way::Tls => Box::pin(self.shake_hands(socket, ends, &activity)).await,
        }
    }

    /// Serves a connection with TLS. The handshake has as much time as a head.
    async fn shake_hands(&self, socket: Socket<TcpStream>, ends: Ends, activity: &Arc<Activity>) {
        let Some(tls) = self.shared.front.load().tls.clone() else { return };
        let mut draining = self.draining.clone();
        let shaken = tokio::select! {
            // The channel carries nothing: it can only close.
            _ = draining.changed() => return,
            shaken = Box::pin(timeout(self.shared.config.header_time_max, tls.accept(socket))) => shaken,
        };
        let (stream, version) = match shaken {
            Ok(Ok(shaken)) => shaken,
            Ok(Err(error)) => return tracing::debug!("{}: no TLS: {error}", self.client),
            Err(_) => return tracing::debug!("{}: no TLS: the handshake took too long", self.client),
        };
        let wire = Wire::new(stream, Arc::clone(activity));
        match version {
            Version::Http1 => self.converse(wire, ends, activity).await,
            Version::Http2 => Box::pin(self.serve_http2(wire, ends, activity)).await,
        }
    }

    /// Serves a connection until it ends.
    async fn converse<S>(&self, mut wire: Wire<S>, ends: Ends, activity: &Arc<Activity>)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let GatewayConfig { header_time_max, .. } = self.shared.config;
        let mut draining = self.draining.clone();
        // With TLS, HTTP/2 was agreed on before (RFC 9113 §3.3).
        let (mut patience, mut may_be_http2) = (header_time_max, ends.way == Way::Plain);
        loop {
            // What waits and what serves is boxed: a task keeps room for the largest of its states, and
            // most of the time most connections wait.
            let version = tokio::select! {
                // The channel carries nothing: it can only close.
                _ = draining.changed() => None,
                version = Box::pin(timeout(patience, wire.version())) => version.ok().and_then(Result::ok),
            };
            let Some(version) = version else {
                // Too slow, or gone before it said anything, or the node stops. Who is there still learns that nothing
                // was cut.
                let _ = Box::pin(wire.shutdown()).await;
                return;
            };
            if version == Version::Http2 && may_be_http2 {
                return Box::pin(self.serve_http2(wire, ends, activity)).await;
            }
            match Box::pin(self.serve_http1(wire, ends, activity)).await {
                Some(resting) => wire = resting,
                None => return,
            }
            (patience, may_be_http2) = (header_time_max.saturating_sub(REST_AFTER), false);
        }
    }

    /// Serves a connection until it ends, or there was no request for some time: then it is given back.
    async fn serve_http1<S>(&self, wire: Wire<S>, ends: Ends, activity: &Arc<Activity>) -> Option<Wire<S>>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let Self { shared, draining, .. } = self;
        let config = &shared.config;
        // Boxed, for hyper keeps room for it while the connection is idle: some 15 kB.
        let answer = service_fn(|request| Box::pin(answer(shared, request, ends, activity.begin())));
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

    async fn serve_http2<S>(&self, wire: Wire<S>, ends: Ends, activity: &Arc<Activity>)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let Self { shared, draining, .. } = self;
        let (config, mut draining) = (&shared.config, draining.clone());
        let answer = service_fn(|request| {
            let (shared, under_way) = (Arc::clone(shared), activity.begin());
            async move { answer(&shared, request, ends, under_way).await }
        });
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(config.header_time_max)
            .keep_alive_timeout(config.header_time_max)
            .max_concurrent_streams(config.streams_max)
            .max_header_list_size(u32::try_from(config.header_bytes_max).unwrap_or(u32::MAX))
            .max_pending_accept_reset_streams(config.resets_max)
            .max_local_error_reset_streams(config.stream_errors_max)
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
