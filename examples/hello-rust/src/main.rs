//! The smallest web service: `wasi:http` 0.2 through `wstd`.

use wstd::http::{Body, Error, Request, Response};

#[wstd::http_server]
async fn main(_request: Request<Body>) -> Result<Response<Body>, Error> {
    let response = Response::builder().header("content-type", "text/plain");
    Ok(response.body("Hello from WebAssembly\n".into())?)
}
