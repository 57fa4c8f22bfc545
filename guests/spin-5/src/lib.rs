//! An app as it is written against spin-sdk 5: one path for each interface, each answers `ok`.

#[path = "../../spin-3/src/llm.rs"]
mod llm;
#[path = "../../spin-3/src/mqtt.rs"]
mod mqtt;
#[path = "../../spin-3/src/mysql.rs"]
mod mysql;
mod postgres;
#[path = "../../spin-3/src/postgres_2.rs"]
mod postgres_2;
#[path = "../../spin-3/src/postgres_3.rs"]
mod postgres_3;
#[path = "../../spin-3/src/redis.rs"]
mod redis;
mod wait;

use spin_sdk::http::{IntoResponse, Method, Request, Response, send};
use spin_sdk::key_value::{self, Store};
use spin_sdk::sqlite::{self, Connection, Value};
use spin_sdk::{http_component, sqlite3, variables};

#[http_component]
async fn handle(request: Request) -> impl IntoResponse {
    match request.path() {
        "/http/it" => return http(&request),
        "/outbound" => return outbound(&request).await,
        "/key-value" => key_value(),
        "/variables" => variables(),
        "/variable" => return Response::new(200, format!("{:?}", variables::get(request.query()))),
        "/sqlite" => sqlite(),
        "/sqlite-3" => sqlite_3(),
        "/mqtt" => mqtt::check(request.query()),
        "/redis-wait" => wait::redis(request.query()),
        "/llm" => llm::check(request.query()),
        "/llm-none" => llm::none(),
        "/redis" => redis::check(request.query()),
        "/mysql" => mysql::check(request.query()),
        "/postgres-2" => postgres_2::check(request.query()),
        "/postgres-3" => postgres_3::check(request.query()),
        "/postgres-4" => postgres::version_4(request.query()),
        other => panic!("{other}"),
    }
    Response::new(200, "ok")
}

/// What came, sent back in another shape.
fn http(request: &Request) -> Response {
    assert_eq!(*request.method(), Method::Post);
    let header = |name: &str| request.header(name).and_then(|value| value.as_str()).unwrap_or_default();
    let text = format!("{} {}", header("spin-path-match-name"), String::from_utf8_lossy(request.body()));
    Response::builder().status(201).header("x-app", "spin-5").body(text).build()
}

/// What the address in the query answers, or `refused`.
async fn outbound(request: &Request) -> Response {
    let sent: Result<Response, _> = send(Request::get(request.query())).await;
    match sent {
        Ok(answer) => Response::new(200, answer.into_body()),
        Err(_) => Response::new(200, "refused"),
    }
}

fn key_value() {
    let store = Store::open_default().unwrap();
    store.set("key", b"value").unwrap();
    assert_eq!(store.get("key").unwrap().as_deref(), Some(b"value".as_slice()));
    assert!(store.exists("key").unwrap() && store.get_keys().unwrap().contains(&"key".to_owned()));
    store.delete("key").unwrap();
    assert_eq!(store.get("key").unwrap(), None);
    assert!(matches!(Store::open("other"), Err(key_value::Error::NoSuchStore)));
}

fn variables() {
    assert_eq!(variables::get("region").unwrap(), "eu-west");
    assert!(matches!(variables::get("nothing"), Err(variables::Error::Undefined(_))));
    assert!(matches!(variables::get("No-Name"), Err(variables::Error::InvalidName(_))));
}

fn sqlite() {
    let database = Connection::open_default().unwrap();
    database.execute("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT)", &[]).unwrap();
    database.execute("DELETE FROM notes", &[]).unwrap();
    database
        .execute("INSERT INTO notes VALUES (?, ?)", &[Value::Integer(1), Value::Text("one".into())])
        .unwrap();
    let found = database.execute("SELECT id, text FROM notes", &[]).unwrap();
    assert_eq!(found.columns, ["id", "text"]);
    let row = found.rows().next().unwrap();
    assert_eq!((row.get::<i64>("id"), row.get::<&str>("text")), (Some(1), Some("one")));
    assert!(matches!(database.execute("SELEC", &[]), Err(sqlite::Error::Io(_))));
    assert!(matches!(Connection::open("other"), Err(sqlite::Error::NoSuchDatabase)));
}

/// `spin:sqlite@3.0.0`, which came with 5.0.
fn sqlite_3() {
    let database = sqlite3::Connection::open_default().unwrap();
    database.execute("CREATE TABLE IF NOT EXISTS counts (id INTEGER PRIMARY KEY, n INTEGER)", &[]).unwrap();
    database.execute("DELETE FROM counts", &[]).unwrap();
    database.execute("INSERT INTO counts VALUES (5, 0), (6, 0)", &[]).unwrap();
    assert_eq!((database.last_insert_rowid(), database.changes()), (6, 2));
    let counted = database.execute("SELECT count(*) FROM counts", &[]).unwrap();
    assert_eq!(counted.rows[0].get::<i64>(0), Some(2));
}
