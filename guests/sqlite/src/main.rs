//! Every operation of Spin's synchronous SQLite interfaces, checked from the inside.
//!
//! `GET /` runs all checks and answers `ok`; `GET /denied` opens databases and answers how that went. `GET
//! /doors` tries what no statement may do and answers what came of each. `GET /huge` asks for more rows than
//! there is memory, `GET /endless` for one that never comes; `GET /leave` ends within a transaction, a
//! temporary table and settings, `GET /left` says what is left of them. `GET /count` counts its calls. `GET /many`
//! holds one connection while it uses another.

mod bindings {
    wit_bindgen::generate!({
        inline: "package tombolo:guest; world imports {
            import fermyon:spin/sqlite@2.0.0;
            import spin:sqlite/sqlite@3.0.0;
        }",
        path: ["../../wit/fermyon-spin@2.0.0", "../../wit/spin-sqlite@3.0.0"],
        world: "tombolo:guest/imports",
        generate_all,
    });
}

use bindings::fermyon::spin::sqlite as v2;
use bindings::spin::sqlite::sqlite::{Connection, Error, Value};
use wstd::http::{Body, Request, Response};

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, wstd::http::Error> {
    let text = match request.uri().path() {
        "/denied" => format!("{:?} {:?}", open("default").err(), open("other").err()),
        "/doors" => doors(),
        "/huge" => run(&database(), &format!("{NUMBERS} SELECT x, hex(randomblob(500)) FROM n")),
        "/endless" => run(&database(), &format!("{NUMBERS} SELECT count(*) FROM n")),
        "/leave" => leave(),
        "/left" => left(),
        "/count" => count(),
        "/many" => many(),
        _ => {
            second();
            third();
            values();
            refusals();
            transactions();
            "ok".to_owned()
        }
    };
    Ok(Response::new(text.into()))
}

/// Rows without an end.
const NUMBERS: &str = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)";

fn open(label: &str) -> Result<Connection, Error> {
    Connection::open(label)
}

fn database() -> Connection {
    open("default").unwrap()
}

/// The first value of the first row, or the error.
fn run(database: &Connection, statement: &str) -> String {
    match database.execute(statement, &[]) {
        Ok(result) => format!("{:?}", result.rows.first().and_then(|row| row.values.first())),
        Err(error) => format!("{error:?}"),
    }
}

fn all(database: &Connection, statement: &str) -> Vec<Vec<Value>> {
    let result = database.execute(statement, &[]).unwrap();
    result.rows.into_iter().map(|row| row.values).collect()
}

fn number(database: &Connection, statement: &str) -> i64 {
    match all(database, statement)[..] {
        [ref row] => match row[..] {
            [Value::Integer(number)] => number,
            ref other => panic!("{statement}: {other:?}"),
        },
        ref other => panic!("{statement}: {other:?}"),
    }
}

/// `fermyon:spin/sqlite@2.0.0`.
fn second() {
    let database = v2::Connection::open("default").unwrap();
    let execute = |statement: &str, parameters: &[v2::Value]| database.execute(statement, parameters);
    execute("DROP TABLE IF EXISTS pets", &[]).unwrap();
    let made = execute("CREATE TABLE pets (id INTEGER PRIMARY KEY, name TEXT NOT NULL)", &[]).unwrap();
    assert!(made.columns.is_empty() && made.rows.is_empty());
    let names = [v2::Value::Text("Splodge".into()), v2::Value::Text("Kiki".into())];
    execute("INSERT INTO pets (name) VALUES (?), (?)", &names).unwrap();
    let found = execute("SELECT id, name FROM pets WHERE name > ?1", &[v2::Value::Text("L".into())]).unwrap();
    assert_eq!(found.columns, ["id", "name"]);
    let [row] = &found.rows[..] else { panic!("one pet, not {:?}", found.rows) };
    assert!(matches!(&row.values[..], [v2::Value::Integer(1), v2::Value::Text(name)] if name == "Splodge"));
    assert!(matches!(v2::Connection::open("other"), Err(v2::Error::NoSuchDatabase)));
}

/// `spin:sqlite@3.0.0`.
fn third() {
    let database = database();
    assert_eq!((database.last_insert_rowid(), database.changes()), (0, 0), "nothing is of another request");
    assert_eq!(number(&database, "SELECT last_insert_rowid() + changes()"), 0);
    database.execute("INSERT INTO pets (id, name) VALUES (40, 'Slats'), (41, 'Zorro')", &[]).unwrap();
    assert_eq!((database.last_insert_rowid(), database.changes()), (41, 2));
    let returned = all(&database, "UPDATE pets SET name = upper(name) RETURNING name");
    assert_eq!((returned.len(), database.changes(), database.last_insert_rowid()), (4, 4, 41));
    assert_eq!(number(&database, "SELECT changes()"), 4);
    assert_eq!(number(&database, "SELECT count(*) FROM pets"), 4);
    let other = self::database();
    assert_eq!((other.last_insert_rowid(), other.changes()), (0, 0), "each connection has its own");
}

fn values() {
    let database = database();
    let bytes: Vec<u8> = (0..=255).collect();
    let given = [
        Value::Integer(i64::MIN),
        Value::Real(-0.5),
        Value::Text("a\0b ☃".into()),
        Value::Blob(bytes.clone()),
        Value::Null,
    ];
    let result = database.execute("SELECT ?, ?, ?, ?, ? AS nil", &given).unwrap();
    assert_eq!(result.columns[4], "nil");
    let [Value::Integer(i64::MIN), Value::Real(real), Value::Text(text), Value::Blob(blob), Value::Null] =
        &result.rows[0].values[..]
    else {
        panic!("{:?}", result.rows)
    };
    assert!(*real == -0.5 && text == "a\0b ☃" && *blob == bytes);
    assert_eq!(run(&database, "SELECT 9e999"), "Some(Value::Real(inf))");
    assert!(run(&database, "SELECT CAST(x'ff' AS TEXT)").contains("not UTF-8"));
    assert!(all(&database, "SELECT 1 WHERE 0").is_empty());
}

fn refusals() {
    let database = database();
    for (statement, part) in [
        ("SELEC 1", "syntax error"),
        ("SELECT * FROM nowhere", "no such table: nowhere"),
        ("", "empty"),
        ("-- nothing", "empty"),
        ("SELECT 1; SELECT 2", "Multiple statements"),
        ("SELECT ?", "Wrong number of parameters"),
        ("INSERT INTO pets (id, name) VALUES (1, 'x')", "UNIQUE constraint failed: pets.id"),
        ("INSERT INTO pets (name) VALUES (NULL)", "NOT NULL constraint failed"),
        ("SELECT abs(-9223372036854775808)", "integer overflow"),
    ] {
        match database.execute(statement, &[]) {
            Err(Error::Io(reason)) if reason.contains(part) => {}
            other => panic!("{statement}: {other:?}"),
        }
    }
}

fn transactions() {
    let database = database();
    database.execute("BEGIN IMMEDIATE", &[]).unwrap();
    database.execute("DELETE FROM pets", &[]).unwrap();
    // A reader sees what was committed, and waits for nobody.
    assert_eq!(number(&self::database(), "SELECT count(*) FROM pets"), 4);
    database.execute("ROLLBACK", &[]).unwrap();
    assert_eq!(number(&database, "SELECT count(*) FROM pets"), 4);
    database.execute("BEGIN", &[]).unwrap();
    database.execute("DELETE FROM pets WHERE id > 40", &[]).unwrap();
    database.execute("COMMIT", &[]).unwrap();
    assert_eq!(number(&self::database(), "SELECT count(*) FROM pets"), 3);
}

/// What no statement may do, and a line for each that says what came of it.
fn doors() -> String {
    let database = database();
    let tried = [
        "ATTACH '/tmp/other.db' AS other",
        "ATTACH ':memory:' AS other",
        "VACUUM INTO '/tmp/copy.db'",
        "SELECT load_extension('/tmp/code.so')",
        "PRAGMA temp_store_directory = '/tmp'",
        "PRAGMA database_list",
        "SELECT file FROM pragma_database_list",
        "PRAGMA journal_mode = OFF",
        "PRAGMA writable_schema = ON",
        "PRAGMA hard_heap_limit = 1",
        "UPDATE sqlite_schema SET sql = ''",
        "SELECT zeroblob(100000000)",
    ];
    tried.map(|statement| format!("{statement}: {}\n", run(&database, statement))).concat()
}

fn leave() -> String {
    let database = database();
    for statement in [
        "CREATE TABLE IF NOT EXISTS left_behind (x)",
        "CREATE TEMP TABLE mine (x)",
        "PRAGMA foreign_keys = OFF",
        "BEGIN IMMEDIATE",
        "INSERT INTO left_behind VALUES (1)",
    ] {
        database.execute(statement, &[]).unwrap();
    }
    // Never closed: the instance is ended with it open.
    std::mem::forget(database);
    "left".to_owned()
}

fn left() -> String {
    let database = database();
    database.execute("BEGIN IMMEDIATE", &[]).unwrap();
    let rows = number(&database, "SELECT count(*) FROM left_behind");
    let tables = number(&database, "SELECT count(*) FROM temp.sqlite_schema");
    let keys = number(&database, "PRAGMA foreign_keys");
    format!("{rows} rows, {tables} temporary tables, foreign keys {keys}")
}

fn count() -> String {
    let database = database();
    database.execute("CREATE TABLE IF NOT EXISTS counter (id INTEGER PRIMARY KEY, n)", &[]).unwrap();
    let add = "INSERT INTO counter VALUES (1, 1) ON CONFLICT DO UPDATE SET n = n + 1 RETURNING n";
    number(&database, add).to_string()
}

/// As a program does whose parts each open the database.
fn many() -> String {
    let first = database();
    number(&first, "SELECT 1");
    let second = database();
    (number(&second, "SELECT 2") + number(&first, "SELECT 3")).to_string()
}
