//! PostgreSQL at an address, by `spin:postgres/postgres@3.0.0`.

use spin_sdk::pg3;

pub fn check(address: &str) {
    use pg3::{Connection, DbDataType, DbValue, ParameterValue, PgError};

    let database = Connection::open(address).unwrap();
    let moment = (2026, 11, 24, 12, 30, 59, 123_000);
    let parameters = [
        ParameterValue::Date((1815, 12, 10)),
        ParameterValue::Time((1, 2, 3, 4_000)),
        ParameterValue::Datetime(moment),
        ParameterValue::Timestamp(1_000_000_000),
        ParameterValue::DbNull,
    ];
    let statement = "SELECT $1::date, $2::time, $3::timestamp, $4::timestamptz, $5::text, gen_random_uuid()";
    let found = database.query(statement, &parameters).unwrap();
    assert!(matches!(&found.rows[0][0], DbValue::Date((1815, 12, 10))));
    assert!(matches!(&found.rows[0][1], DbValue::Time((1, 2, 3, 4_000))));
    assert!(matches!(&found.rows[0][2], DbValue::Datetime(found) if *found == moment));
    assert!(matches!(&found.rows[0][3], DbValue::Datetime((2001, 9, 9, 1, 46, 40, 0))));
    assert!(matches!(found.rows[0][4..], [DbValue::DbNull, DbValue::Unsupported]));
    assert!(matches!(found.columns[5].data_type, DbDataType::Other));
    assert_eq!(database.execute("SELECT generate_series(1, 9)", &[]).unwrap(), 9);

    let failed = |statement: &str, parameters: &[ParameterValue]| database.query(statement, parameters).err().unwrap();
    assert!(matches!(failed("SELECT 1 / 0", &[]), PgError::QueryFailed(_)));
    assert!(matches!(failed("SELECT $1::date", &[ParameterValue::Date((2026, 2, 30))]), PgError::BadParameter(_)));
    assert!(matches!(failed("SELECT 'infinity'::date", &[]), PgError::ValueConversionFailed(_)));
    assert!(matches!(Connection::open("postgres://me@127.0.0.2/x"), Err(PgError::ConnectionFailed(_))));
}
