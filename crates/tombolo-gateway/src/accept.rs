//! Connections: taken within a bound, served until they end or the node drains.

use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
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

use crate::answer::answer;
use crate::assets::Shelf;
use crate::clients::{ClientSlot, Clients};
use crate::config::GatewayConfig;
use crate::route::RouteTable;
use crate::sniff::{Sniffed, Version, sniff};

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
    pub(crate) table: ArcSwap<RouteTable>,
    /// Behind a pointer, as a look at a file may outlive its request.
    pub(crate) shelf: Arc<Shelf>,
    clients: Clients,
    /// What earlier tables led to, as long as it has guests.
    retired: Mutex<Vec<Weak<Service>>>,
    /// The number of the next request. It starts where chance has it, so that the numbers of one run
    /// are not those of another.
    pub(crate) next_id: AtomicU64,
    /// The port of the client that was answered last.
    pub(crate) last_answered: AtomicU16,
}

/// How often what nobody uses is looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);

impl Gateway {
    /// A gateway that answers 404 to everything until a table is published.
    pub fn new(config: GatewayConfig) -> Self {
        let table = ArcSwap::from_pointee(RouteTable::default());
        let shelf = Arc::new(Shelf::new(&config));
        let next_id = AtomicU64::new(RandomState::new().hash_one(()));
        Self {
            shared: Arc::new(Shared {
                config,
                table,
                shelf,
                clients: Clients::default(),
                retired: Mutex::default(),
                next_id,
                last_answered: AtomicU16::new(0),
            }),
        }
    }

    /// From now on requests are routed by `table`. Those under way end as they began.
    pub fn publish(&self, table: RouteTable) {
        let before = self.shared.table.swap(Arc::new(table));
        let mut retired = self.shared.retired.lock().unwrap_or_else(PoisonError::into_inner);
        retired.retain(|service| service.strong_count() > 0);
        retired.extend(before.routes().filter_map(|(_, target)| target.service()).map(Arc::downgrade));
    }

    /// Serves connections until `stop` is done, then lets those open end their requests.
    pub async fn serve(&self, listener: TcpListener, stop: impl Future<Output = ()>) -> Drain {
        let config = &self.shared.config;
        let slots = Arc::new(Semaphore::new(config.connections_max as usize));
        let (drain, draining) = watch::channel(());
        let sweep = tokio::spawn(sweep(Arc::downgrade(&self.shared)));
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
        sweep.abort();
        drop((listener, draining));
        // Who waits on the channel sees it closed.
        drop(drain);
        let ended = async {
            // Every slot back in hand means that every connection has ended.
            let _slots = slots.acquire_many(config.connections_max).await;
            // Guests may go on after their answers.
            let table = self.shared.table.load_full();
            for service in table.routes().filter_map(|(_, target)| target.service()) {
                service.idle().await;
            }
            let retired =
                std::mem::take(&mut *self.shared.retired.lock().unwrap_or_else(PoisonError::into_inner));
            for service in retired.iter().filter_map(Weak::upgrade) {
                service.idle().await;
            }
        };
        match timeout(config.drain_time_max, ended).await {
            Ok(()) => Drain::Complete,
            Err(_) => Drain::Forced,
        }
    }
}

/// Lets go what no request needs any more, again and again.
async fn sweep(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(SWEEP_INTERVAL).await;
        let Some(shared) = shared.upgrade() else { return };
        let sweeps_max = shared.config.unused_time_max.as_secs() / SWEEP_INTERVAL.as_secs();
        let sweeps_max = u32::try_from(sweeps_max).unwrap_or(u32::MAX);
        let table = shared.table.load_full();
        drop(shared);
        let now = Instant::now();
        let services = table.routes().filter_map(|(_, target)| target.service());
        services.for_each(|service| service.sweep(now, sweeps_max));
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

impl Connection {
    async fn serve(self, stream: TcpStream) {
        // Answers are written whole, so there is nothing to gain by holding small ones back.
        let _ = stream.set_nodelay(true);
        let Ok(local) = stream.local_addr() else { return };
        let GatewayConfig { header_time_max, write_time_max, .. } = self.shared.config;
        let mut draining = self.draining.clone();
        let sniffed = tokio::select! {
            // The channel carries nothing: it can only close.
            _ = draining.changed() => return,
            // Boxed: a task keeps room for the largest of its states, and this one soon ends.
            sniffed = Box::pin(timeout(header_time_max, sniff(stream, write_time_max))) => sniffed,
        };
        // Too slow, or gone before it said anything.
        let Ok(Ok((version, stream))) = sniffed else { return };
        match version {
            Version::Http1 => self.serve_http1(stream, local).await,
            // Boxed, for it is larger, and an idle connection of HTTP/1.1 would keep room for it.
            Version::Http2 => Box::pin(self.serve_http2(stream, local)).await,
        }
    }

    async fn serve_http1(self, stream: Sniffed<TcpStream>, local: SocketAddr) {
        let Self { shared, client, mut draining } = self;
        let config = &shared.config;
        // Boxed, for hyper keeps room for it while the connection is idle: some 15 kB.
        let answer = service_fn(|request| Box::pin(answer(&shared, request, client, local)));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(config.header_time_max)
            .max_buf_size(config.header_bytes_max)
            .max_headers(config.headers_max)
            .serve_connection(TokioIo::new(stream), answer);
        tokio::pin!(connection);
        // An error here is the client's: it broke the protocol or left. Its requests told already.
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = draining.changed() => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }

    async fn serve_http2(self, stream: Sniffed<TcpStream>, local: SocketAddr) {
        let Self { shared, client, mut draining } = self;
        let config = shared.config.clone();
        let activity = Arc::new(Activity::default());
        let counted = Arc::clone(&activity);
        let answer = service_fn(move |request| {
            let (shared, activity) = (Arc::clone(&shared), Arc::clone(&counted));
            async move {
                let _under_way = activity.begin();
                answer(&shared, request, client, local).await
            }
        });
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(config.header_time_max)
            .keep_alive_timeout(config.header_time_max)
            .max_concurrent_streams(config.streams_max)
            .max_header_list_size(u32::try_from(config.header_bytes_max).unwrap_or(u32::MAX))
            .serve_connection(TokioIo::new(stream), answer);
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

/// What goes on at an HTTP/2 connection; an HTTP/1 connection has its own clock for it.
#[derive(Default)]
struct Activity {
    begun: AtomicU64,
    under_way: AtomicU64,
}

/// One request of a connection.
struct UnderWay<'a>(&'a Activity);

impl Activity {
    fn begin(&self) -> UnderWay<'_> {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(self)
    }

    /// Done once no request came or was under way for `idle_max`, at the latest after twice that.
    async fn ceased(&self, idle_max: Duration) {
        let mut begun = None;
        loop {
            let now = Some(self.begun.load(Ordering::Relaxed));
            if now == begun && self.under_way.load(Ordering::Relaxed) == 0 {
                return;
            }
            begun = now;
            tokio::time::sleep(idle_max).await;
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_when_nothing_came_and_nothing_goes_on() {
        let activity = Activity::default();
        let idle_max = Duration::from_secs(10);
        let started = tokio::time::Instant::now();
        let request = async {
            tokio::time::sleep(Duration::from_secs(15)).await;
            let _under_way = activity.begin();
            tokio::time::sleep(Duration::from_secs(100)).await;
        };
        // The first pause of ten seconds is seen before the request comes.
        activity.ceased(idle_max).await;
        assert_eq!(started.elapsed().as_secs(), 10);
        tokio::join!(request, async {
            tokio::time::sleep(Duration::from_secs(16)).await;
            activity.ceased(idle_max).await;
        });
        let took = started.elapsed().as_secs();
        assert!((126..=146).contains(&took), "after the request's end at 125 s: {took} s");
    }
}
