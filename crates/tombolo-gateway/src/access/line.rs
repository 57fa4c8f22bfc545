//! One request, as a line.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, Method, Request, Uri, Version, header};
use httpdate::HttpDate;
use serde::Serialize;
use tombolo_model::access_log::AccessLogFormat;

use super::AccessLog;
use crate::record::RequestId;

/// What a client asked, kept until its answer is out. Copied, as what it is part of is a buffer of the connection.
pub(crate) struct Seen {
    log: AccessLog,
    at: SystemTime,
    client: IpAddr,
    method: Method,
    host: Box<[u8]>,
    /// Path and query, or what else stands there (RFC 9112 §3.2).
    target: Box<str>,
    version: Version,
    referer: Option<Box<[u8]>>,
    user_agent: Option<Box<[u8]>>,
}

/// What became of it.
pub(crate) struct Entry<'a> {
    pub(crate) id: &'a RequestId,
    /// Whose it was; empty for nobody's.
    pub(crate) app: &'a str,
    pub(crate) component: &'a str,
    /// 0 if the client left before there was one.
    pub(crate) status: u16,
    /// Of the body, as it was sent.
    pub(crate) bytes: u64,
    pub(crate) took: Duration,
}

impl Seen {
    pub(crate) fn of<B>(log: &AccessLog, request: &Request<B>, client: IpAddr) -> Self {
        let headers = request.headers();
        let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes().into());
        Self {
            log: log.clone(),
            at: SystemTime::now(),
            client: client.to_canonical(),
            method: request.method().clone(),
            host: authority.or_else(|| value(headers, header::HOST)).unwrap_or_default(),
            target: target(request.uri()).into(),
            version: request.version(),
            referer: value(headers, header::REFERER),
            user_agent: value(headers, header::USER_AGENT),
        }
    }

    /// Writes it down.
    pub(crate) fn log(&self, entry: &Entry<'_>) {
        let line = match self.log.format {
            AccessLogFormat::Combined => self.combined(entry).into_bytes(),
            AccessLogFormat::Json => self.json(entry),
        };
        self.log.keep(line);
    }

    /// As Apache's `combined`: `%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"`, and its escapes.
    fn combined(&self, entry: &Entry<'_>) -> String {
        let mut line = String::with_capacity(256);
        let (client, version) = (self.client, self.version);
        // Writing to a string cannot fail.
        let _ = write!(line, "{client} - - [{}] \"", time(self.at));
        escape(&mut line, self.method.as_str().as_bytes());
        line.push(' ');
        escape(&mut line, self.target.as_bytes());
        let _ = write!(line, " {version:?}\" ");
        match entry.status {
            0 => line.push('-'),
            status => _ = write!(line, "{status}"),
        }
        match entry.bytes {
            0 => line.push_str(" -"),
            bytes => _ = write!(line, " {bytes}"),
        }
        for value in [&self.referer, &self.user_agent] {
            line.push_str(" \"");
            match value {
                Some(value) => escape(&mut line, value),
                None => line.push('-'),
            }
            line.push('"');
        }
        line.push('\n');
        line
    }

    fn json(&self, entry: &Entry<'_>) -> Vec<u8> {
        let since = self.at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let document = Document {
            at_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            id: entry.id.to_string(),
            client: self.client,
            method: self.method.as_str(),
            host: text(&self.host),
            target: &self.target,
            version: format!("{:?}", self.version),
            status: Some(entry.status).filter(|status| *status > 0),
            bytes: entry.bytes,
            took_us: u64::try_from(entry.took.as_micros()).unwrap_or(u64::MAX),
            app: Some(entry.app).filter(|app| !app.is_empty()),
            component: Some(entry.component).filter(|component| !component.is_empty()),
            referer: self.referer.as_deref().map(text),
            user_agent: self.user_agent.as_deref().map(text),
        };
        let mut line = serde_json::to_vec(&document).expect("text and numbers are JSON");
        line.push(b'\n');
        line
    }
}

/// A line as JSON. The fields are an interface: some are added, none is changed.
#[derive(Serialize)]
struct Document<'a> {
    at_ms: u64,
    id: String,
    client: IpAddr,
    method: &'a str,
    host: String,
    target: &'a str,
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    bytes: u64,
    took_us: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    component: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    referer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
}

fn value(headers: &HeaderMap, name: HeaderName) -> Option<Box<[u8]>> {
    headers.get(name).map(|value| value.as_bytes().into())
}

fn target(uri: &Uri) -> &str {
    let authority = || uri.authority().map_or("-", |authority| authority.as_str());
    uri.path_and_query().map_or_else(authority, |path| path.as_str())
}

/// `29/Nov/2026:14:17:01 +0000`
fn time(at: SystemTime) -> String {
    // `Sun, 29 Nov 2026 14:17:01 GMT`
    let text = HttpDate::from(at).to_string();
    let words: Vec<&str> = text.split(' ').collect();
    match words.as_slice() {
        [_, day, month, year, time, _] => format!("{day}/{month}/{year}:{time} +0000"),
        _ => text,
    }
}

/// Adds text of a client so that a line stays one, and a quoted field one field, as Apache's `ap_escape_logitem` does.
fn escape(line: &mut String, bytes: &[u8]) {
    for &byte in bytes {
        match byte {
            b'"' => line.push_str("\\\""),
            b'\\' => line.push_str("\\\\"),
            b'\n' => line.push_str("\\n"),
            b'\r' => line.push_str("\\r"),
            b'\t' => line.push_str("\\t"),
            b' '..=b'~' => line.push(byte.into()),
            // Writing to a string cannot fail.
            other => _ = write!(line, "\\x{other:02x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::sync::mpsc;

    use super::*;

    fn log(format: AccessLogFormat) -> AccessLog {
        AccessLog { format, orders: mpsc::channel(1).0, queue: Default::default() }
    }

    fn seen(request: http::request::Builder) -> Seen {
        let request = request.body(()).unwrap();
        let client = "::ffff:192.0.2.1".parse().unwrap();
        let mut seen = Seen::of(&log(AccessLogFormat::Combined), &request, client);
        seen.at = UNIX_EPOCH + Duration::from_millis(1_795_961_821_250);
        seen
    }

    fn entry(id: &RequestId) -> Entry<'_> {
        Entry { id, app: "shop", component: "web", status: 200, bytes: 5, took: Duration::from_micros(1234) }
    }

    #[test]
    fn a_line_is_as_apache_writes_it() {
        let id = RequestId::Own(255);
        let asked =
            Request::get("/a%20b?c=d").header("referer", "http://r.test/").header("user-agent", "curl/8");
        assert_eq!(
            seen(asked).combined(&entry(&id)),
            "192.0.2.1 - - [29/Nov/2026:14:17:01 +0000] \"GET /a%20b?c=d HTTP/1.1\" 200 5 \"http://r.test/\" \
             \"curl/8\"\n"
        );
        let gone = Entry { status: 0, bytes: 0, ..entry(&id) };
        assert_eq!(
            seen(Request::options("*").version(Version::HTTP_2)).combined(&gone),
            "192.0.2.1 - - [29/Nov/2026:14:17:01 +0000] \"OPTIONS * HTTP/2.0\" - - \"-\" \"-\"\n"
        );
    }

    #[test]
    fn a_line_is_a_document() {
        let id = RequestId::Own(255);
        let asked = Request::get("http://h.test:3000/a?b").header("user-agent", "a\"b\\c");
        let read: serde_json::Value = serde_json::from_slice(&seen(asked).json(&entry(&id))).unwrap();
        let expected = serde_json::json!({
            "at_ms": 1_795_961_821_250_u64, "id": "00000000000000ff", "client": "192.0.2.1", "method": "GET",
            "host": "h.test:3000", "target": "/a?b", "version": "HTTP/1.1", "status": 200, "bytes": 5,
            "took_us": 1234, "app": "shop", "component": "web", "user_agent": "a\"b\\c",
        });
        assert_eq!(read, expected);
    }

    proptest! {
        /// Whatever a client sends, its line is one, and its fields are told apart by their quotes.
        #[test]
        fn no_client_forges_a_line(agent in prop::collection::vec(any::<u8>(), 0..40)) {
            // What no header can have never gets here.
            let Ok(value) = http::HeaderValue::from_bytes(&agent) else { return Ok(()) };
            let seen = seen(Request::get("/").header("user-agent", value.clone()).header("referer", value));
            let id = RequestId::Own(1);
            let line = seen.combined(&entry(&id));
            prop_assert_eq!(line.matches('\n').count(), 1);
            prop_assert!(line.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)));
            let plain = line.replace("\\\\", "").replace("\\\"", "");
            prop_assert_eq!(plain.matches('"').count(), 6, "{}", line);
            let json = seen.json(&entry(&id));
            prop_assert_eq!(json.iter().filter(|byte| **byte == b'\n').count(), 1);
            let read: serde_json::Value = serde_json::from_slice(&json).unwrap();
            let agent = String::from_utf8_lossy(&agent);
            prop_assert_eq!(read["user_agent"].as_str(), Some(&*agent));
        }
    }
}
