//! PostgreSQL at an address: `spin:postgres/postgres@4.2.0`.

use spin_sdk::pg::{
    self, Certificate, Connection, DbValue, OpenOptions, ParameterValue, PgError, QueryError,
};

pub async fn check(address: &str) {
    let database = Connection::open(address).await.unwrap();
    database.execute("CREATE TEMPORARY TABLE notes (id int8, note text)", []).await.unwrap();
    let row: [ParameterValue; 2] = [1_i64.into(), "one".to_owned().into()];
    assert_eq!(database.execute("INSERT INTO notes VALUES ($1, $2), (2, NULL)", row).await.unwrap(), 2);
    let mut found = database.query("SELECT id, note FROM notes ORDER BY id", []).await.unwrap();
    assert_eq!(found.columns()[1].name, "note");
    let first = found.next().await.unwrap();
    assert_eq!((first.get::<i64>("id"), first.get::<String>("note")), (Some(1), Some("one".to_owned())));
    assert!(matches!(found.next().await.unwrap()[1], DbValue::DbNull));
    assert!(found.next().await.is_none());
    found.result().await.unwrap();

    // Many rows, one part after the other; the next statement while some are still to be read; and those
    // that nobody reads.
    let mut rows = database.query("SELECT x::int8 AS x FROM generate_series(1, 100000) AS x", []).await.unwrap();
    let mut sum = 0;
    while let Some(row) = rows.next().await {
        sum += row.get::<i64>("x").unwrap();
    }
    rows.result().await.unwrap();
    assert_eq!(sum, 5_000_050_000);
    let mut rows = database.query("SELECT x FROM generate_series(1, 1000) AS x", []).await.unwrap();
    rows.next().await.unwrap();
    let other = database.query("SELECT 7", []).await.unwrap().collect().await.unwrap();
    assert!(matches!(other[0][0], DbValue::Int32(7)));
    assert_eq!(rows.collect().await.unwrap().len(), 999);
    drop(database.query("SELECT x FROM generate_series(1, 100000) AS x", []).await.unwrap());

    // What fails at once fails at the call; what fails between rows, at their end.
    let failed = database.execute("SELECT 1 / 0", []).await.err().unwrap();
    assert!(matches!(failed, pg::Error::PgError(PgError::QueryFailed(QueryError::DbError(said))) if said.code == "22012"));
    assert!(database.query("SELEC", []).await.is_err());
    let late = database.query("SELECT 1 / (900 - x) FROM generate_series(1, 1000) AS x", []).await.unwrap();
    assert!(late.collect().await.is_err());

    // The same without promises.
    let plain = pg::wit::postgres::Connection::open(address).unwrap();
    assert_eq!(plain.execute("CREATE TEMPORARY TABLE notes (id int4)", &[]).unwrap(), 0);
    assert!(matches!(plain.query("SELECT 7", &[]).unwrap().rows[0][0], DbValue::Int32(7)));
    let refused = pg::wit::postgres::Connection::open("postgres://me@127.0.0.2/x");
    assert!(matches!(refused, Err(PgError::ConnectionFailed(_))));
    assert!(Connection::open("postgres://me@127.0.0.2/x").await.is_err());
    assert!(Connection::open("no address").await.is_err());
}

/// The server encrypts, and only `root` says that it is who it says it is.
pub async fn encrypted(address: &str, root: String) {
    assert!(Connection::open(address).await.is_err());
    let options = |ca_root: String| OpenOptions { ca_root: Some(Certificate::Text(ca_root)) };
    assert!(Connection::open_with_options(address, options("no certificate".to_owned())).await.is_err());
    let database = Connection::open_with_options(address, options(root.clone())).await.unwrap();
    let statement = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let found = database.query(statement, []).await.unwrap().collect().await.unwrap();
    assert!(matches!(found[0][0], DbValue::Boolean(true)));

    let builder = pg::wit::postgres::ConnectionBuilder::new(address);
    assert!(matches!(builder.set_ca_root("no certificate"), Err(PgError::Other(_))));
    builder.set_ca_root(&root).unwrap();
    let plain = builder.build().unwrap();
    assert!(matches!(plain.query(statement, &[]).unwrap().rows[0][0], DbValue::Boolean(true)));
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
        Ok::<_, pg::Error>(count.to_string())
    };
    run.await.unwrap_or_else(|error| error.to_string())
}
