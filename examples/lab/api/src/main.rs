//! The kernels of the lab at the edge: the crate that the browser runs, behind `wasi:http`.
//!
//! | request | answer |
//! |---|---|
//! | `GET /api/fibonacci?n=40` | `{"result":"102334155","computeMs":…}` |
//! | `POST /api/crc32`, bytes | `{"crc32":"cbf43926","bytes":9,"computeMs":…}` |
//! | `POST /api/blur?width=&height=&sigma=`, RGBA bytes | RGBA bytes |
//! | `POST /api/sort?key=&descending=`, a JSON array of objects | the array, sorted |
//! | `POST /api/matmul?m=&k=&n=`, a and then b as little-endian `f32` | c |
//!
//! `x-compute-ms` of the last three, and `computeMs`, are the time of the kernel alone: without
//! reading and writing. What is wrong with a request is said in `{"error":"…"}`.

mod body;
mod kernels;
mod query;

use query::Query;
use wstd::http::{Body, Error, Method, Request, Response, StatusCode};

/// An answer that is not what was asked for.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    /// For whoever wrote the request: which parameter, and what was expected.
    message: String,
}

impl Refusal {
    fn bad(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.into() }
    }
}

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    let (parts, body) = request.into_parts();
    let Some(kernel) = parts.uri.path().strip_prefix("/api/") else {
        return refuse(&not_found(parts.uri.path()));
    };
    let method = match kernel {
        "fibonacci" => Method::GET,
        "crc32" | "blur" | "sort" | "matmul" => Method::POST,
        _ => return refuse(&not_found(parts.uri.path())),
    };
    if parts.method != method {
        let message = format!("`{}` is not for this, expected `{method}`", parts.method);
        let mut response = refuse(&Refusal { status: StatusCode::METHOD_NOT_ALLOWED, message })?;
        response.headers_mut().insert("allow", method.as_str().parse()?);
        return Ok(response);
    }
    let answered = match Query::parse(parts.uri.query().unwrap_or("")) {
        Err(refusal) => Err(refusal),
        Ok(query) => match kernel {
            "fibonacci" => kernels::fibonacci(&query),
            "crc32" => kernels::crc32(&query, body).await,
            "blur" => kernels::blur(&query, body).await,
            "sort" => kernels::sort(&query, body).await,
            _ => kernels::matmul(&query, body).await,
        },
    };
    match answered {
        Ok(response) => Ok(response),
        Err(refusal) => refuse(&refusal),
    }
}

fn not_found(path: &str) -> Refusal {
    let message = format!(
        "there is no `{path}`, expected `/api/` and one of `blur`, `crc32`, `fibonacci`, `matmul`, `sort`"
    );
    Refusal { status: StatusCode::NOT_FOUND, message }
}

fn refuse(refusal: &Refusal) -> Result<Response<Body>, Error> {
    let body = serde_json::json!({ "error": refusal.message }).to_string();
    let response = Response::builder().status(refusal.status).header("content-type", "application/json");
    Ok(response.body(body.into())?)
}
