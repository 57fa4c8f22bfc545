//! Apps as they are written against each of Spin's SDKs, unchanged, through the whole program. Each test is a
//! cell of the table in `docs/spin.md`.

use tombolo_testkit::{Sandbox, Up, servers};

/// An app of one SDK with all that it needs, as Spin's own templates would write it.
fn app(guest: &str) -> Sandbox {
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
    sandbox
}

/// What is sent, and the parts of the route, arrive; what is answered comes back.
fn http(guest: &str) {
    let sandbox = app(guest);
    let up = Up::start(&sandbox, &[]);
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
    let sandbox = app(guest);
    let up = Up::start(&sandbox, &[]);
    let port = upstream.address().port();
    let get = |host: &str| up.get(&format!("/outbound?http://{host}:{port}/")).text();
    assert_eq!(get("127.0.0.1"), "hello", "{}", up.said("Listening"));
    assert_eq!(get("127.0.0.2"), "refused");
}

/// The checks of the app itself, twice: the second time it finds what the first left.
fn checks(guest: &str, path: &str) {
    let sandbox = app(guest);
    let up = Up::start(&sandbox, &[]);
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
    let up = Up::spawn(command);
    server.until(&["PUBSUB", "NUMSUB", "messages"], "messages\n1");
    server.cli(&["PUBLISH", "messages", "one"]);
    server.until(&["LRANGE", "received", "0", "-1"], "one");
    server.cli(&["PUBLISH", "messages", "fail"]);
    up.said("app/app: a message was not handled: ");
    server.cli(&["PUBLISH", "other", "no"]);
    server.cli(&["PUBLISH", "messages", "two"]);
    server.until(&["LRANGE", "received", "0", "-1"], "one\ntwo");
    assert!(up.stop().success());
}

/// The checks of the app against a server of PostgreSQL: it gets the address of a database of its own.
fn postgres(guest: &str, path: &str) {
    let database = servers::postgres::Postgres::plain().database();
    checks(guest, &format!("{path}?{}", database.url("sslmode=disable")));
}

/// The same with a server of MySQL.
fn mysql(guest: &str, path: &str) {
    let database = servers::mysql::MySql::plain().database();
    checks(guest, &format!("{path}?{}", database.url("")));
}

macro_rules! cells {
    ($sdk:ident, $guest:literal, $messages:literal: $($name:ident at $path:literal),*) => {
        mod $sdk {
            #[test]
            fn http() {
                super::http($guest);
            }

            #[test]
            fn outbound() {
                super::outbound($guest);
            }

            #[test]
            fn redis() {
                super::redis($guest);
            }

            #[test]
            fn redis_trigger() {
                super::redis_trigger($messages);
            }

            $(
                #[test]
                fn $name() {
                    super::checks($guest, $path);
                }
            )*
        }
    };
}

/// Cells of a database.
macro_rules! databases {
    ($sdk:ident, $guest:literal: $($name:ident by $check:ident at $path:literal),*) => {
        mod $sdk {
            $(
                #[test]
                fn $name() {
                    super::$check($guest, $path);
                }
            )*
        }
    };
}

mod databases {
    use super::{mysql, postgres};

    databases!(sdk_2, "spin-2": mysql by mysql at "/mysql", postgres_2 by postgres at "/postgres-2");
    databases!(
        sdk_3, "spin-3":
        mysql by mysql at "/mysql", postgres_2 by postgres at "/postgres-2",
        postgres_3 by postgres at "/postgres-3"
    );
    databases!(
        sdk_5, "spin-5":
        mysql by mysql at "/mysql", postgres_2 by postgres at "/postgres-2",
        postgres_3 by postgres at "/postgres-3", postgres_4 by postgres at "/postgres-4"
    );
    databases!(sdk_6, "spin-6": mysql by mysql at "/mysql", postgres by postgres at "/postgres");
    databases!(sdk_7, "spin-7": mysql by mysql at "/mysql", postgres by postgres at "/postgres");
}

#[test]
fn a_guest_says_whom_its_connection_to_postgresql_trusts() {
    let server = servers::postgres::Postgres::encrypted();
    let address = server.database().url("sslmode=require");
    let sandbox = app("spin-7");
    let up = Up::start(&sandbox, &[]);
    let answer = up.post(&format!("/postgres-encrypted?{address}"), server.root().as_bytes());
    assert_eq!(answer.text(), "ok", "{}", up.said("Listening"));
}

/// Of those that have it: spin-sdk 2 has not.
mod mqtt {
    #[test]
    fn sdk_3() {
        super::mqtt("spin-3");
    }

    #[test]
    fn sdk_5() {
        super::mqtt("spin-5");
    }

    #[test]
    fn sdk_6() {
        super::mqtt("spin-6");
    }

    #[test]
    fn sdk_7() {
        super::mqtt("spin-7");
    }
}

cells!(sdk_2, "spin-2", "messages-2": key_value at "/key-value", variables at "/variables", sqlite at "/sqlite");
cells!(sdk_3, "spin-3", "messages-3": key_value at "/key-value", variables at "/variables", sqlite at "/sqlite");
cells!(
    sdk_5, "spin-5", "messages-5":
    key_value at "/key-value", variables at "/variables", sqlite_2 at "/sqlite", sqlite_3 at "/sqlite-3"
);
cells!(sdk_6, "spin-6", "messages-6": key_value at "/key-value", variables at "/variables", sqlite at "/sqlite");
cells!(sdk_7, "spin-7", "messages-7": key_value at "/key-value", variables at "/variables", sqlite at "/sqlite");

/// What an app needs and this version has not is named when the app is loaded, before any request.
#[test]
fn what_is_not_there_is_named() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    for import in ["wasi:sockets/udp@0.2.0-rc-2023-10-18", "wasi:http/types@0.3.0-rc-2026-01-06"] {
        sandbox.file("app.wat", format!(r#"(component (import "{import}" (instance (export "f" (func)))))"#));
        let refused = sandbox.tombolo(&["up", "app.wat", "--listen", "127.0.0.1:0"]);
        assert_eq!(refused.code, Some(1));
        let named = format!("it imports what is not there: {import}");
        assert!(refused.stderr.contains(&named), "{}", refused.stderr);
    }
}

#[test]
fn two_handlers_are_one_too_many() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    let (one, two) = ("wasi:http/incoming-handler@0.2.0", "wasi:http/handler@0.3.0");
    let text =
        format!(r#"(component (instance $i) (export "{one}" (instance $i)) (export "{two}" (instance $i)))"#);
    sandbox.file("app.wat", text);
    let refused = sandbox.tombolo(&["up", "app.wat", "--listen", "127.0.0.1:0"]);
    let named = format!("it exports more than one HTTP handler, expected one: {one}, {two}");
    assert!(refused.code == Some(1) && refused.stderr.contains(&named), "{}", refused.stderr);
}
