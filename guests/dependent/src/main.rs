//! Tells what it was granted, `GET /itself`, and what a dependency of it finds of that, `GET /dependency`.

wit_bindgen::generate!({ path: "../dependency/wit", world: "dependent" });

use tombolo::parts::probe;
use wstd::http::{Body, Error, Request, Response};

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    let found = match request.uri().path() {
        "/itself" => look::look(),
        "/dependency" => probe::look(),
        _ => Vec::new(),
    };
    let lines = found.iter().map(|(name, what)| format!("{name}: {what}\n"));
    Ok(Response::new(lines.collect::<String>().into()))
}
