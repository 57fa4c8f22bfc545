//! Every operation of `spin:sqlite@3.1.0` with promises, checked from the inside; answers `ok`.
//!
//! `GET /rows` streams 100,000 rows of 1,000 bytes and answers their number; `GET /mixed` changes each row
//! while it reads the next; `GET /stop` reads one row of very many and lets the others be.

use spin_sdk::http::Request;
use spin_sdk::http_service;
use spin_sdk::sqlite::{Connection, Error, Value};

#[http_service]
async fn handle(request: Request) -> String {
    let done = match request.uri().path() {
        "/rows" => rows().await,
        "/mixed" => mixed().await,
        "/stop" => stop().await,
        _ => check().await,
    };
    done.unwrap_or_else(|error| format!("{error:?}"))
}

async fn run(database: &Connection, statement: &str) -> Result<Vec<Vec<Value>>, Error> {
    let rows = database.execute(statement, []).await?.collect().await?;
    Ok(rows.into_iter().map(|row| row.values).collect())
}

async fn check() -> Result<String, Error> {
    let database = Connection::open_default().await?;
    run(&database, "DROP TABLE IF EXISTS words").await?;
    run(&database, "CREATE TABLE words (id INTEGER PRIMARY KEY, word TEXT)").await?;
    let values = [Value::text("one"), Value::Null, Value::text("three")];
    let result = database.execute("INSERT INTO words (word) VALUES (?), (?), (?)", values).await?;
    result.result().await?;
    assert_eq!((database.last_insert_rowid().await, database.changes().await), (3, 3));

    let mut result = database.execute("SELECT id, word FROM words WHERE id > ?", [Value::integer(1)]).await?;
    assert_eq!(result.columns(), ["id", "word"]);
    let first = result.next().await.unwrap();
    assert_eq!((first.get::<i64>(0), first.get::<&str>(1)), (Some(2), None));
    let second = result.next().await.unwrap();
    assert_eq!(second.get::<&str>(1), Some("three"));
    assert!(result.next().await.is_none());
    result.result().await?;

    // What fails at once fails at the call; what fails between rows, at their end.
    assert!(matches!(database.execute("SELEC", []).await, Err(Error::Io(_))));
    assert!(matches!(database.execute("INSERT INTO words (id) VALUES (1)", []).await, Err(Error::Io(_))));
    let numbers = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 1000)
        SELECT CASE x WHEN 900 THEN abs(-9223372036854775808) ELSE x END FROM n";
    let mut result = database.execute(numbers, []).await?;
    let mut read = 0;
    while result.next().await.is_some() {
        read += 1;
    }
    assert_eq!(read, 899);
    assert!(matches!(result.result().await, Err(Error::Io(_))));

    // A helper may let the connection go before its rows are read.
    let rows = {
        let database = Connection::open_default().await?;
        database.execute("SELECT 1 UNION ALL SELECT 2", []).await?
    };
    assert_eq!(rows.collect().await?.len(), 2);
    assert!(matches!(Connection::open("other").await, Err(Error::NoSuchDatabase)));
    Ok("ok".to_owned())
}

async fn rows() -> Result<String, Error> {
    let database = Connection::open_default().await?;
    let statement = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 100000)
        SELECT x, printf('%01000d', x) FROM n";
    let mut result = database.execute(statement, []).await?;
    let (mut count, mut sum) = (0_u64, 0);
    while let Some(row) = result.next().await {
        count += 1;
        sum += row.get::<i64>(0).unwrap();
    }
    result.result().await?;
    Ok(format!("{count} {sum}"))
}

/// On one connection, as programs written for other databases do.
async fn mixed() -> Result<String, Error> {
    let database = Connection::open_default().await?;
    run(&database, "CREATE TABLE IF NOT EXISTS numbers (x INTEGER PRIMARY KEY, y)").await?;
    run(
        &database,
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 2000)
        INSERT OR REPLACE INTO numbers SELECT x, 0 FROM n",
    )
    .await?;
    let mut read = database.execute("SELECT x FROM numbers", []).await?;
    run(&database, "BEGIN").await?;
    while let Some(row) = read.next().await {
        let x: i64 = row.get(0).unwrap();
        let changed = database.execute("UPDATE numbers SET y = ? WHERE x = ?", [(2 * x).into(), x.into()]).await?;
        changed.result().await?;
    }
    read.result().await?;
    run(&database, "COMMIT").await?;
    let sum = run(&database, "SELECT sum(y) FROM numbers").await?;
    Ok(format!("{:?}", sum[0][0]))
}

async fn stop() -> Result<String, Error> {
    let database = Connection::open_default().await?;
    let statement = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n";
    let mut result = database.execute(statement, []).await?;
    let first = result.next().await.unwrap();
    drop(result);
    let again = run(&database, "SELECT 7").await?;
    Ok(format!("{:?} {:?}", first.values[0], again[0][0]))
}
