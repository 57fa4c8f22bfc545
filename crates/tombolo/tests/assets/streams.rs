//! Large files, and files that change on their way.

use std::fs;

use tombolo_testkit::Up;

use crate::site::site;

/// A quarter of a gigabyte goes out in memory that stays flat, whether its client reads or not.
#[test]
fn a_large_file_is_streamed() {
    const BYTES: u64 = 256 << 20;
    let sandbox = site("");
    let file = fs::File::create(sandbox.path().join("dist/large.bin")).unwrap();
    file.set_len(BYTES).unwrap();
    let up = Up::start(&sandbox, &[]);
    up.get("/");
    let before = up.memory_kb();
    let mut waiting: Vec<_> = (0..8).map(|_| up.connect()).collect();
    for connection in &mut waiting {
        connection.send("GET /large.bin HTTP/1.1\r\nhost: test\r\n\r\n");
        assert_eq!(connection.head().unwrap().status, 200);
    }
    let mut connection = up.connect();
    connection.send("GET /large.bin HTTP/1.1\r\nhost: test\r\n\r\n");
    let head = connection.head().unwrap();
    assert_eq!(head.header("content-length"), Some(BYTES.to_string().as_str()));
    let mut bytes = 0;
    while bytes < BYTES {
        let part = connection.bytes(1 << 20);
        assert_eq!(part.len(), 1 << 20, "{bytes} of {BYTES} came");
        bytes += part.len() as u64;
    }
    let grown = up.memory_kb().saturating_sub(before);
    assert!(grown < 32 << 10, "{BYTES} bytes went out and {grown} kB more are resident");
    // The connection is of use for more.
    assert_eq!(connection.get("/app.js").status, 200);
    drop(waiting);
    assert!(up.stop().success());
}

#[test]
fn a_file_that_shrinks_while_it_is_sent_is_cut() {
    let sandbox = site("");
    let file = fs::File::create(sandbox.path().join("dist/large.bin")).unwrap();
    file.set_len(64 << 20).unwrap();
    let up = Up::start(&sandbox, &[]);
    let mut connection = up.connect();
    connection.send("GET /large.bin HTTP/1.1\r\nhost: test\r\n\r\n");
    assert_eq!(connection.head().unwrap().status, 200);
    file.set_len(1 << 20).unwrap();
    let bytes = connection.bytes(64 << 20).len();
    assert!(bytes < 64 << 20, "{bytes} bytes of a file that had fewer");
    up.said("site: static assets of /...: request");
    assert_eq!(up.get("/large.bin").body.len(), 1 << 20);
}

#[test]
fn files_go_out_over_http_2() {
    use http_body_util::BodyExt;
    let sandbox = site("");
    let large = vec![7; 1 << 20];
    sandbox.file("dist/large.bin", &large);
    let up = Up::start(&sandbox, &[]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(up.address()).await.unwrap();
        let io = hyper_util::rt::TokioIo::new(stream);
        let executor = hyper_util::rt::TokioExecutor::new();
        let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
        tokio::spawn(connection);
        let mut ask = |method: &str, path: &str| {
            let uri = format!("http://{}{path}", up.address());
            let body = http_body_util::Empty::<bytes::Bytes>::new();
            sender.send_request(hyper::Request::builder().method(method).uri(uri).body(body).unwrap())
        };
        let (one, other, head) = (ask("GET", "/large.bin"), ask("GET", "/app.js"), ask("HEAD", "/large.bin"));
        let (one, other, head) = (one.await.unwrap(), other.await.unwrap(), head.await.unwrap());
        assert_eq!(head.headers()["content-length"], "1048576");
        assert_eq!(head.into_body().collect().await.unwrap().to_bytes().len(), 0);
        assert_eq!(other.into_body().collect().await.unwrap().to_bytes(), "const it = 1;");
        assert_eq!(one.into_body().collect().await.unwrap().to_bytes(), large);
    });
}
