//! MySQL at an address: `spin:mysql/mysql@3.0.0`.

use spin_sdk::mysql::{Connection, DbDataType, DbValue, ParameterValue};

pub async fn check(address: &str) {
    let database = Connection::open(address).await.unwrap();
    database.execute("CREATE TEMPORARY TABLE notes (id BIGINT, note VARCHAR(20))", []).await.unwrap();
    let row = [ParameterValue::Int64(1), ParameterValue::Str("one".to_owned())];
    database.execute("INSERT INTO notes VALUES (?, ?), (2, NULL)", row).await.unwrap();
    let mut found = database.query("SELECT id, note FROM notes ORDER BY id", []).await.unwrap();
    assert_eq!(found.columns()[1].name, "note");
    assert!(matches!(found.columns()[0].data_type, DbDataType::Int64));
    let first = found.next().await.unwrap();
    assert_eq!((first.get::<i64>("id"), first.get::<String>("note")), (Some(1), Some("one".to_owned())));
    assert!(matches!(found.next().await.unwrap()[1], DbValue::DbNull));
    assert!(found.next().await.is_none());
    found.result().await.unwrap();

    // Many rows, one part after the other; the next statement while some are still to be read; and those that
    // nobody reads.
    let numbers = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 300)
        SELECT CAST(a.x AS SIGNED) AS x FROM n AS a, n AS b";
    let mut rows = database.query(numbers, []).await.unwrap();
    let mut count = 0;
    while rows.next().await.is_some() {
        count += 1;
    }
    rows.result().await.unwrap();
    assert_eq!(count, 90_000);
    let mut rows = database.query(format!("{numbers} LIMIT 1000"), []).await.unwrap();
    rows.next().await.unwrap();
    let other = database.query("SELECT 'seven'", []).await.unwrap().collect().await.unwrap();
    assert!(matches!(&other[0][0], DbValue::Str(text) if text == "seven"));
    assert_eq!(rows.collect().await.unwrap().len(), 999);
    drop(database.query(numbers, []).await.unwrap());

    assert!(database.execute("SELEC", []).await.is_err());
    assert!(database.query("SELECT ?", []).await.is_err());
    assert!(Connection::open("mysql://me@127.0.0.2/x").await.is_err());
    assert!(Connection::open("no address").await.is_err());
}

/// How many rows a statement has, or why it fails.
pub async fn rows(address: &str, statement: &str) -> String {
    let run = async {
        let mut rows = Connection::open(address).await?.query(statement, []).await?;
        let mut count = 0;
        while rows.next().await.is_some() {
            count += 1;
        }
        rows.result().await?;
        Ok::<_, spin_sdk::mysql::Error>(count.to_string())
    };
    run.await.unwrap_or_else(|error| error.to_string())
}
