//! Against a real server.

use std::time::Duration;

use tombolo_capability::{HostMemory, MemoryBudget, Meter, conformance};
use tombolo_egress::EgressConfig;
use tombolo_model::Source;
use tombolo_model::outbound::AllowedHosts;
use tombolo_testkit::servers::postgres::{Database, Postgres as Server};
use wasmtime::component::ResourceTable;

use super::*;
use crate::refusal::Refusal;
use crate::value::{Bound, Interval, Kind, Row, Value};
use crate::view::OpenConnection;

/// One instance of a component that may connect to 127.0.0.1 and `localhost`, so often at once.
pub(crate) struct Instance {
    view: View,
    table: ResourceTable,
    pub(crate) memory: HostMemory,
}

impl Instance {
    pub(crate) fn new(connections_max: u32) -> Self {
        let grants = ["postgres://127.0.0.1:*", "postgres://localhost:*"];
        let allowed = Arc::new(AllowedHosts::parse(grants).unwrap());
        let egress = Egress::new(EgressConfig { connections_max, ..EgressConfig::to(allowed) });
        let component = Component::bare("api".parse().unwrap(), Source::Path("api.wasm".into()));
        let granted = Postgres.grant(&"shop".parse().unwrap(), &component, &egress).unwrap();
        let view = Capability::open(&Postgres, &granted);
        Self { view, table: ResourceTable::new(), memory: memory(64 << 20) }
    }

    fn host(&mut self) -> Host<'_> {
        let account = Account { meter: Arc::new(Meter::new(Duration::MAX)), memory: self.memory.clone() };
        Host { view: &mut self.view, table: &mut self.table, account }
    }

    pub(crate) async fn open(&mut self, address: &str) -> Result<OpenConnection, Refusal> {
        self.host().wish(address.to_owned()).open().await
    }

    pub(crate) async fn query(&self, connection: &OpenConnection, sql: &str) -> Result<Vec<Row>, Refusal> {
        self.query_with(connection, sql, vec![]).await
    }

    async fn query_with(
        &self,
        connection: &OpenConnection,
        sql: &str,
        parameters: Vec<Value>,
    ) -> Result<Vec<Row>, Refusal> {
        let answer = connection.0.query(&self.memory, sql.to_owned(), parameters).await;
        answer.map(|(_, rows, _)| rows)
    }

    pub(crate) async fn execute(&self, connection: &OpenConnection, sql: &str) -> Result<u64, Refusal> {
        connection.0.execute(&self.memory, sql.to_owned(), vec![]).await
    }

    /// Waits until what was let go was cleaned and waits, then takes its connection.
    async fn again(&mut self, address: &str, pid: &Value) -> OpenConnection {
        loop {
            // Until then its slot may be the last.
            if let Ok(connection) = self.open(address).await {
                assert_eq!(self.pid(&connection).await, *pid);
                return connection;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn pid(&self, connection: &OpenConnection) -> Value {
        self.query(connection, "SELECT pg_backend_pid()").await.unwrap()[0][0].clone()
    }
}

pub(crate) fn memory(bytes_max: u64) -> HostMemory {
    MemoryBudget::new(bytes_max, Arc::new(Meter::new(Duration::MAX))).host().clone()
}

fn database() -> (Database, String) {
    let database = Server::plain().database();
    let url = database.url("");
    (database, url)
}

fn text(text: &str) -> Value {
    Value::Str(text.to_owned())
}

#[test]
fn it_provides_what_it_names() {
    conformance::provides_what_it_names(&Postgres);
}

/// Each value as a parameter, in a column of its type, and back.
#[tokio::test]
async fn values_of_every_kind_go_there_and_back() {
    let (_database, url) = database();
    let mut instance = Instance::new(2);
    let connection = instance.open(&url).await.unwrap();
    let range = |lower: i32, upper| (Some((lower, Bound::Inclusive)), Some((upper, Bound::Exclusive)));
    let some = |text: &str| Some(text.to_owned());
    let decimal = "12345678901234567890123456789012345678901234567890.000123";
    let moment = (2026, 11, 24, 23, 59, 58, 123_456_000);
    let same = [
        ("bool", Value::Boolean(true), Kind::Boolean),
        ("int2", Value::Int16(-7), Kind::Int16),
        ("int4", Value::Int32(i32::MIN), Kind::Int32),
        ("int8", Value::Int64(i64::MAX), Kind::Int64),
        ("float4", Value::Floating32(1.5), Kind::Floating32),
        ("float8", Value::Floating64(-0.1), Kind::Floating64),
        ("text", text("häßlich"), Kind::Str),
        ("varchar(9)", text("x"), Kind::Str),
        ("bytea", Value::Binary(vec![0, 255]), Kind::Binary),
        ("date", Value::Date((1815, 12, 10)), Kind::Date),
        ("time", Value::Time((1, 2, 3, 456_000)), Kind::Time),
        ("timestamp", Value::Datetime(moment), Kind::Datetime),
        ("uuid", Value::Uuid("6ba7b810-9dad-11d1-80b4-00c04fd430c8".to_owned()), Kind::Uuid),
        ("jsonb", Value::Jsonb(br#"{"a": [1, null]}"#.to_vec()), Kind::Jsonb),
        ("numeric", Value::Decimal(decimal.to_owned()), Kind::Decimal),
        ("int4range", Value::RangeInt32(range(1, 9)), Kind::RangeInt32),
        ("int8range", Value::RangeInt64((Some((1, Bound::Inclusive)), None)), Kind::RangeInt64),
        (
            "numrange",
            Value::RangeDecimal((None, Some(("1.50".to_owned(), Bound::Inclusive)))),
            Kind::RangeDecimal,
        ),
        ("int4range", Value::RangeInt32(range(0, 0)), Kind::RangeInt32),
        ("int4[]", Value::ArrayInt32(vec![Some(1), None]), Kind::ArrayInt32),
        ("int8[]", Value::ArrayInt64(vec![]), Kind::ArrayInt64),
        ("numeric[]", Value::ArrayDecimal(vec![some("1.1"), None, some("-2")]), Kind::ArrayDecimal),
        ("text[]", Value::ArrayStr(vec![some(""), None, some("NULL")]), Kind::ArrayStr),
        ("varchar[]", Value::ArrayStr(vec![some("a,b")]), Kind::ArrayStr),
        ("interval", Value::Interval(Interval { micros: -5, days: 3, months: -14 }), Kind::Interval),
    ];
    for (name, value, kind) in same {
        let sql = format!("SELECT $1::{name} AS v, NULL::{name}");
        let answer = connection.0.query(&instance.memory, sql, vec![value.clone()]).await;
        let (columns, rows, _) = answer.unwrap();
        assert_eq!(rows, [[value.clone(), Value::Null]], "{name}");
        assert_eq!((columns[0].name.as_str(), &columns[0].kind), ("v", &kind));
        let null = instance.query_with(&connection, &format!("SELECT $1::{name}"), vec![Value::Null]).await;
        assert_eq!(null.unwrap(), [[Value::Null]]);
    }
    let seconds = Value::Timestamp(1_000_000_000);
    let found = instance.query_with(&connection, "SELECT $1::timestamptz", vec![seconds]).await.unwrap();
    assert_eq!(found, [[Value::Datetime((2001, 9, 9, 1, 46, 40, 0))]]);
    let found = instance.query(&connection, "SELECT '(,5]'::int4range, '10.0.0.1'::inet").await.unwrap();
    assert_eq!(found[0][0], Value::RangeInt32((None, Some((6, Bound::Exclusive)))));
    assert_eq!(found[0][1], Value::Unsupported(vec![2, 32, 0, 4, 10, 0, 0, 1]));
}

#[tokio::test]
async fn what_cannot_be_a_parameter_or_a_value_is_refused_and_the_connection_goes_on() {
    let (_database, url) = database();
    let mut instance = Instance::new(2);
    let connection = instance.open(&url).await.unwrap();
    let bad = [
        ("SELECT $1::int8", Value::Int32(1), "$1 is int32, the statement expects int8"),
        ("SELECT $1::date", Value::Date((2026, 2, 30)), "$1 is no valid date"),
        ("SELECT $1::uuid", Value::Uuid("x".to_owned()), "$1 is no valid uuid"),
        ("SELECT $1::numeric", Value::Decimal("1e5".to_owned()), "$1 is no valid decimal"),
        ("SELECT $1::int4", Value::Unsigned, "$1 is an unsigned integer"),
        ("SELECT 1", Value::Null, "1 parameters are given, the statement expects 0"),
    ];
    for (sql, value, reason) in bad {
        let refused = instance.query_with(&connection, sql, vec![value]).await.unwrap_err();
        assert!(matches!(&refused, Refusal::Parameter(said) if said.contains(reason)), "{refused:?}");
    }
    for sql in ["SELECT 'infinity'::date AS d FROM generate_series(1, 9)", "SELECT '{{1},{2}}'::int4[] AS d"]
    {
        let refused = instance.query(&connection, sql).await.unwrap_err();
        assert!(matches!(&refused, Refusal::Conversion(said) if said.contains("column `d`")), "{refused:?}");
    }
    let Err(Refusal::Query(failure)) = instance.query(&connection, "SELECT 1 / 0").await else { panic!() };
    let said = failure.said.unwrap();
    assert_eq!((said.severity.as_str(), said.code.as_str()), ("ERROR", "22012"));
    assert!(said.extras.iter().any(|(name, value)| name == "routine" && !value.is_empty()));
    let copy = "COPY (SELECT 1) TO STDOUT";
    assert!(matches!(instance.execute(&connection, copy).await, Err(Refusal::Query(_))));
    assert!(matches!(instance.execute(&connection, "SELECT 1").await, Err(Refusal::Connection(_))));
}

/// Types that a database makes itself are looked up by the client, which keeps what it found.
#[tokio::test]
async fn a_databases_own_types_are_named_and_their_connections_not_kept() {
    let (_database, url) = database();
    let mut instance = Instance::new(1);
    let connection = instance.open(&url).await.unwrap();
    instance.execute(&connection, "CREATE TYPE mood AS ENUM ('glad', 'sad')").await.unwrap();
    instance.execute(&connection, "CREATE DOMAIN grade AS int4 CHECK (VALUE < 7)").await.unwrap();
    let pid = instance.pid(&connection).await;
    drop(connection);
    let connection = instance.again(&url, &pid).await;
    let parameters = vec![text("sad"), Value::Int32(3)];
    let sql = "SELECT $1::mood AS m, $2::grade AS g".to_owned();
    let (columns, rows, _) = connection.0.query(&instance.memory, sql, parameters).await.unwrap();
    assert_eq!(columns[0].kind, Kind::Other("mood".to_owned()));
    assert_eq!(rows, [[Value::Unsupported(b"sad".to_vec()), Value::Int32(3)]]);
    drop(connection);
    for _ in 0..3 {
        let connection = loop {
            // Closed, not kept: its slot is free soon.
            match instance.open(&url).await {
                Ok(connection) => break connection,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        assert_ne!(instance.pid(&connection).await, pid);
        let found = instance.query(&connection, "SELECT 'glad'::mood").await.unwrap();
        assert_eq!(found, [[Value::Unsupported(b"glad".to_vec())]]);
    }
}

#[tokio::test]
async fn nothing_of_a_guest_is_left_on_its_connection() {
    let (_database, url) = database();
    let mut instance = Instance::new(1);
    let connection = instance.open(&url).await.unwrap();
    let pid = instance.pid(&connection).await;
    instance.execute(&connection, "CREATE TABLE kept (x int4)").await.unwrap();
    for sql in [
        "SET application_name = 'secret'",
        "CREATE TEMPORARY TABLE mine AS SELECT 1 AS x",
        "PREPARE mine AS SELECT 1",
        "SELECT pg_advisory_lock(1)",
        "LISTEN mine",
        "BEGIN",
        "INSERT INTO kept VALUES (1)",
    ] {
        instance.execute(&connection, sql).await.unwrap();
    }
    drop(connection);
    let connection = instance.again(&url, &pid).await;
    let found = instance
        .query(
            &connection,
            "SELECT current_setting('application_name'), to_regclass('mine')::text,
                (SELECT count(*) FROM pg_prepared_statements WHERE from_sql),
                (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'),
                (SELECT count(*) FROM pg_listening_channels()), (SELECT count(*) FROM kept)",
        )
        .await
        .unwrap();
    let zero = Value::Int64(0);
    assert_eq!(found, [[text(""), Value::Null, zero.clone(), zero.clone(), zero.clone(), zero]]);
    // Another password is another connection, though the server would not ask for it again.
    drop(connection);
    let other = url.replace("p%40ss", "other");
    while !instance.open(&other).await.err().unwrap().to_string().contains("password authentication failed") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_call_that_is_left_ends_its_statement_and_closes_its_connection() {
    let (database, url) = database();
    let mut instance = Instance::new(1);
    let connection = instance.open(&url).await.unwrap();
    let sleeps = instance.query(&connection, "SELECT pg_sleep(600)");
    assert!(tokio::time::timeout(Duration::from_millis(200), sleeps).await.is_err());
    let refused = instance.query(&connection, "SELECT 1").await.unwrap_err();
    assert!(matches!(&refused, Refusal::Connection(said) if said.contains("left before its end")));
    let running =
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)' AND state = 'active'";
    while database.run(&format!("{running} AND datname = '{}'", database.name)) != "0" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(connection);
    // The slot is free again.
    while instance.open(&url).await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_result_larger_than_the_memory_is_refused_before_it_is_held() {
    let (_database, url) = database();
    let mut instance = Instance::new(2);
    instance.memory = memory(4 << 20);
    for sql in ["SELECT repeat('x', 1000) FROM generate_series(1, 1000000)", "SELECT repeat('x', 200000000)"]
    {
        let connection = instance.open(&url).await.unwrap();
        let refused = instance.query(&connection, sql).await.unwrap_err();
        assert!(matches!(&refused, Refusal::Query(it) if it.text.contains("too large")), "{refused:?}");
        let closed = instance.query(&connection, "SELECT 1").await.unwrap_err();
        assert!(matches!(&closed, Refusal::Connection(said) if said.contains("too large")), "{closed:?}");
    }
    // Nothing is held any more, and rows that only count are dropped as they come.
    let connection = instance.open(&url).await.unwrap();
    let counted =
        instance.execute(&connection, "SELECT repeat('x', 1000) FROM generate_series(1, 20000)").await;
    assert_eq!(counted, Ok(20_000));
    let statement = "SELECT ".to_owned() + &" ".repeat(3 << 20);
    let refused = instance.query(&connection, &statement).await.unwrap_err();
    assert!(refused.to_string().contains("the statement is too large"), "{refused}");
}

async fn rest(rows: &mut rows::Rows) -> (usize, Result<(), Refusal>) {
    let mut count = 0;
    while let Some(part) = rows.recv().await {
        count += part.items.len();
        if let Some(end) = part.end {
            return (count, end);
        }
    }
    panic!("they have an end");
}

#[tokio::test]
async fn rows_come_as_they_are_read_and_do_not_keep_the_connection_from_another_statement() {
    let (_database, url) = database();
    let mut instance = Instance::new(1);
    instance.memory = memory(8 << 20);
    let connection = instance.open(&url).await.unwrap();
    let stream = async |sql: &str| {
        let started = connection.0.stream(&instance.memory, sql.to_owned(), vec![]).await;
        started.map(|(_, rows)| rows)
    };
    // Far more than the memory has room for, read one part after the other.
    let mut rows = stream("SELECT repeat('x', 1000) FROM generate_series(1, 50000)").await.unwrap();
    assert_eq!(rest(&mut rows).await, (50_000, Ok(())));
    // The next statement has the rest read into memory; both go on.
    let mut rows = stream("SELECT x FROM generate_series(1, 10000) AS x").await.unwrap();
    let mut other = stream("SELECT 1 WHERE false").await.unwrap();
    assert_eq!(instance.query(&connection, "SELECT 1").await.unwrap(), [[Value::Int32(1)]]);
    assert_eq!(rest(&mut rows).await, (10_000, Ok(())));
    assert_eq!(rest(&mut other).await, (0, Ok(())));
    // Rows that nobody wants are dropped, and the transaction is not.
    instance.execute(&connection, "BEGIN").await.unwrap();
    drop(stream("SELECT x FROM generate_series(1, 100000) AS x").await.unwrap());
    assert_eq!(instance.query(&connection, "SELECT 1").await.unwrap(), [[Value::Int32(1)]]);
    instance.execute(&connection, "COMMIT").await.unwrap();
    // What fails at once fails at the call; what fails between rows, at their end.
    assert!(matches!(stream("SELECT 1 / 0").await, Err(Refusal::Query(_))));
    let mut rows = stream("SELECT 1 / (900 - x) FROM generate_series(1, 1000) AS x").await.unwrap();
    let (count, end) = rest(&mut rows).await;
    assert!(count < 900 && matches!(end, Err(Refusal::Query(_))), "{count} {end:?}");
    // A reader that goes away with its connection leaves neither.
    drop(stream("SELECT repeat('x', 9000), pg_sleep(0.01) FROM generate_series(1, 9999)").await.unwrap());
    drop(connection);
    while instance.open(&url).await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn encryption_is_as_the_address_says() {
    let (plain, encrypted) = (Server::plain().database(), Server::encrypted().database());
    let mut instance = Instance::new(4);
    let refused = instance.open(&plain.url("sslmode=require")).await.err().unwrap();
    assert!(refused.to_string().contains("does not encrypt"), "{refused}");
    instance.open(&plain.url("sslmode=prefer")).await.unwrap();
    instance.open(&encrypted.url("sslmode=disable")).await.unwrap();
    // Nobody trusts its issuer, until its guest says so.
    for mode in ["sslmode=prefer", "sslmode=require"] {
        let refused = instance.open(&encrypted.url(mode)).await.err().unwrap();
        assert!(refused.to_string().contains("TLS handshake failed"), "{refused}");
    }
    for host in ["127.0.0.1", "localhost"] {
        let mut host_ = instance.host();
        let builder = host_.build(encrypted.pairs(host) + " sslmode=require").unwrap();
        let bad = host_.trust(&builder, "no certificate".to_owned()).unwrap().unwrap_err();
        assert!(matches!(&bad, Refusal::Other(said) if said.contains("invalid root certificate")));
        host_.trust(&builder, Server::encrypted().root().to_owned()).unwrap().unwrap();
        let connection = host_.wish_of(&builder).unwrap().unwrap().open().await.unwrap();
        let ssl = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        assert_eq!(instance.query(&connection, ssl).await.unwrap(), [[Value::Boolean(true)]]);
        let sleeps = instance.query(&connection, "SELECT pg_sleep(600)");
        assert!(tokio::time::timeout(Duration::from_millis(100), sleeps).await.is_err());
        while encrypted.run_over(
            "sslmode=require",
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%600)'
            AND state = 'active' AND pid <> pg_backend_pid()",
        ) != "0"
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    // That somebody else trusts it helps nobody.
    assert!(instance.open(&(encrypted.pairs("localhost") + " sslmode=require")).await.is_err());
}

#[tokio::test]
async fn addresses_lead_where_they_were_granted_and_to_the_first_server_that_answers() {
    let (database, url) = database();
    let mut instance = Instance::new(1);
    let refused = instance.open("postgres://me@127.0.0.2/x").await.err().unwrap();
    assert!(
        matches!(&refused, Refusal::Connection(said)
        if said.contains("postgres://127.0.0.2:5432 is not permitted")),
        "{refused:?}"
    );
    let refused = instance.open("postgres://me@127.0.0.1:1/x").await.err().unwrap();
    assert!(matches!(&refused, Refusal::Connection(said) if said.contains("cannot connect")), "{refused:?}");
    let two = database.pairs("127.0.0.1,localhost").replace("port=", "port=1,");
    let connection = instance.open(&two).await.unwrap();
    let busy = instance.open(&url).await.err().unwrap();
    assert!(busy.to_string().contains("as many connections as it may"), "{busy}");
    drop(connection);
    let read_only = database.url("target_session_attrs=read-only");
    loop {
        let refused = instance.open(&read_only).await.err().unwrap().to_string();
        if refused.contains("target_session_attrs") {
            break;
        }
        assert!(refused.contains("as many connections as it may"), "{refused}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
