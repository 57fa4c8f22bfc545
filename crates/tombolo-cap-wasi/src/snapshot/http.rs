//! `wasi:http` of the snapshot.

use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable};
use wasmtime_wasi_http::p2::bindings::http::outgoing_handler::Host as _;
use wasmtime_wasi_http::p2::bindings::http::types as v2;
use wasmtime_wasi_http::p2::body::{HostFutureTrailers, HostIncomingBody, HostOutgoingBody};
use wasmtime_wasi_http::p2::types::{
    HostFutureIncomingResponse, HostIncomingRequest, HostIncomingResponse, HostOutgoingRequest,
    HostOutgoingResponse, HostResponseOutparam,
};
use wasmtime_wasi_http::{FieldMap, RequestOptions};

use super::Host;
use super::snapshot::http::{outgoing_handler, types};

/// One result of two: what is in the way of the function itself is a trap.
type Once<T> = wasmtime::Result<Result<T, ()>>;

fn method(method: v2::Method) -> types::Method {
    match method {
        v2::Method::Get => types::Method::Get,
        v2::Method::Head => types::Method::Head,
        v2::Method::Post => types::Method::Post,
        v2::Method::Put => types::Method::Put,
        v2::Method::Delete => types::Method::Delete,
        v2::Method::Connect => types::Method::Connect,
        v2::Method::Options => types::Method::Options,
        v2::Method::Trace => types::Method::Trace,
        v2::Method::Patch => types::Method::Patch,
        v2::Method::Other(name) => types::Method::Other(name),
    }
}

fn method_back(method: types::Method) -> v2::Method {
    match method {
        types::Method::Get => v2::Method::Get,
        types::Method::Head => v2::Method::Head,
        types::Method::Post => v2::Method::Post,
        types::Method::Put => v2::Method::Put,
        types::Method::Delete => v2::Method::Delete,
        types::Method::Connect => v2::Method::Connect,
        types::Method::Options => v2::Method::Options,
        types::Method::Trace => v2::Method::Trace,
        types::Method::Patch => v2::Method::Patch,
        types::Method::Other(name) => v2::Method::Other(name),
    }
}

/// An error of 0.2 as one of the four there were.
fn error(code: &v2::ErrorCode) -> types::Error {
    use v2::ErrorCode as Code;
    let text = format!("{code:?}");
    match code {
        Code::HttpRequestUriInvalid | Code::HttpRequestUriTooLong => types::Error::InvalidUrl(text),
        Code::DnsTimeout
        | Code::ConnectionTimeout
        | Code::ConnectionReadTimeout
        | Code::ConnectionWriteTimeout
        | Code::HttpResponseTimeout => types::Error::TimeoutError(text),
        Code::HttpProtocolError | Code::TlsProtocolError => types::Error::ProtocolError(text),
        _ => types::Error::UnexpectedError(text),
    }
}

impl types::Host for Host<'_> {}

impl types::HostIncomingRequest for Host<'_> {
    fn method(&mut self, request: Resource<HostIncomingRequest>) -> wasmtime::Result<types::Method> {
        v2::HostIncomingRequest::method(&mut self.0, request).map(method)
    }

    fn path_with_query(
        &mut self,
        request: Resource<HostIncomingRequest>,
    ) -> wasmtime::Result<Option<String>> {
        v2::HostIncomingRequest::path_with_query(&mut self.0, request)
    }

    fn scheme(&mut self, request: Resource<HostIncomingRequest>) -> wasmtime::Result<Option<types::Scheme>> {
        let scheme = v2::HostIncomingRequest::scheme(&mut self.0, request)?;
        Ok(scheme.map(|scheme| match scheme {
            v2::Scheme::Http => types::Scheme::Http,
            v2::Scheme::Https => types::Scheme::Https,
            v2::Scheme::Other(name) => types::Scheme::Other(name),
        }))
    }

    fn authority(&mut self, request: Resource<HostIncomingRequest>) -> wasmtime::Result<Option<String>> {
        v2::HostIncomingRequest::authority(&mut self.0, request)
    }

    fn headers(&mut self, request: Resource<HostIncomingRequest>) -> wasmtime::Result<Resource<FieldMap>> {
        v2::HostIncomingRequest::headers(&mut self.0, request)
    }

    fn consume(&mut self, request: Resource<HostIncomingRequest>) -> Once<Resource<HostIncomingBody>> {
        v2::HostIncomingRequest::consume(&mut self.0, request)
    }

    fn drop(&mut self, request: Resource<HostIncomingRequest>) -> wasmtime::Result<()> {
        v2::HostIncomingRequest::drop(&mut self.0, request)
    }
}

impl types::HostOutgoingRequest for Host<'_> {
    fn new(
        &mut self,
        method: types::Method,
        path_with_query: Option<String>,
        scheme: Option<types::Scheme>,
        authority: Option<String>,
        headers: Resource<FieldMap>,
    ) -> wasmtime::Result<Resource<HostOutgoingRequest>> {
        let headers = v2::HostFields::clone(&mut self.0, headers)?;
        let made = v2::HostOutgoingRequest::new(&mut self.0, headers)?;
        let borrowed = || Resource::new_borrow(made.rep());
        let scheme = scheme.map(|scheme| match scheme {
            types::Scheme::Http => v2::Scheme::Http,
            types::Scheme::Https => v2::Scheme::Https,
            types::Scheme::Other(name) => v2::Scheme::Other(name),
        });
        let is_valid = v2::HostOutgoingRequest::set_method(&mut self.0, borrowed(), method_back(method))?
            .and(v2::HostOutgoingRequest::set_path_with_query(&mut self.0, borrowed(), path_with_query)?)
            .and(v2::HostOutgoingRequest::set_scheme(&mut self.0, borrowed(), scheme)?)
            .and(v2::HostOutgoingRequest::set_authority(&mut self.0, borrowed(), authority)?);
        if is_valid.is_err() {
            // A constructor has no error: `handle` has, for a URL without an authority.
            self.0.table.get_mut(&made)?.authority = None;
        }
        Ok(made)
    }

    fn write(&mut self, request: Resource<HostOutgoingRequest>) -> Once<Resource<HostOutgoingBody>> {
        v2::HostOutgoingRequest::body(&mut self.0, request)
    }

    fn drop(&mut self, request: Resource<HostOutgoingRequest>) -> wasmtime::Result<()> {
        v2::HostOutgoingRequest::drop(&mut self.0, request)
    }
}

impl types::HostResponseOutparam for Host<'_> {
    fn set(
        &mut self,
        param: Resource<HostResponseOutparam>,
        response: Result<Resource<HostOutgoingResponse>, types::Error>,
    ) -> wasmtime::Result<()> {
        let response = response.map_err(|error| v2::ErrorCode::InternalError(Some(format!("{error:?}"))));
        v2::HostResponseOutparam::set(&mut self.0, param, response)
    }

    fn drop(&mut self, param: Resource<HostResponseOutparam>) -> wasmtime::Result<()> {
        v2::HostResponseOutparam::drop(&mut self.0, param)
    }
}

impl types::HostIncomingResponse for Host<'_> {
    fn status(&mut self, response: Resource<HostIncomingResponse>) -> wasmtime::Result<u16> {
        v2::HostIncomingResponse::status(&mut self.0, response)
    }

    fn headers(&mut self, response: Resource<HostIncomingResponse>) -> wasmtime::Result<Resource<FieldMap>> {
        v2::HostIncomingResponse::headers(&mut self.0, response)
    }

    fn consume(&mut self, response: Resource<HostIncomingResponse>) -> Once<Resource<HostIncomingBody>> {
        v2::HostIncomingResponse::consume(&mut self.0, response)
    }

    fn drop(&mut self, response: Resource<HostIncomingResponse>) -> wasmtime::Result<()> {
        v2::HostIncomingResponse::drop(&mut self.0, response)
    }
}

impl types::HostIncomingBody for Host<'_> {
    fn stream(&mut self, body: Resource<HostIncomingBody>) -> Once<Resource<DynInputStream>> {
        v2::HostIncomingBody::stream(&mut self.0, body)
    }

    fn finish(&mut self, body: Resource<HostIncomingBody>) -> wasmtime::Result<Resource<HostFutureTrailers>> {
        v2::HostIncomingBody::finish(&mut self.0, body)
    }

    fn drop(&mut self, body: Resource<HostIncomingBody>) -> wasmtime::Result<()> {
        v2::HostIncomingBody::drop(&mut self.0, body)
    }
}

impl types::HostFutureTrailers for Host<'_> {
    fn subscribe(
        &mut self,
        trailers: Resource<HostFutureTrailers>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        v2::HostFutureTrailers::subscribe(&mut self.0, trailers)
    }

    /// No trailers are empty ones. Taken twice, they are a trap.
    fn get(
        &mut self,
        trailers: Resource<HostFutureTrailers>,
    ) -> wasmtime::Result<Option<Result<Resource<FieldMap>, types::Error>>> {
        match v2::HostFutureTrailers::get(&mut self.0, trailers)? {
            None => Ok(None),
            Some(Ok(Ok(Some(fields)))) => Ok(Some(Ok(fields))),
            Some(Ok(Ok(None))) => v2::HostFields::new(&mut self.0).map(|fields| Some(Ok(fields))),
            Some(Ok(Err(code))) => Ok(Some(Err(error(&code)))),
            Some(Err(())) => Err(wasmtime::format_err!("trailers were taken twice")),
        }
    }

    fn drop(&mut self, trailers: Resource<HostFutureTrailers>) -> wasmtime::Result<()> {
        v2::HostFutureTrailers::drop(&mut self.0, trailers)
    }
}

impl types::HostOutgoingResponse for Host<'_> {
    fn new(
        &mut self,
        status: u16,
        headers: Resource<FieldMap>,
    ) -> wasmtime::Result<Resource<HostOutgoingResponse>> {
        let headers = v2::HostFields::clone(&mut self.0, headers)?;
        let made = v2::HostOutgoingResponse::new(&mut self.0, headers)?;
        v2::HostOutgoingResponse::set_status_code(&mut self.0, Resource::new_borrow(made.rep()), status)?
            .map_err(|()| wasmtime::format_err!("{status} is no status of an answer"))?;
        Ok(made)
    }

    fn write(&mut self, response: Resource<HostOutgoingResponse>) -> Once<Resource<HostOutgoingBody>> {
        v2::HostOutgoingResponse::body(&mut self.0, response)
    }

    fn drop(&mut self, response: Resource<HostOutgoingResponse>) -> wasmtime::Result<()> {
        v2::HostOutgoingResponse::drop(&mut self.0, response)
    }
}

impl types::HostOutgoingBody for Host<'_> {
    fn write(&mut self, body: Resource<HostOutgoingBody>) -> Once<Resource<DynOutputStream>> {
        v2::HostOutgoingBody::write(&mut self.0, body)
    }

    /// A body of another length than its head says is a trap: there is no error to return.
    fn finish(
        &mut self,
        body: Resource<HostOutgoingBody>,
        trailers: Option<Resource<FieldMap>>,
    ) -> wasmtime::Result<()> {
        v2::HostOutgoingBody::finish(&mut self.0, body, trailers).map_err(wasmtime::Error::from)
    }

    fn drop(&mut self, body: Resource<HostOutgoingBody>) -> wasmtime::Result<()> {
        v2::HostOutgoingBody::drop(&mut self.0, body)
    }
}

impl types::HostFutureIncomingResponse for Host<'_> {
    fn get(
        &mut self,
        response: Resource<HostFutureIncomingResponse>,
    ) -> wasmtime::Result<Option<Result<Result<Resource<HostIncomingResponse>, types::Error>, ()>>> {
        let got = v2::HostFutureIncomingResponse::get(&mut self.0, response)?;
        Ok(got.map(|once| once.map(|answer| answer.map_err(|code| error(&code)))))
    }

    fn subscribe(
        &mut self,
        response: Resource<HostFutureIncomingResponse>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        v2::HostFutureIncomingResponse::subscribe(&mut self.0, response)
    }

    fn drop(&mut self, response: Resource<HostFutureIncomingResponse>) -> wasmtime::Result<()> {
        v2::HostFutureIncomingResponse::drop(&mut self.0, response)
    }
}

impl outgoing_handler::Host for Host<'_> {
    fn handle(
        &mut self,
        request: Resource<HostOutgoingRequest>,
        options: Option<types::RequestOptions>,
    ) -> wasmtime::Result<Result<Resource<HostFutureIncomingResponse>, types::Error>> {
        let options = match options {
            None => None,
            Some(options) => {
                let time = |ms: Option<u32>| ms.map(|ms| std::time::Duration::from_millis(ms.into()));
                Some(self.0.table.push(RequestOptions {
                    connect_timeout: time(options.connect_timeout_ms),
                    first_byte_timeout: time(options.first_byte_timeout_ms),
                    between_bytes_timeout: time(options.between_bytes_timeout_ms),
                })?)
            }
        };
        let borrowed = options.as_ref().map(|options| Resource::new_borrow(options.rep()));
        let sent = self.0.handle(request, borrowed);
        if let Some(options) = options {
            self.0.table.delete(options)?;
        }
        match sent {
            Ok(response) => Ok(Ok(response)),
            Err(failed) => Ok(Err(error(&failed.downcast()?))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tombolo_capability::Meter;
    use wasmtime::component::ResourceTable;
    use wasmtime_wasi::p2::pipe::{ClosedOutputStream, MemoryInputPipe, MemoryOutputPipe};
    use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView};

    use super::super::snapshot::io::streams::{HostOutputStream as _, StreamError};
    use super::*;
    use crate::outbound::Outbound;

    /// Calls as a guest of the snapshot that was granted nothing.
    async fn guest<T>(call: impl AsyncFnOnce(&mut Host<'_>) -> T) -> T {
        let (mut table, mut ctx) = (ResourceTable::new(), WasiHttpCtx::new());
        let mut hooks = Outbound::none().open(&Arc::new(Meter::new(Duration::MAX)), None);
        call(&mut Host(WasiHttpCtxView { ctx: &mut ctx, table: &mut table, hooks: &mut hooks })).await
    }

    #[tokio::test]
    async fn a_request_that_is_none_is_refused_when_it_is_sent() {
        let sent = async |path: &str, authority: Option<&str>| {
            guest(async |host| {
                let headers = types::HostFields::new(host, Vec::new()).unwrap();
                let (path, authority) = (Some(path.to_owned()), authority.map(str::to_owned));
                let scheme = Some(types::Scheme::Http);
                let request = types::HostOutgoingRequest::new(
                    host,
                    types::Method::Get,
                    path,
                    scheme,
                    authority,
                    headers,
                );
                outgoing_handler::Host::handle(host, request.unwrap(), None).unwrap().map(drop)
            })
            .await
        };
        assert_eq!(sent("/", Some("example.com")).await.map_err(|error| format!("{error:?}")), Ok(()));
        for (path, authority) in [("no path", Some("example.com")), ("/", Some("no host")), ("/", None)] {
            let refused = sent(path, authority).await;
            assert!(matches!(refused, Err(types::Error::InvalidUrl(_))), "{path} {authority:?}: {refused:?}");
        }
    }

    #[tokio::test]
    async fn all_of_a_stream_is_forwarded_or_the_guest_is_told() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|number| (number % 251) as u8).collect();
        let input = || -> DynInputStream { Box::new(MemoryInputPipe::new(bytes.clone())) };
        guest(async |host| {
            let output = MemoryOutputPipe::new(1 << 20);
            let to: DynOutputStream = Box::new(output.clone());
            let (to, from) = (host.0.table.push(to).unwrap(), host.0.table.push(input()).unwrap());
            let all = host.forward(to, from).await.unwrap().map_err(|error| format!("{error:?}"));
            assert_eq!((all, output.contents() == bytes), (Ok(100_000), true));
            let closed: DynOutputStream = Box::new(ClosedOutputStream);
            let (to, from) = (host.0.table.push(closed).unwrap(), host.0.table.push(input()).unwrap());
            let refused = host.forward(to, from).await.unwrap();
            assert!(matches!(refused, Err(StreamError::Closed)), "{refused:?}");
        })
        .await;
    }
}
