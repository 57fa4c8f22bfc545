//! Spin's interfaces without a version, as Spin 1 had them, through the whole program: the guest `spin-1` checks each from
//! the inside, twice, the second time on what the first left.

use tombolo_testkit::servers::service::{Asked, Service};
use tombolo_testkit::{Sandbox, Up, servers};

fn checks(path: &str) {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    sandbox.guest("spin-1", "app.wasm");
    let text = r#"
        spin_manifest_version = 2

        [application]
        name = "app"

        [variables]
        region = { default = "eu" }

        [[trigger.http]]
        route = "/..."
        component = "app"

        [component.app]
        source = "app.wasm"
        allowed_outbound_hosts = [
            "http://127.0.0.1:*", "redis://127.0.0.1:*", "mysql://127.0.0.1:*", "postgres://127.0.0.1:*",
        ]
        key_value_stores = ["default"]
        sqlite_databases = ["default"]
        ai_models = ["llama2-chat"]
        variables = { region = "{{ region }}-west" }
    "#;
    sandbox.file("spin.toml", text);
    let up = Up::start(&sandbox, &[]);
    for _ in 0..2 {
        assert_eq!(up.get(path).text(), "ok", "{}", up.said("Listening"));
    }
}

#[test]
fn config() {
    checks("/config");
}

#[test]
fn http() {
    let echo = |asked: &Asked| {
        assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/a?b=c"));
        assert!(!asked.headers.contains_key("connection"), "{asked:?}");
        Some((201, asked.body.clone()))
    };
    let server = Service::echoing("x-echo", echo);
    checks(&format!("/http?{}/a?b=c", server.url()));
}

#[test]
fn key_value() {
    checks("/key-value");
}

#[test]
fn llm() {
    checks("/llm");
}

#[test]
fn mysql() {
    let database = servers::mysql::MySql::plain().database();
    checks(&format!("/mysql?{}", database.url("")));
}

#[test]
fn postgres() {
    let database = servers::postgres::Postgres::plain().database();
    checks(&format!("/postgres?{}", database.url("sslmode=disable")));
}

#[test]
fn redis() {
    let server = servers::redis::Redis::start();
    checks(&format!("/redis?{}", server.address()));
}

#[test]
fn sqlite() {
    checks("/sqlite");
}
