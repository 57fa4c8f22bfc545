//! The connections to one service, and those that wait for their next request.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Request, Uri};
use http_body_util::Full;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_rustls::rustls::ClientConfig;
use tombolo_model::Endpoint;

use crate::connection::{Connection, Sent};
use crate::{Answer, Budget, RemoteError};

/// How long a connection may have waited: a server, or what is between, closes it sooner or later.
const IDLE_TIME_MAX: Duration = Duration::from_secs(15);

pub(crate) struct Connections {
    endpoint: Endpoint,
    host: HeaderValue,
    tls: Arc<ClientConfig>,
    /// Requests under way.
    slots: Semaphore,
    /// Those that wait, never more than there may be requests.
    idle: Mutex<Vec<(Connection, Instant)>>,
}

impl Connections {
    pub(crate) fn new(endpoint: Endpoint, tls: Arc<ClientConfig>, requests_max: usize) -> Arc<Self> {
        let host = HeaderValue::from_str(&endpoint.authority).expect("it was part of a URI");
        Arc::new(Self { endpoint, host, tls, slots: Semaphore::new(requests_max), idle: Mutex::default() })
    }

    pub(crate) async fn call<B: Budget>(
        &self,
        request: Request<Bytes>,
        budget: B,
    ) -> Result<Answer<B>, RemoteError> {
        let _slot = self.slots.acquire().await.map_err(|_| RemoteError::Ending)?;
        let (mut request, mut budget) = (self.addressed(request)?, budget);
        // Each of those that wait may have been closed by the server meanwhile.
        while let Some(mut connection) = self.waiting() {
            match connection.send(request, budget).await {
                Sent::Done(answer) => return self.answered(connection, answer),
                Sent::Unsent(again, untouched) => (request, budget) = (*again, untouched),
            }
        }
        let mut connection = Connection::open(&self.endpoint, &self.tls).await?;
        match connection.send(request, budget).await {
            Sent::Done(answer) => self.answered(connection, answer),
            Sent::Unsent(..) => Err(RemoteError::Connect(std::io::ErrorKind::ConnectionReset.into())),
        }
    }

    /// The request as it is sent: below the path of the endpoint, to its host.
    fn addressed(&self, request: Request<Bytes>) -> Result<Request<Full<Bytes>>, RemoteError> {
        let mut request = request.map(Full::new);
        let path = format!("{}{}", self.endpoint.path, request.uri());
        *request.uri_mut() = path.parse::<Uri>().map_err(|_| RemoteError::Path)?;
        request.headers_mut().insert(HOST, self.host.clone());
        Ok(request)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<(Connection, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection that was used last, if it can still be.
    fn waiting(&self) -> Option<Connection> {
        let mut idle = self.idle();
        idle.retain(|(connection, since)| connection.is_open() && since.elapsed() < IDLE_TIME_MAX);
        idle.pop().map(|(connection, _)| connection)
    }

    fn answered<B>(
        &self,
        connection: Connection,
        answer: Result<Answer<B>, RemoteError>,
    ) -> Result<Answer<B>, RemoteError> {
        // One whose answer was not read to its end is of no use.
        if answer.is_ok() {
            self.idle().push((connection, Instant::now()));
        }
        answer
    }
}
