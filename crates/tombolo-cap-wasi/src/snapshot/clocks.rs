//! `wasi:clocks/monotonic-clock` of the snapshot: one function to wait, where 0.2 has two.

use tombolo_capability::Guest;
use wasmtime::component::Linker;
use wasmtime_wasi::clocks::WasiClocksView;
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock::Host;

/// Adds the interface to what components can import.
pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut to = linker.instance("wasi:clocks/monotonic-clock@0.2.0-rc-2023-10-18")?;
    to.func_wrap("now", |mut store, (): ()| Ok((Host::now(&mut store.data_mut().clocks())?,)))?;
    to.func_wrap("resolution", |mut store, (): ()| Ok((Host::resolution(&mut store.data_mut().clocks())?,)))?;
    to.func_wrap("subscribe", |mut store, (when, is_absolute): (u64, bool)| {
        let mut clocks = store.data_mut().clocks();
        Ok((match is_absolute {
            true => Host::subscribe_instant(&mut clocks, when)?,
            false => Host::subscribe_duration(&mut clocks, when)?,
        },))
    })
}
