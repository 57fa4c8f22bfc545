//! What of a file is sent, and what is said about it.

use std::fs;
use std::time::{Duration, SystemTime};

use tombolo_testkit::{Response, Up};

use crate::site::{ask, get, site};

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
