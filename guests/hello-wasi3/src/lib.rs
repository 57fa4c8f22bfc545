//! The example `hello-rust` on WASI 0.3: the same header and the same body, for measuring the one against the other.

use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_future, wit_stream};

wasip3::http::service::export!(Hello);

struct Hello;

impl wasip3::exports::http::handler::Guest for Hello {
    async fn handle(_: Request) -> Result<Response, ErrorCode> {
        let headers = Fields::from_list(&[("content-type".to_owned(), b"text/plain".to_vec())]);
        let headers = headers.map_err(|error| ErrorCode::InternalError(Some(error.to_string())))?;
        let (mut body, content) = wit_stream::new();
        let (trailers, no_trailers) = wit_future::new(|| Ok(None));
        drop(trailers);
        let (response, _sent) = Response::new(headers, Some(content), no_trailers);
        wasip3::wit_bindgen::spawn(async move {
            body.write_all(b"Hello from WebAssembly\n".to_vec()).await;
        });
        Ok(response)
    }
}
