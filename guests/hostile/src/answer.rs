//! Answers that never end, that lie, that are none, or are two.

use wasip2::clocks::monotonic_clock;
use wasip2::http::types::{ErrorCode, Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};
use wasip2::io::streams::StreamError;

use crate::Attempt;

pub fn text(out: ResponseOutparam, text: &str) {
    let body = begin(out, Fields::new());
    let _ = write(&body, text.as_bytes());
    let _ = OutgoingBody::finish(body, None);
}

/// A line for each attempt, the worst first.
pub fn report(out: ResponseOutparam, attempts: &[Attempt]) {
    let mut lines: Vec<String> = attempts
        .iter()
        .map(|Attempt { what, got }| match got {
            Ok(got) => format!("REACHED {what}: {got}\n"),
            Err(told) => format!("refused {what}: {told}\n"),
        })
        .collect();
    lines.sort();
    text(out, &lines.concat());
}

/// Sends a head and returns the body to be written.
fn begin(out: ResponseOutparam, headers: Fields) -> OutgoingBody {
    let response = OutgoingResponse::new(headers);
    let body = response.body().expect("taken once");
    ResponseOutparam::set(out, Ok(response));
    body
}

fn write(body: &OutgoingBody, bytes: &[u8]) -> Result<(), StreamError> {
    let stream = body.write().expect("taken once");
    bytes.chunks(4096).try_for_each(|part| stream.blocking_write_and_flush(part))
}

pub fn endless(out: ResponseOutparam) {
    let body = begin(out, Fields::new());
    let stream = body.write().expect("taken once");
    while stream.blocking_write_and_flush(&[b'x'; 4096]).is_ok() {}
}

pub fn stalls(out: ResponseOutparam) {
    let body = begin(out, Fields::new());
    let _ = write(&body, b"so far\n");
    monotonic_clock::subscribe_duration(u64::MAX).block();
}

pub fn never_reads(request: IncomingRequest, out: ResponseOutparam) {
    let _kept = (request, out);
    monotonic_clock::subscribe_duration(u64::MAX).block();
}

/// Has an answer before it has read the request, and does not read it later either.
pub fn early(request: IncomingRequest, out: ResponseOutparam) {
    text(out, "early");
    drop(request);
}

pub fn headers_many(out: ResponseOutparam) {
    let headers = Fields::new();
    let taken = (0..10_000).take_while(|number| headers.append(&format!("x-{number}"), b"y").is_ok()).count();
    let body = begin(out, headers);
    let _ = write(&body, taken.to_string().as_bytes());
    let _ = OutgoingBody::finish(body, None);
}

pub fn header_long(out: ResponseOutparam) {
    let headers = Fields::new();
    let set = headers.append("x", &vec![b'y'; 1 << 20]);
    let body = begin(out, headers);
    let _ = write(&body, format!("set: {}", set.is_ok()).as_bytes());
    let _ = OutgoingBody::finish(body, None);
}

pub fn header_injection(out: ResponseOutparam) {
    let names = ["x\r\nset-cookie", "x: y\r\nset-cookie", "x y", "", "x\0", ":path", "x\n"];
    let values = ["a\r\nset-cookie: b", "a\nset-cookie: b", "a\r", "a\0b", "a\r\n\r\nHTTP/1.1 200 OK"];
    let name = |name: &&str| Attempt::new(format!("name {name:?}"), Fields::new().append(name, b"y"));
    let value =
        |value: &&str| Attempt::new(format!("value {value:?}"), Fields::new().append("x", value.as_bytes()));
    report(out, &names.iter().map(name).chain(values.iter().map(value)).collect::<Vec<_>>());
}

pub fn headers_forbidden(out: ResponseOutparam) {
    let forbidden = [
        ("transfer-encoding", "chunked"),
        ("Transfer-Encoding", "chunked"),
        ("connection", "close"),
        ("keep-alive", "timeout=1000"),
        ("upgrade", "websocket"),
        ("proxy-connection", "keep-alive"),
        ("http2-settings", "AAA"),
        ("host", "elsewhere"),
    ];
    let tries = forbidden.iter().flat_map(|(name, value)| {
        let list = [((*name).to_owned(), value.as_bytes().to_vec())];
        [
            Attempt::new(format!("append {name}"), Fields::new().append(name, value.as_bytes())),
            Attempt::new(format!("set {name}"), Fields::new().set(name, &[value.as_bytes().to_vec()])),
            Attempt::new(format!("list {name}"), Fields::from_list(&list).map(drop)),
        ]
    });
    report(out, &tries.collect::<Vec<_>>());
}

/// Says how long the body is, in one or two values, and then writes five bytes.
pub fn length(out: ResponseOutparam, lengths: &str) {
    let headers = Fields::new();
    for length in lengths.split(',') {
        if headers.append("content-length", length.as_bytes()).is_err() {
            return text(out, "not taken");
        }
    }
    let body = begin(out, headers);
    let _ = write(&body, b"hello");
    let _ = OutgoingBody::finish(body, None);
}

/// Trailers that would be headers of the connection.
pub fn trailers(out: ResponseOutparam) {
    let body = begin(out, Fields::new());
    let _ = write(&body, b"hello");
    let trailers = Fields::new();
    for (name, value) in [("transfer-encoding", "chunked"), ("content-length", "5"), ("set-cookie", "a=b")] {
        let _ = trailers.append(name, value.as_bytes());
    }
    let _ = OutgoingBody::finish(body, Some(trailers));
}

pub fn trailers_many(out: ResponseOutparam) {
    let body = begin(out, Fields::new());
    let _ = write(&body, b"hello");
    let trailers = Fields::new();
    let _ = (0..10_000).all(|number| trailers.append(&format!("x-{number}"), b"y").is_ok());
    let _ = OutgoingBody::finish(body, Some(trailers));
}

pub fn status_invalid(out: ResponseOutparam) {
    let set = |status: u16| {
        let response = OutgoingResponse::new(Fields::new());
        Attempt::new(format!("status {status}"), response.set_status_code(status))
    };
    report(out, &[0, 1, 99, 1000, u16::MAX].map(set));
}

/// Answers with a status that has rules of its own, and a body all the same.
pub fn status(out: ResponseOutparam, status: &str) {
    let response = OutgoingResponse::new(Fields::new());
    let taken = response.set_status_code(status.parse().unwrap_or(404));
    let body = response.body().expect("taken once");
    ResponseOutparam::set(out, Ok(response));
    let _ = write(&body, format!("{taken:?}").as_bytes());
    let _ = OutgoingBody::finish(body, None);
}

/// Sets the response, and sets it again through a handle it gave away.
pub fn twice(out: ResponseOutparam) {
    // SAFETY: it is not safe; that is the attack.
    let again = unsafe { ResponseOutparam::from_handle(out.handle()) };
    text(out, "once");
    text(again, "twice");
}

pub fn never(out: ResponseOutparam) {
    drop(out);
}

pub fn error(out: ResponseOutparam) {
    let reason = "<script>".repeat(10_000);
    ResponseOutparam::set(out, Err(ErrorCode::InternalError(Some(reason))));
}
