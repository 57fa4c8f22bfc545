//! The kernels as a WebAssembly module of plain exports, for browsers and Node.
//!
//! # Building
//!
//! In this folder; the module is `target/TIER/wasm32-unknown-unknown/release/tombolo_kernels.wasm`:
//!
//! ```sh
//! cargo +wasm-guest build --release --target wasm32-unknown-unknown --target-dir target/baseline
//! RUSTFLAGS="-C target-feature=+simd128" \
//!     cargo +wasm-guest build --release --target wasm32-unknown-unknown --target-dir target/simd
//! RUSTFLAGS="$(cat /opt/wasm-guest/threads.rustflags)" \
//!     cargo +wasm-guest-threads build --release --target wasm32-unknown-unknown --target-dir target/threads
//! RUSTFLAGS="$(cat /opt/wasm-guest/threads.rustflags) -C target-feature=+relaxed-simd" \
//!     cargo +wasm-guest-threads build --release --target wasm32-unknown-unknown --target-dir target/relaxed
//! ```
//!
//! The last is for engines in which it validates (Chromium does, Node 20 does not). `cargo xtask web` does
//! all of it and makes the modules smaller; `test.mjs` beside this folder's manifest tests what it made.
//!
//! # Calling
//!
//! Pointers and lengths are byte offsets into the memory. No export traps on what it is given: it checks
//! that each range is in the memory, aligned, and apart from what it writes to, and answers a status:
//! [`status`] lists them. `tk_error_reason` and `tk_error_offset` tell more of the last error.
//!
//! Imported is `env.tk_progress(done, total) -> u32`, called every few milliseconds of a long kernel by
//! the thread that was called. Any answer but 0 stops the kernel, which answers -4.
//!
//! # Threads
//!
//! The threads module imports `env.memory`, shared, with a maximum of up to 65 536 pages (4 GiB: what
//! 64-bit desktop engines allow; whoever makes the memory may choose less, where 4 GiB are refused).
//! The first instance is the one to call; it must not be on a page's main thread, which may not wait.
//! For each further thread it makes a stack and a place for thread-local data:
//!
//! ```js
//! const stack = exports.tk_alloc(1 << 20, 16) + (1 << 20);          // it grows down
//! const tls = exports.tk_alloc(exports.__tls_size.value, exports.__tls_align.value || 1);
//! ```
//!
//! and a worker that instantiates the same module with the same memory joins with them:
//!
//! ```js
//! exports.__stack_pointer.value = stack;
//! exports.__wasm_init_tls(tls);
//! exports.tk_pool_worker();                                          // returns after tk_pool_stop
//! ```
//!
//! From then on every kernel shares its work among the workers that wait there. One that comes late or
//! never is not waited for; one that is terminated while it waits is harmless, while it works is not.

mod exports;
mod memory;
mod pool;
mod sorted;
mod status;
