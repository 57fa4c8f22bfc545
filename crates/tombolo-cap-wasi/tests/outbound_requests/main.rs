//! Requests of guests to servers of this machine, on ports the system chose.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and says where")]

mod keeping;

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tombolo_capability::Meter;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto};
use tombolo_egress::{Egress, EgressConfig, EgressError, tls};
use tombolo_model::outbound::{AllowedHosts, Destination};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use tombolo_cap_wasi::{OUTBOUND_BYTES_MAX, Outbound, OutboundView};

const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

/// Answers one request on a connection with `answer`, and then holds it open until the client has gone.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &str) {
    let mut seen = Vec::new();
    while !seen.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut seen).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let _ = stream.write_all(answer.as_bytes()).await;
    // Until the client has gone.
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
}

/// A server that says this once on every connection.
async fn server(text: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, text));
        }
    });
    address
}

fn config(grant: &str) -> EgressConfig {
    EgressConfig::to(Arc::new(AllowedHosts::parse([grant]).unwrap()))
}

fn outbound(config: EgressConfig) -> Arc<Outbound> {
    Outbound::new(Egress::new(config), OUTBOUND_BYTES_MAX)
}

async fn send(
    view: &mut OutboundView,
    url: &str,
    body: WasiBody,
    options: RequestOptions,
) -> Result<Response<WasiBody>, Error> {
    let request = Request::builder().method("POST").uri(url).header("host", "test").body(body).unwrap();
    let sent = view.send_request(request, Some(options), Box::new(async { Ok(()) }));
    let (response, io) = Box::into_pin(sent).await?;
    let io = tokio::spawn(Box::into_pin(io));
    // As wasmtime does: who drops the body ends the connection.
    struct Abort(tokio::task::JoinHandle<Result<(), Error>>);
    impl Drop for Abort {
        fn drop(&mut self) {
            self.0.abort();
        }
    }
    let io = Abort(io);
    Ok(response.map(|body| {
        body.map_frame(move |frame| {
            let _ = &io;
            frame
        })
        .boxed_unsync()
    }))
}

fn empty() -> WasiBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

async fn get(view: &mut OutboundView, url: &str) -> Result<Response<WasiBody>, Error> {
    send(view, url, empty(), RequestOptions::default()).await
}

async fn bytes(response: Response<WasiBody>) -> Result<Bytes, Error> {
    response.into_body().collect().await.map(http_body_util::Collected::to_bytes)
}

#[track_caller]
fn fails<T>(result: Result<T, Error>, with: &str) {
    let error = result.err().expect("an error");
    let debug = format!("{error:?}");
    assert!(debug.starts_with(with), "{debug}, expected {with}");
}

fn meter() -> Arc<Meter> {
    Arc::new(Meter::new(Duration::MAX))
}

#[tokio::test]
async fn a_granted_host_answers_and_is_counted() {
    let at = server(HELLO).await;
    let outbound = outbound(config(&format!("http://{at}")));
    let used = meter();
    let mut view = outbound.open(&used, None);
    let usage = used.outbound();
    let body = Full::new(Bytes::from("abc")).map_err(|never| match never {}).boxed_unsync();
    let response = send(&mut view, &format!("http://{at}/x?y"), body, RequestOptions::default()).await;
    assert_eq!(bytes(response.unwrap()).await.unwrap(), "hello");
    fails(get(&mut view, "http://127.0.0.1:1/").await, "HttpRequestDenied");
    drop(view);
    let counts = (usage.requests(), usage.connections(), usage.bytes_sent(), usage.bytes_received());
    assert_eq!(counts, (2, 1, 3, 5));
}

#[tokio::test]
async fn a_wildcard_does_not_open_this_machine() {
    let at = server(HELLO).await;
    let wildcard = outbound(config("http://*:*"));
    let used = meter();
    let mut view = wildcard.open(&used, None);
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "127.1", "2130706433"] {
        let url = format!("http://{host}:{}/", at.port());
        fails(get(&mut view, &url).await, "DestinationIpProhibited");
    }
    assert_eq!((used.outbound().requests(), used.outbound().connections()), (6, 0));
    let granted = outbound(config(&format!("http://localhost:{}", at.port())));
    let url = format!("http://localhost:{}/", at.port());
    assert_eq!(bytes(get(&mut granted.open(&meter(), None), &url).await.unwrap()).await.unwrap(), "hello");
}

#[tokio::test]
async fn what_cannot_be_reached_says_why() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut view = outbound(config("*://127.0.0.1:*")).open(&meter(), None);
    fails(get(&mut view, &format!("http://{closed}/")).await, "ConnectionRefused");
    let mut view = outbound(config("http://name.invalid")).open(&meter(), None);
    fails(get(&mut view, "http://name.invalid/").await, "DnsError");
}

/// Dropped with the refusal, the body would fail the guest's writing before it hears why.
#[tokio::test]
async fn a_guest_can_write_the_body_of_a_request_that_was_refused() {
    struct Written(tokio::sync::mpsc::Receiver<Bytes>);
    impl http_body::Body for Written {
        type Data = Bytes;
        type Error = Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
            self.0.poll_recv(context).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
        }
    }
    let (guest, body) = tokio::sync::mpsc::channel(1);
    let used = meter();
    let mut view = Outbound::none().open(&used, None);
    let body = Written(body).boxed_unsync();
    fails(send(&mut view, "http://127.0.0.1:1/", body, RequestOptions::default()).await, "HttpRequestDenied");
    for _ in 0..3 {
        guest.send(Bytes::from("abc")).await.unwrap();
    }
    assert_eq!(used.outbound().bytes_sent(), 0);
}

#[tokio::test]
async fn a_redirect_is_the_guest_s_to_follow() {
    let at = server("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n").await;
    let used = meter();
    let mut view = outbound(config(&format!("http://{at}"))).open(&used, None);
    assert_eq!(get(&mut view, &format!("http://{at}/")).await.unwrap().status(), 302);
    assert_eq!(used.outbound().connections(), 1);
}

#[tokio::test]
async fn every_step_has_its_time() {
    // Takes connections and says nothing: no handshake, no answer.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = silent.local_addr().unwrap();
    let mut view = outbound(config("*://127.0.0.1:*")).open(&meter(), None);
    let short = Some(Duration::from_millis(50));
    let options = RequestOptions { connect_timeout: short, ..RequestOptions::default() };
    fails(send(&mut view, &format!("https://{at}/"), empty(), options).await, "ConnectionTimeout");
    let options = RequestOptions { first_byte_timeout: short, ..RequestOptions::default() };
    fails(send(&mut view, &format!("http://{at}/"), empty(), options).await, "ConnectionReadTimeout");
    let at = server("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello").await;
    let options = RequestOptions { between_bytes_timeout: short, ..RequestOptions::default() };
    let response = send(&mut view, &format!("http://{at}/"), empty(), options).await.unwrap();
    fails(bytes(response).await, "ConnectionReadTimeout");
}

#[tokio::test]
async fn a_guest_s_bodies_have_a_bound_together() {
    let at = keeping::Server::start().await.at;
    let url = format!("http://{at}/");
    let outbound = Outbound::new(Egress::new(config(&format!("http://{at}"))), 8);
    let used = meter();
    let mut view = outbound.open(&used, None);
    assert_eq!(bytes(get(&mut view, &url).await.unwrap()).await.unwrap(), "hello");
    let second = get(&mut view, &url).await.unwrap();
    fails(bytes(second).await, "HttpResponseBodySize(Some(8))");
    assert_eq!(used.outbound().bytes_received(), 5);
    let used = meter();
    let mut other = outbound.open(&used, None);
    assert_eq!(bytes(get(&mut other, &url).await.unwrap()).await.unwrap(), "hello", "a guest of its own");

    let nine = Full::new(Bytes::from("123456789")).map_err(|never| match never {}).boxed_unsync();
    let sent = send(&mut other, &url, nine, RequestOptions::default()).await;
    fails(sent, "HttpRequestBodySize(Some(8))");
    assert_eq!(used.outbound().bytes_sent(), 0);
}

#[tokio::test]
async fn the_guests_of_a_component_share_its_connections() {
    let at = keeping::Server::start().await.at;
    let url = format!("http://{at}/");
    let egress = Egress::new(EgressConfig { connections_max: 1, ..config(&format!("http://{at}")) });
    let outbound = Outbound::new(Arc::clone(&egress), OUTBOUND_BYTES_MAX);
    let first = get(&mut outbound.open(&meter(), None), &url).await.unwrap();
    fails(get(&mut outbound.open(&meter(), None), &url).await, "ConnectionLimitReached");
    drop(first);
    // The task of the connection ends soon after its body was dropped.
    free(&egress, at).await;
    assert_eq!(bytes(get(&mut outbound.open(&meter(), None), &url).await.unwrap()).await.unwrap(), "hello");
    // A request that came to nothing has given its connection back as well.
    free(&egress, at).await;
    fails(get(&mut outbound.open(&meter(), None), "http://127.0.0.1:1/").await, "HttpRequestDenied");
    free(&egress, at).await;
}

/// Waits until the one connection there may be is free.
async fn free(egress: &Egress, at: SocketAddr) {
    let host = at.ip().to_string();
    let to = Destination { scheme: "http", host: &host, port: at.port() };
    while let Err(error) = egress.resolve(&to).await {
        assert!(matches!(error, EgressError::Busy), "{error}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// A server with a certificate for `localhost` that only the store it comes with trusts.
async fn secure() -> (SocketAddr, RootCertStore) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key.into());
    let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                tokio::spawn(answer(stream, HELLO));
            }
        }
    });
    (address, roots)
}

#[tokio::test]
async fn only_a_trusted_certificate_for_the_host_is_taken() {
    let (at, roots) = secure().await;
    let (by_name, by_address) = (format!("https://localhost:{}/", at.port()), format!("https://{at}/"));
    let grants = || {
        let hosts = ["https://localhost:*", "https://127.0.0.1:*"];
        EgressConfig::to(Arc::new(AllowedHosts::parse(hosts).unwrap()))
    };
    let trusting = outbound(EgressConfig { tls: tls::config(roots), ..grants() });
    let answered = get(&mut trusting.open(&meter(), None), &by_name).await.unwrap();
    assert_eq!(bytes(answered).await.unwrap(), "hello");
    fails(get(&mut trusting.open(&meter(), None), &by_address).await, "TlsCertificateError");
    fails(get(&mut outbound(grants()).open(&meter(), None), &by_name).await, "TlsCertificateError");
}
