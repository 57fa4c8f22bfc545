//! One connection: HTTP/1.1, a request at a time.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::rustls::ClientConfig;
use tombolo_egress::tls;
use tombolo_model::Endpoint;

use crate::{Answer, Budget, RemoteError};

/// An open connection; closed when it is dropped.
pub(crate) struct Connection(SendRequest<Full<Bytes>>);

/// What came of sending a request.
pub(crate) enum Sent<B> {
    /// An answer, or none.
    Done(Result<Answer<B>, RemoteError>),
    /// The connection had been closed before anything was sent: the request may go over another.
    Unsent(Box<Request<Full<Bytes>>>, B),
}

impl Connection {
    pub(crate) async fn open(endpoint: &Endpoint, tls: &Arc<ClientConfig>) -> Result<Self, RemoteError> {
        let stream = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await;
        let stream = stream.map_err(RemoteError::Connect)?;
        // A request is one write, and its answer is waited for.
        let _ = stream.set_nodelay(true);
        match endpoint.is_tls {
            false => Self::over(stream).await,
            true => {
                let stream = tls::encrypt(tls, &endpoint.host, stream).await;
                Self::over(stream.map_err(RemoteError::Encrypt)?).await
            }
        }
    }

    async fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Result<Self, RemoteError> {
        let (sender, bytes) = handshake(TokioIo::new(stream)).await.map_err(RemoteError::Exchange)?;
        // Ends when the sender is dropped, or the server closes.
        tokio::spawn(bytes);
        Ok(Self(sender))
    }

    /// Whether it may be able to take another request.
    pub(crate) fn is_open(&self) -> bool {
        !self.0.is_closed()
    }

    pub(crate) async fn send<B: Budget>(&mut self, request: Request<Full<Bytes>>, budget: B) -> Sent<B> {
        // What ends the last exchange is done by another task.
        if self.0.ready().await.is_err() {
            return Sent::Unsent(Box::new(request), budget);
        }
        match self.0.try_send_request(request).await {
            Ok(answer) => Sent::Done(collect(answer, budget).await),
            Err(mut error) => match error.take_message() {
                Some(request) => Sent::Unsent(Box::new(request), budget),
                None => Sent::Done(Err(RemoteError::Exchange(error.into_error()))),
            },
        }
    }
}

async fn collect<B: Budget>(
    answer: http::Response<hyper::body::Incoming>,
    mut budget: B,
) -> Result<Answer<B>, RemoteError> {
    let (parts, mut incoming) = answer.into_parts();
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        if let Ok(data) = frame.map_err(RemoteError::Exchange)?.into_data() {
            budget.take(data.len() as u64).map_err(RemoteError::TooLarge)?;
            body.extend_from_slice(&data);
        }
    }
    Ok(Answer { status: parts.status, body, budget })
}
