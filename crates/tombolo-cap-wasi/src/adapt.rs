//! From a core module of WASI 0.1 to a component of WASI 0.2.
//!
//! Source: `wit-component`, and the adapters that wasmtime's authors publish: they implement the
//! functions of WASI 0.1 by calling those of 0.2, inside the sandbox.

use wasi_preview1_component_adapter_provider as provider;
use wit_component::ComponentEncoder;

/// What a module becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A program that runs once: it exports `_start`.
    Command,
    /// A library of functions, such as a Spin app.
    Reactor,
}

/// Why a module could not become a component.
#[derive(Debug, thiserror::Error)]
#[error("this WASI 0.1 module cannot be turned into a component: {reason}")]
pub struct AdaptError {
    reason: String,
}

/// The component that does what `module` does. Its world is the one its toolchain wrote into it.
///
/// # Errors
///
/// If the module is not valid, or imports what neither WASI 0.1 nor its own world has.
pub fn component(module: &[u8], shape: Shape) -> Result<Vec<u8>, AdaptError> {
    let adapter = match shape {
        Shape::Command => provider::WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
        Shape::Reactor => provider::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
    };
    ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|encoder| encoder.adapter(provider::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, adapter))
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| AdaptError { reason: format!("{error:#}") })
}
