//! Spin's interfaces without a version, as Spin 1 had them, checked from the inside: one path for each. An address is in
//! the query.

mod bindings {
    wit_bindgen::generate!({
        inline: "package tombolo:guest; world imports {
            import fermyon:spin/config;
            import fermyon:spin/http;
            import fermyon:spin/key-value;
            import fermyon:spin/llm;
            import fermyon:spin/mysql;
            import fermyon:spin/postgres;
            import fermyon:spin/redis;
            import fermyon:spin/sqlite;
        }",
        path: ["../../wit/fermyon-spin"],
        world: "tombolo:guest/imports",
        generate_all,
    });
}

use bindings::fermyon::spin::http_types::{self, HttpError, Method};
use bindings::fermyon::spin::key_value::Error as KeyValueError;
use bindings::fermyon::spin::mysql::MysqlError;
use bindings::fermyon::spin::postgres::PgError;
use bindings::fermyon::spin::rdbms_types::{DbDataType, DbValue, ParameterValue};
use bindings::fermyon::spin::redis_types::{RedisParameter, RedisResult};
use bindings::fermyon::spin::{config, http, key_value, llm, mysql, postgres, redis, sqlite};
use wstd::http::{Body, Error, Request, Response};

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    let query = request.uri().query().unwrap_or_default();
    match request.uri().path() {
        "/config" => config(),
        "/http" => http(query),
        "/key-value" => key_value(),
        "/llm" => llm(),
        "/mysql" => mysql(query),
        "/postgres" => postgres(query),
        "/redis" => redis(query),
        "/sqlite" => sqlite(),
        other => panic!("{other}"),
    }
    Ok(Response::new("ok".to_owned().into()))
}

fn config() {
    assert_eq!(config::get_config("region").unwrap(), "eu-west");
    assert!(matches!(config::get_config("nothing"), Err(config::Error::Provider(_))));
    assert!(matches!(config::get_config("No-Name"), Err(config::Error::InvalidKey(_))));
}

/// The address answers a `POST` with status 201, a header `x-echo` and what it was sent.
fn http(address: &str) {
    let send = |method, uri: &str, body: Option<&str>| {
        http::send_request(&http_types::Request {
            method,
            uri: uri.to_owned(),
            headers: vec![("x-echo".to_owned(), "back".to_owned()), ("connection".to_owned(), "close".to_owned())],
            params: Vec::new(),
            body: body.map(|body| body.as_bytes().to_vec()),
        })
    };
    let answer = send(Method::Post, address, Some("some bytes")).unwrap();
    assert_eq!((answer.status, answer.body.as_deref()), (201, Some(b"some bytes".as_slice())));
    let headers = answer.headers.unwrap();
    assert!(headers.contains(&("x-echo".to_owned(), "back".to_owned())), "{headers:?}");
    let refused = |uri| send(Method::Get, uri, None).unwrap_err();
    assert_eq!(refused("http://127.0.0.2/"), HttpError::DestinationNotAllowed);
    assert_eq!(refused("no address"), HttpError::InvalidUrl);
    assert_eq!(refused("/path"), HttpError::InvalidUrl);
    assert_eq!(refused("http://127.0.0.1:1/"), HttpError::RuntimeError);
}

fn key_value() {
    let store = key_value::open("default").unwrap();
    key_value::set(store, "key", b"value").unwrap();
    assert_eq!(key_value::get(store, "key").unwrap(), b"value");
    assert!(key_value::exists(store, "key").unwrap());
    assert_eq!(key_value::get_keys(store).unwrap(), ["key"]);
    key_value::delete(store, "key").unwrap();
    assert!(matches!(key_value::get(store, "key"), Err(KeyValueError::NoSuchKey)));
    assert!(matches!(key_value::open("other"), Err(KeyValueError::NoSuchStore)));
    // A number is a store as long as it is open, and no other number is one.
    let second = key_value::open("default").unwrap();
    assert_ne!(store, second);
    key_value::close(second);
    key_value::close(second);
    for number in [second, u32::MAX] {
        assert!(matches!(key_value::exists(number, "key"), Err(KeyValueError::InvalidStore)));
    }
    assert!(!key_value::exists(store, "key").unwrap());
    let many: Vec<u32> = std::iter::from_fn(|| key_value::open("default").ok()).collect();
    assert_eq!(many.len(), 255);
    assert!(matches!(key_value::open("default"), Err(KeyValueError::StoreTableFull)));
    many.into_iter().for_each(key_value::close);
    key_value::close(store);
    assert!(matches!(key_value::get(store, "key"), Err(KeyValueError::InvalidStore)));
}

fn sqlite() {
    let database = sqlite::open("default").unwrap();
    let run = |statement: &str, parameters: &[sqlite::Value]| sqlite::execute(database, statement, parameters);
    run("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT)", &[]).unwrap();
    run("DELETE FROM notes", &[]).unwrap();
    let row = [sqlite::Value::Integer(1), sqlite::Value::Text("one".to_owned())];
    run("INSERT INTO notes VALUES (?, ?)", &row).unwrap();
    let found = run("SELECT id, text FROM notes", &[]).unwrap();
    assert_eq!(found.columns, ["id", "text"]);
    assert!(matches!(&found.rows[0].values[..], [sqlite::Value::Integer(1), sqlite::Value::Text(text)] if text == "one"));
    assert!(matches!(run("SELEC", &[]), Err(sqlite::Error::Io(_))));
    assert!(matches!(sqlite::open("other"), Err(sqlite::Error::NoSuchDatabase)));
    sqlite::close(database);
    assert!(matches!(run("SELECT 1", &[]), Err(sqlite::Error::InvalidConnection)));
}

fn redis(address: &str) {
    redis::set(address, "key", b"value").unwrap();
    assert_eq!(redis::get(address, "key").unwrap(), b"value");
    assert_eq!(redis::get(address, "none").unwrap(), b"");
    let keys = ["key", "count", "set"].map(str::to_owned);
    assert!(redis::del(address, &keys).unwrap() > 0);
    assert_eq!((redis::incr(address, "count").unwrap(), redis::incr(address, "count").unwrap()), (1, 2));
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    assert_eq!(redis::sadd(address, "set", &texts(&["a", "b"])).unwrap(), 2);
    assert_eq!(redis::srem(address, "set", &texts(&["a", "c"])).unwrap(), 1);
    assert_eq!(redis::smembers(address, "set").unwrap(), ["b"]);
    redis::publish(address, "channel", b"message").unwrap();
    let parameters = [RedisParameter::Binary(b"number".to_vec()), RedisParameter::Int64(-7)];
    let set = redis::execute(address, "SET", &parameters).unwrap();
    assert!(matches!(&set[..], [RedisResult::Status(text)] if text == "OK"));
    assert_eq!(redis::get(address, "number").unwrap(), b"-7");
    assert!(redis::incr(address, "set").is_err());
    for address in ["no address", "redis://127.0.0.2:6379", "redis://127.0.0.1:1"] {
        assert!(redis::get(address, "key").is_err());
    }
}

fn postgres(address: &str) {
    let execute = |statement: &str, parameters: &[ParameterValue]| postgres::execute(address, statement, parameters);
    execute("CREATE TABLE IF NOT EXISTS notes_1 (id int8, note text)", &[]).unwrap();
    execute("DELETE FROM notes_1", &[]).unwrap();
    let row = [ParameterValue::Int64(1), ParameterValue::Str("one".to_owned())];
    assert_eq!(execute("INSERT INTO notes_1 VALUES ($1, $2), ($1, NULL)", &row).unwrap(), 2);
    let found = postgres::query(address, "SELECT id, note FROM notes_1 ORDER BY note NULLS LAST", &[]).unwrap();
    assert!(matches!(found.columns[0].data_type, DbDataType::Int64));
    assert!(matches!(&found.rows[0][..], [DbValue::Int64(1), DbValue::Str(text)] if text == "one"));
    assert!(matches!(found.rows[1][1], DbValue::DbNull));
    assert!(matches!(execute("SELEC", &[]), Err(PgError::QueryFailed(_))));
    let refused = postgres::query("postgres://me@127.0.0.2/x", "SELECT 1", &[]);
    assert!(matches!(refused, Err(PgError::ConnectionFailed(_))));
}

fn mysql(address: &str) {
    let execute = |statement: &str, parameters: &[ParameterValue]| mysql::execute(address, statement, parameters);
    execute("CREATE TABLE IF NOT EXISTS notes_1 (id BIGINT, note VARCHAR(20))", &[]).unwrap();
    execute("DELETE FROM notes_1", &[]).unwrap();
    let row = [ParameterValue::Int64(1), ParameterValue::Str("one".to_owned())];
    execute("INSERT INTO notes_1 VALUES (?, ?), (2, NULL)", &row).unwrap();
    let found = mysql::query(address, "SELECT id, note FROM notes_1 ORDER BY id", &[]).unwrap();
    assert!(matches!(found.columns[0].data_type, DbDataType::Int64));
    assert!(matches!(&found.rows[0][..], [DbValue::Int64(1), DbValue::Str(text)] if text == "one"));
    assert!(matches!(found.rows[1][1], DbValue::DbNull));
    assert!(matches!(execute("SELEC", &[]), Err(MysqlError::QueryFailed(_))));
    let refused = mysql::query("mysql://me@127.0.0.2/x", "SELECT 1", &[]);
    assert!(matches!(refused, Err(MysqlError::ConnectionFailed(_))));
}

/// Nobody answers for models.
fn llm() {
    let refused = llm::infer("llama2-chat", "x", None).unwrap_err();
    assert!(matches!(refused, llm::Error::RuntimeError(text) if text.contains("[llm_compute]")));
    let refused = llm::generate_embeddings("other", &[]);
    assert!(matches!(refused, Err(llm::Error::InvalidInput(_))));
}
