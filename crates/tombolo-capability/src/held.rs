//! What the host holds on behalf of one instance.

use wasmtime::component::ResourceTable;
use wasmtime_wasi_http::FieldMap;
use wasmtime_wasi_http::p2::body::{HostFutureTrailers, HostIncomingBody, HostOutgoingBody};
use wasmtime_wasi_http::p2::types::{
    HostFutureIncomingResponse, HostIncomingRequest, HostIncomingResponse, HostOutgoingRequest,
    HostOutgoingResponse, HostResponseOutparam,
};
use wasmtime_wasi_http::p3;

/// What any resource costs: its boxed value, its place in the table, a channel or a task.
///
/// Streams hold more, up to what their writer was permitted; a guest cannot have many that are full,
/// for it has only its own memory to fill them from, which counts already.
const RESOURCE_BYTES: u64 = 512;

/// Bytes the host holds in the resources of a table. It is counted at ticks of the engine's clock,
/// so a guest is found out a few milliseconds after it went too far, and by then has gone no further
/// than the host could copy in that time.
pub(crate) fn held_bytes(table: &mut ResourceTable) -> u64 {
    let fields = |fields: &FieldMap| {
        let value = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            // The text of both, and what the map needs to find them.
            name.as_str().len() + value.len() + 64
        };
        fields.iter().map(value).sum::<usize>() as u64
    };
    let resource = |resource: &mut (dyn std::any::Any + Send)| {
        let headers = if let Some(found) = resource.downcast_ref::<FieldMap>() {
            fields(found)
        } else if let Some(response) = resource.downcast_ref::<HostOutgoingResponse>() {
            fields(&response.headers)
        } else if let Some(request) = resource.downcast_ref::<HostOutgoingRequest>() {
            let text = |text: &Option<String>| text.as_ref().map_or(0, |text| text.len() as u64);
            fields(&request.headers) + text(&request.authority) + text(&request.path_with_query)
        } else if let Some(request) = resource.downcast_ref::<p3::Request>() {
            fields(&request.headers)
        } else if let Some(response) = resource.downcast_ref::<p3::Response>() {
            fields(&response.headers)
        } else {
            0
        };
        headers + RESOURCE_BYTES
    };
    table.iter_mut().map(resource).sum()
}

/// How many resources are in a table; `None` if one of them is of a request or an answer. The streams of
/// a body are children of the body, which is there as long as they are.
pub(crate) fn left(table: &mut ResourceTable) -> Option<usize> {
    let is_http = |resource: &(dyn std::any::Any + Send)| {
        resource.is::<HostIncomingRequest>()
            || resource.is::<HostIncomingBody>()
            || resource.is::<HostFutureTrailers>()
            || resource.is::<HostResponseOutparam>()
            || resource.is::<HostOutgoingResponse>()
            || resource.is::<HostOutgoingBody>()
            || resource.is::<HostOutgoingRequest>()
            || resource.is::<HostFutureIncomingResponse>()
            || resource.is::<HostIncomingResponse>()
            || resource.is::<p3::Request>()
            || resource.is::<p3::Response>()
    };
    table.iter_mut().try_fold(0, |count, resource| (!is_http(resource)).then_some(count + 1))
}

#[cfg(test)]
mod tests {
    use wasmtime_wasi_http::{Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks};

    use super::*;

    type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;
    type Sent = Result<(http::Response<WasiBody>, Io), Error>;

    struct Hooks;

    impl WasiHttpHooks for Hooks {
        fn is_forbidden_header(&mut self, _: &http::HeaderName) -> bool {
            false
        }

        fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
            std::sync::Arc::new(|_: &http::HeaderName| false)
        }

        fn send_request(
            &mut self,
            _: http::Request<WasiBody>,
            _: Option<RequestOptions>,
            _: Io,
        ) -> Box<dyn Future<Output = Sent> + Send> {
            Box::new(async { Err(Error::HttpRequestDenied) })
        }
    }

    #[test]
    fn headers_and_resources_count() {
        let mut table = ResourceTable::new();
        assert_eq!(held_bytes(&mut table), 0);
        table.push(1_u32).unwrap();
        assert_eq!(held_bytes(&mut table), RESOURCE_BYTES);
        let mut headers = http::HeaderMap::new();
        headers.insert("name", http::HeaderValue::from_str(&"x".repeat(10_000)).unwrap());
        let fields = FieldMap::new_immutable(&mut Hooks, headers);
        table.push(fields).unwrap();
        let held = held_bytes(&mut table);
        assert!((10_000..12_000).contains(&held), "{held}");
    }
}
