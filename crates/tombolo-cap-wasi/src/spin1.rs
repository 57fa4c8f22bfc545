//! `fermyon:spin/http`, without a version: requests to other hosts as Spin 1 had them, whole each way.
//!
//! A request goes where those of `wasi:http` go, within the same bounds; its answer is charged to the guest's memory.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt, Full};
use tombolo_capability::{Access, Guest, HeldMemory, HostMemory};
use wasmtime::component::{HasData, Linker};
use wasmtime_wasi_http::{Error, WasiBody, WasiHttpHooks, WasiHttpView};

use crate::denied;

mod generated {
    wasmtime::component::bindgen!({
        inline: "package tombolo:http1; world imports { import fermyon:spin/http; }",
        path: ["../../wit/fermyon-spin"],
        world: "tombolo:http1/imports",
        imports: { default: async | trappable },
    });
}

use generated::fermyon::spin::{http as interface, http_types as types};
use types::HttpError;

/// The interfaces that are here.
pub(crate) const INTERFACES: &[&str] = &["fermyon:spin/http", "fermyon:spin/http-types"];

/// What sends a guest's requests, and its memory.
struct Host<'a> {
    hooks: &'a mut dyn WasiHttpHooks,
    memory: HostMemory,
}

struct HasHost;

impl HasData for HasHost {
    type Data<'a> = Host<'a>;
}

fn host(guest: &mut Guest) -> Host<'_> {
    let memory = guest.memory().host().clone();
    Host { hooks: guest.http().hooks, memory }
}

/// The same with every request refused.
fn denied(guest: &mut Guest) -> Host<'_> {
    let memory = guest.memory().host().clone();
    Host { hooks: denied::http(guest).hooks, memory }
}

/// Adds the interface to what components can import.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    types::add_to_linker::<_, HasHost>(linker, host)?;
    interface::add_to_linker::<_, HasHost>(linker, host)
}

/// Adds it for those that have no grant.
pub(crate) fn link_denied(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut instance = Access::Denied.instance(linker, "fermyon:spin/http")?;
    interface::add_to_linker_instance::<_, HasHost>(&mut instance, denied)
}

fn method(method: types::Method) -> Method {
    match method {
        types::Method::Get => Method::GET,
        types::Method::Post => Method::POST,
        types::Method::Put => Method::PUT,
        types::Method::Delete => Method::DELETE,
        types::Method::Patch => Method::PATCH,
        types::Method::Head => Method::HEAD,
        types::Method::Options => Method::OPTIONS,
    }
}

fn failed(error: &Error) -> HttpError {
    match error {
        Error::HttpRequestDenied | Error::DestinationIpProhibited => HttpError::DestinationNotAllowed,
        Error::HttpRequestUriInvalid | Error::HttpRequestUriTooLong => HttpError::InvalidUrl,
        Error::ConnectionLimitReached => HttpError::TooManyRequests,
        _ => HttpError::RuntimeError,
    }
}

impl Host<'_> {
    /// The request as the guest describes it. Its parameters count for nothing, as in Spin: they belong in the URI.
    fn request(&mut self, asked: types::Request) -> Result<Request<WasiBody>, HttpError> {
        let uri: Uri = asked.uri.parse().map_err(|_| HttpError::InvalidUrl)?;
        let authority = uri.authority().ok_or(HttpError::InvalidUrl)?;
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| HttpError::InvalidUrl)?;
        let body = Full::new(Bytes::from(asked.body.unwrap_or_default()));
        let mut request = Request::new(body.map_err(|never| match never {}).boxed_unsync());
        *request.method_mut() = method(asked.method);
        *request.uri_mut() = uri;
        for (name, value) in asked.headers {
            let name: HeaderName = name.parse().map_err(|_| HttpError::RequestError)?;
            let value: HeaderValue = value.parse().map_err(|_| HttpError::RequestError)?;
            // Those that are of the connection are the host's.
            if !self.hooks.is_forbidden_header(&name) {
                request.headers_mut().append(name, value);
            }
        }
        request.headers_mut().insert(http::header::HOST, host);
        Ok(request)
    }

    async fn exchange(&mut self, asked: types::Request) -> Result<types::Response, HttpError> {
        let body = asked.body.as_ref().map_or(0, Vec::len) as u64;
        let mut held = self.memory.take(body).map_err(|_| HttpError::RequestError)?;
        let request = self.request(asked)?;
        let sent = self.hooks.send_request(request, None, Box::new(async { Ok(()) }));
        let (response, io) = Box::into_pin(sent).await.map_err(|error| failed(&error))?;
        // Moves the bytes until this is dropped.
        let _io = wasmtime_wasi::runtime::spawn(async move { Box::into_pin(io).await });
        let (parts, body) = response.into_parts();
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        let body = collect(body, &mut held).await?;
        Ok(types::Response { status: parts.status.as_u16(), headers: Some(headers), body: Some(body) })
    }
}

async fn collect(mut body: WasiBody, held: &mut HeldMemory) -> Result<Vec<u8>, HttpError> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|error| failed(&error))?.into_data() {
            held.grow(data.len() as u64).map_err(|_| HttpError::RuntimeError)?;
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes)
}

impl types::Host for Host<'_> {}

impl interface::Host for Host<'_> {
    async fn send_request(
        &mut self,
        asked: types::Request,
    ) -> wasmtime::Result<Result<types::Response, HttpError>> {
        Ok(self.exchange(asked).await)
    }
}
