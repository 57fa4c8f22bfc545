//! WASI for those parts of a composed component that inherit nothing: the same interfaces, with nothing behind them.

use tombolo_capability::{Abi, Access, Guest};
use tombolo_model::Configuration;
use wasmtime::component::Linker;
use wasmtime_wasi::cli::{WasiCli, WasiCliCtxView};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings as p2;
use wasmtime_wasi::p3::bindings as p3;
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsCtxView};
use wasmtime_wasi_http::{WasiHttp, WasiHttpCtxView};

use crate::outbound::Outbound;
use crate::{snapshot, spin1};

/// The field of the manifest that grants what an interface leads to, by its name without a version. `None` for what
/// every component has: clocks, random numbers, standard streams, the types of HTTP, files somebody opened.
pub fn configuration(interface: &str) -> Option<Configuration> {
    match interface {
        "wasi:cli/environment" => Some(Configuration::Environment),
        "wasi:filesystem/preopens" => Some(Configuration::Files),
        "wasi:http/outgoing-handler" | "wasi:http/client" | "fermyon:spin/http" => {
            Some(Configuration::AllowedOutboundHosts)
        }
        _ if interface.starts_with("wasi:sockets/") => Some(Configuration::AllowedOutboundHosts),
        _ => None,
    }
}

fn cli(guest: &mut Guest) -> WasiCliCtxView<'_> {
    let view = guest.denied_wasi();
    WasiCliCtxView { ctx: view.ctx.cli(), table: view.table }
}

fn filesystem(guest: &mut Guest) -> WasiFilesystemCtxView<'_> {
    let view = guest.denied_wasi();
    WasiFilesystemCtxView { ctx: view.ctx.filesystem(), table: view.table }
}

fn sockets(guest: &mut Guest) -> WasiSocketsCtxView<'_> {
    let view = guest.denied_wasi();
    WasiSocketsCtxView { ctx: view.ctx.sockets(), table: view.table }
}

/// `wasi:http` with every request refused.
pub(crate) fn http(guest: &mut Guest) -> WasiHttpCtxView<'_> {
    guest.denied_http(|meter| Box::new(Outbound::none().open(meter, None)))
}

/// Adds what [`crate::link`] does and needs a grant, under the names of [`Access::Denied`].
///
/// # Errors
///
/// If the linker has one of them already.
pub fn link_denied(abi: Abi, linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let denied = Access::Denied;
    macro_rules! add {
        ($version:literal, $has:ty, $($name:literal => $module:path, $view:expr;)*) => {$({
            use $module as module;
            let mut instance = denied.instance(linker, concat!($name, $version))?;
            module::add_to_linker_instance::<_, $has>(&mut instance, $view)?;
        })*};
    }
    add! { "@0.2.0", WasiCli, "wasi:cli/environment" => p2::cli::environment, cli; }
    add! { "@0.2.0", WasiFilesystem, "wasi:filesystem/preopens" => p2::filesystem::preopens, filesystem; }
    add! { "@0.2.0", WasiHttp,
        "wasi:http/outgoing-handler" => wasmtime_wasi_http::p2::bindings::http::outgoing_handler, http;
    }
    add! { "@0.2.0", WasiSockets,
        "wasi:sockets/tcp" => p2::sockets::tcp, sockets;
        "wasi:sockets/tcp-create-socket" => p2::sockets::tcp_create_socket, sockets;
        "wasi:sockets/udp" => p2::sockets::udp, sockets;
        "wasi:sockets/udp-create-socket" => p2::sockets::udp_create_socket, sockets;
        "wasi:sockets/instance-network" => p2::sockets::instance_network, sockets;
        "wasi:sockets/ip-name-lookup" => p2::sockets::ip_name_lookup, sockets;
    }
    let options = p2::sockets::network::LinkOptions::default();
    let mut network = denied.instance(linker, "wasi:sockets/network@0.2.0")?;
    p2::sockets::network::add_to_linker_instance::<_, WasiSockets>(&mut network, &options, sockets)?;
    spin1::link_denied(linker)?;
    match abi {
        Abi::Sync => snapshot::link_denied(linker),
        Abi::Async => {
            add! { "@0.3.0", WasiCli, "wasi:cli/environment" => p3::cli::environment, cli; }
            add! { "@0.3.0", WasiFilesystem, "wasi:filesystem/preopens" => p3::filesystem::preopens, filesystem; }
            add! { "@0.3.0", WasiHttp, "wasi:http/client" => wasmtime_wasi_http::p3::bindings::http::client, http; }
            add! { "@0.3.0", WasiSockets,
                "wasi:sockets/ip-name-lookup" => p3::sockets::ip_name_lookup, sockets;
                "wasi:sockets/types" => p3::sockets::types, sockets;
            }
            Ok(())
        }
    }
}
