//! Requests of a node to services that its operator named: a server of language models, a store of secrets.
//!
//! Their addresses are the operator's, so no grant is asked for. What comes back is bounded by whoever asked, and
//! counted before it is kept; a request that takes too long fails. Connections are kept for the next request.

mod connection;
mod connections;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use tokio::task::JoinSet;
use tokio_rustls::rustls::ClientConfig;
use tombolo_egress::tls::{self, TlsError};
use tombolo_model::Endpoint;

use connections::Connections;

/// A service.
pub struct Remote {
    connections: Arc<Connections>,
    bounds: Bounds,
}

/// What the requests to one service may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Requests at once; one more waits.
    pub requests_max: usize,
    /// From connecting to the last byte of an answer.
    pub time_max: Duration,
}

/// What an answer is taken from.
pub trait Budget: Send + 'static {
    /// Takes so many bytes more, before they are kept.
    ///
    /// # Errors
    ///
    /// If that is more than there may be.
    fn take(&mut self, bytes: u64) -> Result<(), TooLarge>;
}

/// An answer is larger than it may be: why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TooLarge(pub String);

/// A [`Budget`] of so many bytes.
#[derive(Debug)]
pub struct AtMost(pub u64);

impl Budget for AtMost {
    fn take(&mut self, bytes: u64) -> Result<(), TooLarge> {
        self.0 = self.0.checked_sub(bytes).ok_or_else(|| TooLarge("it is too large".to_owned()))?;
        Ok(())
    }
}

/// What a service answered.
#[derive(Debug)]
pub struct Answer<B> {
    /// Its status.
    pub status: StatusCode,
    /// Its body.
    pub body: Vec<u8>,
    /// What the body was taken from.
    pub budget: B,
}

/// Why there is no answer. None of it names the address, which may be secret from whoever asked.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// There can be no such path.
    #[error("the path is too long")]
    Path,
    /// No server there.
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    /// The server is not who it should be.
    #[error("cannot connect")]
    Encrypt(#[source] TlsError),
    /// The connection was lost, or what came over it is not HTTP.
    #[error("the exchange failed")]
    Exchange(#[source] hyper::Error),
    /// It took too long.
    #[error("there was no answer within {} s", .0.as_secs())]
    Late(Duration),
    /// The answer is larger than it may be.
    #[error("the answer is too large")]
    TooLarge(#[source] TooLarge),
    /// The node is ending.
    #[error("the node is ending")]
    Ending,
}

impl Remote {
    /// The service at `endpoint`, not connected to yet. Who it is must be proved to whom browsers trust.
    pub fn new(endpoint: Endpoint, bounds: Bounds) -> Self {
        Self::trusting(endpoint, bounds, Arc::clone(&tls::PUBLIC))
    }

    /// The same, with other trust.
    pub fn trusting(endpoint: Endpoint, bounds: Bounds, tls: Arc<ClientConfig>) -> Self {
        Self { connections: Connections::new(endpoint, tls, bounds.requests_max), bounds }
    }

    /// Sends a request, whose URI is a path behind that of the endpoint.
    ///
    /// It is done on a task of its own, ended with this future: a guest that nobody polls, as its client takes
    /// nothing or it computes, keeps no connection that others wait for longer than the answer takes.
    ///
    /// # Errors
    ///
    /// Why there is no answer. A status is none: it is for the caller to read.
    pub async fn call<B: Budget>(
        &self,
        request: Request<Bytes>,
        budget: B,
    ) -> Result<Answer<B>, RemoteError> {
        let connections = Arc::clone(&self.connections);
        let time_max = self.bounds.time_max;
        let mut task = JoinSet::new();
        task.spawn(async move {
            let answer = tokio::time::timeout(time_max, connections.call(request, budget)).await;
            answer.unwrap_or(Err(RemoteError::Late(time_max)))
        });
        match task.join_next().await {
            Some(Ok(answer)) => answer,
            Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // Only the end of the runtime ends it before it is done.
            _ => Err(RemoteError::Ending),
        }
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("bounds", &self.bounds).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
