//! Against a real server.

use std::time::Duration;

use tombolo_capability::{HostMemory, MemoryBudget, Meter, conformance};
use tombolo_egress::EgressConfig;
use tombolo_model::Source;
use tombolo_model::outbound::AllowedHosts;
use tombolo_testkit::servers::mysql::{Database, MySql as Server};
use wasmtime::component::ResourceTable;

use super::*;
use crate::refusal::Refusal;
use crate::value::{Kind, Row, Value};
use crate::view::OpenConnection;

/// One instance of a component that may connect to 127.0.0.1, so often at once.
struct Instance {
    view: View,
    table: ResourceTable,
    memory: HostMemory,
}

impl Instance {
    fn new(connections_max: u32) -> Self {
        let allowed = Arc::new(AllowedHosts::parse(["mysql://127.0.0.1:*"]).unwrap());
        let egress = Egress::new(EgressConfig { connections_max, ..EgressConfig::to(allowed) });
        let component = Component::bare("api".parse().unwrap(), Source::Path("api.wasm".into()));
        let granted = Mysql.grant(&"shop".parse().unwrap(), &component, &egress).unwrap();
        let view = Capability::open(&Mysql, &granted);
        Self { view, table: ResourceTable::new(), memory: memory(64 << 20) }
    }

    async fn open(&mut self, address: &str) -> Result<OpenConnection, Refusal> {
        let account = Account { meter: Arc::new(Meter::new(Duration::MAX)), memory: self.memory.clone() };
        let host = Host { view: &mut self.view, table: &mut self.table, account };
        host.wish(address.to_owned()).open().await
    }

    async fn query(&self, connection: &OpenConnection, sql: &str) -> Result<Vec<Row>, Refusal> {
        let answer = connection.0.query(&self.memory, sql.to_owned(), vec![]).await;
        answer.map(|(_, read)| read.rows)
    }

    async fn execute(&self, connection: &OpenConnection, sql: &str) -> Result<(), Refusal> {
        connection.0.execute(&self.memory, sql.to_owned(), vec![]).await
    }

    /// Waits until there is a slot again.
    async fn again(&mut self, address: &str) -> OpenConnection {
        loop {
            match self.open(address).await {
                Ok(connection) => return connection,
                Err(refusal) => assert!(refusal.to_string().contains("as many connections"), "{refusal}"),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn id(&self, connection: &OpenConnection) -> Value {
        self.query(connection, "SELECT connection_id()").await.unwrap()[0][0].clone()
    }
}

fn memory(bytes_max: u64) -> HostMemory {
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
    conformance::provides_what_it_names(&Mysql);
}

/// Each value as a parameter, in a column of its type, and back.
#[tokio::test]
async fn values_of_every_kind_go_there_and_back() {
    let (_database, url) = database();
    let mut instance = Instance::new(1);
    let connection = instance.open(&url).await.unwrap();
    let same = [
        ("TINYINT", Value::Int8(-7), Kind::Int8),
        ("SMALLINT", Value::Int16(i16::MIN), Kind::Int16),
        ("MEDIUMINT", Value::Int32(-8_000_000), Kind::Int32),
        ("INT", Value::Int32(i32::MIN), Kind::Int32),
        ("BIGINT", Value::Int64(i64::MIN), Kind::Int64),
        ("TINYINT UNSIGNED", Value::Uint8(255), Kind::Uint8),
        ("SMALLINT UNSIGNED", Value::Uint16(u16::MAX), Kind::Uint16),
        ("INT UNSIGNED", Value::Uint32(u32::MAX), Kind::Uint32),
        ("BIGINT UNSIGNED", Value::Uint64(u64::MAX), Kind::Uint64),
        ("FLOAT", Value::Floating32(1.5), Kind::Floating32),
        ("DOUBLE", Value::Floating64(-0.1), Kind::Floating64),
        ("VARCHAR(20) CHARACTER SET utf8mb4", text("häßlich 🎲"), Kind::Str),
        ("TEXT CHARACTER SET utf8mb4", text("x"), Kind::Str),
        ("VARBINARY(9)", Value::Binary(vec![0, 255]), Kind::Binary),
        ("BLOB", Value::Binary(vec![1]), Kind::Binary),
    ];
    for (name, value, kind) in same {
        instance.execute(&connection, &format!("CREATE OR REPLACE TABLE t (v {name})")).await.unwrap();
        let insert = "INSERT INTO t VALUES (?), (NULL)".to_owned();
        connection.0.execute(&instance.memory, insert, vec![value.clone()]).await.unwrap();
        let select = "SELECT v FROM t ORDER BY v IS NULL".to_owned();
        let (columns, read) = connection.0.query(&instance.memory, select, vec![]).await.unwrap();
        assert_eq!(read.rows, [[value], [Value::Null]], "{name}");
        assert_eq!((columns[0].name.as_str(), columns[0].kind), ("v", kind));
    }
    let sql = "SELECT ?, now(), 1.5".to_owned();
    let (columns, read) =
        connection.0.query(&instance.memory, sql, vec![Value::Boolean(true)]).await.unwrap();
    assert!(matches!(read.rows[0][0], Value::Int32(1) | Value::Int64(1)), "{:?}", read.rows);
    assert_eq!(read.rows[0][1..], [Value::Unsupported, Value::Unsupported]);
    assert_eq!(columns[1].kind, Kind::Other);
}

#[tokio::test]
async fn what_is_refused_leaves_the_connection_ready() {
    let (_database, url) = database();
    let mut instance = Instance::new(1);
    let connection = instance.open(&url).await.unwrap();
    let id = instance.id(&connection).await;
    assert!(
        matches!(instance.query(&connection, "SELEC").await, Err(Refusal::Query(said)) if said.contains("SELEC"))
    );
    assert!(matches!(instance.query(&connection, "SELECT ?").await, Err(Refusal::Parameter(_))));
    let statement = "SELECT CAST(x'ff' AS CHAR CHARACTER SET latin1), x'ff', _utf8mb4 'a'";
    instance.query(&connection, statement).await.unwrap();
    instance.execute(&connection, "CREATE TABLE t (x INT UNIQUE)").await.unwrap();
    let twice = instance.execute(&connection, "INSERT INTO t VALUES (1), (1)").await;
    assert!(matches!(twice, Err(Refusal::Query(said)) if said.contains("Duplicate entry")));
    // What a procedure selects first is the result, and the rest is read.
    instance.execute(&connection, "CREATE PROCEDURE two() BEGIN SELECT 1; SELECT 2, 3; END").await.unwrap();
    assert_eq!(instance.query(&connection, "CALL two()").await.unwrap().len(), 1);
    assert_eq!(instance.id(&connection).await, id);
    // The host's own files are no data of a guest's.
    let load = "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t";
    assert!(instance.execute(&connection, load).await.is_err());
}

#[tokio::test]
async fn nothing_of_a_guest_is_left_on_its_connection() {
    let (database, url) = database();
    let mut instance = Instance::new(1);
    let connection = instance.open(&url).await.unwrap();
    let id = instance.id(&connection).await;
    for sql in [
        "CREATE TABLE kept (x INT)",
        "SET @mine = 1",
        "SET SESSION sql_mode = ''",
        "CREATE TEMPORARY TABLE mine (x INT)",
        "SELECT get_lock('mine', 1)",
        "USE mysql",
        "BEGIN",
    ] {
        instance.execute(&connection, sql).await.unwrap();
    }
    instance.execute(&connection, &format!("INSERT INTO {}.kept VALUES (1)", database.name)).await.unwrap();
    drop(connection);
    let connection = instance.again(&url).await;
    assert_eq!(instance.id(&connection).await, id);
    let found = "SELECT @mine IS NULL, @@sql_mode <> '', is_free_lock('mine'), (SELECT count(*) FROM kept), database()";
    let found = instance.query(&connection, found).await.unwrap();
    let numbers: Vec<String> = found[0][..4].iter().map(|value| format!("{value:?}")).collect();
    assert!(
        numbers.iter().zip(["(1)", "(1)", "(1)", "(0)"]).all(|(is, want)| is.ends_with(want)),
        "{numbers:?}"
    );
    assert_eq!(found[0][4], text(&database.name));
    assert!(instance.query(&connection, "SELECT * FROM mine").await.is_err());
    assert_eq!(instance.query(&connection, "SELECT '🎲'").await.unwrap(), [[text("🎲")]]);
    // A connection that the server ended while it waited is not given to anybody.
    drop(connection);
    let connection = instance.again(&url).await;
    let Value::Int64(id) =
        instance.query(&connection, "SELECT CAST(connection_id() AS SIGNED)").await.unwrap()[0][0]
    else {
        panic!("a number")
    };
    drop(connection);
    let connection = instance.again(&url).await;
    drop(connection);
    database.run(&format!("KILL {id}"));
    let connection = instance.again(&url).await;
    assert_eq!(instance.query(&connection, "SELECT 'x'").await.unwrap(), [[text("x")]]);
    // Another password is another connection.
    drop(connection);
    let other = url.replace("p%40ss", "other");
    while !instance.open(&other).await.err().unwrap().to_string().contains("Access denied") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_call_that_is_left_ends_its_statement_and_closes_its_connection() {
    let (database, url) = database();
    let mut instance = Instance::new(1);
    let connection = instance.open(&url).await.unwrap();
    let sleeps = instance.query(&connection, "SELECT sleep(600)");
    assert!(tokio::time::timeout(Duration::from_millis(200), sleeps).await.is_err());
    let refused = instance.query(&connection, "SELECT 1").await.unwrap_err();
    assert!(matches!(&refused, Refusal::Connection(said) if said.contains("left before its end")));
    let running = format!(
        "SELECT count(*) FROM information_schema.processlist WHERE info LIKE '%sleep(600)' AND db = '{}'",
        database.name
    );
    while database.run(&format!("{running} AND id <> connection_id()")) != "0" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(connection);
    instance.again(&url).await;
}

#[tokio::test]
async fn a_result_larger_than_the_memory_is_refused() {
    let (_database, url) = database();
    let mut instance = Instance::new(2);
    instance.memory = memory(4 << 20);
    for sql in ["SELECT repeat('x', 1000) FROM seq_1_to_1000000", "SELECT repeat('x', 15000000)"] {
        let connection = instance.open(&url).await.unwrap();
        let refused = instance.query(&connection, sql).await.unwrap_err();
        assert!(matches!(&refused, Refusal::Query(said) if said.contains("too large")), "{refused:?}");
        let closed = instance.query(&connection, "SELECT 1").await.unwrap_err();
        assert!(matches!(&closed, Refusal::Connection(said) if said.contains("too large")), "{closed:?}");
        drop(connection);
    }
    let connection = instance.again(&url).await;
    instance.execute(&connection, "SELECT repeat('x', 1000) FROM seq_1_to_20000").await.unwrap();
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
    let mut rows = stream("SELECT repeat('x', 1000) FROM seq_1_to_30000").await.unwrap();
    assert_eq!(rest(&mut rows).await, (30_000, Ok(())));
    // The next statement has the rest read into memory; both go on.
    let mut rows = stream("SELECT seq FROM seq_1_to_10000").await.unwrap();
    let mut other = stream("SELECT 1 FROM seq_1_to_2 WHERE false").await.unwrap();
    assert_eq!(instance.query(&connection, "SELECT 'x'").await.unwrap(), [[text("x")]]);
    assert_eq!(rest(&mut rows).await, (10_000, Ok(())));
    assert_eq!(rest(&mut other).await, (0, Ok(())));
    // Rows that nobody wants are dropped, and the connection is not.
    let id = instance.id(&connection).await;
    drop(stream("SELECT seq FROM seq_1_to_100000").await.unwrap());
    assert_eq!(instance.id(&connection).await, id);
    // What fails at once fails at the call; what changes something has no rows.
    assert!(matches!(stream("SELEC").await, Err(Refusal::Query(_))));
    assert_eq!(rest(&mut stream("SET @x = 1").await.unwrap()).await, (0, Ok(())));
    // A reader that goes away with its connection leaves neither.
    drop(stream("SELECT repeat('x', 9000), sleep(0.01) FROM seq_1_to_9999").await.unwrap());
    drop(connection);
    instance.again(&url).await;
}

#[tokio::test]
async fn addresses_lead_where_they_were_granted() {
    let (_database, url) = database();
    let mut instance = Instance::new(1);
    let refused = instance.open("mysql://me@127.0.0.2/x").await.err().unwrap();
    assert!(
        matches!(&refused, Refusal::Connection(said)
        if said.contains("mysql://127.0.0.2:3306 is not permitted")),
        "{refused:?}"
    );
    assert!(matches!(instance.open("mysql://me@127.0.0.1:1/x").await, Err(Refusal::Connection(_))));
    let refused = instance.open(&(url.clone() + "ssl-mode=REQUIRED")).await.err().unwrap();
    assert!(matches!(&refused, Refusal::Connection(_)), "{refused:?}");
    // Nobody trusts its issuer.
    let encrypted = Server::encrypted().database();
    let refused = instance.open(&encrypted.url("ssl-mode=REQUIRED")).await.err().unwrap();
    assert!(matches!(&refused, Refusal::Connection(said) if said.contains("certificate")), "{refused:?}");
    drop(instance.open(&encrypted.url("")).await.unwrap());
    let connection = instance.open(&url).await.unwrap();
    let busy = instance.open(&url).await.err().unwrap();
    assert!(busy.to_string().contains("as many connections as it may"), "{busy}");
    drop(connection);
}
