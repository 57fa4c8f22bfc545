# For everyone: `make demo`, `make lab` and `make test`. Each does the set-up it needs.

# The toolchain that builds guests; scripts/guest-toolchain makes it.
GUEST_TOOLCHAIN := wasm-guest
TOMBOLO := target/release/tombolo
BUILD := cargo build --release --package tombolo
# Lints while it compiles: `cargo clippy` would build every dependency once more, and use none of it. What stands
# between the arguments is how `cargo clippy` hands them to its driver.
LINTED := RUSTC_WORKSPACE_WRAPPER=clippy-driver CLIPPY_ARGS=--deny__CLIPPY_HACKERY__warnings

.PHONY: demo lab test web bench bench-web soak setup fmt lint

## demo: build tombolo and a real app from source, serve it, show it answering (ONCE=1 then ends)
demo: setup
	$(BUILD)
	ONCE=$(ONCE) RUSTUP_TOOLCHAIN_GUEST=$(GUEST_TOOLCHAIN) scripts/demo $(TOMBOLO)

## lab: build kernels, page and API from source, serve the Tombolo Lab and open it (ONCE=1 then ends)
lab:
	scripts/setup web
	cargo xtask web
	npm --prefix web run build --workspace lab
	cargo xtask guests lab-api
	cargo build --release --package tombolo
	ONCE=$(ONCE) scripts/lab $(TOMBOLO)

## test: everything
test:
	scripts/setup test
	cargo xtask tidy
	cargo fmt --all --check
	# Guests come one after the other and often take one core: the host's half is built beside them.
	target/debug/xtask guests & guests=$$!; \
	$(LINTED) cargo test --workspace --all-targets --no-run && wait $$guests || { kill $$guests; exit 1; }
	cargo deny --log-level error check licenses bans sources
	# Tests wait for servers more than they compute, so more at once than there are cores. No documentation has code
	# to run, and asking rustdoc whether it does takes half a minute.
	RUST_TEST_THREADS=3 $(LINTED) cargo test --workspace --lib --bins --tests --examples --no-fail-fast
	$(MAKE) web TOMBOLO_BIN=$(CURDIR)/target/debug/tombolo

## web: build what runs in browsers, and test it in Node and in Chromium; with TOMBOLO_BIN, the lab as that serves it too
web:
	scripts/setup test
	cargo xtask web
	node --test web/kernels-wasm/test.mjs
	cd web && npm run check --silent
	# One after the other: npm by itself goes on behind one that fails, and its reasons are far up then.
	set -e; cd web; for part in package rivals lab bench; do npm test --silent --workspace $$part; done

## bench: ours against native hyper and `wasmtime serve`; and the parts, one by one
bench: setup
	command -v wrk >/dev/null || apt-get install -y wrk
	command -v redis-server >/dev/null || apt-get install -y redis-server
	cargo bench --package tombolo-model --bench route
	cargo xtask guests
	cargo bench --package tombolo-runtime --bench cycle
	cargo bench --package tombolo-runtime --bench cycle -- --components 1000
	cargo bench --package tombolo-cap-kv --bench stores
	cargo run --release --quiet --package xtask -- bench

## bench-web: the browser kernels against good JavaScript and native Rust, in Node and Chromium
bench-web: web
	cd web && npm run bench --silent --workspace bench

## soak: ten minutes at 80 % load, hello, hostile and slow guests mixed
soak: setup
	cargo run --release --quiet --package xtask -- soak

setup:
	scripts/setup

fmt:
	cargo fmt --all

lint:
	cargo clippy --workspace --all-targets -- --deny warnings
