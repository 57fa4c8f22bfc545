//! Static assets: what a client gets of an app's files, and what it never gets.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and says where")]

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant, SystemTime};

use tombolo_testkit::{Response, Sandbox, Up};

fn sandbox() -> Sandbox {
    Sandbox::new(env!("CARGO_BIN_EXE_tombolo"))
}

const MANIFEST: &str = "spin_manifest_version = 2\n[application]\nname = \"site\"\n\
    [[application.tool.tombolo.static]]\nroute = \"/...\"\ndirectory = \"dist\"\n";

/// An app of files alone, with more lines for its one entry.
fn site(lines: &str) -> Sandbox {
    let sandbox = sandbox();
    sandbox.file("spin.toml", format!("{MANIFEST}{lines}\n"));
    sandbox.file("dist/index.html", "<h1>home</h1>");
    sandbox.file("dist/app.js", "const it = 1;");
    sandbox.file("dist/sub/index.html", "<h1>sub</h1>");
    sandbox.file("dist/sub/kernels.wasm", b"\0asm\x01\0\0\0");
    sandbox
}

/// A request with more header lines, as bytes on a connection of its own.
fn ask(up: &Up, method: &str, target: &str, lines: &[&str]) -> Response {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let mut connection = up.connect();
    connection.send(format!("{method} {target} HTTP/1.1\r\nhost: test\r\n{lines}\r\n"));
    let answer = if method == "HEAD" { connection.head() } else { connection.answer() };
    answer.expect("an answer")
}

fn get(up: &Up, target: &str, lines: &[&str]) -> Response {
    ask(up, "GET", target, lines)
}

#[test]
fn an_app_of_files_alone_is_served() {
    let sandbox = site("");
    sandbox.file("dist/a b.txt", "spaced");
    sandbox.file("dist/empty.css", "");
    let up = Up::start(&sandbox, &[]);
    up.said("  /...  files in dist\n");
    for (path, kind, text) in [
        ("/", "text/html; charset=utf-8", "<h1>home</h1>"),
        ("/index.html?v=1", "text/html; charset=utf-8", "<h1>home</h1>"),
        ("/app.js", "text/javascript; charset=utf-8", "const it = 1;"),
        ("/sub/", "text/html; charset=utf-8", "<h1>sub</h1>"),
        ("/sub/kernels.wasm", "application/wasm", "\0asm\x01\0\0\0"),
        ("/a%20b.txt", "text/plain; charset=utf-8", "spaced"),
        ("/empty.css", "text/css; charset=utf-8", ""),
    ] {
        let response = up.get(path);
        assert_eq!((response.status, response.text().as_str()), (200, text), "{path}");
        assert_eq!(response.header("content-type"), Some(kind), "{path}");
        assert_eq!(response.header("content-length"), Some(text.len().to_string().as_str()), "{path}");
        assert_eq!(response.header("accept-ranges"), Some("bytes"));
        assert_eq!(response.header("cache-control"), Some("no-cache"));
        assert_eq!(response.header("vary"), None);
    }
    let folder = up.get("/sub?a=b");
    assert_eq!((folder.status, folder.header("location")), (301, Some("/sub/?a=b")));
    for path in ["/none", "/app.js/", "/sub/none/", "/app.js/x"] {
        assert_eq!(up.get(path).status, 404, "{path}");
    }
    assert!(up.stop().success());
}

#[test]
fn what_a_client_has_is_not_sent_again() {
    let sandbox = site("");
    let up = Up::start(&sandbox, &[]);
    let first = up.get("/app.js");
    let (tag, date) = (first.header("etag").unwrap(), first.header("last-modified").unwrap());
    assert!(tag.starts_with('"') && tag.len() == 34, "{tag}");
    for line in [
        format!("if-none-match: {tag}"),
        format!("if-none-match: \"x\", W/{tag}"),
        "if-none-match: *".to_owned(),
        format!("if-modified-since: {date}"),
    ] {
        for method in ["GET", "HEAD"] {
            let again = ask(&up, method, "/app.js", &[&line]);
            assert_eq!((again.status, again.body.len()), (304, 0), "{method} {line}");
            assert_eq!(again.header("etag"), Some(tag));
            assert_eq!(again.header("cache-control"), Some("no-cache"));
            assert_eq!(again.header("content-type"), None);
        }
    }
    for line in ["if-none-match: \"x\"", "if-modified-since: Sun, 06 Nov 1994 08:49:37 GMT"] {
        assert_eq!(get(&up, "/app.js", &[line]).status, 200, "{line}");
    }
    assert_eq!(get(&up, "/app.js", &[&format!("if-match: {tag}")]).status, 200);
    assert_eq!(get(&up, "/app.js", &["if-match: \"x\""]).status, 412);
    // Two files of the same content have one tag; it says nothing of where they lie.
    sandbox.file("dist/copy.js", "const it = 1;");
    assert_eq!(up.get("/copy.js").header("etag"), Some(tag));
    // A connection goes on after an answer without a body.
    let mut connection = up.connect();
    for _ in 0..2 {
        connection.send(format!("GET /app.js HTTP/1.1\r\nhost: test\r\nif-none-match: {tag}\r\n\r\n"));
        assert_eq!(connection.head().unwrap().status, 304);
    }
    assert_eq!(connection.get("/app.js").text(), "const it = 1;");
}

#[test]
fn a_part_of_a_file_is_sent() {
    let sandbox = site("");
    sandbox.file("dist/ten.bin", "0123456789");
    // Larger than what is read at once.
    let large: Vec<u8> = (0..300_000u32).map(|at| (at % 251) as u8).collect();
    sandbox.file("dist/large.bin", &large);
    let up = Up::start(&sandbox, &[]);
    let tag = up.get("/ten.bin").header("etag").unwrap().to_owned();
    for (range, text, place) in [
        ("bytes=0-3", "0123", "bytes 0-3/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-2", "89", "bytes 8-9/10"),
        ("bytes=5-500", "56789", "bytes 5-9/10"),
    ] {
        let part = get(&up, "/ten.bin", &[&format!("range: {range}")]);
        assert_eq!((part.status, part.text().as_str()), (206, text), "{range}");
        assert_eq!(part.header("content-range"), Some(place));
        assert_eq!(part.header("content-length"), Some(text.len().to_string().as_str()));
        assert_eq!(part.header("etag"), Some(tag.as_str()));
    }
    for range in ["bytes=10-", "bytes=-0", "bytes=99999999999999999999-"] {
        let none = get(&up, "/ten.bin", &[&format!("range: {range}")]);
        assert_eq!((none.status, none.header("content-range")), (416, Some("bytes */10")), "{range}");
    }
    // Several at once, and what is no range of bytes: all of it.
    for range in ["bytes=0-1,4-5", "bytes=5-2", "lines=1-2", "nonsense"] {
        let whole = get(&up, "/ten.bin", &[&format!("range: {range}")]);
        assert_eq!((whole.status, whole.text().as_str()), (200, "0123456789"), "{range}");
    }
    let if_range = |value: &str| get(&up, "/ten.bin", &["range: bytes=0-3", &format!("if-range: {value}")]);
    assert_eq!(if_range(&tag).text(), "0123");
    for other in ["\"x\"", &format!("W/{tag}"), "Sun, 06 Nov 1994 08:49:37 GMT"] {
        assert_eq!((if_range(other).status, if_range(other).text().as_str()), (200, "0123456789"), "{other}");
    }
    let head = ask(&up, "HEAD", "/ten.bin", &["range: bytes=0-3"]);
    assert_eq!((head.status, head.header("content-length")), (200, Some("10")));
    for (from, to) in [(0, 299_999), (65_535, 65_536), (100_000, 250_000), (299_999, 299_999)] {
        let part = get(&up, "/large.bin", &[&format!("range: bytes={from}-{to}")]);
        assert_eq!(part.status, 206);
        assert!(part.body == large[from..=to], "{from}-{to}");
    }
}

#[test]
fn other_methods_are_refused_and_head_is_get_without_a_body() {
    let sandbox = site("");
    let up = Up::start(&sandbox, &[]);
    let (head, whole) = (ask(&up, "HEAD", "/app.js", &[]), up.get("/app.js"));
    let without_date = |response: Response| {
        response.headers.into_iter().filter(|(name, _)| name != "date").collect::<Vec<_>>()
    };
    assert_eq!(head.status, 200);
    assert_eq!(without_date(head), without_date(whole));
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let refused = ask(&up, method, "/app.js", &["content-length: 0"]);
        assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD")), "{method}");
    }
}

#[test]
fn an_encoding_that_lies_beside_a_file_is_served_to_who_takes_it() {
    let sandbox = site("precompressed = [\"br\", \"gzip\"]");
    let up = Up::start(&sandbox, &[]);
    let encoded = |accepted: &str| {
        let response = get(&up, "/app.js", &[&format!("accept-encoding: {accepted}")]);
        assert_eq!(response.header("vary"), Some("accept-encoding"));
        assert_eq!(response.header("content-type"), Some("text/javascript; charset=utf-8"));
        let tag = response.header("etag").unwrap().to_owned();
        (response.header("content-encoding").map(str::to_owned), response.text(), tag)
    };
    let check = |accepted: &str, encoding: Option<&str>, text: &str| {
        let (found, body, _) = encoded(accepted);
        assert_eq!((found.as_deref(), body.as_str()), (encoding, text), "{accepted}");
    };
    let plain = "const it = 1;";
    check("br, gzip", None, plain);
    sandbox.file("dist/app.js.gz", "in gzip");
    check("br, gzip", Some("gzip"), "in gzip");
    sandbox.file("dist/app.js.br", "in brotli");
    check("gzip, deflate, br, zstd", Some("br"), "in brotli");
    check("br;q=0.1, gzip;q=0.2", Some("gzip"), "in gzip");
    check("br;q=0, *", Some("gzip"), "in gzip");
    check("identity, br;q=0.5", None, plain);
    check("deflate", None, plain);
    check("", None, plain);
    assert_eq!(up.get("/app.js").text(), plain);
    // Each is content of its own, with a tag and ranges of its own.
    let tags = ["br", "gzip", ""].map(|accepted| encoded(accepted).2);
    assert!(tags[0] != tags[1] && tags[1] != tags[2] && tags[0] != tags[2]);
    let part = get(&up, "/app.js", &["accept-encoding: br", "range: bytes=3-"]);
    assert_eq!((part.status, part.text().as_str()), (206, "brotli"));
    let seen = get(&up, "/app.js", &["accept-encoding: br", &format!("if-none-match: {}", tags[0])]);
    assert_eq!((seen.status, seen.header("vary")), (304, Some("accept-encoding")));
    // What was compressed before the file was changed is not it.
    let old = SystemTime::now() - Duration::from_secs(60);
    let brotli = fs::File::options().write(true).open(sandbox.path().join("dist/app.js.br")).unwrap();
    brotli.set_modified(old).unwrap();
    check("br, gzip", Some("gzip"), "in gzip");
}

/// Neither by its path, however it is written, nor by links does a client get out of the directory.
/// Without the second wall: the gateway itself does not go there.
#[test]
fn nothing_but_the_files_of_the_directory_is_served() {
    let sandbox = site("fallback = \"index.html\"");
    let outside = sandbox.file("outside/secret.txt", "secret");
    sandbox.file("secret.txt", "secret");
    for hidden in [".env", ".git/config", "sub/.secret"] {
        sandbox.file(&format!("dist/{hidden}"), "secret");
    }
    sandbox.file("dist/.well-known/security.txt", "Contact: us");
    let link =
        |to: &std::path::Path, name: &str| symlink(to, sandbox.path().join("dist").join(name)).unwrap();
    link(&outside, "absolute");
    link("../secret.txt".as_ref(), "relative");
    link("..".as_ref(), "up");
    link("/proc/self/root".as_ref(), "root");
    link("sub/index.html".as_ref(), "within");
    link("loop".as_ref(), "loop");
    let up = Up::start(&sandbox, &["--no-confine"]);
    for path in [
        "/../secret.txt",
        "/sub/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/%2E%2E/secret.txt",
        "/.%2e/secret.txt",
        "/sub/%2e%2e/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e%2fsecret.txt",
        "/sub%2f..%2f..%2fsecret.txt",
        "/..%5csecret.txt",
        "/..\\secret.txt",
        "//secret.txt",
        "/./app.js",
        "/%2fetc/passwd",
        "//etc/passwd",
        "/app.js%00",
        "/%00",
        "/app.js%00.html",
        "/.env",
        "/%2eenv",
        "/.git/config",
        "/sub/.secret",
        "/absolute",
        "/relative",
        "/up/secret.txt",
        "/up/dist/app.js",
        "/root/etc/passwd",
        "/loop",
        "/%ff",
        "/sub/.well-known/x",
        "/%c0%ae%c0%ae/secret.txt",
    ] {
        let response = get(&up, path, &[]);
        assert_eq!(response.status, 404, "{path}: {}", response.text());
        assert!(!response.text().contains("secret") && !response.text().contains("root:"), "{path}");
        // Nor does a fallback hide that: it gives the page and nothing else.
        let page = get(&up, path, &["accept: text/html"]);
        assert!(page.status == 404 || page.text() == "<h1>home</h1>", "{path}: {}", page.text());
    }
    for path in ["/%", "/%2", "/%zz", "/app%.js"] {
        assert_eq!(get(&up, path, &[]).status, 400, "{path}");
    }
    // In the form that names the host, and in one that is no path at all.
    assert_eq!(get(&up, "http://test/../secret.txt", &[]).status, 404);
    assert!(!get(&up, "secret.txt", &[]).text().contains("secret"));
    assert_eq!(get(&up, "/within", &[]).text(), "<h1>sub</h1>");
    assert_eq!(get(&up, "/.well-known/security.txt", &[]).text(), "Contact: us");
    // A long path is no file, and no failure.
    assert_eq!(get(&up, &format!("/{}", "a/".repeat(3000)), &[]).status, 404);
    assert_eq!(get(&up, &format!("/{}", "a".repeat(3000)), &[]).status, 404);
}

#[test]
fn a_page_that_no_file_matches_is_the_apps() {
    let sandbox = site("fallback = \"index.html\"");
    let up = Up::start(&sandbox, &[]);
    let browser = "accept: text/html,application/xhtml+xml,*/*;q=0.8";
    for path in ["/settings/profile", "/none.html", "/deep/er/"] {
        let page = get(&up, path, &[browser]);
        assert_eq!((page.status, page.text().as_str()), (200, "<h1>home</h1>"), "{path}");
        assert_eq!(page.header("vary"), Some("accept"));
        let tag = format!("if-none-match: {}", page.header("etag").unwrap());
        assert_eq!(get(&up, path, &[browser, &tag]).status, 304);
    }
    for accept in ["accept: */*", "accept: application/json", "accept: text/html;q=0"] {
        assert_eq!(get(&up, "/none.json", &[accept]).status, 404, "{accept}");
    }
    assert_eq!(get(&up, "/none.json", &[]).status, 404);
    assert_eq!(get(&up, "/app.js", &[browser]).text(), "const it = 1;");
}

#[test]
fn headers_are_sent_with_every_answer_and_caching_is_by_file() {
    let lines = "headers = { cross-origin-opener-policy = \"same-origin\", Cross-Origin-Embedder-Policy = \"require-corp\" }\n\
        cache_control = \"max-age=60\"\n\
        cache = [{ files = \"assets/**\", control = \"public, max-age=31536000, immutable\" }]";
    let sandbox = site(lines);
    sandbox.file("dist/assets/deep/app.5f3a.js", "1");
    let up = Up::start(&sandbox, &[]);
    let tag = format!("if-none-match: {}", up.get("/").header("etag").unwrap());
    for (method, path, line, status) in [
        ("GET", "/", "x: y", 200),
        ("GET", "/", tag.as_str(), 304),
        ("GET", "/", "range: bytes=0-1", 206),
        ("GET", "/", "range: bytes=1000-", 416),
        ("GET", "/sub", "x: y", 301),
        ("GET", "/none", "x: y", 404),
        ("GET", "/%", "x: y", 400),
        ("POST", "/", "content-length: 0", 405),
    ] {
        let response = ask(&up, method, path, &[line]);
        assert_eq!(response.status, status);
        assert_eq!(response.header("cross-origin-opener-policy"), Some("same-origin"), "{status}");
        assert_eq!(response.header("cross-origin-embedder-policy"), Some("require-corp"), "{status}");
    }
    let control = |path: &str| up.get(path).header("cache-control").map(str::to_owned);
    assert_eq!(control("/").as_deref(), Some("max-age=60"));
    let immutable = Some("public, max-age=31536000, immutable");
    assert_eq!(control("/assets/deep/app.5f3a.js").as_deref(), immutable);
}

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
    up.said("static assets of /...: request");
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

/// What is built anew is served anew: without a restart, and without being told.
#[test]
fn changed_files_are_served_at_once() {
    let sandbox = site("");
    let up = Up::start(&sandbox, &[]);
    let mut tags = Vec::new();
    for content in ["1", "2", "3", "1"] {
        sandbox.file("dist/app.js", content);
        let response = up.get("/app.js");
        assert_eq!(response.text(), content);
        tags.push(response.header("etag").unwrap().to_owned());
    }
    assert!(tags[0] == tags[3] && tags[0] != tags[1] && tags[1] != tags[2], "{tags:?}");
    // A folder that is put in the place of the old one, as a release does.
    fs::rename(sandbox.path().join("dist"), sandbox.path().join("before")).unwrap();
    assert_eq!(up.get("/app.js").status, 500);
    up.said("static assets of /...: request");
    sandbox.file("dist/app.js", "after");
    assert_eq!(up.get("/app.js").text(), "after");
}

#[test]
fn a_changed_manifest_is_followed() {
    let sandbox = site("");
    sandbox.file("other/app.js", "other");
    let up = Up::start(&sandbox, &["--watch"]);
    assert_eq!(up.get("/app.js").text(), "const it = 1;");
    sandbox.file("dist/app.js", "changed");
    assert_eq!(up.get("/app.js").text(), "changed");
    let until = Instant::now() + Duration::from_secs(30);
    sandbox.file("spin.toml", MANIFEST.replace("dist", "missing"));
    up.said("The app is served as it was before");
    assert_eq!(up.get("/app.js").text(), "changed");
    sandbox.file("spin.toml", MANIFEST.replace("dist", "other"));
    while up.get("/app.js").text() != "other" {
        assert!(Instant::now() < until);
    }
}

#[test]
fn components_and_files_share_an_app() {
    let sandbox = sandbox();
    sandbox.guest("web", "web.wasm");
    let component = "[[trigger.http]]\nroute = \"/echo/...\"\ncomponent = \"web\"\n[component.web]\nsource = \"web.wasm\"\n";
    sandbox.file("spin.toml", format!("{MANIFEST}{component}"));
    sandbox.file("dist/index.html", "home");
    sandbox.file("dist/echo/hidden.txt", "behind the component");
    let up = Up::start(&sandbox, &[]);
    assert_eq!(up.get("/").text(), "home");
    assert_eq!(up.post("/echo", b"from the component").text(), "from the component");
    assert_eq!(up.get("/echo/hidden.txt").status, 404);
    drop(up);
    sandbox.file("spin.toml", format!("{MANIFEST}{}", component.replace("/echo/...", "/...")));
    let refused = sandbox.tombolo(&["up"]);
    assert_eq!(
        (refused.code, refused.stderr.as_str()),
        (Some(1), "error: the route `/...` is that of component `web` and of the static assets in `dist`\n")
    );
}

#[test]
fn a_directory_that_is_not_there_is_named_with_its_field() {
    let sandbox = sandbox();
    sandbox.file("spin.toml", MANIFEST);
    let refused = sandbox.tombolo(&["up"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.ends_with(
            "error: static assets of `/...`: cannot read `directory`, which is `./dist`: No such file or directory \
             (os error 2)\n\nhint: build what goes there first, or correct `directory`, which is relative to the \
             manifest\n"
        ),
        "{}",
        refused.stderr
    );
    sandbox.file("dist", "a file");
    let refused = sandbox.tombolo(&["up"]);
    assert!(refused.stderr.contains("`./dist`: Not a directory"), "{}", refused.stderr);
}

/// Behind the whole second wall, from a directory that lies elsewhere.
#[test]
fn files_that_lie_elsewhere_are_served_behind_the_second_wall() {
    let (sandbox, elsewhere) = (sandbox(), sandbox());
    elsewhere.file("dist/app.js", "elsewhere");
    elsewhere.file("secret.txt", "secret");
    symlink("../secret.txt", elsewhere.path().join("dist/out")).unwrap();
    let directory = format!("directory = \"{}/dist\"", elsewhere.path().display());
    sandbox.file("spin.toml", MANIFEST.replace("directory = \"dist\"", &directory));
    let up = Up::start(&sandbox, &[]);
    assert_eq!(up.status("NoNewPrivs"), "1");
    assert_eq!(up.get("/app.js").text(), "elsewhere");
    assert_eq!(up.get("/out").status, 404);
}

#[test]
fn a_request_for_a_file_is_in_the_log_of_requests() {
    let sandbox = site("");
    let mut command = sandbox.command(&["up", "--listen", "127.0.0.1:0", "--server-timing"]);
    command.env("TOMBOLO_LOG", "request=info");
    let up = Up::spawn(command);
    let response = up.get("/app.js");
    assert!(response.header("server-timing").unwrap().starts_with("total;dur="));
    let said = up.said("response_bytes=13");
    let event = said.lines().find(|line| line.contains("response_bytes=13")).unwrap();
    for part in ["app=\"site\"", "assets=\"/...\"", "outcome=Answered", "status=200"] {
        assert!(event.contains(part), "{event}");
    }
}
