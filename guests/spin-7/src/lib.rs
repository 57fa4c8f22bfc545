//! An app as it is written against spin-sdk 7, and against 6: one path for each interface, each answers `ok`.

#[path = "../../spin-3/src/llm.rs"]
mod llm;
mod mqtt;
#[cfg_attr(not(feature = "sdk-7"), path = "../../spin-3/src/mysql.rs")]
mod mysql;
mod postgres;
mod redis;

use spin_sdk::http::body::IncomingBodyExt;
use spin_sdk::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, get};
use spin_sdk::key_value::{self, Store};
use spin_sdk::sqlite::{self, Connection, Value};
use spin_sdk::{http_service, variables};

type Answer = (StatusCode, HeaderMap, String);

#[http_service]
async fn handle(request: Request) -> Answer {
    match request.uri().path() {
        "/http/it" => return http(request).await,
        "/uri" => return (StatusCode::OK, HeaderMap::new(), request.uri().to_string()),
        "/outbound" => return outbound(request).await,
        "/key-value" => key_value().await,
        "/variables" => variables().await,
        "/sqlite" => sqlite().await,
        "/mqtt" => mqtt::check(request.uri().query().unwrap_or_default()).await,
        "/redis-wait" => redis::wait(request.uri().query().unwrap_or_default()).await,
        "/llm" => llm::check(request.uri().query().unwrap_or_default()),
        "/llm-none" => llm::none(),
        "/redis" => redis::check(request.uri().query().unwrap_or_default()).await,
        #[cfg(feature = "sdk-7")]
        "/mysql" => mysql::check(request.uri().query().unwrap_or_default()).await,
        #[cfg(not(feature = "sdk-7"))]
        "/mysql" => mysql::check(request.uri().query().unwrap_or_default()),
        "/postgres" => postgres::check(request.uri().query().unwrap_or_default()).await,
        "/postgres-rows" => {
            let (address, statement) = asked(request).await;
            return (StatusCode::OK, HeaderMap::new(), postgres::rows(&address, &statement).await);
        }
        #[cfg(feature = "sdk-7")]
        "/mysql-rows" => {
            let (address, statement) = asked(request).await;
            return (StatusCode::OK, HeaderMap::new(), mysql::rows(&address, &statement).await);
        }
        "/postgres-encrypted" => {
            let (parts, body) = request.into_parts();
            let root = String::from_utf8(body.bytes().await.unwrap().into()).unwrap();
            postgres::encrypted(parts.uri.query().unwrap_or_default(), root).await;
        }
        other => panic!("{other}"),
    }
    (StatusCode::OK, HeaderMap::new(), "ok".to_owned())
}

/// An address and a statement, the two lines of the body.
async fn asked(request: Request) -> (String, String) {
    let text = String::from_utf8(request.into_body().bytes().await.unwrap().into()).unwrap();
    let (address, statement) = text.split_once('\n').unwrap();
    (address.to_owned(), statement.to_owned())
}

/// What came, sent back in another shape.
async fn http(request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    assert_eq!(parts.method, Method::POST);
    let name = parts.headers.get("spin-path-match-name").and_then(|value| value.to_str().ok());
    let body = body.bytes().await.unwrap();
    let text = format!("{} {}", name.unwrap_or_default(), String::from_utf8_lossy(&body));
    let mut headers = HeaderMap::new();
    headers.insert("x-app", HeaderValue::from_static(env!("CARGO_PKG_NAME")));
    (StatusCode::CREATED, headers, text)
}

/// What the address in the query answers, or `refused`.
async fn outbound(request: Request) -> Answer {
    let address = request.uri().query().unwrap_or_default();
    let text = match get(address).await {
        Ok(answer) => String::from_utf8_lossy(&answer.into_body().bytes().await.unwrap()).into_owned(),
        Err(_) => "refused".to_owned(),
    };
    (StatusCode::OK, HeaderMap::new(), text)
}

async fn key_value() {
    let store = Store::open_default().await.unwrap();
    store.set("key", b"value").await.unwrap();
    assert_eq!(store.get("key").await.unwrap().as_deref(), Some(b"value".as_slice()));
    assert!(store.exists("key").await.unwrap());
    assert!(store.get_keys().await.collect().await.unwrap().contains(&"key".to_owned()));
    store.delete("key").await.unwrap();
    assert_eq!(store.get("key").await.unwrap(), None);
    assert!(matches!(Store::open("other").await, Err(key_value::Error::NoSuchStore)));
}

async fn variables() {
    assert_eq!(variables::get("region").await.unwrap(), "eu-west");
    assert!(matches!(variables::get("nothing").await, Err(variables::Error::Undefined(_))));
    assert!(matches!(variables::get("No-Name").await, Err(variables::Error::InvalidName(_))));
}

async fn sqlite() {
    let database = Connection::open_default().await.unwrap();
    let run = async |statement: &str, parameters: Vec<Value>| {
        database.execute(statement, parameters).await?.collect().await
    };
    run("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT)", vec![]).await.unwrap();
    run("DELETE FROM notes", vec![]).await.unwrap();
    run("INSERT INTO notes VALUES (?, ?)", vec![Value::Integer(1), Value::Text("one".into())]).await.unwrap();
    assert_eq!((database.last_insert_rowid().await, database.changes().await), (1, 1));
    let found = run("SELECT id, text FROM notes", vec![]).await.unwrap();
    assert_eq!((found[0].get::<i64>(0), found[0].get::<&str>(1)), (Some(1), Some("one")));
    assert!(matches!(run("SELEC", vec![]).await, Err(sqlite::Error::Io(_))));
    assert!(matches!(Connection::open("other").await, Err(sqlite::Error::NoSuchDatabase)));
}
