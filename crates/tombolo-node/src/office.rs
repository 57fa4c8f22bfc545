//! The control interface's own listener: few connections, each with its bounds.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tombolo_gateway::Socket;

/// Connections at once; the next waits.
const CONNECTIONS_MAX: u32 = 256;
/// How long the head of a request may take, and a connection be idle.
const HEAD_TIME_MAX: Duration = Duration::from_secs(30);
/// How long a client may take nothing of an answer.
const WRITE_TIME_MAX: Duration = Duration::from_secs(30);
/// How long orders under way may take to end when the node stops.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(10);

/// A listener for those who tell the node what to do.
pub(crate) struct Office {
    listener: TcpListener,
    address: SocketAddr,
}

impl Office {
    pub(crate) fn new(listener: TcpListener, address: SocketAddr) -> Self {
        Self { listener, address }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is done, then lets what is under way end.
    pub(crate) async fn run(self, router: Router, stop: impl Future<Output = ()>) {
        let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX as usize));
        let (drain, draining) = watch::channel(());
        tokio::pin!(stop);
        loop {
            let accepted = async {
                let slot = Arc::clone(&slots).acquire_owned().await.expect("nobody closes it");
                (slot, self.listener.accept().await)
            };
            let (slot, accepted) = tokio::select! {
                () = &mut stop => break,
                accepted = accepted => accepted,
            };
            let (stream, client) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Running out of file descriptors passes.
                    tracing::warn!("control: cannot take a connection: {error}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let (router, draining) = (router.clone(), draining.clone());
            tokio::spawn(async move {
                serve(stream, client, router, draining).await;
                drop(slot);
            });
        }
        drop(draining);
        // Who waits on the channel sees it closed.
        drop(drain);
        if timeout(DRAIN_TIME_MAX, slots.acquire_many(CONNECTIONS_MAX)).await.is_err() {
            tracing::warn!("control: orders under way were cut");
        }
    }
}

async fn serve(stream: TcpStream, client: SocketAddr, router: Router, mut draining: watch::Receiver<()>) {
    // A small answer must not wait for the next.
    let _ = stream.set_nodelay(true);
    let stream = Socket::alone(stream, WRITE_TIME_MAX);
    let router = router.layer(axum::Extension(ConnectInfo(client)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        // Who has asked and says no more has asked: without this an order is dropped if its end comes with it. That
        // a client is gone is noticed when it is written to.
        .half_close(true)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = draining.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("control: a connection ended: {error}");
    }
}
