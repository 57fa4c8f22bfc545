//! Answers that are compressed on their way.

use std::io::Read;

use tombolo_testkit::Response;

use crate::upstream::Upstream;
use crate::{ask, get, long_text, served, values};

const ALL: &str = "accept-encoding: gzip, br";

/// As far as `bytes` can be decoded: they may be the beginning of something.
fn decoded(encoding: &str, bytes: &[u8]) -> Vec<u8> {
    let mut reader: Box<dyn Read> = match encoding {
        "gzip" => Box::new(flate2::read::GzDecoder::new(bytes)),
        "br" => Box::new(brotli::Decompressor::new(bytes, 4096)),
        "zstd" => Box::new(zstd::Decoder::new(bytes).unwrap()),
        other => panic!("{other}"),
    };
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(length @ 1..) = reader.read(&mut buffer) {
        text.extend(&buffer[..length]);
    }
    text
}

fn encoding(answer: &Response) -> Option<&str> {
    answer.header("content-encoding")
}

#[test]
fn a_client_gets_the_encoding_that_it_likes() {
    let (_sandbox, up) = served("compression = {}");
    let text = long_text();
    for path in ["/written", "/files/app.js"] {
        let plain = get(&up, path, &[]);
        assert_eq!((encoding(&plain), plain.text() == text), (None, true), "{path}");
        assert_eq!(plain.header("vary"), Some("accept-encoding"));
        let tag = plain.header("etag").unwrap().to_owned();
        for (accepted, expected) in [
            ("gzip", "gzip"),
            ("br", "br"),
            ("zstd", "zstd"),
            ("gzip, deflate, br", "br"),
            ("br;q=0.1, *", "zstd"),
        ] {
            let answer = get(&up, path, &[&format!("accept-encoding: {accepted}")]);
            assert_eq!((answer.status, encoding(&answer)), (200, Some(expected)), "{path}");
            assert!(
                answer.is_complete && answer.body.len() < text.len() / 3,
                "{path}: {} bytes",
                answer.body.len()
            );
            assert_eq!(decoded(expected, &answer.body), text.as_bytes(), "{path}");
            assert_eq!(answer.header("etag"), Some(format!("W/{tag}").as_str()), "{path}");
            assert_eq!((answer.header("content-length"), answer.header("accept-ranges")), (None, None));
            assert_eq!(values(&answer, "vary"), ["accept-encoding"]);
        }
        for accepted in ["identity", "deflate", "br;q=0", "identity, gzip;q=0.5"] {
            let answer = get(&up, path, &[&format!("accept-encoding: {accepted}")]);
            assert_eq!((encoding(&answer), answer.text() == text), (None, true), "{path}: {accepted}");
        }
    }
}

#[test]
fn what_does_not_get_shorter_is_left() {
    let (_sandbox, up) = served("compression = {}");
    for path in ["/short", "/files/app.png", "/files/none", "/"] {
        let answer = get(&up, path, &[ALL]);
        assert_eq!((encoding(&answer), answer.header("vary")), (None, None), "{path}");
    }
    let part = get(&up, "/files/app.js", &[ALL, "range: bytes=0-1999"]);
    assert_eq!((part.status, encoding(&part), part.body.len()), (206, None, 2000));
}

/// A client that has what was compressed is told of that (RFC 9110 §15.4.5), and one that has the other of the other.
#[test]
fn a_client_that_has_it_is_not_sent_it_again() {
    let (_sandbox, up) = served("compression = {}");
    let compressed = get(&up, "/files/app.js", &[ALL]);
    let weak = compressed.header("etag").unwrap();
    let known = get(&up, "/files/app.js", &[ALL, &format!("if-none-match: {weak}")]);
    assert_eq!(
        (known.status, known.header("etag"), known.header("vary")),
        (304, Some(weak), Some("accept-encoding"))
    );
    let strong = weak.strip_prefix("W/").unwrap();
    let known = get(&up, "/files/app.js", &[ALL, &format!("if-none-match: {strong}")]);
    assert_eq!((known.status, known.header("etag")), (304, Some(strong)));
}

#[test]
fn the_head_is_that_of_a_get() {
    let (_sandbox, up) = served("compression = {}");
    for path in ["/written", "/files/app.js"] {
        let (head, whole) = (ask(&up, "HEAD", path, &[ALL]), get(&up, path, &[ALL]));
        for name in ["content-encoding", "etag", "vary", "content-type", "content-length", "accept-ranges"] {
            assert_eq!(values(&head, name), values(&whole, name), "{path}: {name}");
        }
    }
    assert_eq!(ask(&up, "HEAD", "/short", &[ALL]).header("content-length"), Some("5"));
}

#[test]
fn an_app_says_how_and_what() {
    let (_sandbox, up) =
        served("compression = { algorithms = [\"gzip\"], bytes_min = 5, content_types = [\"text/plain\"] }");
    assert_eq!(encoding(&get(&up, "/short", &[ALL])), Some("gzip"));
    assert_eq!(encoding(&get(&up, "/written", &["accept-encoding: br, gzip"])), Some("gzip"));
    assert_eq!(encoding(&get(&up, "/written", &["accept-encoding: br"])), None);
    assert_eq!(encoding(&get(&up, "/files/app.js", &[ALL])), None);
}

/// Each event is there before the next one happens, whatever the encoding.
#[test]
fn events_arrive_when_they_happen() {
    let upstream = Upstream::start("compression = {}");
    for accepted in ["gzip", "br", "zstd"] {
        let mut connection = upstream.up.connect();
        connection.send(format!("GET /events HTTP/1.1\r\nhost: test\r\naccept-encoding: {accepted}\r\n\r\n"));
        let mut body = upstream.answers("200 OK", &["content-type: text/event-stream"]);
        let (mut came, mut expected) = (Vec::new(), Vec::new());
        for number in 0..3 {
            let event = format!("data: {number}\n\n");
            body.write(&event);
            expected.extend(event.into_bytes());
            if number == 0 {
                let head = connection.head().unwrap();
                assert_eq!((head.status, encoding(&head)), (200, Some(accepted)));
            }
            while decoded(accepted, &came) != expected {
                came.extend(connection.chunk().unwrap().expect("the answer has not ended"));
            }
        }
        drop(body);
        while let Some(chunk) = connection.chunk().unwrap() {
            came.extend(chunk);
        }
        assert_eq!(decoded(accepted, &came), expected);
    }
}

#[test]
fn what_a_component_encoded_or_forbids_is_left() {
    let upstream = Upstream::start("compression = {}");
    let text = long_text();
    let length = format!("content-length: {}", text.len());
    for (own, expected) in [
        ("content-encoding: identity", Some("identity")),
        ("content-range: bytes 0-1/2", None),
        ("cache-control: public, no-transform", None),
    ] {
        let mut connection = upstream.up.connect();
        connection.send(format!("GET / HTTP/1.1\r\nhost: test\r\n{ALL}\r\n\r\n"));
        upstream.answers("200 OK", &["content-type: text/html", &length, own]).write(&text);
        let answer = connection.answer().unwrap();
        assert_eq!((encoding(&answer), answer.text() == text), (expected, true), "{own}");
    }
    let mut connection = upstream.up.connect();
    connection.send(format!("GET / HTTP/1.1\r\nhost: test\r\n{ALL}\r\n\r\n"));
    let tagged = ["content-type: text/html", &length, "etag: \"1\"", "vary: accept"];
    upstream.answers("200 OK", &tagged).write(&text);
    let answer = connection.answer().unwrap();
    assert_eq!(decoded("br", &answer.body), text.as_bytes());
    assert_eq!((answer.header("etag"), answer.header("content-length")), (Some("W/\"1\""), None));
    assert_eq!(values(&answer, "vary"), ["accept", "accept-encoding"]);
}

/// A body of any length goes through in memory that stays flat, and is charged to its request.
#[test]
fn a_long_answer_takes_no_more_memory_than_a_short_one() {
    // A debug build on a busy machine takes its time.
    let upstream = Upstream::start("compression = {}\nrequest_ms_max = 300000\ncpu_ms_max = 300000");
    let mut connection = upstream.up.connect();
    connection.send(format!("GET / HTTP/1.1\r\nhost: test\r\n{ALL}\r\n\r\n"));
    let mut body = upstream.answers("200 OK", &["content-type: text/plain"]);
    body.write("begun");
    assert_eq!(encoding(&connection.head().unwrap()), Some("br"));
    let before = upstream.up.memory_kb();
    let write = std::thread::spawn(move || {
        let part = "x".repeat(1 << 20);
        (0..24).for_each(|_| body.write(&part));
    });
    let mut bytes = 0;
    while let Some(chunk) = connection.chunk().unwrap() {
        bytes += chunk.len();
    }
    write.join().unwrap();
    assert!(bytes < 1 << 18, "24 MiB of one letter became {bytes} bytes");
    let grown = upstream.up.memory_kb().saturating_sub(before);
    assert!(grown < 12 << 10, "{grown} kB more are resident");
}
