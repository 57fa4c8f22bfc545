//! HTTP/1.1 as bytes on a socket: a test sees what a client would, and can break every rule.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than anything here takes; a test that hits it has found a hang.
const PATIENCE: Duration = Duration::from_secs(30);

/// One connection.
pub struct Connection {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

/// One answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body, as far as it came.
    pub body: Vec<u8>,
    /// Whether the body came to its end.
    pub is_complete: bool,
}

/// A body ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut;

impl Response {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

impl Connection {
    /// Connects.
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let reader = BufReader::new(stream.try_clone().unwrap());
        Self { stream, reader }
    }

    /// Sends bytes as they are. An error counts for nothing: the answer is what is tested.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let _ = self.stream.write_all(bytes.as_ref());
        self
    }

    /// A second handle that writes while this one reads.
    pub fn writer(&self) -> TcpStream {
        self.stream.try_clone().unwrap()
    }

    /// Sends a request without a body.
    pub fn get(&mut self, path: &str) -> Response {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")).answer().expect("an answer")
    }

    /// The next answer; `None` if the connection was closed instead.
    pub fn answer(&mut self) -> Option<Response> {
        let mut response = self.head()?;
        let length = response.header("content-length").and_then(|length| length.parse().ok());
        if matches!(response.status, 204 | 304) {
            response.is_complete = true;
        } else if response.header("transfer-encoding") == Some("chunked") {
            self.chunks(&mut response);
        } else if let Some(length) = length {
            let mut body = vec![0; length];
            response.is_complete = self.reader.read_exact(&mut body).is_ok();
            response.body = body;
        } else {
            response.is_complete = self.reader.read_to_end(&mut response.body).is_ok();
        }
        Some(response)
    }

    /// The head of the next answer.
    pub fn head(&mut self) -> Option<Response> {
        let status = self.line()?;
        let status = status.split(' ').nth(1)?.parse().ok()?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(": ") else { break };
            headers.push((name.to_lowercase(), value.to_owned()));
        }
        Some(Response { status, headers, body: Vec::new(), is_complete: false })
    }

    /// The bytes of the next chunk; `None` at the end of the body, an error if it was cut.
    pub fn chunk(&mut self) -> Result<Option<Vec<u8>>, Cut> {
        let size = self.line().ok_or(Cut)?;
        let size = usize::from_str_radix(size.trim(), 16).map_err(|_| Cut)?;
        let mut chunk = vec![0; size];
        self.reader.read_exact(&mut chunk).map_err(|_| Cut)?;
        self.line().ok_or(Cut)?;
        Ok((size > 0).then_some(chunk))
    }

    /// So many bytes, or as many as came before the end.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = self.reader.by_ref().take(length as u64).read_to_end(&mut bytes);
        bytes
    }

    fn chunks(&mut self, response: &mut Response) {
        loop {
            match self.chunk() {
                Ok(Some(chunk)) => response.body.extend(chunk),
                Ok(None) => {
                    response.is_complete = true;
                    return;
                }
                Err(Cut) => return,
            }
        }
    }

    /// A line without its end; `None` when the connection is closed.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(length) if length > 0 => Some(line.trim_end().to_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("neither an answer nor an end within {PATIENCE:?}")
            }
            _ => None,
        }
    }
}
