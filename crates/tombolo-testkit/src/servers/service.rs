//! A service over HTTP whose answers a test makes: for protocols that no package of Debian speaks.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// What a service was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The headers.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

/// A status and a body; `None` for no answer, ever.
pub type Answer = Option<(u16, String)>;

/// A service of one test, on a port of its own; stopped when dropped.
pub struct Service {
    port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Service {
    /// Starts one that answers as `answer` says.
    pub fn start(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::serving(None, Box::new(answer))
    }

    /// The same, with a header of the request sent back.
    pub fn echoing(header: &'static str, answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::serving(Some(header), Box::new(answer))
    }

    fn serving(echo: Option<&'static str>, answer: Answering) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::default();
        let (stop, stopped) = oneshot::channel();
        let shared: Arc<Shared> = Arc::new(Shared { echo, answer, asked: Arc::clone(&asked) });
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = serve(listener, shared) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { port, asked, stop: Some(stop), thread: Some(thread) }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Stops it; its port takes no connections then.
    pub fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
    }
}

type Answering = Box<dyn Fn(&Asked) -> Answer + Send + Sync>;

struct Shared {
    echo: Option<&'static str>,
    answer: Answering,
    asked: Arc<Mutex<Vec<Asked>>>,
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let answer = service_fn(|request| respond(request, Arc::clone(&shared)));
            let http = hyper::server::conn::http1::Builder::new();
            // A client that leaves is none of its business.
            let _ = http.serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

async fn respond(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let body = String::from_utf8_lossy(&body.collect().await?.to_bytes()).into_owned();
    let asked = Asked { method: parts.method.to_string(), path: parts.uri.to_string(), headers, body };
    shared.asked.lock().unwrap().push(asked.clone());
    match (shared.answer)(&asked) {
        Some((status, body)) => {
            let mut response = Response::builder().status(status);
            if let Some((name, value)) = shared.echo.and_then(|name| asked.headers.get_key_value(name)) {
                response = response.header(name, value);
            }
            Ok(response.body(Full::from(body)).expect("a status of the test"))
        }
        None => std::future::pending().await,
    }
}
