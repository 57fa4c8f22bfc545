//! The same API as `my-api` on Spin's SDK 7: WASI 0.3, every host call asynchronous.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use spin_sdk::http::body::IncomingBodyExt;
use spin_sdk::http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use spin_sdk::http_service;
use spin_sdk::key_value::Store;

#[derive(Serialize)]
struct Greeting {
    message: &'static str,
    /// Seconds since 1970.
    timestamp: u64,
}

#[derive(Serialize)]
struct Visits {
    visits: u64,
}

#[derive(Serialize)]
struct Received {
    received_bytes: usize,
}

type Answer = (StatusCode, HeaderMap, String);
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[http_service]
async fn handle(request: Request) -> Answer {
    answer(request).await.unwrap_or_else(|error| {
        eprintln!("{error}");
        text(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n")
    })
}

async fn answer(request: Request) -> Result<Answer, Failure> {
    let (parts, body) = request.into_parts();
    match (parts.method, parts.uri.path()) {
        (Method::GET, "/") => {
            let timestamp = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
            json(&Greeting { message: "Hello from a sandbox", timestamp })
        }
        (Method::GET, "/cache") => json(&Visits { visits: count_visit().await? }),
        (Method::POST, "/") => json(&Received { received_bytes: body.bytes().await?.len() }),
        (_, "/" | "/cache") => Ok(text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n")),
        _ => Ok(text(StatusCode::NOT_FOUND, "not found\n")),
    }
}

/// One more visit. When this returns, the store holds it.
async fn count_visit() -> Result<u64, Failure> {
    let store = Store::open_default().await?;
    let before: u64 = match store.get("visits").await? {
        Some(bytes) => serde_json::from_slice(&bytes)?,
        None => 0,
    };
    let visits = before + 1;
    store.set("visits", serde_json::to_vec(&visits)?).await?;
    Ok(visits)
}

fn json(value: &impl Serialize) -> Result<Answer, Failure> {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    Ok((StatusCode::OK, headers, serde_json::to_string(value)?))
}

fn text(status: StatusCode, body: &str) -> Answer {
    (status, HeaderMap::new(), body.to_owned())
}
