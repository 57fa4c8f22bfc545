//! A small API on Spin's SDK 5: JSON, a counter that survives restarts, and a POST.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use spin_sdk::http::{IntoResponse, Method, Request, Response};
use spin_sdk::http_component;
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

#[http_component]
fn handle(request: Request) -> anyhow::Result<impl IntoResponse> {
    match (request.method(), request.path()) {
        (Method::Get, "/") => {
            let timestamp = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
            json(&Greeting { message: "Hello from a sandbox", timestamp })
        }
        (Method::Get, "/cache") => json(&Visits { visits: count_visit()? }),
        (Method::Post, "/") => json(&Received { received_bytes: request.body().len() }),
        (_, "/" | "/cache") => Ok(Response::new(405, "method not allowed\n")),
        _ => Ok(Response::new(404, "not found\n")),
    }
}

/// One more visit. When this returns, the store holds it.
fn count_visit() -> anyhow::Result<u64> {
    let store = Store::open_default()?;
    let before: u64 = store.get_json("visits")?.unwrap_or(0);
    let visits = before + 1;
    store.set_json("visits", &visits)?;
    Ok(visits)
}

fn json(value: &impl Serialize) -> anyhow::Result<Response> {
    let body = serde_json::to_vec(value)?;
    Ok(Response::builder().status(200).header("content-type", "application/json").body(body).build())
}
