//! The limit: hyper alone, answering the same bytes.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

/// Serves until the process is ended.
pub(crate) fn serve(address: SocketAddr) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(address).await;
        let listener = listener.map_err(|error| format!("cannot listen: {error}"))?;
        loop {
            let (stream, _) = listener.accept().await.map_err(|error| format!("cannot accept: {error}"))?;
            let _ = stream.set_nodelay(true);
            let service = service_fn(|_: Request<hyper::body::Incoming>| async {
                let body = Full::new(Bytes::from_static(b"Hello from WebAssembly\n"));
                let mut response = Response::new(body);
                let plain = hyper::header::HeaderValue::from_static("text/plain");
                response.headers_mut().insert("content-type", plain);
                Ok::<_, Infallible>(response)
            });
            // A client that breaks off is no concern of a benchmark's server.
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    })
}
