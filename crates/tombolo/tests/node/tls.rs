//! Apps behind TLS: which certificate, which HTTP, what is refused, what changes while it serves.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use hyper::client::conn::http2::SendRequest;
use hyper::{Request, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio_rustls::TlsConnector;
use tombolo_testkit::{Connection, Sandbox, Serving};

use crate::tls_client::{Client, Identity, config, name};
use crate::{done, refused, sandbox, written};

const HTTP_1: &[&[u8]] = &[b"http/1.1"];
const BOTH: &[&[u8]] = &[b"h2", b"http/1.1"];
type Empty = http_body_util::Empty<bytes::Bytes>;

/// A node with an app `shop` at `shop.localhost` that says `one`, with these arguments besides a free port.
fn serving(sandbox: &Sandbox, arguments: &[&str]) -> Serving {
    let node = Serving::start_with(sandbox, &[&["--tls-listen", "127.0.0.1:0"], arguments].concat());
    node.log_in(sandbox);
    written(sandbox, "one");
    done(sandbox, &["deploy"]);
    node
}

/// The same with one certificate, for `shop.localhost` and everybody else.
fn usual(sandbox: &Sandbox, arguments: &[&str]) -> Serving {
    Identity::of(&["shop.localhost"]).write(sandbox, "tls/usual");
    let certificate = ["--tls-default-certificate", "tls/usual.pem", "tls/usual.key"];
    serving(sandbox, &[&certificate, arguments].concat())
}

/// A connection of HTTP/2, agreed on in the handshake; whoever holds what comes with it keeps it going.
async fn http2(at: SocketAddr) -> (SendRequest<Empty>, tokio::task::JoinHandle<hyper::Result<()>>) {
    let stream = tokio::net::TcpStream::connect(at).await.unwrap();
    let stream = TlsConnector::from(config(BOTH)).connect(name("shop.localhost"), stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (sender, connection) = handshake.await.unwrap();
    (sender, tokio::spawn(connection))
}

fn asking(url: &str) -> Request<Empty> {
    Request::builder().uri(url).body(Empty::new()).unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn a_client_is_shown_the_certificate_of_the_host_it_names() {
    let sandbox = sandbox();
    let identities = [
        Identity::of(&["shop.localhost", "shop.example"]),
        Identity::of(&["*.apps.example"]),
        Identity::of(&["default.example"]),
    ];
    for (identity, name) in identities.iter().zip(["tls/own", "tls/wildcard", "tls/default"]) {
        identity.write(&sandbox, name);
    }
    let [own, wildcard, default] = &identities;
    let exact = ["--tls-certificate", "tls/own.pem", "tls/own.key"];
    let more = [&exact[..], &["--tls-certificate", "tls/wildcard.pem", "tls/wildcard.key"]].concat();
    let shown = |node: &Serving, host: &str| {
        Client::connect(node.tls_address(), host, HTTP_1).map(|client| client.shown()).ok()
    };
    {
        let node = serving(&sandbox, &more);
        for (host, expected) in [
            ("shop.localhost", Some(own)),
            ("SHOP.example", Some(own)),
            ("other.apps.example", Some(wildcard)),
            ("a.other.apps.example", None),
            ("default.example", None),
            ("", None),
        ] {
            let expected = expected.map(|identity| identity.certificate().to_vec());
            assert_eq!(shown(&node, host), expected, "{host}");
        }
        assert_eq!(
            node.get("shop.localhost", "/").text(),
            "one",
            "the listener without TLS is there as well"
        );
        assert!(
            done(&sandbox, &["apps"])
                .contains(&format!("https://shop.localhost:{}/", node.tls_address().port()))
        );
    }
    let all = [&more[..], &["--tls-default-certificate", "tls/default.pem", "tls/default.key"]].concat();
    let node = Serving::start_with(&sandbox, &[&["--tls-listen", "127.0.0.1:0"], &all[..]].concat());
    for (host, expected) in [("shop.localhost", own), ("", default), ("none.example", default)] {
        assert_eq!(shown(&node, host).as_deref(), Some(expected.certificate()), "{host}");
    }
}

#[test]
fn of_two_certificates_for_a_host_a_client_is_shown_the_first_it_can_check() {
    use tokio_rustls::rustls::SignatureScheme::{ECDSA_NISTP256_SHA256, ED25519, RSA_PSS_SHA256};
    let sandbox = sandbox();
    let (first, second) = (Identity::of_ed25519("shop.localhost"), Identity::of(&["shop.localhost"]));
    first.write(&sandbox, "first");
    second.write(&sandbox, "second");
    let one = ["--tls-certificate", "first.pem", "first.key", "--tls-listen", "127.0.0.1:0"];
    let both = [&one[..], &["--tls-certificate", "second.pem", "second.key"]].concat();
    let node = Serving::start_with(&sandbox, &both);
    for (schemes, expected) in [
        (&[ECDSA_NISTP256_SHA256, ED25519][..], Some(&first)),
        (&[ECDSA_NISTP256_SHA256], Some(&second)),
        (&[RSA_PSS_SHA256], None),
    ] {
        let shown = Client::checking(node.tls_address(), "shop.localhost", schemes).ok();
        let shown = shown.map(|client| client.shown());
        assert_eq!(shown.as_deref(), expected.map(Identity::certificate), "{schemes:?}");
    }
}

#[test]
fn both_versions_of_http_are_agreed_on_in_the_handshake() {
    let sandbox = sandbox();
    let node = usual(&sandbox, &[]);
    for (offered, agreed) in [(HTTP_1, Some(b"http/1.1".as_slice())), (&[], None)] {
        let mut client = Client::connect(node.tls_address(), "shop.localhost", offered).unwrap();
        assert_eq!(client.protocol(), agreed);
        for _ in 0..3 {
            let answer = client.get("shop.localhost", "/");
            assert_eq!((answer.status, answer.body.as_str()), (200, "one"));
            assert!(!answer.head.contains("strict-transport-security"), "nobody asked for it");
        }
    }
    assert!(Client::connect(node.tls_address(), "shop.localhost", &[b"smtp"]).is_err());
    runtime().block_on(async {
        let (mut sender, _connection) = http2(node.tls_address()).await;
        let both = [(); 2].map(|()| sender.send_request(asking("https://shop.localhost/")));
        for answer in both {
            let answer = answer.await.unwrap();
            assert_eq!((answer.status(), answer.version()), (StatusCode::OK, Version::HTTP_2));
            assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "one");
        }
        // The bounds of HTTP/1.1.
        let mut many = asking("https://shop.localhost/");
        for number in 0..101 {
            let name = hyper::header::HeaderName::try_from(format!("x-{number}")).unwrap();
            many.headers_mut().insert(name, "1".parse().unwrap());
        }
        assert_eq!(sender.send_request(many).await.unwrap().status(), 431);
        let mut large = asking("https://shop.localhost/");
        large.headers_mut().insert("x-large", "x".repeat(70_000).parse().unwrap());
        assert_eq!(sender.send_request(large).await.unwrap().status(), 431);
    });
}

/// A request that its client takes back costs the client nothing: so there are only so many.
#[test]
fn a_flood_of_requests_taken_back_closes_the_connection() {
    let sandbox = sandbox();
    let node = usual(&sandbox, &[]);
    let mut client = Client::connect(node.tls_address(), "shop.localhost", BOTH).unwrap();
    let frame = |kind: u8, flags: u8, stream: u32, payload: &[u8]| {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    };
    // `GET https /` by the static table, and a host (RFC 7541, appendix A).
    let head = [&[0x82, 0x87, 0x84, 0x41, 14], b"shop.localhost".as_slice()].concat();
    let mut flood = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &frame(4, 0, 0, &[])].concat();
    // Few enough that all of them are read, and the answer is not lost to a reset.
    for number in 0..100 {
        let stream = 2 * number + 1;
        flood.extend(frame(1, 0x5, stream, &head));
        flood.extend(frame(3, 0, stream, &8_u32.to_be_bytes()));
    }
    client.send(flood);
    let came = client.rest();
    let mut frames = came.as_slice();
    let mut reasons = Vec::new();
    while let Some((head, rest)) = frames.split_first_chunk::<9>() {
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let Some((payload, rest)) = rest.split_at_checked(length) else { break };
        if head[3] == 7 {
            reasons.push(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
        frames = rest;
    }
    // ENHANCE_YOUR_CALM (RFC 9113 §7).
    assert_eq!(reasons, [0xb]);
    assert_eq!(node.get("shop.localhost", "/").text(), "one");
}

#[test]
fn who_is_under_way_ends_when_the_node_stops() {
    let sandbox = sandbox();
    let node = usual(&sandbox, &[]);
    sandbox.guest("web", "web.wasm");
    done(&sandbox, &["deploy", "web.wasm"]);
    let at = node.tls_address();
    let mut idle = Client::connect(at, "shop.localhost", HTTP_1).unwrap();
    assert_eq!(idle.get("shop.localhost", "/").status, 200);
    runtime().block_on(async {
        let (mut sender, connection) = http2(at).await;
        let answer = sender.send_request(asking("https://web.localhost/drip?ms=1500")).await.unwrap();
        node.up.signal("TERM");
        // The answer began before the signal, and goes on.
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(!body.is_empty());
        // It is told that no more is taken.
        connection.await.unwrap().unwrap();
    });
    assert!(node.up.wait().success(), "the drain was complete");
    assert!(idle.is_closed_well());
}

#[test]
fn what_is_older_than_tls_1_2_is_refused() {
    let sandbox = sandbox();
    let node = usual(&sandbox, &[]);
    // A ClientHello (RFC 5246 §7.4.1.2): its version, random bytes, no session, ECDHE_ECDSA with AES-128-GCM, no
    // compression; then supported groups, signature algorithms and point formats.
    let answered = |minor: u8| {
        let head = [&[3, minor], [7; 32].as_slice(), &[0, 0, 2, 0xc0, 0x2b, 1, 0, 0, 22]].concat();
        let extensions = [0, 10, 0, 4, 0, 2, 0, 29, 0, 13, 0, 4, 0, 2, 4, 3, 0, 11, 0, 2, 1, 0];
        let hello = [head.as_slice(), &extensions].concat();
        let length = u8::try_from(hello.len()).unwrap();
        let mut stream = TcpStream::connect(node.tls_address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(&[&[22, 3, 1, 0, length + 4, 1, 0, 0, length], hello.as_slice()].concat()).unwrap();
        let mut answer = [0; 7];
        stream.read_exact(&mut answer).unwrap();
        answer
    };
    assert_eq!(answered(3)[0], 22, "a handshake of TLS 1.2 goes on");
    for older in [0, 1, 2] {
        let answer = answered(older);
        assert_eq!((answer[0], &answer[5..]), (21, [2, 70].as_slice()), "a fatal alert, `protocol_version`");
    }

    // Without TLS.
    let plain = Connection::open(node.tls_address()).send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").bytes(100);
    assert!(!plain.starts_with(b"HTTP"), "{plain:?}");
}

#[test]
fn a_handshake_has_ten_seconds() {
    let sandbox = sandbox();
    let node = usual(&sandbox, &[]);
    let at = node.tls_address();
    let cut = |drips: bool| {
        let started = Instant::now();
        let mut stream = TcpStream::connect(at).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        // The beginning of a record that says it is long.
        let _ = stream.write_all(&[22, 3, 1, 2, 0, 1, 0]);
        loop {
            match stream.read(&mut [0; 64]) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    assert!(started.elapsed() < Duration::from_secs(30), "nobody cut it");
                    if drips {
                        let _ = stream.write_all(&[0]);
                    }
                }
                _ => return started.elapsed(),
            }
        }
    };
    std::thread::scope(|scope| {
        let took = [false, true].map(|drips| scope.spawn(move || cut(drips)));
        for took in took.map(|one| one.join().unwrap()) {
            assert!(took >= Duration::from_secs(9), "{took:?}");
        }
    });
    assert_eq!(Client::connect(at, "shop.localhost", HTTP_1).unwrap().get("shop.localhost", "/").body, "one");
}

/// After some seconds it keeps its socket and its keys alone; after some more it is closed.
#[test]
fn an_idle_connection_rests_and_serves_again() {
    let sandbox = sandbox();
    let node = usual(&sandbox, &[]);
    let connect = || Client::connect(node.tls_address(), "shop.localhost", HTTP_1).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = connect();
            for pause_s in [0, 5, 5] {
                std::thread::sleep(Duration::from_secs(pause_s));
                assert_eq!(client.get("shop.localhost", "/").body, "one");
            }
        });
        let (mut silent, mut served) = (connect(), connect());
        assert_eq!(served.get("shop.localhost", "/").body, "one");
        let started = Instant::now();
        for client in [&mut silent, &mut served] {
            assert!(client.is_closed_well());
        }
        let took = started.elapsed();
        assert!((Duration::from_secs(8)..Duration::from_secs(20)).contains(&took), "{took:?}");
    });
}

#[test]
fn certificates_are_read_again_while_connections_stay() {
    let sandbox = sandbox();
    let first = Identity::of(&["shop.localhost"]);
    let (chain, key) = first.write(&sandbox, "tls/archive/1");
    // As certbot keeps them.
    let (live_chain, live_key) = (sandbox.path().join("tls/live.pem"), sandbox.path().join("tls/live.key"));
    let lead = |name: &std::path::Path, to: &std::path::Path| {
        let new = name.with_extension("new");
        std::os::unix::fs::symlink(to, &new).unwrap();
        std::fs::rename(&new, name).unwrap();
    };
    lead(&live_chain, &chain);
    lead(&live_key, &key);
    let node = serving(&sandbox, &["--tls-default-certificate", "tls/live.pem", "tls/live.key"]);
    let at = node.tls_address();
    let shown = || Client::connect(at, "shop.localhost", HTTP_1).unwrap().shown();
    let mut stays = Client::connect(at, "shop.localhost", HTTP_1).unwrap();
    assert_eq!(stays.shown(), first.certificate());
    assert_eq!(stays.get("shop.localhost", "/").body, "one");

    let second = Identity::of(&["shop.localhost"]);
    let (chain, key) = second.write(&sandbox, "tls/archive/2");
    lead(&live_chain, &chain);
    lead(&live_key, &key);
    assert_eq!(shown(), first.certificate(), "nobody said anything yet");
    node.up.signal("HUP");
    node.up.said("Read again\n");
    assert_eq!(shown(), second.certificate());
    assert_eq!(stays.get("shop.localhost", "/").body, "one");

    // The certificate is new, its key is not yet.
    let third = Identity::of(&["shop.localhost"]);
    let (chain, _) = third.write(&sandbox, "tls/archive/3");
    lead(&live_chain, &chain);
    node.up.signal("HUP");
    let said = node.up.said("The node serves as it did before");
    assert!(
        said.contains(
            "`tls/live.pem` with the key `tls/live.key`: the key is not that of the first certificate"
        ),
        "{said}"
    );
    assert_eq!(shown(), second.certificate());
    assert_eq!(stays.get("shop.localhost", "/").body, "one");
}

#[test]
fn what_comes_without_tls_is_sent_to_it_and_stays_there() {
    let sandbox = sandbox();
    let node = usual(&sandbox, &["--tls-redirect", "--tls-hsts-s", "31536000"]);
    let port = node.tls_address().port();
    let plain = node.up.address().port();
    let answer = node.get(&format!("shop.localhost:{plain}"), "/a%20b/c?d=e&f");
    assert_eq!(answer.status, 308);
    let expected = format!("https://shop.localhost:{port}/a%20b/c?d=e&f");
    assert_eq!(answer.header("location"), Some(expected.as_str()));
    assert_eq!(answer.header("strict-transport-security"), None, "it would not count (RFC 6797 §7.2)");
    let post = "POST /a HTTP/1.1\r\nhost: shop.localhost\r\ncontent-length: 3\r\n\r\nabc";
    assert_eq!(node.up.connect().send(post).answer().unwrap().status, 308);

    let mut client = Client::connect(node.tls_address(), "shop.localhost", HTTP_1).unwrap();
    for (host, status) in [("shop.localhost", 200), ("none.localhost", 404)] {
        let answer = client.get(host, "/");
        assert_eq!(answer.status, status);
        assert!(answer.head.contains("strict-transport-security: max-age=31536000"), "{}", answer.head);
    }
}

#[test]
fn guests_are_told_the_scheme_and_who_asks() {
    let sandbox = sandbox();
    let node = usual(&sandbox, &[]);
    sandbox.web_app("");
    done(&sandbox, &["deploy", "--name", "web"]);
    let mut client = Client::connect(node.tls_address(), "web.localhost", HTTP_1).unwrap();
    // WASI 0.2, and WASI 0.3 through Spin's.
    assert_eq!(client.get("web.localhost:8443", "/uri?a=b").body, "https://web.localhost:8443/uri?a=b");
    assert_eq!(node.get("web.localhost", "/uri?a=b").text(), "http://web.localhost/uri?a=b");
    sandbox.guest("spin-7", "spin.wasm");
    done(&sandbox, &["deploy", "spin.wasm"]);
    // On a busy machine that takes longer than a connection may be idle.
    let mut client = Client::connect(node.tls_address(), "web.localhost", HTTP_1).unwrap();
    assert_eq!(client.get("spin.localhost", "/uri").body, "https://spin.localhost/uri");
    assert_eq!(node.get("spin.localhost", "/uri").text(), "http://spin.localhost/uri");
    let headers = client.get("web.localhost:8443", "/headers?a").body;
    assert!(headers.contains("spin-full-url: https://web.localhost:8443/headers?a"), "{headers}");
    assert!(headers.contains("spin-client-addr: 127.0.0.1:"), "{headers}");
    let headers = node.get("web.localhost", "/headers?a").text();
    assert!(headers.contains("spin-full-url: http://web.localhost/headers?a"), "{headers}");
    runtime().block_on(async {
        let (mut sender, _connection) = http2(node.tls_address()).await;
        // What the client says of the scheme counts for nothing.
        let answer = sender.send_request(asking("http://web.localhost/uri")).await.unwrap();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "https://web.localhost/uri");
    });
}

#[test]
fn what_cannot_be_shown_to_clients_is_refused_at_the_start() {
    let sandbox = sandbox();
    Identity::of(&["a.test"]).write(&sandbox, "a");
    Identity::of(&["b.test"]).write(&sandbox, "b");
    Identity::of(&["127.0.0.1"]).write(&sandbox, "address");
    sandbox.file("empty.pem", "");
    let serve =
        ["serve", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0"];
    for (chain, key, expected) in [
        ("a.pem", "b.key", "`a.pem` with the key `b.key`: the key is not that of the first certificate"),
        ("none.pem", "a.key", "cannot read `none.pem`"),
        ("empty.pem", "a.key", "`empty.pem` is not what it should be, expected one or more certificates"),
        ("a.pem", "a.pem", "`a.pem` is not what it should be, expected a private key in PEM form"),
        (
            "address.pem",
            "address.key",
            "`address.pem` with the key `address.key`: the first certificate is for no host",
        ),
    ] {
        let said = refused(&sandbox, &[&serve[..], &["--tls-certificate", chain, key]].concat());
        assert!(said.contains(expected), "{said}");
    }
    let lone = sandbox.tombolo(&[&serve[..], &["--tls-redirect"]].concat());
    assert_eq!(lone.code, Some(2));
    assert!(lone.stderr.contains("there is no certificate") && lone.stderr.contains("--tls-certificate"));
}
