//! Which requests may go on, and how much they may bring.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Version, header};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tombolo_runtime::RequestBodyError;

/// The host a request is for, with its port if it has one.
///
/// # Errors
///
/// The status of a request that cannot be served to any host.
pub(crate) fn authority<B>(request: &mut Request<B>, local: SocketAddr) -> Result<String, StatusCode> {
    if request.method() == Method::CONNECT {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    if let Some(authority) = request.uri().authority() {
        return Ok(authority.as_str().to_owned());
    }
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        // RFC 9112 §3.2: no host, two hosts or no valid one in a request of HTTP/1.1 is a 400.
        (Some(host), None) => {
            let host = host.to_str().map_err(|_| StatusCode::BAD_REQUEST)?;
            let valid =
                host.parse::<http::uri::Authority>().is_ok_and(|parsed| !parsed.as_str().contains('@'));
            if valid { Ok(host.to_owned()) } else { Err(StatusCode::BAD_REQUEST) }
        }
        (None, _) if request.version() == Version::HTTP_10 => {
            let host = local.to_string();
            let value = HeaderValue::from_str(&host).expect("an address is a value a header can have");
            request.headers_mut().insert(header::HOST, value);
            Ok(host)
        }
        _ => Err(StatusCode::BAD_REQUEST),
    }
}

/// An authority without its port.
pub(crate) fn host(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// The body of a request, up to its bound.
pub(crate) struct RequestBody {
    body: Incoming,
    bytes_left: u64,
    over: OverLimit,
}

/// Whether a body went over its bound.
#[derive(Clone, Default)]
pub(crate) struct OverLimit(Option<Arc<AtomicBool>>);

impl OverLimit {
    pub(crate) fn is_set(&self) -> bool {
        self.0.as_ref().is_some_and(|over| over.load(Ordering::Relaxed))
    }
}

impl RequestBody {
    /// A body of at most `bytes_max` bytes.
    ///
    /// # Errors
    ///
    /// 413, if the request says itself that it has more.
    pub(crate) fn new(body: Incoming, bytes_max: u64) -> Result<Self, StatusCode> {
        let hint = body.size_hint();
        if hint.lower() > bytes_max {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        // A length that was announced and fits needs no watching: hyper keeps it.
        let watched = hint.exact().is_none();
        Ok(Self { body, bytes_left: bytes_max, over: OverLimit(watched.then(Arc::default)) })
    }

    pub(crate) fn over_limit(&self) -> OverLimit {
        self.over.clone()
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = RequestBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
            None => return Poll::Ready(None),
        };
        let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
        match self.bytes_left.checked_sub(bytes) {
            Some(left) => {
                self.bytes_left = left;
                Poll::Ready(Some(Ok(frame)))
            }
            None => {
                if let Some(over) = &self.over.0 {
                    over.store(true, Ordering::Relaxed);
                }
                Poll::Ready(Some(Err(RequestBodyError::HttpRequestBodySize(None))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(request: http::request::Builder) -> Result<String, StatusCode> {
        authority(&mut request.body(()).unwrap(), "127.0.0.1:80".parse().unwrap())
    }

    #[test]
    fn a_request_says_which_host_it_is_for() {
        let request = || Request::builder().uri("/");
        assert_eq!(check(request().header("host", "a:1")), Ok("a:1".into()));
        assert_eq!(check(request()), Err(StatusCode::BAD_REQUEST));
        assert_eq!(check(request().header("host", "a").header("host", "b")), Err(StatusCode::BAD_REQUEST));
        assert_eq!(check(request().header("host", "a b")), Err(StatusCode::BAD_REQUEST));
        assert_eq!(check(request().header("host", "u@a")), Err(StatusCode::BAD_REQUEST));
        assert_eq!(check(request().version(Version::HTTP_10)), Ok("127.0.0.1:80".into()));
        assert_eq!(check(Request::builder().uri("http://b/x").header("host", "a")), Ok("b".into()));
        assert_eq!(check(Request::connect("a:1")), Err(StatusCode::METHOD_NOT_ALLOWED));
    }

    #[test]
    fn a_host_is_an_authority_without_its_port() {
        for (authority, expected) in [("a", "a"), ("a:80", "a"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]")] {
            assert_eq!(host(authority), expected);
        }
    }
}
