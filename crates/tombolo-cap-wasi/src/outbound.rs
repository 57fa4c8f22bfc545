//! Requests from a guest to other hosts.

use std::sync::{Arc, LazyLock};

use http::{HeaderName, Request, Response, Uri};
use http_body_util::BodyExt;
use tombolo_model::outbound::AllowedHosts;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks,
    default_send_request,
};

/// Sends a guest's requests to the hosts it was granted and refuses all others.
pub struct Outbound {
    allowed: Arc<AllowedHosts>,
}

impl Outbound {
    /// Requests to `allowed` hosts only.
    pub fn new(allowed: Arc<AllowedHosts>) -> Self {
        Self { allowed }
    }
}

/// Shared: a filter is asked for at every request, and is the same for all.
static FORBIDDEN: LazyLock<ForbiddenHeaderFilter> =
    LazyLock::new(|| Arc::new(|name: &HeaderName| DEFAULT_FORBIDDEN_HEADERS.contains(name)));

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Result<(Response<WasiBody>, Io), Error>;

impl WasiHttpHooks for Outbound {
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        DEFAULT_FORBIDDEN_HEADERS.contains(name)
    }

    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::clone(&FORBIDDEN)
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _sent: Io,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let allowed = is_allowed(&self.allowed, request.uri());
        Box::new(async move {
            if !allowed {
                return Err(Error::HttpRequestDenied);
            }
            let (response, io) = default_send_request(request, options).await?;
            Ok((response.map(BodyExt::boxed_unsync), Box::new(io) as Io))
        })
    }
}

fn is_allowed(allowed: &AllowedHosts, uri: &Uri) -> bool {
    let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else { return false };
    let usual = if scheme == "https" { 443 } else { 80 };
    // The `http` crate leaves the brackets of an IPv6 address in place.
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    allowed.allows(scheme, host, uri.port_u16().unwrap_or(usual))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_goes_only_to_a_granted_host() {
        let allowed = AllowedHosts::parse(["https://example.com", "http://[::1]:8080"]).unwrap();
        let check = |uri: &str| is_allowed(&allowed, &uri.parse().unwrap());
        assert!(check("https://example.com/x"));
        assert!(check("https://example.com:443/x"));
        assert!(check("http://[::1]:8080/"));
        assert!(!check("http://example.com/x"));
        assert!(!check("https://example.com:444/x"));
        assert!(!check("https://example.com.evil.test/"));
        assert!(!check("/x"));
    }
}
