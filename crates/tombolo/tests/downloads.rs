//! Components that a manifest names by a URL.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and says where")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tombolo_testkit::{Sandbox, Up};

/// A server of one file, that counts how often it was asked for it. `/moved` leads there, `/cut` ends too early.
struct Origin {
    at: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Origin {
    fn start(file: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut request = [0; 4096];
                let read = stream.read(&mut request).unwrap_or(0);
                let request = String::from_utf8_lossy(&request[..read]).into_owned();
                let path = request.split(' ').nth(1).unwrap_or_default();
                let length = file.len();
                let close = "connection: close\r\n\r\n";
                let head = match path {
                    "/file.wasm" | "/cut" => format!("200 OK\r\ncontent-length: {length}\r\n{close}"),
                    "/moved" => format!("302 Found\r\nlocation: /file.wasm\r\ncontent-length: 0\r\n{close}"),
                    _ => format!("404 Not Found\r\ncontent-length: 0\r\n{close}"),
                };
                let body = match path {
                    "/file.wasm" => &file[..],
                    "/cut" => &file[..length / 2],
                    _ => &[],
                };
                counted.fetch_add(usize::from(path == "/file.wasm"), Ordering::SeqCst);
                // Who has enough leaves.
                let _ = stream.write_all(format!("HTTP/1.1 {head}").as_bytes());
                let _ = stream.write_all(body);
            }
        });
        Self { at, asked }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// An app whose component is at `url` and has `digest`.
fn app(sandbox: &Sandbox, url: &str, digest: &str) {
    let text = format!(
        r#"
        spin_manifest_version = 2
        [application]
        name = "app"
        [[trigger.http]]
        route = "/..."
        component = "web"
        [component.web]
        source = {{ url = "{url}", digest = "{digest}" }}
    "#
    );
    sandbox.file("spin.toml", text);
}

fn digest(bytes: &[u8]) -> String {
    tombolo_model::Digest::of(bytes).to_string()
}

#[test]
fn a_component_at_a_url_is_downloaded_once() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    let file = std::fs::read(sandbox.guest("web", "web.wasm")).unwrap();
    let origin = Origin::start(file.clone());
    app(&sandbox, &format!("http://{}/moved", origin.at), &digest(&file));
    for _ in 0..2 {
        assert_eq!(Up::start(&sandbox, &[]).get("/").text(), "hello");
    }
    assert_eq!(origin.asked(), 1);
    // What is damaged is not served: it is downloaded again.
    let kept = sandbox.path().join("cache/downloads");
    let kept = std::fs::read_dir(kept).unwrap().next().unwrap().unwrap().path();
    std::fs::write(kept, "damaged").unwrap();
    assert_eq!(Up::start(&sandbox, &[]).get("/").text(), "hello");
    assert_eq!(origin.asked(), 2);
}

#[test]
fn what_is_not_there_cut_or_something_else_is_refused() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    let file = std::fs::read(sandbox.guest("web", "web.wasm")).unwrap();
    let origin = Origin::start(file.clone());
    let refused = |path: &str, digest: &str| {
        app(&sandbox, path, digest);
        let refused = sandbox.tombolo(&["up", "--listen", "127.0.0.1:0"]);
        assert_eq!(refused.code, Some(1));
        refused.stderr
    };
    let at = |path: &str| format!("http://{}{path}", origin.at);
    let own = digest(&file);
    let missing = refused(&at("/none"), &own);
    assert!(missing.contains("error: component `web`: cannot download `http://"), "{missing}");
    assert!(missing.contains("404"), "{missing}");
    let cut = refused(&at("/cut"), &own);
    assert!(cut.contains("cannot download"), "{cut}");
    let other = digest(b"other");
    let wrong = refused(&at("/file.wasm"), &other);
    assert!(wrong.contains(&format!("gives {own}, and `digest` says {other}")), "{wrong}");
    let scheme = refused("ftp://example.com/x.wasm", &own);
    assert!(scheme.contains("expected `https://` or `http://`"), "{scheme}");
    // Nothing of it was kept.
    let kept = std::fs::read_dir(sandbox.path().join("cache/downloads")).map_or(0, |files| files.count());
    assert_eq!(kept, 0);
}
