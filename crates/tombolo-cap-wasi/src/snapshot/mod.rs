//! WASI as of October 2023: snapshot `0.2.0-rc-2023-10-18`, which spin-sdk 2 is built on.
//!
//! Its resources are those of WASI 0.2, and each of its functions is one of 0.2 or a few of them. So what bounds
//! a guest of 0.2 bounds one of the snapshot. Here is what differs from 0.2; what does not, is 0.2 by another name
//! ([`crate::candidate`]). Datagrams, looking up names and time zones are not here: they were not as in 0.2, or are gone.

mod clocks;
mod fields;
mod filesystem;
mod http;
mod io;

use tombolo_capability::{Access, Guest};
use wasmtime::component::{HasData, Linker};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};

use crate::denied;

#[expect(missing_docs, reason = "generated from WIT")]
mod generated {
    wasmtime::component::bindgen!({
        inline: "package tombolo:snapshot; world proxy {
            import wasi:io/poll@0.2.0-rc-2023-10-18;
            import wasi:io/streams@0.2.0-rc-2023-10-18;
            import wasi:http/types@0.2.0-rc-2023-10-18;
            import wasi:http/outgoing-handler@0.2.0-rc-2023-10-18;
            export wasi:http/incoming-handler@0.2.0-rc-2023-10-18;
        }",
        path: ["../../wit/wasi-io@0.2.0-rc-2023-10-18", "../../wit/wasi-http@0.2.0-rc-2023-10-18"],
        world: "tombolo:snapshot/proxy",
        imports: {
            "wasi:io/poll@0.2.0-rc-2023-10-18.poll-list": async | trappable,
            "wasi:io/poll@0.2.0-rc-2023-10-18.poll-one": async | trappable,
            "wasi:io/streams@0.2.0-rc-2023-10-18.[method]input-stream.blocking-read": async | trappable,
            "wasi:io/streams@0.2.0-rc-2023-10-18.[method]input-stream.blocking-skip": async | trappable,
            "wasi:io/streams@0.2.0-rc-2023-10-18.[drop]input-stream": async | trappable,
            "wasi:io/streams@0.2.0-rc-2023-10-18.[method]output-stream.blocking-splice": async | trappable,
            "wasi:io/streams@0.2.0-rc-2023-10-18.[method]output-stream.blocking-flush": async | trappable,
            "wasi:io/streams@0.2.0-rc-2023-10-18.[method]output-stream.blocking-write-and-flush": async | trappable,
            "wasi:io/streams@0.2.0-rc-2023-10-18.[method]output-stream.blocking-write-zeroes-and-flush": async | trappable,
            "wasi:io/streams@0.2.0-rc-2023-10-18.[method]output-stream.forward": async | trappable,
            "wasi:io/streams@0.2.0-rc-2023-10-18.[drop]output-stream": async | trappable,
            default: trappable,
        },
        exports: { default: async },
        require_store_data_send: true,
        with: {
            "wasi:io/poll.pollable": wasmtime_wasi::p2::DynPollable,
            "wasi:io/streams.input-stream": wasmtime_wasi::p2::DynInputStream,
            "wasi:io/streams.output-stream": wasmtime_wasi::p2::DynOutputStream,
            "wasi:io/streams.error": wasmtime_wasi::p2::bindings::io::error::Error,
            "wasi:http/types.fields": wasmtime_wasi_http::FieldMap,
            "wasi:http/types.incoming-request": wasmtime_wasi_http::p2::types::HostIncomingRequest,
            "wasi:http/types.outgoing-request": wasmtime_wasi_http::p2::types::HostOutgoingRequest,
            "wasi:http/types.response-outparam": wasmtime_wasi_http::p2::types::HostResponseOutparam,
            "wasi:http/types.incoming-response": wasmtime_wasi_http::p2::types::HostIncomingResponse,
            "wasi:http/types.incoming-body": wasmtime_wasi_http::p2::body::HostIncomingBody,
            "wasi:http/types.future-trailers": wasmtime_wasi_http::p2::body::HostFutureTrailers,
            "wasi:http/types.outgoing-response": wasmtime_wasi_http::p2::types::HostOutgoingResponse,
            "wasi:http/types.outgoing-body": wasmtime_wasi_http::p2::body::HostOutgoingBody,
            "wasi:http/types.future-incoming-response": wasmtime_wasi_http::p2::types::HostFutureIncomingResponse,
        },
    });
}

use generated::wasi as snapshot;
pub use generated::{Proxy, ProxyPre};

/// How names of the snapshot end.
pub const VERSION: &str = "@0.2.0-rc-2023-10-18";
/// The interfaces of it that are here, without their version.
pub(crate) const INTERFACES: &[&str] = &[
    "wasi:clocks/monotonic-clock",
    "wasi:filesystem/types",
    "wasi:http/outgoing-handler",
    "wasi:http/types",
    "wasi:io/poll",
    "wasi:io/streams",
];

/// A guest of the snapshot: the one of WASI 0.2 that does the work.
struct Host<'a>(WasiHttpCtxView<'a>);

struct HasHost;

impl HasData for HasHost {
    type Data<'a> = Host<'a>;
}

fn host(guest: &mut Guest) -> Host<'_> {
    Host(guest.http())
}

/// Adds the snapshot to what components can import.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    clocks::link(linker)?;
    filesystem::link(linker)?;
    snapshot::io::poll::add_to_linker::<_, HasHost>(linker, host)?;
    snapshot::io::streams::add_to_linker::<_, HasHost>(linker, host)?;
    snapshot::http::types::add_to_linker::<_, HasHost>(linker, host)?;
    snapshot::http::outgoing_handler::add_to_linker::<_, HasHost>(linker, host)
}

/// Adds what of it needs a grant, for those that have none.
pub(crate) fn link_denied(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let name = format!("wasi:http/outgoing-handler{VERSION}");
    let mut instance = Access::Denied.instance(linker, &name)?;
    snapshot::http::outgoing_handler::add_to_linker_instance::<_, HasHost>(&mut instance, |guest| {
        Host(denied::http(guest))
    })
}
