//! `examples/lab`: the page's files and the kernels at the edge, in one app.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and says where")]

use std::io::Write;

use tombolo_kernels::Work;
use tombolo_kernels::blur::{Scratch, gaussian_blur};
use tombolo_kernels::matmul::{Shape, matmul_f32};
use tombolo_testkit::{Response, Sandbox, Up, root};

/// The lab with a page of the test's own: the real one is built by another toolchain.
fn lab() -> (Sandbox, Up) {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    let manifest = std::fs::read_to_string(root().join("examples/lab/spin.toml")).unwrap();
    sandbox.file("spin.toml", manifest.replace("../../web/lab/dist", "dist"));
    sandbox.guest("lab-api", "api/target/wasm32-wasip2/release/lab-api.wasm");
    sandbox.file("dist/index.html", "the page");
    sandbox.file("dist/assets/kernels-1a2b.wasm", "wasm");
    sandbox.file("dist/assets/kernels-1a2b.wasm.br", "brotli");
    let up = Up::start(&sandbox, &[]);
    (sandbox, up)
}

fn compute_ms(response: &Response) -> f64 {
    response.header("x-compute-ms").unwrap().parse().unwrap()
}

fn json(response: &Response) -> serde_json::Value {
    assert_eq!(response.header("content-type"), Some("application/json"), "{}", response.text());
    serde_json::from_slice(&response.body).unwrap()
}

#[track_caller]
fn refused(response: &Response, status: u16, message: &str) {
    assert_eq!((response.status, json(response)["error"].as_str().unwrap()), (status, message));
}

#[test]
fn the_page_is_isolated_and_its_files_are_kept() {
    let (_sandbox, up) = lab();
    let page = up.get("/");
    assert_eq!((page.status, page.text().as_str()), (200, "the page"));
    assert_eq!(page.header("cross-origin-opener-policy"), Some("same-origin"));
    assert_eq!(page.header("cross-origin-embedder-policy"), Some("require-corp"));
    assert_eq!(page.header("cache-control"), Some("no-cache"));
    let mut connection = up.connect();
    connection.send(
        "GET /assets/kernels-1a2b.wasm HTTP/1.1\r\nhost: test\r\naccept-encoding: gzip, br, zstd\r\n\r\n",
    );
    let kernels = connection.answer().unwrap();
    assert_eq!((kernels.text().as_str(), kernels.header("content-encoding")), ("brotli", Some("br")));
    assert_eq!(kernels.header("content-type"), Some("application/wasm"));
    assert_eq!(kernels.header("cache-control"), Some("public, max-age=31536000, immutable"));
}

#[test]
fn fibonacci_is_exact_and_bounded() {
    let (_sandbox, up) = lab();
    let answer = json(&up.get("/api/fibonacci?n=20"));
    assert_eq!(answer["result"], "6765");
    assert!(answer["computeMs"].as_f64().is_some_and(|ms| ms >= 0.0), "{answer}");
    let expected = "expected a number from 0 to 45";
    refused(&up.get("/api/fibonacci"), 400, &format!("`n` is missing, {expected}"));
    for n in ["46", "-1", "x", "1.5", "", "99999999999999999999"] {
        refused(&up.get(&format!("/api/fibonacci?n={n}")), 400, &format!("`n` is `{n}`, {expected}"));
    }
    refused(&up.get("/api/fibonacci?n=1&n=2"), 400, "`n` is there twice, expected it once");
    refused(&up.get("/api/fibonacci?n=1&m=2"), 400, "`m` is no parameter here, expected `n`");
    refused(
        &up.get("/api/fibonacci?n=%zz"),
        400,
        "`%zz` is encoded wrongly, expected UTF-8 in percent-encoding",
    );
}

#[test]
fn a_checksum_is_taken_as_the_body_comes() {
    let (_sandbox, up) = lab();
    let answer = json(&up.post("/api/crc32", b"123456789"));
    assert_eq!((&answer["crc32"], &answer["bytes"]), (&"cbf43926".into(), &9.into()));
    assert_eq!(json(&up.post("/api/crc32", b""))["crc32"], "00000000");
    // Many times what would fit in a guest's first memory, in pieces.
    const PIECES: usize = 96;
    let piece: Vec<u8> = (0..1 << 20).map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let expected = (0..PIECES).fold(0, |state, _| tombolo_kernels::crc32::crc32(state, &piece));
    let before = up.memory_kb();
    let mut connection = up.connect();
    let mut writer = connection.writer();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let head = "POST /api/crc32 HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n";
            writer.write_all(head.as_bytes()).unwrap();
            for _ in 0..PIECES {
                writer.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).unwrap();
                writer.write_all(&piece).unwrap();
                writer.write_all(b"\r\n").unwrap();
            }
            writer.write_all(b"0\r\n\r\n").unwrap();
        });
        let answer = json(&connection.answer().unwrap());
        assert_eq!(
            (&answer["crc32"], &answer["bytes"]),
            (&format!("{expected:08x}").into(), &(PIECES << 20).into())
        );
    });
    let grown = up.memory_kb().saturating_sub(before);
    assert!(grown < 48 << 10, "{PIECES} MiB went in and {grown} kB more are resident");
}

#[test]
fn a_picture_is_blurred_as_natively() {
    let (_sandbox, up) = lab();
    let (width, height, sigma) = (61, 37, 2.5);
    let picture: Vec<u8> = (0..width * height * 4).map(|at| (at * 97 % 251) as u8).collect();
    let blurred = up.post(&format!("/api/blur?width={width}&height={height}&sigma={sigma}"), &picture);
    assert_eq!(blurred.status, 200, "{}", blurred.text());
    assert!(compute_ms(&blurred) > 0.0);
    let mut expected = picture.clone();
    gaussian_blur(&mut expected, width, height, sigma, &mut Scratch::default(), &Work::ALONE).unwrap();
    assert_ne!(expected, picture);
    assert_eq!(blurred.body.len(), expected.len());
    let difference = blurred.body.iter().zip(&expected).map(|(one, other)| one.abs_diff(*other)).max();
    assert!(difference <= Some(1), "{difference:?}");

    let post = |query: &str, bytes: usize| up.post(&format!("/api/blur?{query}"), &vec![0; bytes]);
    let expected = "expected 16, 4 for each of `width` times `height` pixels";
    refused(&post("width=2&height=2&sigma=1", 15), 400, &format!("the body has 15 bytes, {expected}"));
    refused(
        &post("width=2&height=2&sigma=1", 17),
        400,
        &format!("the body has more bytes than that, {expected}"),
    );
    let side = "expected a number from 1 to 16384";
    refused(&post("height=2&sigma=1", 8), 400, &format!("`width` is missing, {side}"));
    refused(&post("width=0&height=2&sigma=1", 0), 400, &format!("`width` is `0`, {side}"));
    for sigma in ["NaN", "-1", "inf", "501"] {
        let message = format!("`sigma` is `{sigma}`, expected a number from 0 to 500");
        refused(&post(&format!("width=1&height=1&sigma={sigma}"), 4), 400, &message);
    }
    refused(
        &post("width=16384&height=16384&sigma=1", 0),
        400,
        "`width` times `height` is 268435456, expected at most 33554432",
    );
}

#[test]
fn rows_are_sorted_as_text() {
    let (_sandbox, up) = lab();
    let rows = br#"[{"a":{"b":2}}, {"a":{"b":-1}}, {"c":0}, {"a":{"b":10}}]"#;
    let sorted = up.post("/api/sort?key=a.b", rows);
    assert_eq!(sorted.text(), r#"[{"c":0},{"a":{"b":-1}},{"a":{"b":2}},{"a":{"b":10}}]"#);
    assert_eq!(
        (sorted.header("x-rows"), sorted.header("content-type")),
        (Some("4"), Some("application/json"))
    );
    assert!(compute_ms(&sorted) >= 0.0);
    let descending = up.post("/api/sort?key=a.b&descending=true", rows);
    assert_eq!(descending.text(), r#"[{"a":{"b":10}},{"a":{"b":2}},{"a":{"b":-1}},{"c":0}]"#);
    refused(
        &up.post("/api/sort", rows),
        400,
        "`key` is missing, expected the key to sort by, with dots between the keys of nested objects",
    );
    refused(
        &up.post("/api/sort?key=a&descending=maybe", rows),
        400,
        "`descending` is `maybe`, expected `true` or `false`",
    );
    for (body, part) in [(&b"[{]"[..], "invalid JSON at byte"), (b"{}", "at byte 0"), (b"", "invalid JSON")] {
        let response = up.post("/api/sort?key=a", body);
        let message = json(&response)["error"].as_str().unwrap().to_owned();
        assert!(
            response.status == 400 && message.starts_with("the body: ") && message.contains(part),
            "{message}"
        );
    }
}

#[test]
fn matrices_are_multiplied_as_natively() {
    let (_sandbox, up) = lab();
    let shape = Shape { m: 33, k: 65, n: 17 };
    let numbers = |count: usize, step: usize| (0..count).map(|at| (at * step % 13) as f32 - 6.0).collect();
    let (a, b): (Vec<f32>, Vec<f32>) = (numbers(33 * 65, 7), numbers(65 * 17, 5));
    let body: Vec<u8> = a.iter().chain(&b).flat_map(|number| number.to_le_bytes()).collect();
    let product = up.post("/api/matmul?m=33&k=65&n=17", &body);
    assert_eq!(product.status, 200, "{}", product.text());
    let product: Vec<f32> =
        product.body.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let mut expected = vec![0.0; 33 * 17];
    matmul_f32(&a, &b, &mut expected, shape, &Work::ALONE).unwrap();
    // Small whole numbers, so that the order of the sums counts for nothing.
    assert_eq!(product, expected);
    refused(
        &up.post("/api/matmul?m=2&k=2&n=2", &[0; 31]),
        400,
        "the body has 31 bytes, expected 32, 4 for each of `m`·`k` and `k`·`n` numbers",
    );
    refused(
        &up.post("/api/matmul?m=2&k=4096&n=2", b""),
        400,
        "`k` is `4096`, expected a number from 1 to 2048",
    );
}

#[test]
fn what_is_not_there_and_what_is_not_done_is_said() {
    let (_sandbox, up) = lab();
    for path in ["/api/", "/api/none", "/api"] {
        let message = format!(
            "there is no `{path}`, expected `/api/` and one of `blur`, `crc32`, `fibonacci`, `matmul`, `sort`"
        );
        refused(&up.get(path), 404, &message);
    }
    let wrong = up.post("/api/fibonacci?n=1", b"");
    refused(&wrong, 405, "`POST` is not for this, expected `GET`");
    assert_eq!(wrong.header("allow"), Some("GET"));
    let wrong = up.get("/api/sort?key=a");
    refused(&wrong, 405, "`GET` is not for this, expected `POST`");
    assert_eq!(wrong.header("allow"), Some("POST"));
}
