//! What the engine finds on this machine.

use wasmtime::{Engine, PoolingAllocationConfig};

use crate::engine::{self, EngineConfig, Pool};
use tombolo_capability::Abi;

/// What the engine finds on this machine.
#[derive(Debug)]
pub struct Survey {
    /// Of wasmtime.
    pub version: &'static str,
    /// What makes native code.
    pub compiler: &'static str,
    /// Why there is no engine here, if so.
    pub engine: Result<(), String>,
    /// Why there are no addresses for a pool; each instance is then allocated on demand.
    pub pool: Result<(), String>,
    /// Whether the kernel says which pages a guest wrote, so that only those are cleared.
    pub has_page_scan: bool,
}

/// Makes an engine with `config`, and one with a pool, and keeps neither.
pub fn survey(config: EngineConfig, pool: Pool) -> Survey {
    let settings = || engine::settings(Abi::Sync, config.interruption);
    let made =
        |config: &wasmtime::Config| Engine::new(config).map(drop).map_err(|error| format!("{error:#}"));
    let mut pooled = settings();
    pooled.allocation_strategy(wasmtime::InstanceAllocationStrategy::Pooling(engine::pooling(pool)));
    Survey {
        version: wasmtime_environ::VERSION,
        compiler: "cranelift",
        engine: made(&settings()),
        pool: made(&pooled),
        has_page_scan: PoolingAllocationConfig::is_pagemap_scan_available(),
    }
}
