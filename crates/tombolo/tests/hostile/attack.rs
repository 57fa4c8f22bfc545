//! One attack, and what its caller gets.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tombolo_testkit::{Connection, Response};

/// Bytes of an answer that are kept to be looked at.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// An attack, by the path that asks for it.
#[derive(Clone)]
pub(crate) struct Attack {
    /// What it is called in lists: its path, mostly.
    pub(crate) name: String,
    /// The component, and the name of the attack in it.
    path: String,
    /// How many callers ask for it at once.
    pub(crate) at_once: usize,
    /// Bytes of body in the request.
    body_bytes: usize,
    /// What each of its callers gets.
    pub(crate) expect: Expect,
}

/// What a caller gets.
#[derive(Clone)]
pub(crate) enum Expect {
    /// This status.
    Status(u16),
    /// One of these: which bound is met first depends on the machine.
    OneOf(&'static [u16]),
    /// A head with 200 and a body that does not come to its end.
    Cut,
    /// This status or, where the head was on its way before the guest failed, as above: that depends on the machine.
    StatusOrCut(u16),
    /// 200 and this text.
    Text(&'static str),
    /// A report of attempts, at least so many, every one refused.
    Refused(usize),
    /// Something of its own; the name says what.
    That(&'static str, fn(&Answer) -> bool),
}

/// What a caller got.
#[derive(Debug)]
pub(crate) struct Answer {
    /// `None` if the connection was closed without an answer.
    pub(crate) response: Option<Response>,
    /// How long it took to its last byte.
    pub(crate) took: Duration,
    /// What the same connection says to a further, honest request.
    pub(crate) next: Next,
}

/// What a connection is good for after an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// For nothing: it is closed.
    Closed,
    /// It serves the next request.
    Serves,
    /// It says something that is no answer to it: bytes of a guest passed for another's answer.
    Confused(String),
}

/// One caller, one request.
pub(crate) fn attack(path: &str, expect: Expect) -> Attack {
    Attack { name: path.to_owned(), path: path.to_owned(), at_once: 1, body_bytes: 0, expect }
}

impl Attack {
    pub(crate) fn at_once(self, callers: usize) -> Self {
        Self { name: self.name + " at once", at_once: callers, ..self }
    }

    /// With what the guest has to know of this machine.
    pub(crate) fn told(self, query: &str) -> Self {
        Self { path: format!("{}?{query}", self.path), ..self }
    }

    pub(crate) fn with_body(self, bytes: usize) -> Self {
        Self { name: format!("{} with {bytes} bytes", self.name), body_bytes: bytes, ..self }
    }

    /// Asks for it once.
    pub(crate) fn ask(&self, address: SocketAddr) -> Answer {
        let started = Instant::now();
        let mut connection = Connection::open(address);
        let (method, length) = match self.body_bytes {
            0 => ("GET", String::new()),
            bytes => ("POST", format!("content-length: {bytes}\r\n")),
        };
        connection.send(format!("{method} {} HTTP/1.1\r\nhost: test\r\n{length}\r\n", self.path));
        if self.body_bytes > 0 {
            // The guest may answer, or die, while this is on its way: then nobody takes all of it.
            let mut writer = connection.writer();
            let body = vec![b'x'; self.body_bytes];
            std::thread::spawn(move || std::io::Write::write_all(&mut writer, &body));
        }
        let response = answer(&mut connection);
        let took = started.elapsed();
        let is_complete = response.as_ref().is_some_and(|response| response.is_complete);
        let next = if is_complete { next(&mut connection) } else { Next::Closed };
        Answer { response, took, next }
    }
}

/// The answer, with the beginning of its body: one without an end would fill this process.
fn answer(connection: &mut Connection) -> Option<Response> {
    let mut response = connection.head()?;
    if matches!(response.status, 204 | 304) {
        response.is_complete = true;
        return Some(response);
    }
    if let Some(length) = response.header("content-length") {
        let length = length.parse().ok().filter(|length| *length <= KEPT_BYTES_MAX)?;
        response.body = connection.bytes(length);
        response.is_complete = response.body.len() == length;
        return Some(response);
    }
    loop {
        match connection.chunk() {
            Ok(Some(chunk)) if response.body.len() < KEPT_BYTES_MAX => response.body.extend(chunk),
            Ok(Some(_)) => {}
            Ok(None) => {
                response.is_complete = true;
                return Some(response);
            }
            Err(_) => return Some(response),
        }
    }
}

fn next(connection: &mut Connection) -> Next {
    connection.send("GET / HTTP/1.1\r\nhost: test\r\n\r\n");
    match connection.answer() {
        None => Next::Closed,
        Some(response) if response.status == 200 && response.body == b"hello" => Next::Serves,
        Some(response) => Next::Confused(format!("{response:?}")),
    }
}

impl std::fmt::Display for Expect {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status(status) => write!(out, "{status}"),
            Self::OneOf(list) => write!(out, "one of {list:?}"),
            Self::Cut => write!(out, "200 and a body that is cut"),
            Self::StatusOrCut(status) => write!(out, "{status}, or 200 and a body that is cut"),
            Self::Text(text) => write!(out, "200 and {text:?}"),
            Self::Refused(fewest) => write!(out, "a report of {fewest} attempts, all refused"),
            Self::That(what, _) => write!(out, "{what}"),
        }
    }
}

impl Expect {
    /// Why this is not what was expected.
    pub(crate) fn check(&self, answer: &Answer) -> Result<(), String> {
        let Answer { response, next, .. } = answer;
        if let Next::Confused(said) = next {
            return Err(format!("the next request on its connection got {said}"));
        }
        let refused = |fewest: &usize, response: &Response| {
            let text = response.text();
            let lines: Vec<&str> = text.lines().collect();
            lines.len() >= *fewest && lines.iter().all(|line| line.starts_with("refused "))
        };
        let is_met = match (self, response) {
            (Self::That(_, check), _) => check(answer),
            (_, None) => false,
            (Self::Status(status), Some(response)) => response.status == *status && response.is_complete,
            (Self::OneOf(list), Some(response)) => list.contains(&response.status) && response.is_complete,
            (Self::Cut, Some(response)) => response.status == 200 && !response.is_complete,
            (Self::StatusOrCut(status), Some(response)) => match response.is_complete {
                true => response.status == *status,
                false => response.status == 200,
            },
            (Self::Text(text), Some(response)) => response.status == 200 && response.text() == *text,
            (Self::Refused(fewest), Some(response)) => response.status == 200 && refused(fewest, response),
        };
        if is_met { Ok(()) } else { Err(format!("expected {self}, got {}", brief(response.as_ref()))) }
    }
}

/// An answer in a few lines.
pub(crate) fn brief(response: Option<&Response>) -> String {
    let Some(response) = response else { return "a closed connection".to_owned() };
    let end = if response.is_complete { "" } else { ", cut" };
    let text = response.text();
    let reached: Vec<&str> = text.lines().filter(|line| line.starts_with("REACHED")).collect();
    let text = if reached.is_empty() { text.chars().take(200).collect() } else { reached.join("\n") };
    format!("{}{end}, {} bytes: {text:?}", response.status, response.body.len())
}
