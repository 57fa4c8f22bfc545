//! Requests over connections that are kept.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Longer than any answer may take.
const PATIENCE: Duration = Duration::from_secs(40);

/// A connection, while it is of use.
pub(super) type Connection = Option<SendRequest<Empty<Bytes>>>;

/// Asks one server.
pub(super) struct Client {
    address: String,
}

impl Client {
    pub(super) fn new(address: String) -> Self {
        Self { address }
    }

    /// The status of an answer that came whole; or what went wrong.
    pub(super) async fn get(&self, connection: &mut Connection, path: &str) -> Result<u16, String> {
        let asked = tokio::time::timeout(PATIENCE, self.ask(connection, path)).await;
        let got = asked.unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}")));
        if got.is_err() {
            *connection = None;
        }
        got
    }

    async fn ask(&self, connection: &mut Connection, path: &str) -> Result<u16, String> {
        if connection.as_ref().is_none_or(SendRequest::is_closed) {
            *connection = Some(self.connect().await?);
        }
        let sender = connection.as_mut().expect("connected just now");
        // One that was closed because it was idle says so here, before anything was sent.
        if sender.ready().await.is_err() {
            *sender = self.connect().await?;
        }
        let request = Request::get(path).header("host", "soak").body(Empty::new());
        let request = request.map_err(|error| error.to_string())?;
        let response =
            sender.send_request(request).await.map_err(|error| format!("not answered: {error}"))?;
        let status = response.status().as_u16();
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            frame.map_err(|error| format!("{status}, then cut: {error}"))?;
        }
        Ok(status)
    }

    async fn connect(&self) -> Result<SendRequest<Empty<Bytes>>, String> {
        let stream = TcpStream::connect(&self.address).await;
        let stream = stream.map_err(|error| format!("not connected: {error}"))?;
        let _ = stream.set_nodelay(true);
        let (sender, io) = handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        tokio::spawn(io);
        Ok(sender)
    }
}
