//! What a client of `tombolo up` gets.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use tombolo_testkit::{Sandbox, Up};

fn sandbox() -> Sandbox {
    Sandbox::new(env!("CARGO_BIN_EXE_tombolo"))
}

/// The guest `web` as an app, with more lines for its component.
fn web(lines: &str) -> (Sandbox, Up) {
    let sandbox = sandbox();
    sandbox.web_app(lines);
    let up = Up::start(&sandbox, &[]);
    (sandbox, up)
}

const LIMITS: &str = "[component.web.tool.tombolo]\n";

#[test]
fn a_connection_serves_many_requests() {
    let (_sandbox, up) = web("");
    let mut connection = up.connect();
    for _ in 0..3 {
        let response = connection.get("/");
        assert_eq!((response.status, response.text().as_str()), (200, "hello"));
        assert_eq!(response.header("content-length"), Some("5"), "a whole answer has a length");
    }
    assert_eq!(connection.get("/none").status, 404);
}

/// What probes of Spin's apps ask for. What the app answers there itself counts for more.
#[test]
fn paths_that_spin_reserves_are_answered_for_its_apps() {
    let (sandbox, up) = web("");
    let health = up.get("/.well-known/spin/health");
    assert_eq!((health.status, health.text().as_str()), (200, "OK"));
    let info = up.get("/.well-known/spin/info");
    assert_eq!(
        (info.header("content-type"), info.text().as_str()),
        (Some("application/json"), r#"{"name":"app"}"#)
    );
    assert_eq!(up.get("/.well-known/spin/other").status, 404);
    drop(up);
    let own = "[[trigger.http]]\nroute = \"/.well-known/spin/health\"\nstatic_response = { body = \"mine\" }";
    sandbox.web_app(own);
    assert_eq!(Up::start(&sandbox, &[]).get("/.well-known/spin/health").text(), "mine");
    // A component by itself is no app of Spin's.
    let alone = Up::start(&sandbox, &["web.wasm"]);
    assert_eq!(alone.get("/.well-known/spin/health").text(), alone.get("/nothing-there").text());
}

#[test]
fn http_2_is_spoken_by_prior_knowledge() {
    use http_body_util::BodyExt;
    let (_sandbox, up) = web("");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(up.address()).await.unwrap();
        let io = hyper_util::rt::TokioIo::new(stream);
        let executor = hyper_util::rt::TokioExecutor::new();
        let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
        tokio::spawn(connection);
        // Two at once on one connection.
        let request = || {
            let body = http_body_util::Empty::<bytes::Bytes>::new();
            hyper::Request::builder().uri(format!("http://{}/", up.address())).body(body).unwrap()
        };
        let (one, other) = (sender.send_request(request()), sender.send_request(request()));
        let (one, other) = (one.await.unwrap(), other.await.unwrap());
        assert_eq!(one.version(), hyper::Version::HTTP_2);
        for response in [one, other] {
            assert_eq!(response.status(), 200);
            assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
        }
    });
}

/// More than any buffer goes in and comes out at once, in memory that stays flat.
#[test]
fn bodies_stream_both_ways() {
    const CHUNK: usize = 64 << 10;
    const CHUNKS: usize = 2048;
    let (_sandbox, up) = web("");
    up.get("/");
    let before = up.memory_kb();
    let mut connection = up.connect();
    let mut writer = connection.writer();
    let write = std::thread::spawn(move || {
        let head = "POST /echo HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n";
        writer.write_all(head.as_bytes()).unwrap();
        let chunk = vec![b'x'; CHUNK];
        for _ in 0..CHUNKS {
            writer.write_all(format!("{CHUNK:x}\r\n").as_bytes()).unwrap();
            writer.write_all(&chunk).unwrap();
            writer.write_all(b"\r\n").unwrap();
        }
        writer.write_all(b"0\r\n\r\n").unwrap();
    });
    assert_eq!(connection.head().unwrap().status, 200);
    let mut bytes = 0;
    while let Some(chunk) = connection.chunk().unwrap() {
        bytes += chunk.len();
    }
    write.join().unwrap();
    assert_eq!(bytes, CHUNK * CHUNKS);
    let grown = up.memory_kb().saturating_sub(before);
    assert!(grown < 48 << 10, "128 MiB went through and {grown} kB more are resident");
}

/// A client that does not read makes the guest wait, not the node store.
#[test]
fn a_client_that_does_not_read_fills_no_memory() {
    let (_sandbox, up) = web("");
    up.get("/");
    let before = up.memory_kb();
    let mut connection = up.connect();
    connection.send("GET /stream?mib=512 HTTP/1.1\r\nhost: test\r\n\r\n");
    assert_eq!(connection.head().unwrap().status, 200);
    // The neighbour is served as before, all the while.
    for _ in 0..50 {
        assert_eq!(up.get("/").status, 200);
    }
    let grown = up.memory_kb().saturating_sub(before);
    assert!(grown < 48 << 10, "nobody reads and {grown} kB more are resident");
    let mut bytes = 0;
    while let Some(chunk) = connection.chunk().unwrap() {
        bytes += chunk.len();
    }
    assert_eq!(bytes, 512 << 20);
}

#[test]
fn the_first_part_of_a_body_does_not_wait_for_the_second() {
    let (_sandbox, up) = web("");
    let mut connection = up.connect();
    connection.send("GET /drip?ms=60000 HTTP/1.1\r\nhost: test\r\n\r\n");
    assert_eq!(connection.head().unwrap().status, 200);
    assert_eq!(connection.chunk().unwrap().unwrap(), b"part 0\n");
}

#[test]
fn a_body_over_its_bound_is_refused() {
    let (_sandbox, up) = web(&format!("{LIMITS}request_body_bytes_max = 1000"));
    assert_eq!(up.post("/echo", &[b'x'; 1000]).body.len(), 1000);
    assert_eq!(up.post("/echo", &[b'x'; 1001]).status, 413, "the length was announced");
    let chunked = "POST /echo HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n";
    let body = format!("{:x}\r\n{}\r\n0\r\n\r\n", 1001, "x".repeat(1001));
    let response = up.connect().send(chunked).send(body).answer();
    // The guest streams: it either had not answered yet, or its answer is cut.
    let cut = response.is_none_or(|response| response.status == 413 || !response.is_complete);
    assert!(cut, "the length was not announced");
}

#[test]
fn a_request_past_its_deadline_is_answered_504() {
    let (_sandbox, up) = web(&format!("{LIMITS}request_ms_max = 300"));
    for path in ["/sleep?ms=60000", "/loop"] {
        let started = Instant::now();
        assert_eq!(up.get(path).status, 504, "{path}");
        assert!(started.elapsed() < Duration::from_secs(10), "{path} took {:?}", started.elapsed());
    }
    let cut = up.get("/drip?ms=60000");
    assert_eq!((cut.status, cut.text().as_str(), cut.is_complete), (200, "part 0\n", false));
}

/// As many loops as stop the peers for good cost a neighbour nothing but slices.
#[test]
fn looping_guests_leave_their_neighbours_their_turn() {
    let (_sandbox, up) = web(&format!("{LIMITS}request_ms_max = 3000"));
    let mut loops: Vec<_> = (0..6).map(|_| up.connect()).collect();
    for connection in &mut loops {
        connection.send("GET /loop HTTP/1.1\r\nhost: test\r\n\r\n");
    }
    for _ in 0..5 {
        assert_eq!(up.get("/").text(), "hello");
    }
    for connection in &mut loops {
        assert_eq!(connection.answer().unwrap().status, 504);
    }
}

#[test]
fn a_guest_that_breaks_ends_itself_alone() {
    let (_sandbox, up) = web("");
    assert_eq!(up.get("/panic").status, 500);
    up.said("the guest trapped");
    let cut = up.get("/panic-in-body");
    assert_eq!((cut.status, cut.is_complete), (200, false), "a body that broke does not end well");
    assert_eq!(up.get("/memory?mib=1024").status, 500, "128 MiB are all a guest gets");
    assert_eq!(up.get("/memory?mib=32").text(), "took 32 MiB");
    assert_eq!(up.get("/").status, 200);
}

#[test]
fn more_requests_than_a_component_takes_are_told_to_come_again() {
    let (_sandbox, up) = web(&format!("{LIMITS}concurrency_max = 1"));
    let mut first = up.connect();
    first.send("GET /drip?ms=60000 HTTP/1.1\r\nhost: test\r\n\r\n");
    assert_eq!(first.head().unwrap().status, 200);
    let second = up.get("/");
    assert_eq!((second.status, second.header("retry-after")), (503, Some("1")));
    // The client leaves, and with it the guest: there is room again.
    drop(first);
    let until = Instant::now() + Duration::from_secs(10);
    while up.get("/").status != 200 {
        assert!(Instant::now() < until, "a guest whose client left is still there");
    }
}

/// A client that takes nothing keeps a guest no longer than any other client could.
#[test]
fn a_client_that_does_not_read_keeps_no_guest() {
    let (_sandbox, up) = web(&format!("{LIMITS}concurrency_max = 1\nrequest_ms_max = 500"));
    let mut deaf = up.connect();
    deaf.send("GET /stream?mib=512 HTTP/1.1\r\nhost: test\r\n\r\n");
    assert_eq!(deaf.head().unwrap().status, 200);
    assert_eq!(up.get("/").status, 503);
    let until = Instant::now() + Duration::from_secs(10);
    while up.get("/").status != 200 {
        assert!(Instant::now() < until, "its deadline is over and the guest is still there");
    }
}

#[test]
fn broken_requests_are_refused_and_harm_nobody() {
    let (_sandbox, up) = web("");
    let status = |bytes: &str| up.connect().send(bytes).answer().map(|response| response.status);
    assert_eq!(status("garbage\r\n\r\n"), Some(400));
    assert_eq!(status("\x16\x03\x01 a TLS hello"), Some(400));
    assert_eq!(status("GET / HTTP/1.1\r\n\r\n"), Some(400), "no host");
    assert_eq!(status("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n"), Some(400), "two hosts");
    assert_eq!(status("GET / HTTP/1.0\r\n\r\n"), Some(200), "HTTP/1.0 needs no host");
    let many: String = (0..200).map(|number| format!("x-{number}: y\r\n")).collect();
    assert_eq!(status(&format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n")), Some(431));
    let long = "y".repeat(128 << 10);
    assert_eq!(status(&format!("GET / HTTP/1.1\r\nhost: a\r\nx: {long}\r\n\r\n")), Some(431));
    assert_eq!(up.get("/").status, 200);
}

/// Heads that never end are closed after ten seconds, on both paths a connection can be slow.
#[test]
fn slow_heads_are_closed() {
    let (_sandbox, up) = web("");
    let started = Instant::now();
    let mut silent = up.connect();
    let mut slow = up.connect();
    slow.send("GET / HTTP/1.1\r\nhost: test\r\nx-slow: ");
    assert_eq!(silent.answer(), None);
    let closed = slow.answer().is_none_or(|response| response.status == 408);
    assert!(closed && started.elapsed() < Duration::from_secs(20), "after {:?}", started.elapsed());
}

#[test]
fn a_drain_lets_requests_end_and_takes_no_more() {
    let (_sandbox, up) = web("");
    let (mut busy, mut idle) = (up.connect(), up.connect());
    assert_eq!(idle.get("/").status, 200);
    busy.send("GET /drip?ms=1000 HTTP/1.1\r\nhost: test\r\n\r\n");
    assert_eq!(busy.head().unwrap().status, 200);
    up.signal("TERM");
    up.said("Draining");
    assert_eq!(busy.chunk().unwrap().unwrap(), b"part 0\n");
    assert_eq!(busy.chunk().unwrap().unwrap(), b"part 1\n");
    assert_eq!(busy.chunk(), Ok(None));
    assert_eq!(idle.answer(), None, "an idle connection is closed");
    assert_eq!(up.wait().code(), Some(0));
}

#[test]
fn sigint_drains_too() {
    let (_sandbox, up) = web("");
    up.signal("INT");
    assert_eq!(up.wait().code(), Some(0));
}

#[test]
fn a_request_goes_out_only_to_a_host_that_was_granted() {
    let origin = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = origin.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in origin.incoming().map_while(Result::ok) {
            let mut stream = stream;
            // Closing with a request unread would reset the connection.
            let _ = stream.read(&mut [0; 4096]);
            let _ =
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\norigin");
        }
    });
    let url = format!("/fetch?url=http://{at}/");
    let (_sandbox, denied) = web("");
    assert!(denied.get(&url).text().contains("HttpRequestDenied"), "{}", denied.get(&url).text());
    let (_sandbox, granted) = web(&format!("allowed_outbound_hosts = [\"http://{at}\"]"));
    assert_eq!(granted.get(&url).text(), "origin");
}

#[test]
fn a_guest_sees_the_environment_it_was_given_and_no_other() {
    let (_sandbox, up) = web("");
    assert_eq!(up.get("/environment").text(), "[]");
    let sandbox = sandbox();
    sandbox.web_app("environment = { LEVEL = \"info\", COLOUR = \"red\" }");
    let up = Up::start(&sandbox, &["--env", "LEVEL=debug"]);
    assert_eq!(up.get("/environment").text(), r#"[("COLOUR", "red"), ("LEVEL", "debug")]"#);
}

#[test]
fn what_a_guest_prints_appears_behind_its_name_and_in_files() {
    let (sandbox, up) = web("");
    up.get("/print");
    up.said("web | to stdout\n");
    up.said("web | to stderr\n");
    assert!(up.stop().success());
    let log = |stream| {
        std::fs::read_to_string(sandbox.path().join(format!(".tombolo/logs/web_{stream}.txt"))).unwrap()
    };
    assert_eq!((log("stdout").as_str(), log("stderr").as_str()), ("to stdout\n", "to stderr\n"));
}

#[test]
fn a_spin_app_is_told_its_route_and_a_bare_component_is_not() {
    let (sandbox, up) = web("");
    let mut connection = up.connect();
    let forged =
        "GET /headers HTTP/1.1\r\nhost: test\r\nspin-path-info: forged\r\nconnection: keep-alive\r\n\r\n";
    let told = connection.send(forged).answer().unwrap().text();
    for line in
        ["spin-path-info: /headers\n", "spin-full-url: http://test/headers\n", "spin-matched-route: /...\n"]
    {
        assert!(told.contains(line), "{line} in {told}");
    }
    assert!(!told.contains("connection:"), "{told}");
    let bare = Up::start(&sandbox, &["web.wasm"]);
    assert_eq!(bare.get("/headers").text(), "", "WASI gives the host apart from the headers");
}

#[test]
fn every_route_leads_to_its_component() {
    let sandbox = sandbox();
    sandbox.guest("web", "web.wasm");
    sandbox.guest("hello-rust", "hello.wasm");
    let text = "spin_manifest_version = 2\n[application]\nname = \"two\"\n\
        [[trigger.http]]\nroute = \"/...\"\ncomponent = \"web\"\n\
        [[trigger.http]]\nroute = \"/hello/:name\"\ncomponent = \"hello\"\n\
        [component.web]\nsource = \"web.wasm\"\n[component.hello]\nsource = \"hello.wasm\"\n";
    sandbox.file("spin.toml", text);
    let up = Up::start(&sandbox, &[]);
    let said = up.said("Listening");
    assert!(said.contains("  /...          web\n  /hello/:name  hello\n"), "{said}");
    assert_eq!(up.get("/hello/ada").text(), "Hello from WebAssembly\n");
    assert_eq!(up.get("/hello/ada/more").status, 404, "the answer of `web`");
    assert_eq!(up.get("/").text(), "hello");
}

/// Without a component, whatever is asked.
#[test]
fn a_static_response_is_answered_as_written() {
    let sandbox = sandbox();
    let text = "spin_manifest_version = 2\n[application]\nname = \"app\"\n[[trigger.http]]\nroute = \"/old/...\"\n\
        static_response = { status_code = 410, headers = { content-type = \"text/plain\", x-why = \"moved\" }, \
        body = \"gone\" }\n[[trigger.http]]\nroute = \"/\"\nstatic_response = { status_code = 204 }\n";
    sandbox.file("spin.toml", text);
    let up = Up::start(&sandbox, &[]);
    let mut connection = up.connect();
    for _ in 0..2 {
        let answer = connection.get("/old/page");
        assert_eq!((answer.status, answer.text().as_str()), (410, "gone"));
        assert_eq!(
            (answer.header("x-why"), answer.header("content-type")),
            (Some("moved"), Some("text/plain"))
        );
    }
    assert_eq!(connection.get("/").status, 204);
    assert_eq!(connection.get("/other").status, 404);
    assert_eq!(up.post("/old", b"ignored").text(), "gone");
    let head = up.connect().send("HEAD /old HTTP/1.1\r\nhost: test\r\n\r\n").head();
    assert_eq!(
        head.map(|head| (head.status, head.header("content-length").map(str::to_owned))),
        Some((410, Some("4".to_owned())))
    );
    up.said("/old/...  always 410");
}
