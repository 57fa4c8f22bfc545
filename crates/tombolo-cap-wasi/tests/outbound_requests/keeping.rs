//! Connections that outlive a request.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::task::JoinHandle;

use super::*;

/// What is told of a connection: as many requests as were taken on it.
type Log = Arc<Mutex<Vec<usize>>>;

/// A server of this machine that answers `hello`, or for the path `/echo` what it was sent; to the path `/drop` it
/// closes the connection instead, and to `/early` it answers before it has read anything.
pub(super) struct Server {
    pub(super) at: SocketAddr,
    connections: Log,
    /// What serves each connection.
    tasks: Arc<Mutex<Vec<JoinHandle<()>>>>,
    roots: RootCertStore,
}

type Answer = Response<UnsyncBoxBody<Bytes, hyper::Error>>;

fn full(text: impl Into<Bytes>) -> UnsyncBoxBody<Bytes, hyper::Error> {
    Full::new(text.into()).map_err(|never: Infallible| match never {}).boxed_unsync()
}

async fn serve(request: Request<Incoming>, log: Log, connection: usize) -> Result<Answer, std::io::Error> {
    log.lock().unwrap_or_else(PoisonError::into_inner)[connection] += 1;
    let body = match request.uri().path() {
        "/drop" => return Err(std::io::Error::other("dropped")),
        "/early" => full("early"),
        "/echo" => full(request.into_body().collect().await.unwrap().to_bytes()),
        "/long" => full(vec![0; 1 << 20]),
        "/slow" => {
            tokio::time::sleep(Duration::from_millis(100)).await;
            full("hello")
        }
        _ => {
            let _ = request.into_body().collect().await;
            full("hello")
        }
    };
    Ok(Response::new(body))
}

impl Server {
    pub(super) async fn start() -> Self {
        Self::over(None, RootCertStore::empty()).await
    }

    /// One with TLS for `localhost` that takes these protocols.
    async fn secure(protocols: &[&[u8]]) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(crypto::ring::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth();
        let mut config = config.with_single_cert(vec![made.cert.der().clone()], key.into()).unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Self::over(Some(TlsAcceptor::from(Arc::new(config))), roots).await
    }

    async fn over(acceptor: Option<TlsAcceptor>, roots: RootCertStore) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (connections, tasks) = (Log::default(), Arc::<Mutex<Vec<JoinHandle<()>>>>::default());
        let (log, all) = (Arc::clone(&connections), Arc::clone(&tasks));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let connection = {
                    let mut log = log.lock().unwrap();
                    log.push(0);
                    log.len() - 1
                };
                let (log, acceptor) = (Arc::clone(&log), acceptor.clone());
                let service = service_fn(move |request| serve(request, Arc::clone(&log), connection));
                let task = tokio::spawn(async move {
                    match acceptor {
                        None => {
                            let http = hyper::server::conn::http1::Builder::new();
                            let _ = http.serve_connection(TokioIo::new(stream), service).await;
                        }
                        Some(acceptor) => {
                            let Ok(stream) = acceptor.accept(stream).await else { return };
                            let is_http2 = stream.get_ref().1.alpn_protocol() == Some(tls::HTTP_2);
                            let io = TokioIo::new(stream);
                            if is_http2 {
                                let http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                                let _ = http.serve_connection(io, service).await;
                            } else {
                                let http = hyper::server::conn::http1::Builder::new();
                                let _ = http.serve_connection(io, service).await;
                            }
                        }
                    }
                });
                all.lock().unwrap().push(task);
            }
        });
        Self { at, connections, tasks, roots }
    }

    /// How many requests were taken on each connection there was.
    fn requests(&self) -> Vec<usize> {
        self.connections.lock().unwrap().clone()
    }

    /// Closes all connections, and returns when that is done.
    async fn close_all(&self) {
        let tasks: Vec<_> = self.tasks.lock().unwrap().drain(..).collect();
        for task in tasks {
            task.abort();
            let _ = task.await;
        }
        // A turn of the runtime, in which it hears of that.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    fn url(&self, path: &str) -> String {
        let scheme = if self.roots.is_empty() { "http" } else { "https" };
        let host = if self.roots.is_empty() { "127.0.0.1" } else { "localhost" };
        format!("{scheme}://{host}:{}{path}", self.at.port())
    }

    /// A component that may call it and every other server of this machine, with so many connections.
    fn client(&self, connections_max: u32) -> Arc<Outbound> {
        let allowed = AllowedHosts::parse(["*://127.0.0.1:*", "*://localhost:*"]).unwrap();
        let config = EgressConfig { connections_max, ..EgressConfig::to(Arc::new(allowed)) };
        outbound(EgressConfig { tls: tls::config(self.roots.clone()), ..config })
    }
}

fn text(bytes: &'static str) -> WasiBody {
    Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed_unsync()
}

/// The answer to a request of a guest of its own, read to its end.
async fn call(outbound: &Arc<Outbound>, url: &str, method: &str, body: WasiBody) -> Result<Bytes, Error> {
    let mut view = outbound.open(&meter(), None);
    let request = Request::builder().method(method).uri(url).header("host", "test").body(body).unwrap();
    let (response, io) = Box::into_pin(view.send_request(request, None, Box::new(async { Ok(()) }))).await?;
    let io = tokio::spawn(Box::into_pin(io));
    let body = bytes(response).await;
    io.abort();
    body
}

#[tokio::test]
async fn requests_of_one_component_go_over_one_connection() {
    let server = Server::start().await;
    let outbound = server.client(8);
    for (path, body, expected) in [("/", "", "hello"), ("/echo", "abc", "abc"), ("/", "x", "hello")] {
        assert_eq!(call(&outbound, &server.url(path), "POST", text(body)).await.unwrap(), expected);
    }
    assert_eq!(server.requests(), [3]);
    // At the same time each has its own, and both wait afterwards.
    let url = server.url("/slow");
    let both =
        async || tokio::join!(call(&outbound, &url, "GET", empty()), call(&outbound, &url, "GET", empty()));
    for _ in 0..2 {
        let (one, other) = both().await;
        assert_eq!((one.unwrap(), other.unwrap()), ("hello".into(), "hello".into()));
    }
    assert_eq!(server.requests().len(), 2);
    // Another component never finds them.
    call(&server.client(8), &url, "GET", empty()).await.unwrap();
    assert_eq!(server.requests().len(), 3);
    let refused = call(&self::outbound(config("http://127.0.0.2:*")), &url, "GET", empty()).await;
    fails(refused, "HttpRequestDenied");
}

#[tokio::test]
async fn a_connection_that_was_closed_while_it_waited_fails_no_request() {
    let server = Server::start().await;
    let outbound = server.client(8);
    let url = server.url("/echo");
    call(&outbound, &url, "POST", text("one")).await.unwrap();
    server.close_all().await;
    // Not one that could be sent twice: that nothing of it was sent is known.
    assert_eq!(call(&outbound, &url, "POST", text("two")).await.unwrap(), "two");
    assert_eq!(server.requests(), [1, 1]);
}

/// A server may close a connection when the request is on its way already. Who cannot know whether it was acted on
/// repeats it only if that does no harm.
#[tokio::test]
async fn a_request_is_repeated_only_if_that_does_no_harm() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let count = Arc::clone(&count);
            tokio::spawn(async move {
                // One is answered, the next is read and the connection closed.
                for round in 0..2 {
                    let mut seen = Vec::new();
                    while !seen.windows(4).any(|end| end == b"\r\n\r\n") {
                        if stream.read_buf(&mut seen).await.unwrap_or(0) == 0 {
                            return;
                        }
                    }
                    count.fetch_add(1, Ordering::Relaxed);
                    if round == 0 {
                        let _ = stream.write_all(HELLO.as_bytes()).await;
                    }
                }
            });
        }
    });
    let outbound = outbound(config("http://127.0.0.1:*"));
    let url = format!("http://{at}/");
    assert_eq!(call(&outbound, &url, "GET", empty()).await.unwrap(), "hello");
    assert_eq!(call(&outbound, &url, "GET", empty()).await.unwrap(), "hello");
    assert_eq!(taken.load(Ordering::Relaxed), 3, "the second was sent twice");
    fails(call(&outbound, &url, "POST", empty()).await, "Hyper");
    assert_eq!(taken.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn a_connection_with_something_left_on_it_is_not_used_again() {
    let server = Server::start().await;
    let outbound = server.client(8);
    // An answer that nobody reads.
    let mut view = outbound.open(&meter(), None);
    drop(get(&mut view, &server.url("/long")).await.unwrap());
    call(&outbound, &server.url("/"), "GET", empty()).await.unwrap();
    assert_eq!(server.requests().len(), 2);
    // An answer that comes before the request was sent.
    struct Never;
    impl http_body::Body for Never {
        type Data = Bytes;
        type Error = Error;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
            Poll::Pending
        }
    }
    let early = call(&outbound, &server.url("/early"), "POST", Never.boxed_unsync()).await;
    assert_eq!(early.unwrap(), "early");
    call(&outbound, &server.url("/"), "GET", empty()).await.unwrap();
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn a_connection_that_waits_gives_its_slot_to_one_that_is_needed() {
    for protocols in [None, Some([tls::HTTP_2])] {
        let server = match protocols {
            None => Server::start().await,
            Some(protocols) => Server::secure(&protocols).await,
        };
        let outbound = server.client(1);
        call(&outbound, &server.url("/"), "GET", empty()).await.unwrap();
        let other = Server::start().await;
        assert_eq!(call(&outbound, &other.url("/"), "GET", empty()).await.unwrap(), "hello");
        assert_eq!((server.requests(), other.requests()), (vec![1], vec![1]));
    }
}

#[tokio::test]
async fn the_requests_to_a_server_of_http_2_share_one_connection() {
    let server = Server::secure(&[tls::HTTP_2, b"http/1.1"]).await;
    let outbound = server.client(1);
    assert_eq!(call(&outbound, &server.url("/echo"), "POST", text("abc")).await.unwrap(), "abc");
    let url = server.url("/slow");
    let all = futures::future::join_all((0..8).map(|_| call(&outbound, &url, "GET", empty()))).await;
    assert!(all.into_iter().all(|body| body.unwrap() == "hello"));
    assert_eq!(server.requests(), [9]);
    assert_eq!(call(&outbound, &server.url("/long"), "GET", empty()).await.unwrap().len(), 1 << 20);
    // One that nobody reads is ended, and the connection stays.
    let mut view = outbound.open(&meter(), None);
    drop(get(&mut view, &server.url("/long")).await.unwrap());
    server.close_all().await;
    assert_eq!(call(&outbound, &server.url("/echo"), "POST", text("abc")).await.unwrap(), "abc");
    assert_eq!(server.requests(), [11, 1]);
}

#[tokio::test]
async fn a_server_with_tls_may_choose_http_1() {
    let server = Server::secure(&[b"http/1.1"]).await;
    let outbound = server.client(1);
    for _ in 0..2 {
        assert_eq!(call(&outbound, &server.url("/echo"), "POST", text("abc")).await.unwrap(), "abc");
    }
    assert_eq!(server.requests(), [2]);
}
