//! The limit: hyper alone, answering the same bytes, or sending requests on.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{HOST, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

/// Serves until the process is ended.
pub(crate) fn serve(address: SocketAddr) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|error| format!("cannot listen: {error}"))?;
        loop {
            let (stream, _) = listener.accept().await.map_err(|error| format!("cannot accept: {error}"))?;
            let _ = stream.set_nodelay(true);
            let service = service_fn(|_: Request<Incoming>| async {
                let body = Full::new(Bytes::from_static(b"Hello from WebAssembly\n"));
                let mut response = Response::new(body);
                let plain = HeaderValue::from_static("text/plain");
                response.headers_mut().insert("content-type", plain);
                Ok::<_, Infallible>(response)
            });
            // A client that breaks off is no concern of a benchmark's server.
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    })
}

/// Sends requests on to `upstream`, those of a connection over one of its own, until the process is ended.
pub(crate) fn proxy(address: SocketAddr, upstream: SocketAddr) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|error| format!("cannot listen: {error}"))?;
        loop {
            let (stream, _) = listener.accept().await.map_err(|error| format!("cannot accept: {error}"))?;
            let _ = stream.set_nodelay(true);
            // A connection that fails is one less; wrk tells of it.
            tokio::spawn(pass(stream, upstream));
        }
    })
}

async fn pass(stream: TcpStream, upstream: SocketAddr) -> Option<()> {
    let onward = TcpStream::connect(upstream).await.ok()?;
    onward.set_nodelay(true).ok()?;
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(onward)).await.ok()?;
    tokio::spawn(connection);
    let sender = Arc::new(Mutex::new(sender));
    let host = HeaderValue::try_from(upstream.to_string()).ok()?;
    let service = service_fn(move |request: Request<Incoming>| {
        let (sender, host) = (Arc::clone(&sender), host.clone());
        async move {
            let (parts, body) = request.into_parts();
            let mut onward = Request::new(body);
            *onward.method_mut() = parts.method;
            *onward.uri_mut() = parts.uri;
            onward.headers_mut().insert(HOST, host);
            sender.lock().await.send_request(onward).await
        }
    });
    http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok()
}
