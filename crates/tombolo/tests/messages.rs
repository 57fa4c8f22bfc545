//! Messages of Redis for components, through the whole program.

use std::time::{Duration, Instant};

use tombolo_testkit::servers::redis::Redis;
use tombolo_testkit::{Sandbox, Up};

/// An app whose component takes the messages of `channel`, with more lines for it, that may connect to `server`.
fn app(server: &Redis, channel: &str, lines: &str) -> Sandbox {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    sandbox.guest("messages-5", "app.wasm");
    sandbox.file("spin.toml", manifest(server, channel, lines));
    sandbox
}

fn manifest(server: &Redis, channel: &str, lines: &str) -> String {
    let address = server.address();
    format!(
        "spin_manifest_version = 2\n[application]\nname = \"app\"\n[[trigger.redis]]\nchannel = \"{channel}\"\n\
         address = \"{address}\"\ncomponent = \"app\"\n[component.app]\nsource = \"app.wasm\"\n\
         allowed_outbound_hosts = [\"{address}\"]\nvariables = {{ server = \"{address}\" }}\n{lines}\n"
    )
}

fn subscribed(server: &Redis, channel: &str, count: u32) {
    server.until(&["PUBSUB", "NUMSUB", channel], &format!("{channel}\n{count}"));
}

/// A thousand at once, with room for one: each gets its turn, in the order in which they came.
#[test]
fn a_message_that_finds_its_component_full_waits() {
    let server = Redis::start();
    let sandbox = app(&server, "all", "tool.tombolo.concurrency_max = 1");
    let _up = Up::start(&sandbox, &[]);
    subscribed(&server, "all", 1);
    let publish = "for i = 1, 1000 do redis.call('PUBLISH', 'all', i) end";
    server.cli(&["EVAL", publish, "0"]);
    server.until(&["LLEN", "received"], "1000");
    let expected: Vec<String> = (1..=1000).map(|number| number.to_string()).collect();
    assert_eq!(server.cli(&["LRANGE", "received", "0", "-1"]), expected.join("\n"));
}

#[test]
fn a_guest_that_fails_is_told_of_and_ends_within_its_bounds() {
    let server = Redis::start();
    let sandbox = app(&server, "all", "tool.tombolo.cpu_ms_max = 50\ntool.tombolo.concurrency_max = 1");
    let up = Up::start(&sandbox, &[]);
    subscribed(&server, "all", 1);
    for message in ["trap", "fail", "loop", "last"] {
        server.cli(&["PUBLISH", "all", message]);
    }
    server.until(&["LRANGE", "received", "0", "-1"], "last");
    let said = up.said("used more than 50 ms on a core");
    assert!(said.contains("the guest trapped") && said.contains("it returned `Error"), "{said}");
}

#[test]
fn a_server_that_was_away_is_subscribed_to_again() {
    let mut server = Redis::start();
    server.stop();
    let sandbox = app(&server, "all", "");
    let up = Up::start(&sandbox, &[]);
    up.said("app/app: no messages from redis://127.0.0.1");
    server.restart();
    subscribed(&server, "all", 1);
    server.cli(&["PUBLISH", "all", "one"]);
    server.until(&["LRANGE", "received", "0", "-1"], "one");
    server.restart();
    subscribed(&server, "all", 1);
    server.cli(&["PUBLISH", "all", "two"]);
    server.until(&["LRANGE", "received", "0", "-1"], "two");
}

/// No route leads to it, and nothing listens: its code is let go all the same, and comes back.
#[test]
fn the_code_of_a_component_that_gets_no_messages_is_let_go() {
    let server = Redis::start();
    let sandbox = app(&server, "all", "");
    let up = Up::start(&sandbox, &["--unused-s-max", "5"]);
    subscribed(&server, "all", 1);
    assert!(up.maps(".cwasm"), "its code is in memory");
    let until = Instant::now() + Duration::from_secs(30);
    while up.maps(".cwasm") {
        assert!(Instant::now() < until, "its code stays in memory");
        std::thread::sleep(Duration::from_millis(50));
    }
    server.cli(&["PUBLISH", "all", "one"]);
    server.until(&["LRANGE", "received", "0", "-1"], "one");
}

/// What is at work when the node is told to stop is done before it does.
#[test]
fn a_drain_waits_for_messages_at_work() {
    let server = Redis::start();
    let sandbox = app(&server, "all", "tool.tombolo.cpu_ms_max = 700\ntool.tombolo.concurrency_max = 1");
    let up = Up::start(&sandbox, &[]);
    subscribed(&server, "all", 1);
    // In one go: when the first is at work, the second waits for its place.
    server.cli(&["EVAL", "redis.call('PUBLISH', 'all', 'mark') redis.call('PUBLISH', 'all', 'last')", "0"]);
    server.until(&["LRANGE", "received", "0", "-1"], "mark");
    assert!(up.stop().success());
    assert_eq!(server.cli(&["LRANGE", "received", "0", "-1"]), "mark\nlast");
    subscribed(&server, "all", 0);
}

/// One component may have both triggers; an app that had no routes has no port to serve them at when they come.
#[test]
fn an_app_may_have_routes_beside() {
    let server = Redis::start();
    let sandbox = app(&server, "all", "");
    let alone = Up::start(&sandbox, &["--watch"]);
    let route = "[[trigger.http]]\nroute = \"/...\"\ncomponent = \"app\"";
    sandbox.file("spin.toml", manifest(&server, "all", route));
    alone.said("no port is open: start it again to serve HTTP\nThe app is served as it was before");
    server.cli(&["PUBLISH", "all", "one"]);
    server.until(&["LRANGE", "received", "0", "-1"], "one");
    drop(alone);
    let up = Up::start(&sandbox, &[]);
    subscribed(&server, "all", 1);
    assert_eq!(up.get("/").text(), "1");
    server.cli(&["PUBLISH", "all", "two"]);
    server.until(&["LRANGE", "received", "0", "-1"], "one\ntwo");
    assert_eq!(up.get("/").text(), "2");
    assert!(up.stop().success());
}

#[test]
fn what_changes_is_subscribed_to_anew() {
    let server = Redis::start();
    let sandbox = app(&server, "first", "");
    let up = Up::start(&sandbox, &["--watch"]);
    subscribed(&server, "first", 1);
    sandbox.file("spin.toml", manifest(&server, "second", ""));
    up.said("Serving app anew");
    subscribed(&server, "second", 1);
    subscribed(&server, "first", 0);
    server.cli(&["PUBLISH", "second", "one"]);
    server.until(&["LRANGE", "received", "0", "-1"], "one");
}

#[test]
fn what_cannot_be_called_or_connected_to_is_refused_at_load() {
    let server = Redis::start();
    let sandbox = app(&server, "all", "");
    sandbox.guest("spin-5", "app.wasm");
    let refused = sandbox.tombolo(&["up"]);
    let expected = "error: component `app`: `./app.wasm` takes no messages of Redis: expected an export of \
        `fermyon:spin/inbound-redis` or `spin:redis/inbound-redis@3.0.0`\n";
    assert_eq!((refused.code, refused.stderr.as_str()), (Some(1), expected));
    let text = manifest(&server, "all", "").replace("address = \"redis://", "address = \"secret://");
    sandbox.file("spin.toml", text);
    let refused = sandbox.tombolo(&["up"]);
    assert!(
        refused.stderr.contains("the `address` of its Redis trigger is not an address of a Redis server")
    );
    assert!(!refused.stderr.contains("secret"), "{}", refused.stderr);
}
