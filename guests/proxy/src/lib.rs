//! Sends every request on to `$UPSTREAM`, such as `http://127.0.0.1:8080`, and its answer back: for measuring a hop.
//! Without one it answers by itself, to be measured against.
//! Bodies pass from stream to stream, and never through this component's memory.

use wasip3::http::client;
use wasip3::http::types::{ErrorCode, Fields, Method, Request, Response, Scheme};
use wasip3::wit_future;

wasip3::http::service::export!(Proxy);

struct Proxy;

impl wasip3::exports::http::handler::Guest for Proxy {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let upstream = std::env::var("UPSTREAM").unwrap_or_default();
        if upstream.is_empty() {
            let (_, trailers) = wit_future::new(|| Ok(None));
            return Ok(Response::new(Fields::new(), None, trailers).0);
        }
        let (scheme, authority) = upstream.split_once("://").ok_or(ErrorCode::HttpRequestUriInvalid)?;
        let scheme = if scheme == "https" { Scheme::Https } else { Scheme::Http };
        let (method, path) = (request.get_method(), request.get_path_with_query());
        let has_body = !matches!(method, Method::Get | Method::Head);
        let (taken, all_taken) = wit_future::new(|| Ok(()));
        drop(taken);
        let (body, trailers) = Request::consume_body(request, all_taken);
        let (onward, _sent) = Request::new(Fields::new(), has_body.then_some(body), trailers, None);
        let invalid = |()| ErrorCode::HttpRequestUriInvalid;
        onward.set_method(&method).map_err(invalid)?;
        onward.set_scheme(Some(&scheme)).map_err(invalid)?;
        onward.set_authority(Some(authority)).map_err(invalid)?;
        onward.set_path_with_query(path.as_deref()).map_err(invalid)?;
        client::send(onward).await
    }
}
