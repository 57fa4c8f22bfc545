//! MySQL at an address: `fermyon:spin/mysql@2.0.0`.

use spin_sdk::mysql::{Connection, DbDataType, DbValue, MysqlError, ParameterValue};

pub fn check(address: &str) {
    let database = Connection::open(address).unwrap();
    database
        .execute("CREATE TABLE IF NOT EXISTS notes (id INT UNSIGNED, note VARCHAR(20), data BLOB, at DATETIME)", &[])
        .unwrap();
    database.execute("DELETE FROM notes", &[]).unwrap();
    let row = [
        ParameterValue::Uint32(1),
        ParameterValue::Str("one".into()),
        ParameterValue::Binary(vec![0, 1]),
        ParameterValue::DbNull,
    ];
    database.execute("INSERT INTO notes VALUES (?, ?, ?, ?), (2, NULL, NULL, now())", &row).unwrap();
    let found = database.query("SELECT id, note, data, at FROM notes ORDER BY id", &[]).unwrap();
    let names: Vec<&str> = found.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["id", "note", "data", "at"]);
    let kinds: Vec<DbDataType> = found.columns.iter().map(|column| column.data_type).collect();
    assert!(matches!(kinds[..], [DbDataType::Uint32, DbDataType::Str, DbDataType::Binary, DbDataType::Other]));
    let [one, two] = &found.rows[..] else { panic!("{} rows", found.rows.len()) };
    assert!(matches!(&one[1], DbValue::Str(text) if text == "one"));
    assert!(matches!(&one[2], DbValue::Binary(bytes) if bytes[..] == [0, 1]));
    assert!(matches!(one[3], DbValue::DbNull));
    assert!(matches!(two[..], [DbValue::Uint32(2), DbValue::DbNull, DbValue::DbNull, DbValue::Unsupported]));

    // Every kind of parameter; what they are to the server is the server's choice.
    let parameters = [
        ParameterValue::Boolean(true),
        ParameterValue::Int8(-1),
        ParameterValue::Int16(-2),
        ParameterValue::Int32(-3),
        ParameterValue::Int64(-4),
        ParameterValue::Uint8(1),
        ParameterValue::Uint16(2),
        ParameterValue::Uint64(10),
        ParameterValue::Floating32(0.5),
        ParameterValue::Floating64(0.25),
    ];
    let sum = database.query("SELECT 0e0+?+?+?+?+?+?+?+?+?+?", &parameters).unwrap();
    assert!(matches!(sum.rows[0][0], DbValue::Floating64(4.75)));

    // A transaction is this connection's.
    database.execute("BEGIN", &[]).unwrap();
    database.execute("DELETE FROM notes", &[]).unwrap();
    let other = Connection::open(address).unwrap();
    assert_eq!(other.query("SELECT 1 FROM notes", &[]).unwrap().rows.len(), 2);
    database.execute("ROLLBACK", &[]).unwrap();

    let failed = |statement: &str| database.query(statement, &[]).err().unwrap();
    assert!(matches!(failed("SELEC"), MysqlError::QueryFailed(text) if text.contains("SELEC")));
    assert!(matches!(failed("SELECT ?"), MysqlError::BadParameter(_)));
    for address in ["mysql://me@127.0.0.2/x", "mysql://me@127.0.0.1:1/x", "no address"] {
        assert!(matches!(Connection::open(address), Err(MysqlError::ConnectionFailed(_))));
    }
}
