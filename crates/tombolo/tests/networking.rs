//! Guests' connections to other hosts, as an operator wants them: kept, encrypted, blocked, counted.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and says where")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto};
use tombolo_testkit::servers::redis::Redis;
use tombolo_testkit::{Sandbox, Up};

const CONFIG: &str = "--runtime-config-file";

/// A server of this machine. It says the version it was asked in, the length of what came, and whether the client
/// proved who it is.
struct Origin {
    at: SocketAddr,
    connections: Arc<AtomicUsize>,
    /// Dropped, it closes all connections and takes no more.
    _runtime: tokio::runtime::Runtime,
}

async fn answer(request: Request<Incoming>, is_known: bool) -> Result<Response<Full<Bytes>>, Infallible> {
    let (version, path) = (request.version(), request.uri().path().to_owned());
    let length = request.into_body().collect().await.map_or(0, |body| body.to_bytes().len());
    if path == "/slow" {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    Ok(Response::new(Full::new(Bytes::from(format!("{version:?} {length} {is_known}")))))
}

impl Origin {
    fn start(config: Option<ServerConfig>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (told, at) = mpsc::sync_channel(1);
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let acceptor = config.map(|config| TlsAcceptor::from(Arc::new(config)));
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            told.send(listener.local_addr().unwrap()).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let (count, acceptor) = (Arc::clone(&count), acceptor.clone());
                tokio::spawn(async move {
                    let Some(acceptor) = acceptor else {
                        count.fetch_add(1, Ordering::Relaxed);
                        let service = service_fn(|request| answer(request, false));
                        let http = hyper::server::conn::http1::Builder::new();
                        return drop(http.serve_connection(TokioIo::new(stream), service).await);
                    };
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    count.fetch_add(1, Ordering::Relaxed);
                    let is_known = stream.get_ref().1.peer_certificates().is_some();
                    let service = service_fn(move |request| answer(request, is_known));
                    let http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    drop(http.serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        let at = at.recv().unwrap();
        Self { at, connections, _runtime: runtime }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

/// A certificate for `localhost` that nobody has signed but itself, and its key.
struct Identity {
    made: rcgen::CertifiedKey<rcgen::KeyPair>,
}

impl Identity {
    fn new() -> Self {
        Self { made: rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap() }
    }

    /// Writes `NAME.pem` and `NAME.key`.
    fn write(&self, sandbox: &Sandbox, name: &str) {
        sandbox.file(&format!("{name}.pem"), self.made.cert.pem());
        sandbox.file(&format!("{name}.key"), self.made.signing_key.serialize_pem());
    }

    /// A server with this certificate that speaks HTTP/2 and lets in, and tells apart, whom it knows.
    fn serve(&self, client: &Self) -> Origin {
        let provider = Arc::new(crypto::ring::default_provider());
        let mut known = RootCertStore::empty();
        known.add(client.made.cert.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(known), Arc::clone(&provider));
        let verifier = verifier.allow_unauthenticated().build().unwrap();
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let key = PrivatePkcs8KeyDer::from(self.made.signing_key.serialize_der());
        let config = config.with_client_cert_verifier(verifier);
        let mut config = config.with_single_cert(vec![self.made.cert.der().clone()], key.into()).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Origin::start(Some(config))
    }
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    sandbox.web_app(r#"allowed_outbound_hosts = ["*://127.0.0.1:*", "*://localhost:*"]"#);
    sandbox
}

fn fetch(up: &Up, url: &str) -> String {
    up.get(&format!("/fetch?url={url}")).text()
}

/// The app, and what the operator says beside it.
fn up(sandbox: &Sandbox, config: &str) -> Up {
    let file = sandbox.file("operator/runtime.toml", config);
    Up::start(sandbox, &[CONFIG, path(&file)])
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn requests_go_over_a_connection_that_is_kept() {
    let (origin, sandbox) = (Origin::start(None), sandbox());
    let app = Up::start(&sandbox, &[]);
    let url = format!("http://{}/", origin.at);
    for _ in 0..3 {
        assert_eq!(fetch(&app, &url), "HTTP/1.1 0 false", "{}", app.said("Listening"));
        assert_eq!(app.post(&format!("/forward?url={url}"), &[0; 100_000]).text(), "HTTP/1.1 100000 false");
    }
    assert_eq!(origin.connections(), 1);
    let app = up(&sandbox, "[outbound_http]\nconnection_pooling = false\n");
    for _ in 0..2 {
        assert_eq!(fetch(&app, &url), "HTTP/1.1 0 false");
    }
    assert_eq!(origin.connections(), 3);
}

#[test]
fn a_component_trusts_and_is_known_as_the_operator_says() {
    let (server, client) = (Identity::new(), Identity::new());
    let (origin, sandbox) = (server.serve(&client), sandbox());
    server.write(&sandbox, "operator/server");
    client.write(&sandbox, "operator/client");
    let url = format!("https://localhost:{}/", origin.at.port());
    let table = |component: &str, more: &str| {
        format!("[[client_tls]]\ncomponent_ids = [{component:?}]\nhosts = [\"LOCALHOST\"]\n{more}\n")
    };
    let roots = "ca_roots_file = \"server.pem\"";
    let identity = "client_cert_file = \"client.pem\"\nclient_private_key_file = \"client.key\"";
    let app = up(&sandbox, &table("web", &format!("{roots}\n{identity}")));
    for _ in 0..3 {
        assert_eq!(fetch(&app, &url), "HTTP/2.0 0 true");
    }
    assert_eq!(app.post(&format!("/forward?url={url}"), &[0; 1_000_000]).text(), "HTTP/2.0 1000000 true");
    assert_eq!(origin.connections(), 1);
    drop(app);
    let app = up(&sandbox, &table("web", roots));
    assert_eq!(fetch(&app, &url), "HTTP/2.0 0 false");
    drop(app);
    for config in [table("other", roots), table("web", "ca_use_webpki_roots = true"), String::new()] {
        let app = up(&sandbox, &config);
        let refused = fetch(&app, &url);
        assert!(refused.contains("TlsCertificateError"), "{config}: {refused}");
    }
    // For every component and host.
    let app = Up::start(&sandbox, &["--roots", "operator/server.pem"]);
    assert_eq!(fetch(&app, &url), "HTTP/2.0 0 false");
}

#[test]
fn a_machine_s_own_roots_are_trusted_if_that_is_wanted() {
    let (server, client) = (Identity::new(), Identity::new());
    let (origin, sandbox) = (server.serve(&client), sandbox());
    server.write(&sandbox, "machine");
    let url = format!("https://localhost:{}/", origin.at.port());
    let mut command = sandbox.command(&["up", "--listen", "127.0.0.1:0", "--platform-roots"]);
    command.env("SSL_CERT_FILE", sandbox.path().join("machine.pem"));
    assert_eq!(fetch(&Up::spawn(command), &url), "HTTP/2.0 0 false");
    let mut command = sandbox.command(&["up", "--listen", "127.0.0.1:0"]);
    command.env("SSL_CERT_FILE", sandbox.path().join("machine.pem"));
    let refused = fetch(&Up::spawn(command), &url);
    assert!(refused.contains("TlsCertificateError"), "{refused}");
}

#[test]
fn a_file_that_is_not_what_it_should_be_is_named() {
    let sandbox = sandbox();
    sandbox.file("operator/empty.pem", "");
    let (one, other) = (Identity::new(), Identity::new());
    one.write(&sandbox, "operator/one");
    other.write(&sandbox, "operator/other");
    for (lines, expected) in [
        ("ca_roots_file = \"none.pem\"", "cannot read `[SANDBOX]/operator/none.pem`"),
        ("ca_roots_file = \"empty.pem\"", "expected one or more certificates in PEM form"),
        (
            "client_cert_file = \"one.pem\"\nclient_private_key_file = \"one.pem\"\nca_use_webpki_roots = true",
            "`[SANDBOX]/operator/one.pem` is not what it should be, expected a private key in PEM form",
        ),
        (
            "client_cert_file = \"one.pem\"\nclient_private_key_file = \"other.key\"\nca_use_webpki_roots = true",
            "`[SANDBOX]/operator/other.key` is not the key of the first certificate in `[SANDBOX]/operator/one.pem`",
        ),
    ] {
        let text = format!("[[client_tls]]\ncomponent_ids = [\"web\"]\nhosts = [\"localhost\"]\n{lines}\n");
        let file = sandbox.file("operator/runtime.toml", text);
        let finished = sandbox.tombolo(&["up", "--listen", "127.0.0.1:0", CONFIG, path(&file)]);
        assert_eq!(finished.code, Some(1), "{lines}");
        assert!(finished.stderr.contains(expected), "{}", finished.stderr);
    }
}

#[test]
fn networks_are_blocked_whatever_the_manifest_says() {
    let (origin, sandbox) = (Origin::start(None), sandbox());
    for networks in ["\"private\"", "\"127.0.0.0/8\", \"::1/128\""] {
        let app = up(&sandbox, &format!("[outbound_networking]\nblock_networks = [{networks}]\n"));
        for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
            let refused = fetch(&app, &format!("http://{host}:{}/", origin.at.port()));
            assert!(refused.contains("DestinationIpProhibited"), "{networks} {host}: {refused}");
        }
    }
    let app = up(&sandbox, "[outbound_networking]\nblock_networks = [\"10.0.0.0/8\"]\n");
    assert_eq!(fetch(&app, &format!("http://{}/", origin.at)), "HTTP/1.1 0 false");
    assert_eq!(origin.connections(), 1);
}

/// One waits for the place of the other, and then goes over its connection or a new one.
#[test]
fn requests_wait_for_a_place_among_the_connections_there_may_be() {
    let (origin, sandbox) = (Origin::start(None), sandbox());
    let slow = format!("http://{}/slow", origin.at);
    for config in
        ["[outbound_http]\nmax_connections = 1\n", "[outbound_networking]\nmax_total_connections = 1\n"]
    {
        let app = up(&sandbox, config);
        let answers: Vec<String> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..4).map(|_| scope.spawn(|| fetch(&app, &slow))).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(answers.iter().all(|answer| answer == "HTTP/1.1 0 false"), "{answers:?}");
    }
    let app = up(&sandbox, "[outbound_http]\nmax_connections = 0\n");
    let refused = fetch(&app, &slow);
    assert!(refused.contains("ConnectionLimitReached"), "{refused}");
}

/// An app of one component, with more for its trigger and itself.
fn redis_app(sandbox: &Sandbox, guest: &str, trigger: &str, component: &str) {
    sandbox.guest(guest, "app.wasm");
    let text = format!(
        "spin_manifest_version = 2\n[application]\nname = \"app\"\n{trigger}\ncomponent = \"app\"\n\
         [component.app]\nsource = \"app.wasm\"\n{component}\n"
    );
    sandbox.file("spin.toml", text);
}

/// A store of the operator, the server of a trigger, and that of a guest.
#[test]
fn redis_servers_are_trusted_as_the_operator_says() {
    let (identity, sandbox) = (Identity::new(), sandbox());
    identity.write(&sandbox, "server");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let file = |name: &str| sandbox.path().join(name).display().to_string();
    let server = Redis::start_with(&[
        &format!("tls-port {port}"),
        &format!("tls-cert-file {}", file("server.pem")),
        &format!("tls-key-file {}", file("server.key")),
        &format!("tls-ca-cert-file {}", file("server.pem")),
        "tls-auth-clients no",
    ]);
    let address = format!("rediss://localhost:{port}");
    let store = format!("[key_value_store.default]\ntype = \"redis\"\nurl = \"{address}\"\n");
    let store = sandbox.file("operator/runtime.toml", store);
    let route = "[[trigger.http]]\nroute = \"/...\"";
    redis_app(&sandbox, "kv", route, "key_value_stores = [\"default\"]");
    let trusting = Up::start(&sandbox, &[CONFIG, path(&store), "--roots", "server.pem"]);
    assert_eq!(trusting.get("/redis").text(), "ok", "{}", trusting.said("Listening"));
    let careful = Up::start(&sandbox, &[CONFIG, path(&store)]);
    assert_eq!(careful.get("/redis").status, 500);

    let trigger = format!("[[trigger.redis]]\nchannel = \"messages\"\naddress = \"{address}\"");
    let component = format!("allowed_outbound_hosts = [{address:?}]\nvariables = {{ server = {address:?} }}");
    redis_app(&sandbox, "messages-7", &trigger, &component);
    let app = Up::spawn(sandbox.command(&["up", "--roots", "server.pem"]));
    server.until(&["PUBSUB", "NUMSUB", "messages"], "messages\n1");
    server.cli(&["PUBLISH", "messages", "one"]);
    server.until(&["LRANGE", "received", "0", "-1"], "one");
    assert!(app.stop().success());
}
