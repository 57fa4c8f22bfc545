//! PostgreSQL at an address, by the interface that is new in spin-sdk 5: `spin:postgres/postgres@4.0.0`.

use spin_sdk::pg4::{
    Connection, DbDataType, DbValue, Interval, ParameterValue, PgError, QueryError, RangeBoundKind,
};

/// Every kind of value that is new, there and back.
pub fn version_4(address: &str) {
    let database = Connection::open(address).unwrap();
    let text = |text: &str| text.to_owned();
    let (inclusive, exclusive) = (RangeBoundKind::Inclusive, RangeBoundKind::Exclusive);
    let parameters = [
        ParameterValue::Uuid(text("6ba7b810-9dad-11d1-80b4-00c04fd430c8")),
        ParameterValue::Jsonb(br#"{"a": 1}"#.to_vec()),
        ParameterValue::Decimal(text("12345678901234567890123456789012345678901234567890.5")),
        ParameterValue::RangeInt32((Some((1, inclusive)), Some((9, exclusive)))),
        ParameterValue::RangeInt64((None, Some((9, exclusive)))),
        ParameterValue::RangeDecimal((Some((text("1.5"), exclusive)), None)),
        ParameterValue::ArrayInt32(vec![Some(1), None]),
        ParameterValue::ArrayInt64(vec![]),
        ParameterValue::ArrayDecimal(vec![Some(text("-1.25")), None]),
        ParameterValue::ArrayStr(vec![Some(text("a")), None]),
        ParameterValue::Interval(Interval { micros: 1, days: 2, months: 3 }),
    ];
    let statement = "SELECT $1::uuid, $2::jsonb, $3::numeric, $4::int4range, $5::int8range, $6::numrange,
        $7::int4[], $8::int8[], $9::numeric[], $10::text[], $11::interval, '10.0.0.1'::inet AS other";
    let found = database.query(statement, &parameters).unwrap();
    let same = format!("{:?}", &found.rows[0][..11]);
    let given = format!("{parameters:?}").replace("ParameterValue::", "DbValue::");
    assert_eq!(same, given);
    assert!(matches!(&found.columns[11].data_type, DbDataType::Other(name) if name == "inet"));
    assert!(matches!(&found.rows[0][11], DbValue::Unsupported(bytes) if bytes.ends_with(&[10, 0, 0, 1])));
    assert!(matches!(found.columns[3].data_type, DbDataType::RangeInt32));

    let failed = |statement: &str, parameters: &[ParameterValue]| database.query(statement, parameters).err().unwrap();
    database.execute("CREATE TABLE IF NOT EXISTS notes_4 (id int4 CONSTRAINT one_of_each UNIQUE)", &[]).unwrap();
    let PgError::QueryFailed(QueryError::DbError(said)) = failed("INSERT INTO notes_4 VALUES (1), (1)", &[]) else {
        panic!("the constraint holds");
    };
    assert_eq!((said.code.as_str(), said.severity.as_str()), ("23505", "ERROR"));
    assert!(said.detail.is_some() && said.as_text.contains(&said.message));
    let constraint = said.extras.iter().find(|(name, _)| name == "constraint");
    assert_eq!(constraint.map(|(_, value)| value.as_str()), Some("one_of_each"));
    assert!(matches!(failed("SELECT $1::uuid", &[ParameterValue::Uuid(text("x"))]), PgError::BadParameter(_)));
    assert!(matches!(failed("SELECT 'infinity'::date", &[]), PgError::ValueConversionFailed(_)));
    assert!(matches!(failed("COPY (SELECT 1) TO STDOUT", &[]), PgError::QueryFailed(QueryError::Text(_))));
    // Nobody knows what such a server sends next.
    assert!(matches!(failed("SELECT 1", &[]), PgError::ConnectionFailed(_)));
    assert!(matches!(Connection::open("postgres://me@127.0.0.2/x"), Err(PgError::ConnectionFailed(_))));
}
