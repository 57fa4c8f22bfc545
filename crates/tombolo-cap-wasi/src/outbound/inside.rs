//! Requests that do not leave the node: from a guest to its own app.

use std::pin::Pin;
use std::sync::Arc;

use http::Request;
use wasmtime_wasi_http::WasiBody;

use super::Sent;

/// The parts of an app, as a guest of one of them may call them.
pub trait Inside: Send + Sync {
    /// Sends a request that was granted. With the answer comes what moves its body: whoever polls that lets who
    /// answers go on while nobody reads. Dropping the body ends the request.
    fn send(
        self: Arc<Self>,
        to: Part,
        request: Request<WasiBody>,
    ) -> Pin<Box<dyn Future<Output = Sent> + Send>>;
}

/// Whom a request within an app is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A component, whether or not it has a route.
    Component(String),
    /// Whatever answers the path at the app's own routes.
    Route,
}
