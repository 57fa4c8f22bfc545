//! Requests that programs answer: what they are told, and what they print.
//!
//! Source: RFC 3875; Spin, `crates/trigger-http/src/wagi.rs` and `crates/http/src/wagi`. Unlike there, the body is sent
//! while the program prints it.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, LOCATION};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use percent_encoding::percent_decode_str;
use tombolo_cap_wasi::Input;
use tombolo_cap_wasi::pipe::{Printed, Printer};
use tombolo_capability::{HeldMemory, HostMemory};
use wasmtime_wasi_http::{DEFAULT_FORBIDDEN_HEADERS, Error, WasiBody};

use crate::at_work::GuestFuture;
use crate::command::{Failed, Program, exit_code};
use crate::exchange::Head;
use crate::instance::Pre;
use crate::service::{Caller, Service};

/// Bytes of what a program prints before its body.
const HEAD_BYTES_MAX: usize = 64 << 10;

impl Service {
    /// Has a program answer.
    pub(crate) fn program<B>(
        self: &Arc<Self>,
        pre: Arc<Pre>,
        request: Request<B>,
        head: Head,
        caller: Caller<'_>,
    ) -> GuestFuture
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Error>,
    {
        let service = Arc::clone(self);
        let (meter, inside) = (Arc::clone(caller.meter), caller.inside.cloned());
        Box::pin(async move {
            let Pre::Program(program) = &*pre else { unreachable!("called for programs") };
            let caller = Caller { meter: &meter, inside: inside.as_ref() };
            service.run(program, request, head, caller).await
        })
    }

    async fn run<B>(
        &self,
        program: &Program,
        request: Request<B>,
        head: Head,
        caller: Caller<'_>,
    ) -> wasmtime::Result<()>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Error>,
    {
        let (parts, body) = request.into_parts();
        let memory = self.waiting_memory();
        let (body, waiting) = match collect(body, &memory).await {
            Ok(collected) => collected,
            Err(Uncollected::TooLarge) => {
                let mut response = Response::new(WasiBody::default());
                *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
                let _ = head.send(Ok(response));
                return Ok(());
            }
            Err(Uncollected::Cut(reason)) => {
                let _ = head.send(Err(reason));
                return Ok(());
            }
        };
        let (printer, printed) = Printer::new();
        let mut world = self.world().clone();
        world.arguments = arguments(&world.arguments, &parts);
        world.environment.extend(environment(&parts, body.len()));
        let held = body.len() as u64;
        (world.input, world.printer) = (Input::Bytes(body), Some(printer.clone()));
        let mut store = self.store_in(&world, program.code(), caller)?;
        // From here on the instance holds it.
        drop(waiting);
        let _held = store.data_mut().memory().host().take(held)?;
        let started = program.start(&mut store).await?;
        let mut running = pin!(started.run(&mut store));
        let mut answer = pin!(answer(printed));
        // The program first: what it printed at once is there to be read then.
        let ended = std::future::poll_fn(|context| match running.as_mut().poll(context) {
            Poll::Ready(ended) => Poll::Ready(Ok(ended)),
            Poll::Pending => answer.as_mut().poll(context).map(Err),
        });
        match ended.await {
            Ok(ended) => {
                let code = exit_code(ended)?;
                printer.end();
                let answer = match code {
                    0 => answer.await,
                    code => Err(Failed(code).to_string()),
                };
                let _ = head.send(answer);
            }
            Err(answer) => {
                let _ = head.send(answer);
                let code = exit_code(running.await)?;
                if code != 0 {
                    return Err(Failed(code).into());
                }
                printer.end();
            }
        }
        Ok(())
    }
}

/// Why a body is not there.
enum Uncollected {
    /// It has more bytes than the instance may hold.
    TooLarge,
    /// It did not come to its end.
    Cut(String),
}

/// All of a body, and the memory that it takes.
async fn collect<B>(body: B, memory: &HostMemory) -> Result<(Bytes, HeldMemory), Uncollected>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Error>,
{
    let mut body = pin!(body);
    let (mut all, mut held) = (BytesMut::new(), memory.take(0).map_err(|_| Uncollected::TooLarge)?);
    while let Some(frame) = std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await {
        let cut = |error: B::Error| Uncollected::Cut(format!("the request did not come: {}", error.into()));
        let Ok(data) = frame.map_err(cut)?.into_data() else { continue };
        held.grow(data.len() as u64).map_err(|_| Uncollected::TooLarge)?;
        all.extend_from_slice(&data);
    }
    Ok((all.freeze(), held))
}

/// What the host told of the route, under the name that Spin's header has.
fn told<'a>(parts: &'a Parts, name: &str) -> &'a str {
    parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The arguments, by the manifest's: `${ARGS}` stands for names and values of the query that are not empty.
fn arguments(written: &[String], parts: &Parts) -> Vec<String> {
    let mut arguments = Vec::new();
    for argument in written {
        if argument == "${ARGS}" {
            let query = parts.uri.query().unwrap_or_default();
            for pair in query.split('&').filter(|pair| !pair.is_empty()) {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                arguments.push(decoded(name));
                arguments.extend(Some(decoded(value)).filter(|value| !value.is_empty()));
            }
        } else {
            arguments.push(argument.replace("${SCRIPT_NAME}", parts.uri.path()));
        }
    }
    // The system has no text with zeros in it.
    arguments.iter_mut().for_each(|argument| argument.retain(|letter| letter != '\0'));
    arguments
}

/// A part of a query (WHATWG URL, `application/x-www-form-urlencoded`).
fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// What a program finds of the request in its environment.
fn environment(parts: &Parts, body_bytes: usize) -> Vec<(String, String)> {
    let header =
        |name: &HeaderName| parts.headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let host = match header(&HOST) {
        "" => parts.uri.authority().map(http::uri::Authority::as_str).unwrap_or_default(),
        host => host,
    };
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (name, port),
        _ => (host, "80"),
    };
    let client = told(parts, "spin-client-addr");
    let address = client.rsplit_once(':').map_or(client, |(address, _)| address);
    let address = address.trim_start_matches('[').trim_end_matches(']');
    let path_info = told(parts, "spin-path-info");
    let route = told(parts, "spin-matched-route");
    let script = route.strip_suffix("/...").unwrap_or(route);
    let path_translated = percent_decode_str(path_info).decode_utf8_lossy().replace('\0', "");
    let length = body_bytes.to_string();
    let fixed = [
        ("AUTH_TYPE", ""),
        ("CONTENT_LENGTH", &length),
        ("CONTENT_TYPE", header(&CONTENT_TYPE)),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("PATH_INFO", path_info),
        ("PATH_TRANSLATED", &path_translated),
        ("QUERY_STRING", parts.uri.query().unwrap_or_default()),
        ("REMOTE_ADDR", address),
        ("REMOTE_HOST", address),
        ("REMOTE_USER", ""),
        ("REQUEST_METHOD", parts.method.as_str()),
        ("SCRIPT_NAME", script),
        ("SERVER_NAME", name),
        ("SERVER_PORT", port),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("SERVER_SOFTWARE", "WAGI/1"),
        ("X_RAW_PATH_INFO", path_info),
    ];
    let mut environment: Vec<(String, String)> =
        fixed.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    for (header, value) in &parts.headers {
        let header = header.as_str();
        // One with `_` would be taken for one with `-`, also for those that the host tells; and `HTTP_PROXY` is what
        // programs find their own proxy by (RFC 3875 §4.1.18, CVE-2016-5385).
        if header.contains('_') || ["proxy", AUTHORIZATION.as_str(), CONNECTION.as_str()].contains(&header) {
            continue;
        }
        let value = value.to_str().unwrap_or("CORRUPT VALUE").to_owned();
        let name = |name: &str| name.to_ascii_uppercase().replace('-', "_");
        match header.strip_prefix("spin-") {
            Some("path-info") => {}
            Some(told) => environment.push((format!("X_{}", name(told)), value)),
            None => environment.push((format!("HTTP_{}", name(header)), value)),
        }
    }
    environment
}

/// The answer in what a program prints: its head, and the rest as a body.
async fn answer(mut printed: Printed) -> Result<Response<WasiBody>, String> {
    let mut head = BytesMut::new();
    loop {
        let Some(chunk) = printed.next().await else {
            let what = if head.is_empty() { "nothing" } else { "no empty line behind a head" };
            return Err(format!("it printed {what}, expected headers, an empty line and a body"));
        };
        // The end of the head may be cut in two.
        let from = head.len().saturating_sub(3);
        head.extend_from_slice(&chunk);
        if let Some((length, end)) = end_of_head(&head, from) {
            let rest = head.split_off(end).freeze();
            head.truncate(length);
            let body = WasiBody::new(PrintedBody { rest: Some(rest).filter(|it| !it.is_empty()), printed });
            return response(&head, body);
        }
        if head.len() > HEAD_BYTES_MAX {
            return Err(format!(
                "it printed {HEAD_BYTES_MAX} bytes without an empty line behind its headers"
            ));
        }
    }
}

/// How long a head is, and where the body begins.
fn end_of_head(text: &[u8], from: usize) -> Option<(usize, usize)> {
    // A program may have no header but an empty line: that is an end too, and refused later.
    if let Some(rest) = text.strip_prefix(b"\n").or_else(|| text.strip_prefix(b"\r\n")) {
        return Some((0, text.len() - rest.len()));
    }
    let mut at = from;
    while let Some(found) = text.get(at..)?.iter().position(|byte| *byte == b'\n') {
        let behind = at + found + 1;
        let rest = &text[behind..];
        if let Some(body) = rest.strip_prefix(b"\n").or_else(|| rest.strip_prefix(b"\r\n")) {
            return Some((behind, text.len() - body.len()));
        }
        at = behind;
    }
    None
}

/// A response with the headers that a program printed.
fn response(head: &[u8], body: WasiBody) -> Result<Response<WasiBody>, String> {
    let head = std::str::from_utf8(head).map_err(|_| "its headers are not UTF-8".to_owned())?;
    let mut response = Response::new(body);
    let (mut status, mut headers) = (None, HeaderMap::new());
    for line in head.lines() {
        // What is no header is left out, as in Spin.
        let Some((name, value)) = line.split_once(':') else { continue };
        let (name, value) = (name.trim(), value.trim());
        if name.eq_ignore_ascii_case("status") {
            let code = value.split_once(' ').map_or(value, |(code, _)| code);
            status = Some(code.parse().unwrap_or(StatusCode::BAD_GATEWAY));
            continue;
        }
        let Ok(name) = name.parse::<HeaderName>() else { continue };
        let value = HeaderValue::from_str(value)
            .map_err(|_| format!("its header `{name}` has characters that no header can have"))?;
        // Those of the connection are the host's, and so is how long the body is found to be.
        if !DEFAULT_FORBIDDEN_HEADERS.contains(&name) && name != CONTENT_LENGTH {
            headers.append(name, value);
        }
    }
    let otherwise = if headers.contains_key(LOCATION) { StatusCode::FOUND } else { StatusCode::OK };
    if status.is_none() && !headers.contains_key(CONTENT_TYPE) && otherwise == StatusCode::OK {
        return Err("it printed none of the headers `content-type`, `location` and `status`".to_owned());
    }
    *response.status_mut() = status.unwrap_or(otherwise);
    *response.headers_mut() = headers;
    Ok(response)
}

/// What a program prints behind its head.
struct PrintedBody {
    rest: Option<Bytes>,
    printed: Printed,
}

impl Body for PrintedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(rest) = self.rest.take() {
            return Poll::Ready(Some(Ok(Frame::data(rest))));
        }
        self.printed.poll_next(context).map(|chunk| Some(Ok(Frame::data(chunk?))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use proptest::prelude::*;

    fn parts(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method("POST").uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    /// The answer to what a program prints in these pieces.
    async fn answered(pieces: &[&[u8]]) -> Result<(StatusCode, HeaderMap, Bytes), String> {
        let (printer, printed) = Printer::new();
        let mut stream = wasmtime_wasi::cli::StdoutStream::p2_stream(&printer);
        for piece in pieces.iter().flat_map(|piece| piece.chunks(1000)) {
            stream.check_write().unwrap();
            stream.write(Bytes::copy_from_slice(piece)).unwrap();
        }
        printer.end();
        let (parts, body) = answer(printed).await?.into_parts();
        Ok((parts.status, parts.headers, body.collect().await.unwrap().to_bytes()))
    }

    #[test]
    fn a_program_is_told_its_request() {
        let parts = parts(
            "/cgi/a%20b?x=1&flag&y=a+b%21",
            &[
                ("host", "example.com:8080"),
                ("content-type", "text/plain"),
                ("authorization", "secret"),
                ("x-own", "1"),
                ("spin-path-info", "/a%20b"),
                ("spin-matched-route", "/cgi/..."),
                ("spin-full-url", "http://example.com:8080/cgi/a%20b"),
                ("spin-client-addr", "[::1]:99"),
                ("spin-path-match-id", "7"),
                // What a client would have a program believe.
                ("spin_client_addr", "10.0.0.1:1"),
                ("proxy", "http://evil.example"),
            ],
        );
        let environment = environment(&parts, 5);
        assert_eq!(environment.iter().filter(|(name, _)| name == "X_CLIENT_ADDR").count(), 1);
        let environment: std::collections::BTreeMap<_, _> = environment.into_iter().collect();
        assert!(!environment.contains_key("HTTP_PROXY"));
        for (name, value) in [
            ("CONTENT_LENGTH", "5"),
            ("CONTENT_TYPE", "text/plain"),
            ("HTTP_X_OWN", "1"),
            ("PATH_INFO", "/a%20b"),
            ("PATH_TRANSLATED", "/a b"),
            ("QUERY_STRING", "x=1&flag&y=a+b%21"),
            ("REMOTE_ADDR", "::1"),
            ("REQUEST_METHOD", "POST"),
            ("SCRIPT_NAME", "/cgi"),
            ("SERVER_NAME", "example.com"),
            ("SERVER_PORT", "8080"),
            ("X_FULL_URL", "http://example.com:8080/cgi/a%20b"),
            ("X_MATCHED_ROUTE", "/cgi/..."),
            ("X_PATH_MATCH_ID", "7"),
        ] {
            assert_eq!(environment[name], value, "{name}");
        }
        assert!(!environment.contains_key("HTTP_AUTHORIZATION"));
        let written = ["${SCRIPT_NAME}".to_owned(), "-v".to_owned(), "${ARGS}".to_owned()];
        assert_eq!(arguments(&written, &parts), ["/cgi/a%20b", "-v", "x", "1", "flag", "y", "a b!"]);
    }

    #[tokio::test]
    async fn what_it_prints_is_the_answer() {
        let (status, headers, body) = answered(&[b"Content-Type: text/plain\n\nhello"]).await.unwrap();
        assert_eq!(
            (status, &headers[CONTENT_TYPE], &body[..]),
            (StatusCode::OK, &HeaderValue::from_static("text/plain"), &b"hello"[..])
        );
        let (status, headers, body) =
            answered(&[b"Status: 404 Not Found\r\nx-a: 1\r", b"\n\r", b"\nno", b"ne"]).await.unwrap();
        assert_eq!(
            (status, &headers["x-a"], &body[..]),
            (StatusCode::NOT_FOUND, &HeaderValue::from_static("1"), &b"none"[..])
        );
        let (status, headers, _) =
            answered(&[b"Location: /b\nConnection: close\nContent-Length: 5\n\n"]).await.unwrap();
        assert_eq!((status, headers.len()), (StatusCode::FOUND, 1));
        let (status, ..) = answered(&[b"Status: abc\n\n"]).await.unwrap();
        assert_eq!(status, StatusCode::BAD_GATEWAY);
    }

    #[tokio::test]
    async fn what_is_no_answer_says_why() {
        for (printed, expected) in [
            (&b""[..], "it printed nothing, expected headers, an empty line and a body"),
            (
                b"hello\n",
                "it printed no empty line behind a head, expected headers, an empty line and a body",
            ),
            (b"\nhello", "it printed none of the headers `content-type`, `location` and `status`"),
            (b"content-type: a\x01b\n\n", "its header `content-type` has characters that no header can have"),
        ] {
            assert_eq!(answered(&[printed]).await.unwrap_err(), expected);
        }
        let long = vec![b'x'; HEAD_BYTES_MAX];
        let reason = answered(&[&long[..HEAD_BYTES_MAX - 1]]).await.unwrap_err();
        assert!(reason.starts_with("it printed no empty line"), "{reason}");
    }

    proptest! {
        /// However a program's writes are cut, and whatever it prints, the answer is the same.
        #[test]
        fn an_answer_does_not_depend_on_the_cuts(text in "(status: 2[0-9]{2}|x: y|\r|\n|\n\n|.){0,12}", cut in 0usize..40) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let text = text.as_bytes();
            let (first, second) = text.split_at(cut.min(text.len()));
            let whole = runtime.block_on(answered(&[text]));
            prop_assert_eq!(runtime.block_on(answered(&[first, second])), whole);
        }
    }
}
