//! Components of WASI's candidates before 0.2, through the whole program: the guests `october` and `november`, of those of
//! these months of 2023, as components and as modules that are turned into some.

use tombolo_testkit::{Sandbox, Up};

/// An app of a guest, with a folder, a value of its environment, and one host.
fn app(guest: &str) -> Sandbox {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    sandbox.guest(guest, "app.wasm");
    sandbox.file("assets/a.txt", "hello");
    let text = r#"
        spin_manifest_version = 2

        [application]
        name = "app"

        [[trigger.http]]
        route = "/..."
        component = "app"

        [component.app]
        source = "app.wasm"
        environment = { LEVEL = "info" }
        files = [{ source = "assets", destination = "/files" }]
        allowed_outbound_hosts = ["http://127.0.0.1:*"]
    "#;
    sandbox.file("spin.toml", text);
    sandbox
}

fn november(guest: &str) {
    let upstream = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    upstream.web_app("");
    let upstream = Up::start(&upstream, &[]);
    let sandbox = app(guest);
    let up = Up::start(&sandbox, &[]);
    for path in ["/cli", "/clocks", "/filesystem", "/random", "/sockets"] {
        assert_eq!(up.get(path).text(), "ok", "{path}: {}", up.said("Listening"));
    }
    up.said("a line of November");
    assert_eq!(up.post("/echo", b"some bytes").text(), "some bytes");
    assert_eq!(up.get(&format!("/http?{}", upstream.address())).text(), "hello");
    let told = sandbox.tombolo(&["inspect", "app.wasm"]);
    assert!(told.stdout.contains("world: wasi:http/proxy@0.2 "), "{}", told.stdout);
    assert!(!told.stdout.contains("not there") && !told.stdout.contains("-rc-"), "{}", told.stdout);
}

#[test]
fn a_component_of_november() {
    november("november.wasm32-wasip2");
}

#[test]
fn a_module_of_november() {
    november("november.wasm32-wasip1");
}

fn october(guest: &str) {
    let sandbox = app(guest);
    let up = Up::start(&sandbox, &[]);
    for path in ["/cli", "/clocks", "/filesystem", "/random", "/sockets"] {
        assert_eq!(up.get(path).text(), "ok", "{path}: {}", up.said("Listening"));
    }
    up.said("a line of October");
    let told = sandbox.tombolo(&["inspect", "app.wasm"]);
    assert!(told.stdout.contains("world: wasi:http/proxy@0.2.0-rc-2023-10-18 "), "{}", told.stdout);
    assert!(!told.stdout.contains("not there"), "{}", told.stdout);
}

#[test]
fn a_component_of_october() {
    october("october.wasm32-wasip2");
}

#[test]
fn a_module_of_october() {
    october("october.wasm32-wasip1");
}

/// Two functions of November are not in the release, or not as they were: who uses them is told so.
#[test]
fn what_november_had_otherwise_is_refused_by_name() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    let version = "0.2.0-rc-2023-11-10";
    let socket = format!(
        r#"(component (import "wasi:sockets/tcp@{version}" (instance
            (export "tcp-socket" (type $s (sub resource)))
            (export "[method]tcp-socket.ipv6-only" (func (param "self" (borrow $s)) (result bool))))))"#
    );
    let trailers = format!(
        r#"(component (import "wasi:http/types@{version}" (instance
            (export "future-trailers" (type $t (sub resource)))
            (export "[method]future-trailers.get"
                (func (param "self" (borrow $t)) (result (option (result u32))))))))"#
    );
    for (text, name) in [(socket, "ipv6-only"), (trailers, "future-trailers.get")] {
        sandbox.file("app.wat", text);
        let refused = sandbox.tombolo(&["up", "app.wat", "--listen", "127.0.0.1:0"]);
        assert!(refused.code == Some(1) && refused.stderr.contains(name), "{}", refused.stderr);
    }
}
