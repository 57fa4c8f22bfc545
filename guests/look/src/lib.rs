//! Tries everything that a component may be granted, and tells what came of it: the same for all who look.

mod bindings {
    wit_bindgen::generate!({
        inline: "package tombolo:look; world imports {
            import fermyon:spin/key-value@2.0.0;
            import fermyon:spin/mqtt@2.0.0;
            import fermyon:spin/mysql@2.0.0;
            import fermyon:spin/postgres@2.0.0;
            import fermyon:spin/redis@2.0.0;
            import fermyon:spin/sqlite@2.0.0;
            import fermyon:spin/variables@2.0.0;
            import wasi:keyvalue/store@0.2.0-draft2;
        }",
        path: ["../../wit/fermyon-spin@2.0.0", "../../wit/wasi-keyvalue@0.2.0-draft2"],
        world: "tombolo:look/imports",
        generate_all,
    });
}

use bindings::fermyon::spin::{key_value, mqtt, mysql, postgres, redis, sqlite, variables};
use bindings::wasi::keyvalue::store;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{ErrorCode, Fields, OutgoingRequest, Scheme};

/// What came of each, by name.
pub fn look() -> Vec<(String, String)> {
    let found = [
        ("environment", std::env::var("LEVEL").unwrap_or_else(|_| "none".to_owned())),
        ("files", std::fs::read_to_string("/secret.txt").unwrap_or_else(|_| "none".to_owned())),
        ("variables", variable()),
        ("key-value", key_value()),
        ("keyvalue", keyvalue()),
        ("sqlite", database()),
        ("http", request()),
        ("redis", cache()),
        ("mqtt", broker()),
        ("mysql", sql(mysql::Connection::open("mysql://root@127.0.0.1:1/x").err())),
        ("postgres", sql(postgres::Connection::open("postgres://root@127.0.0.1:1/x").err())),
    ];
    found.map(|(name, what)| (name.to_owned(), what)).into()
}

fn variable() -> String {
    match variables::get("region") {
        Ok(value) => value,
        Err(variables::Error::Undefined(_)) => "undefined".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

fn key_value() -> String {
    match key_value::Store::open("default") {
        Ok(_) => "ok".to_owned(),
        Err(key_value::Error::AccessDenied) => "access-denied".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

fn keyvalue() -> String {
    match store::open("default") {
        Ok(_) => "ok".to_owned(),
        Err(store::Error::AccessDenied) => "access-denied".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

fn database() -> String {
    match sqlite::Connection::open("default") {
        Ok(_) => "ok".to_owned(),
        Err(sqlite::Error::AccessDenied) => "access-denied".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

fn request() -> String {
    match send() {
        Ok(200) => "ok".to_owned(),
        Ok(status) => status.to_string(),
        Err(ErrorCode::HttpRequestDenied) => "denied".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

fn send() -> Result<u16, ErrorCode> {
    let request = OutgoingRequest::new(Fields::new());
    let set = request.set_scheme(Some(&Scheme::Http));
    set.and_then(|()| request.set_authority(Some("self.alt"))).expect("it is a host");
    request.set_path_with_query(Some("/hello")).expect("it is a path");
    let answer = outgoing_handler::handle(request, None)?;
    answer.subscribe().block();
    let answer = answer.get().expect("it was waited for").expect("it is taken once")?;
    Ok(answer.status())
}

fn cache() -> String {
    let failed = redis::Connection::open("redis://127.0.0.1:1").and_then(|it| it.get("key")).err();
    match failed {
        Some(redis::Error::InvalidAddress) => "refused".to_owned(),
        Some(redis::Error::Other(_)) => "away".to_owned(),
        error => format!("{error:?}"),
    }
}

fn broker() -> String {
    match mqtt::Connection::open("mqtt://127.0.0.1:1", "", "", 5).err() {
        Some(mqtt::Error::InvalidAddress) => "refused".to_owned(),
        error => said(&format!("{error:?}")),
    }
}

fn sql(error: Option<impl std::fmt::Debug>) -> String {
    said(&format!("{error:?}"))
}

/// Whether a host was not granted, or nobody was there.
fn said(error: &str) -> String {
    match error {
        error if error.contains("allowed_outbound_hosts") => "refused".to_owned(),
        error if error.starts_with("Some(ConnectionFailed(") || error.starts_with("Some(Error::ConnectionFailed(") => {
            "away".to_owned()
        }
        error => error.to_owned(),
    }
}
