//! Apps in languages whose components bring their whole engine, as they are written against Spin's SDKs for them,
//! unchanged, through the whole program. Each test is a cell of the second table in `docs/spin.md`.
//!
//! Such a component is tens of megabytes: it is compiled once for all tests, into a cache below `target`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and says where")]

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex};

use tombolo_testkit::{Sandbox, Up, servers};

/// One lock for each guest: whoever comes first compiles it, and the others find it in the cache.
static COMPILING: LazyLock<Mutex<HashMap<String, Arc<Mutex<()>>>>> = LazyLock::new(Mutex::default);

/// Starts it, with the cache of all these tests.
fn start(guest: &str, mut command: Command) -> Up {
    command.env("TOMBOLO_CACHE_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("scripted"));
    let turn = Arc::clone(COMPILING.lock().unwrap().entry(guest.to_owned()).or_default());
    let _turn = turn.lock();
    Up::spawn(command)
}

/// An app of one SDK with all that it needs, as Spin's own templates would write it.
fn app(guest: &str) -> (Sandbox, Up) {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    sandbox.guest(guest, "app.wasm");
    let text = r#"
        spin_manifest_version = 2

        [application]
        name = "app"
        version = "0.1.0"
        authors = ["Somebody <somebody@example.com>"]

        [variables]
        region = { default = "eu" }

        [[trigger.http]]
        route = "/http/:name"
        component = "app"

        [[trigger.http]]
        route = "/..."
        component = "app"

        [component.app]
        source = "app.wasm"
        allowed_outbound_hosts = [
            "http://127.0.0.1:*", "redis://127.0.0.1:*", "mqtt://127.0.0.1:*", "mysql://127.0.0.1:*",
            "postgres://127.0.0.1:*",
        ]
        key_value_stores = ["default"]
        sqlite_databases = ["default"]
        variables = { region = "{{ region }}-west" }
    "#;
    sandbox.file("spin.toml", text);
    let up = start(guest, sandbox.command(&["up", "--listen", "127.0.0.1:0"]));
    (sandbox, up)
}

/// What is sent, and the parts of the route, arrive; what is answered comes back.
fn http(guest: &str) {
    let (_sandbox, up) = app(guest);
    let answer = up.post("/http/it", b"some bytes");
    assert_eq!((answer.status, answer.text().as_str()), (201, "it some bytes"), "{}", up.said("Listening"));
    assert_eq!(answer.header("x-app"), Some(guest));
}

/// A granted host answers, another is refused.
fn outbound(guest: &str) {
    let upstream = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    upstream.web_app("");
    // At all addresses of this machine, so that it is the grant that refuses.
    let upstream = Up::spawn(upstream.command(&["up", "--listen", "0.0.0.0:0"]));
    let (_sandbox, up) = app(guest);
    let port = upstream.address().port();
    let get = |host: &str| up.get(&format!("/outbound?http://{host}:{port}/")).text();
    assert_eq!(get("127.0.0.1"), "hello", "{}", up.said("Listening"));
    assert_eq!(get("127.0.0.2"), "refused");
}

/// The checks of the app itself, twice: the second time it finds what the first left.
fn checks(guest: &str, path: &str) {
    let (_sandbox, up) = app(guest);
    for _ in 0..2 {
        assert_eq!(up.get(path).text(), "ok", "{}", up.said("Listening"));
    }
}

/// The checks of the app itself against a real server.
fn redis(guest: &str) {
    let server = servers::redis::Redis::start();
    checks(guest, &format!("/redis?{}", server.address()));
}

/// The checks of the app itself against a real broker, which has each message as it was to be sent.
fn mqtt(guest: &str) {
    let broker = servers::mosquitto::Mosquitto::start();
    let subscription = broker.subscribe("topic", None);
    checks(guest, &format!("/mqtt?{}", broker.address()));
    for number in [0, 1, 2, 0, 1, 2] {
        assert_eq!(subscription.next(), (number.to_string().into_bytes(), number));
    }
}

/// The checks of the app against a server of PostgreSQL: it gets the address of a database of its own.
fn postgres(guest: &str, path: &str) {
    let database = servers::postgres::Postgres::plain().database();
    checks(guest, &format!("{path}?{}", database.url("sslmode=disable")));
}

/// The same with a server of MySQL.
fn mysql(guest: &str) {
    let database = servers::mysql::MySql::plain().database();
    checks(guest, &format!("/mysql?{}", database.url("")));
}

/// What is published comes, by an app of its SDK that has nothing but this trigger.
fn redis_trigger(guest: &str) {
    let server = servers::redis::Redis::start();
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    sandbox.guest(guest, "app.wasm");
    let text = r#"
        spin_manifest_version = 2

        [application]
        name = "app"

        [application.trigger.redis]
        address = "{{ server }}"

        [variables]
        server = { required = true }

        [[trigger.redis]]
        channel = "messages"
        component = "app"

        [component.app]
        source = "app.wasm"
        allowed_outbound_hosts = ["{{ server }}"]
        variables = { server = "{{ server }}" }
    "#;
    sandbox.file("spin.toml", text);
    let mut command = sandbox.command(&["up"]);
    command.env("SPIN_VARIABLE_SERVER", server.address());
    let up = start(guest, command);
    server.until(&["PUBSUB", "NUMSUB", "messages"], "messages\n1");
    server.cli(&["PUBLISH", "messages", "one"]);
    server.until(&["LRANGE", "received", "0", "-1"], "one");
    server.cli(&["PUBLISH", "messages", "fail"]);
    up.said("app/app: ");
    server.cli(&["PUBLISH", "messages", "two"]);
    server.until(&["LRANGE", "received", "0", "-1"], "one\ntwo");
    assert!(up.stop().success());
}

macro_rules! cells {
    ($sdk:ident, $guest:literal: $($name:ident by $check:ident($($path:literal)?)),*) => {
        mod $sdk {
            $(
                #[test]
                fn $name() {
                    super::$check($guest $(, $path)?);
                }
            )*
        }
    };
}

cells!(
    javascript_2, "js-2":
    http by http(), outbound by outbound(), key_value by checks("/key-value"), variables by checks("/variables"),
    sqlite by checks("/sqlite"), redis by redis(), mqtt by mqtt(), mysql by mysql(),
    postgres by postgres("/postgres")
);
cells!(
    python_3, "py-3":
    http by http(), outbound by outbound(), key_value by checks("/key-value"), variables by checks("/variables"),
    sqlite_2 by checks("/sqlite-2"), sqlite_3 by checks("/sqlite-3"), redis by redis(), mqtt by mqtt(),
    mysql by mysql(), postgres_2 by postgres("/postgres-2"), postgres_4 by postgres("/postgres-4")
);
cells!(
    python_5, "py-5":
    http by http(), outbound by outbound(), key_value by checks("/key-value"), variables by checks("/variables"),
    sqlite by checks("/sqlite"), redis by redis(), mqtt by mqtt(), mysql by mysql(),
    postgres by postgres("/postgres")
);
cells!(javascript_2_messages, "js-2-messages": redis_trigger by redis_trigger());
cells!(python_3_messages, "py-3-messages": redis_trigger by redis_trigger());
cells!(python_5_messages, "py-5-messages": redis_trigger by redis_trigger());
