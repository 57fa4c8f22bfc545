//! Which requests may go on.

use std::net::SocketAddr;

use http::{HeaderValue, Method, Request, StatusCode, Version, header};

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
        // RFC 9110 §4.2.4: a name before the host is there to deceive.
        let valid = !authority.as_str().contains('@');
        return if valid { Ok(authority.as_str().to_owned()) } else { Err(StatusCode::BAD_REQUEST) };
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
        assert_eq!(check(Request::builder().uri("http://u@b/x")), Err(StatusCode::BAD_REQUEST));
        assert_eq!(check(Request::connect("a:1")), Err(StatusCode::METHOD_NOT_ALLOWED));
    }

    #[test]
    fn a_host_is_an_authority_without_its_port() {
        for (authority, expected) in [("a", "a"), ("a:80", "a"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]")] {
            assert_eq!(host(authority), expected);
        }
    }
}
