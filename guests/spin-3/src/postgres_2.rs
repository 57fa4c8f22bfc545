//! PostgreSQL at an address, by `fermyon:spin/postgres@2.0.0`.

use spin_sdk::pg;

pub fn check(address: &str) {
    use pg::{Connection, DbDataType, DbValue, ParameterValue, PgError};

    let database = Connection::open(address).unwrap();
    database.execute("CREATE TABLE IF NOT EXISTS notes_2 (id int4, note text, data bytea)", &[]).unwrap();
    database.execute("DELETE FROM notes_2", &[]).unwrap();
    let row = [
        ParameterValue::Int32(1),
        ParameterValue::Str("one".into()),
        ParameterValue::Binary(vec![0, 1]),
    ];
    assert_eq!(database.execute("INSERT INTO notes_2 VALUES ($1, $2, $3), ($1, NULL, NULL)", &row).unwrap(), 2);
    let found = database
        .query(
            "SELECT id, note, data, true, 2::int2, 3::int8, 4::float4, 5::float8, now() FROM notes_2
             ORDER BY note NULLS LAST",
            &[],
        )
        .unwrap();
    let names: Vec<&str> = found.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names[..3], ["id", "note", "data"]);
    let kinds: Vec<DbDataType> = found.columns.iter().map(|column| column.data_type).collect();
    assert!(matches!(
        kinds[..],
        [
            DbDataType::Int32,
            DbDataType::Str,
            DbDataType::Binary,
            DbDataType::Boolean,
            DbDataType::Int16,
            DbDataType::Int64,
            DbDataType::Floating32,
            DbDataType::Floating64,
            DbDataType::Other,
        ]
    ));
    let [one, two] = &found.rows[..] else { panic!("{} rows", found.rows.len()) };
    assert!(matches!(&one[1], DbValue::Str(text) if text == "one"));
    assert!(matches!(&one[2], DbValue::Binary(bytes) if bytes[..] == [0, 1]));
    assert!(matches!(two[1..3], [DbValue::DbNull, DbValue::DbNull]));
    assert!(matches!(
        one[3..],
        [
            DbValue::Boolean(true),
            DbValue::Int16(2),
            DbValue::Int64(3),
            DbValue::Floating32(4.0),
            DbValue::Floating64(5.0),
            DbValue::Unsupported,
        ]
    ));

    // A transaction is this connection's.
    database.execute("BEGIN", &[]).unwrap();
    database.execute("DELETE FROM notes_2", &[]).unwrap();
    let other = Connection::open(address).unwrap();
    assert_eq!(other.query("SELECT 1 FROM notes_2", &[]).unwrap().rows.len(), 2);
    database.execute("ROLLBACK", &[]).unwrap();

    let failed = |statement: &str, parameters: &[ParameterValue]| database.query(statement, parameters).err().unwrap();
    assert!(matches!(failed("SELEC", &[]), PgError::QueryFailed(text) if text.contains("SELEC")));
    assert!(matches!(failed("SELECT $1::int4", &[ParameterValue::Int64(1)]), PgError::BadParameter(_)));
    assert!(matches!(failed("SELECT $1::int4", &[ParameterValue::Uint8(1)]), PgError::BadParameter(_)));
    for address in ["postgres://me@127.0.0.2/x", "postgres://me@127.0.0.1:1/x", "no address"] {
        assert!(matches!(Connection::open(address), Err(PgError::ConnectionFailed(_))));
    }
}
