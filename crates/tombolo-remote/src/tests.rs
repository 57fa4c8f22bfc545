use std::error::Error as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Response;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto};

use super::*;

const BOUNDS: Bounds = Bounds { requests_max: 2, time_max: Duration::from_secs(60) };

/// A server, and how many connections it has taken.
struct Server {
    port: u16,
    connections: Arc<AtomicUsize>,
}

/// Says what it was sent: method, path, host and body; the status is the length of the body.
async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let host = request.headers().get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
    let text = format!("{} {} {host} ", request.method(), request.uri());
    let body = request.into_body().collect().await?.to_bytes();
    let status = 200 + u16::try_from(body.len()).unwrap();
    let text = [text.into_bytes(), body.to_vec()].concat();
    Ok(Response::builder().status(status).body(Full::from(text)).unwrap())
}

impl Server {
    async fn start(tls: Option<TlsAcceptor>, closes: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let tls = tls.clone();
                tokio::spawn(async move {
                    let mut http = hyper::server::conn::http1::Builder::new();
                    http.keep_alive(!closes);
                    match tls {
                        None => http.serve_connection(TokioIo::new(stream), service_fn(echo)).await.is_ok(),
                        Some(tls) => {
                            let Ok(stream) = tls.accept(stream).await else { return false };
                            http.serve_connection(TokioIo::new(stream), service_fn(echo)).await.is_ok()
                        }
                    }
                });
            }
        });
        Self { port, connections }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn remote(&self, path: &str) -> Remote {
        Remote::new(format!("http://127.0.0.1:{}{path}", self.port).parse().unwrap(), BOUNDS)
    }
}

fn post(path: &str, body: &'static str) -> Request<Bytes> {
    Request::post(path).body(Bytes::from(body)).unwrap()
}

async fn text(remote: &Remote, request: Request<Bytes>) -> (u16, String) {
    let answer = remote.call(request, AtMost(1000)).await.unwrap();
    (answer.status.as_u16(), String::from_utf8(answer.body).unwrap())
}

#[tokio::test]
async fn a_request_goes_below_the_path_and_the_next_over_the_same_connection() {
    let server = Server::start(None, false).await;
    let remote = server.remote("/base/");
    for _ in 0..3 {
        let said = format!("POST /base/infer 127.0.0.1:{} some", server.port);
        assert_eq!(text(&remote, post("/infer", "some")).await, (204, said));
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn one_that_the_server_closed_is_made_anew() {
    let server = Server::start(None, true).await;
    let remote = server.remote("");
    for count in 1..4 {
        assert_eq!(text(&remote, post("/", "")).await.0, 200);
        assert_eq!(server.connections(), count);
    }
}

#[tokio::test]
async fn an_answer_is_refused_before_it_is_kept() {
    let server = Server::start(None, false).await;
    let refused = server.remote("").call(post("/", "0123456789"), AtMost(9)).await.unwrap_err();
    assert!(matches!(&refused, RemoteError::TooLarge(_)), "{refused:?}");
    assert_eq!(refused.source().unwrap().to_string(), "it is too large");
}

#[tokio::test]
async fn what_fails_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let silent = Bounds { time_max: Duration::from_millis(50), ..BOUNDS };
    let at = format!("http://127.0.0.1:{port}");
    let late = Remote::new(at.parse().unwrap(), silent).call(post("/", ""), AtMost(9)).await.unwrap_err();
    assert!(matches!(late, RemoteError::Late(_)), "{late:?}");

    let remote = Remote::new(at.parse().unwrap(), BOUNDS);
    let (answer, ()) = tokio::join!(remote.call(post("/", ""), AtMost(9)), async {
        // The one above may have come first.
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0; 4];
            if stream.read_exact(&mut head).await.is_ok() && head == *b"POST" {
                stream.write_all(b"no HTTP\r\n\r\n").await.unwrap();
                return;
            }
        }
    });
    assert!(matches!(answer, Err(RemoteError::Exchange(_))), "{answer:?}");

    drop(listener);
    let refused = remote.call(post("/", ""), AtMost(9)).await.unwrap_err();
    assert!(matches!(refused, RemoteError::Connect(_)), "{refused:?}");
    let long: &'static str = Box::leak("/a".repeat(40_000).into_boxed_str());
    let long = Request::post("/").body(Bytes::new()).map(|mut request| {
        *request.uri_mut() = long.get(..60_000).unwrap().parse().unwrap();
        request
    });
    let server = Server::start(None, false).await;
    let refused = server.remote(&"/b".repeat(10_000)).call(long.unwrap(), AtMost(9)).await.unwrap_err();
    assert!(matches!(refused, RemoteError::Path), "{refused:?}");
}

/// Others that wait for it are not kept waiting by one whose caller is gone.
#[tokio::test]
async fn a_request_ends_with_its_caller() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = format!("http://{}", listener.local_addr().unwrap());
    let one = Bounds { requests_max: 1, ..BOUNDS };
    let remote = Arc::new(Remote::new(at.parse().unwrap(), one));
    let first = tokio::spawn({
        let remote = Arc::clone(&remote);
        async move { remote.call(post("/", ""), AtMost(99)).await.map(|answer| answer.status) }
    });
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.read_exact(&mut [0; 4]).await.unwrap();
    first.abort();
    let closed: Result<usize, _> = stream.read_to_end(&mut Vec::new()).await;
    assert!(closed.is_ok(), "{closed:?}");
    let second = tokio::spawn(async move { remote.call(post("/", ""), AtMost(99)).await });
    let (mut stream, _): (TcpStream, _) = listener.accept().await.unwrap();
    stream.read_exact(&mut [0; 4]).await.unwrap();
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
    assert_eq!(second.await.unwrap().unwrap().body, b"ok");
}

#[tokio::test]
async fn a_server_proves_who_it_is() {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.unwrap().with_no_client_auth();
    let config = config.with_single_cert(vec![own.cert.der().clone()], key).unwrap();
    let server = Server::start(Some(TlsAcceptor::from(Arc::new(config))), false).await;
    let endpoint: Endpoint = format!("https://localhost:{}", server.port).parse().unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(own.cert.der().clone()).unwrap();
    let trusting = Remote::trusting(endpoint.clone(), BOUNDS, tls::config(roots));
    assert_eq!(text(&trusting, post("/", "x")).await.0, 201);
    let refused = Remote::new(endpoint, BOUNDS).call(post("/", ""), AtMost(9)).await.unwrap_err();
    assert!(matches!(refused, RemoteError::Encrypt(_)), "{refused:?}");
}
