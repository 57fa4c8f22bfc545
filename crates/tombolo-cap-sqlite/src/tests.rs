use std::time::{Duration, Instant};

use futures::executor::block_on;
use proptest::prelude::*;
use tombolo_capability::{HostMemory, MemoryBudget, Meter, conformance};
use tombolo_egress::{Egress, EgressConfig};
use tombolo_model::Source;
use wasmtime::component::ResourceTable;

use super::*;
use crate::refusal::Refusal;
use crate::statement::{Answer, Delivery, Part};
use crate::value::{Row, Value};
use crate::view::OpenConnection;

fn sqlite() -> (tempfile::TempDir, Sqlite) {
    let folder = tempfile::tempdir().unwrap();
    let files = BTreeMap::from([("users".to_owned(), folder.path().join("data/users.sqlite"))]);
    let sqlite = Sqlite::new(folder.path().join("sqlite"), files);
    (folder, sqlite)
}

fn view(sqlite: &Sqlite, labels: &[&str]) -> Result<View, GrantError> {
    let component = Component {
        sqlite_databases: labels.iter().map(|label| (*label).to_owned()).collect(),
        ..Component::bare("api".parse().unwrap(), Source::Path("api.wasm".into()))
    };
    let granted = sqlite.grant(&"shop".parse().unwrap(), &component, &Egress::new(EgressConfig::none()))?;
    Ok(Capability::open(sqlite, &granted))
}

fn account(cpu_time_max: Duration, memory_bytes_max: u64) -> Account {
    let meter = Arc::new(Meter::new(cpu_time_max));
    let memory: HostMemory = MemoryBudget::new(memory_bytes_max, Arc::clone(&meter)).host().clone();
    Account { meter, memory }
}

fn plenty() -> Account {
    account(Duration::MAX, 64 << 20)
}

/// An instance and its resources.
struct Instance {
    view: View,
    table: ResourceTable,
}

impl Instance {
    fn new(sqlite: &Sqlite) -> Self {
        Self { view: view(sqlite, &["default"]).unwrap(), table: ResourceTable::new() }
    }

    fn host(&mut self) -> Host<'_> {
        Host { view: &mut self.view, table: &mut self.table, account: plenty() }
    }

    fn connection(&mut self) -> OpenConnection {
        let mut host = self.host();
        let resource = host.open("default").unwrap();
        host.connection(&resource).unwrap()
    }
}

fn run(connection: &OpenConnection, sql: &str) -> Result<Vec<Row>, Refusal> {
    execute(connection, plenty(), sql, vec![])
}

fn execute(
    connection: &OpenConnection,
    account: Account,
    sql: &str,
    parameters: Vec<Value>,
) -> Result<Vec<Row>, Refusal> {
    let answer = block_on(connection.execute(account, sql.to_owned(), parameters, Delivery::Whole));
    answer.map(|(answer, _)| answer.first.items)
}

const NUMBERS: &str = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)";

#[test]
fn it_provides_what_it_names() {
    let (_folder, sqlite) = sqlite();
    conformance::provides_what_it_names(&sqlite);
}

#[test]
fn a_label_nobody_defined_is_refused_when_the_app_is_prepared() {
    let (_folder, sqlite) = sqlite();
    let error = view(&sqlite, &["cache"]).err().unwrap();
    assert_eq!(
        error.to_string(),
        "component `api`: sqlite_databases: there is no database `cache`, expected `default` or `users`"
    );
}

#[test]
fn a_file_that_is_no_database_is_refused_when_the_app_is_prepared() {
    let (folder, sqlite) = sqlite();
    let file = folder.path().join("sqlite/shop/default.db");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "not a database, but long enough to be taken for one".repeat(100)).unwrap();
    let error = view(&sqlite, &["default"]).err().unwrap().to_string();
    assert!(error.contains("cannot open the database `") && error.contains("not a database"), "{error}");
}

#[test]
fn what_is_executed_at_start_is_there_and_forgotten() {
    let (_folder, sqlite) = sqlite();
    let sqlite = sqlite.at_start(vec!["CREATE TABLE t (x); INSERT INTO t VALUES (1), (2);".into()]);
    let connection = Instance::new(&sqlite).connection();
    let seen = run(&connection, "SELECT count(*), last_insert_rowid(), changes() FROM t");
    assert_eq!(seen.unwrap(), [[2, 0, 0].map(Value::Integer)]);

    let (_folder, sqlite) = self::sqlite();
    let error =
        view(&sqlite.at_start(vec!["SELECT 1; SELEC 2".into()]), &["default"]).err().unwrap().to_string();
    assert!(error.contains("statements of `--sqlite`") && error.contains("near \"SELEC\""), "{error}");
}

#[test]
fn a_database_opens_only_with_a_grant() {
    let (_folder, sqlite) = sqlite();
    let mut table = ResourceTable::new();
    let mut ungranted = view(&sqlite, &[]).unwrap();
    let mut host = Host { view: &mut ungranted, table: &mut table, account: plenty() };
    assert_eq!(host.open("default").err(), Some(Refusal::AccessDenied));
    assert_eq!(host.open("users").err(), Some(Refusal::AccessDenied));
    assert_eq!(host.open("other").err(), Some(Refusal::NoSuchDatabase));
    assert!(Instance::new(&sqlite).host().open("default").is_ok());
}

#[test]
fn a_label_with_a_file_of_its_own_is_there() {
    let (folder, sqlite) = sqlite();
    view(&sqlite, &["users"]).unwrap();
    assert!(folder.path().join("data/users.sqlite").exists() && !folder.path().join("sqlite").exists());
}

#[test]
fn open_connections_are_bounded_and_closing_makes_room() {
    let (_folder, sqlite) = sqlite();
    let mut instance = Instance::new(&sqlite);
    let mut host = instance.host();
    let mut open: Vec<_> = (0..256).map(|_| host.open("default").unwrap()).collect();
    assert!(matches!(host.open("default"), Err(Refusal::Io(reason)) if reason.contains("256")));
    host.close(open.pop().unwrap()).unwrap();
    assert!(host.open("default").is_ok());
}

#[test]
fn connections_in_use_are_bounded_for_an_instance() {
    let (_folder, sqlite) = sqlite();
    let mut instance = Instance::new(&sqlite);
    let used: Vec<_> = (0..8).map(|_| instance.connection()).collect();
    for connection in &used {
        run(connection, "SELECT 1").unwrap();
    }
    let one_more = instance.connection();
    assert!(matches!(run(&one_more, "SELECT 1"), Err(Refusal::Io(reason)) if reason.contains("at most 8")));
    // Instances do not wait for each other below their own bound.
    run(&Instance::new(&sqlite).connection(), "SELECT 1").unwrap();
}

/// Whoever waits for a place gets it once another instance is gone.
#[test]
fn instances_in_excess_wait() {
    let (_folder, sqlite) = sqlite();
    let mut instances: Vec<_> = (0..32).map(|_| Instance::new(&sqlite)).collect();
    for instance in &mut instances {
        run(&instance.connection(), "SELECT 1").unwrap();
    }
    let mut late = Instance::new(&sqlite);
    let connection = late.connection();
    let waiting = std::thread::spawn(move || run(&connection, "SELECT 1"));
    std::thread::sleep(Duration::from_millis(50));
    assert!(!waiting.is_finished());
    instances.pop();
    waiting.join().unwrap().unwrap();
}

/// A transaction, a temporary table and a setting end with the connection of whoever left them.
#[test]
fn what_one_instance_leaves_the_next_does_not_find() {
    let (_folder, sqlite) = sqlite();
    for leave in ["BEGIN", "CREATE TEMP TABLE mine (x)", "PRAGMA foreign_keys = OFF"] {
        {
            let connection = Instance::new(&sqlite).connection();
            run(&connection, "CREATE TABLE IF NOT EXISTS t (x)").unwrap();
            run(&connection, leave).unwrap();
            run(&connection, "INSERT INTO t VALUES (1)").unwrap();
        }
        let mut instance = Instance::new(&sqlite);
        // Several, so that the one that was left is among them.
        for connection in [instance.connection(), instance.connection(), instance.connection()] {
            run(&connection, "BEGIN IMMEDIATE").unwrap();
            let seen = run(
                &connection,
                "SELECT last_insert_rowid(), changes(), (SELECT count(*) FROM temp.sqlite_schema),
                (SELECT foreign_keys FROM pragma_foreign_keys)",
            );
            let expected = [0, 0, 0, 1].map(Value::Integer).to_vec();
            assert_eq!(seen.unwrap(), [expected], "after {leave}");
            run(&connection, "ROLLBACK").unwrap();
        }
    }
}

#[test]
fn a_result_is_bounded_by_the_memory_of_its_instance() {
    let (_folder, sqlite) = sqlite();
    let connection = Instance::new(&sqlite).connection();
    let account = account(Duration::MAX, 1 << 20);
    let huge = format!("{NUMBERS} SELECT x FROM n");
    let refused = execute(&connection, account.clone(), &huge, vec![]).unwrap_err();
    assert!(refused.to_string().contains("more than 1 MiB"), "{refused}");
    // Nothing of it is held any more.
    assert!(account.memory.take(1 << 20).is_ok());
}

#[test]
fn a_statement_ends_with_the_time_of_its_guest() {
    let (_folder, sqlite) = sqlite();
    let connection = Instance::new(&sqlite).connection();
    let endless = format!("{NUMBERS} SELECT count(*) FROM n");
    let account = account(Duration::from_millis(100), 1 << 20);
    let refused = execute(&connection, account.clone(), &endless, vec![]).unwrap_err();
    assert!(refused.to_string().contains("interrupted"), "{refused}");
    assert!(account.meter.usage().cpu >= Duration::from_millis(100));
    assert_eq!(run(&connection, "SELECT 1").unwrap(), [[Value::Integer(1)]], "another guest's time is whole");
}

#[test]
fn a_statement_ends_when_nobody_waits_for_it() {
    let (_folder, sqlite) = sqlite();
    let connection = Instance::new(&sqlite).connection();
    let endless = format!("{NUMBERS} SELECT count(*) FROM n");
    let mut call = Box::pin(connection.execute(plenty(), endless, vec![], Delivery::Whole));
    let waker = futures::task::noop_waker();
    for _ in 0..10 {
        assert!(call.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending());
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(call);
    let began = Instant::now();
    run(&connection, "SELECT 1").unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "it took {:?}", began.elapsed());
}

fn streamed(connection: &OpenConnection, account: Account, sql: &str) -> (Answer, view::StopWhenDropped) {
    block_on(connection.execute(account, sql.to_owned(), vec![], Delivery::Streamed)).unwrap()
}

fn rest(answer: Answer) -> (usize, Result<(), Refusal>) {
    let Answer { first, rest, .. } = answer;
    let mut count = first.items.len();
    let mut end = first.end;
    if let Some(mut rest) = rest {
        while let Some(Part { items: rows, end: ended, .. }) = rest.blocking_recv() {
            count += rows.len();
            end = ended;
        }
    }
    (count, end.expect("a stream says how it ended"))
}

#[test]
fn rows_come_as_they_are_read() {
    let (_folder, sqlite) = sqlite();
    let connection = Instance::new(&sqlite).connection();
    // 30 MB of rows, with 1 MiB of memory.
    let sql = format!("{NUMBERS} SELECT printf('%0300d', x) FROM n LIMIT 100000");
    let (answer, _stop) = streamed(&connection, account(Duration::MAX, 1 << 20), &sql);
    assert_eq!(rest(answer), (100_000, Ok(())));
}

/// The rest of a stream is fetched when its connection is wanted for something else, if there is memory for it.
#[test]
fn a_statement_in_the_midst_of_a_stream_waits_for_no_reader() {
    let (_folder, sqlite) = sqlite();
    let connection = Instance::new(&sqlite).connection();
    let sql = format!("{NUMBERS} SELECT x FROM n LIMIT 10000");
    let (answer, _stop) = streamed(&connection, plenty(), &sql);
    assert_eq!(run(&connection, "SELECT 1").unwrap(), [[Value::Integer(1)]]);
    assert_eq!(rest(answer), (10_000, Ok(())));

    let (answer, _stop) = streamed(&connection, account(Duration::MAX, 100_000), &sql);
    assert_eq!(run(&connection, "SELECT 1").unwrap(), [[Value::Integer(1)]]);
    let (count, end) = rest(answer);
    assert!(count < 10_000 && end.unwrap_err().to_string().contains("too large"), "{count}");
}

#[test]
fn a_stream_that_is_not_read_ends_with_its_reader() {
    let (_folder, sqlite) = sqlite();
    let connection = Instance::new(&sqlite).connection();
    let (answer, stop) = streamed(&connection, plenty(), &format!("{NUMBERS} SELECT x FROM n"));
    drop((answer, stop));
    run(&connection, "SELECT 1").unwrap();
}

#[test]
fn what_a_connection_changed_is_told() {
    let (_folder, sqlite) = sqlite();
    let connection = Instance::new(&sqlite).connection();
    run(&connection, "CREATE TABLE t (id INTEGER PRIMARY KEY)").unwrap();
    run(&connection, "INSERT INTO t VALUES (7), (9)").unwrap();
    assert_eq!((connection.changes().last_insert_rowid(), connection.changes().rows()), (9, 2));
    run(&connection, "SELECT 1").unwrap();
    assert_eq!((connection.changes().last_insert_rowid(), connection.changes().rows()), (9, 2));
}

#[test]
fn a_full_database_says_so() {
    let (_folder, sqlite) = sqlite();
    let connection = Instance::new(&sqlite).connection();
    run(&connection, "PRAGMA max_page_count = 4").unwrap();
    run(&connection, "CREATE TABLE t (x)").unwrap();
    assert_eq!(run(&connection, "INSERT INTO t VALUES (zeroblob(100000))"), Err(Refusal::DatabaseFull));
}

/// What an operator said counts for more than what a guest sets, and for the log of changes as well.
#[test]
fn a_bounded_database_grows_no_further_whatever_a_guest_does() {
    let (_folder, sqlite) = sqlite();
    let sqlite = sqlite.bounded(Arc::new(AtomicU64::new(1 << 20)));
    let mut instance = Instance::new(&sqlite);
    let connection = instance.connection();
    run(&connection, "CREATE TABLE t (x)").unwrap();
    run(&connection, "PRAGMA max_page_count = 100000").unwrap();
    assert_eq!(run(&connection, "INSERT INTO t VALUES (zeroblob(2000000))"), Err(Refusal::DatabaseFull));
    run(&connection, "INSERT INTO t VALUES (zeroblob(100000))").unwrap();
    // Who reads an old state keeps the log from shrinking.
    let mut second = Instance::new(&sqlite);
    let reader = second.connection();
    run(&reader, "BEGIN").unwrap();
    run(&reader, "SELECT count(*) FROM t").unwrap();
    let refused = (0..100).find_map(|_| run(&connection, "UPDATE t SET x = randomblob(100000)").err());
    assert!(refused.is_some(), "the log grows without an end");
    run(&reader, "COMMIT").unwrap();
    run(&connection, "UPDATE t SET x = randomblob(100000)").unwrap();
    run(&connection, "DELETE FROM t").unwrap();
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::Integer),
        // SQLite keeps no NaN: it is NULL.
        any::<f64>().prop_filter("a number", |number| !number.is_nan()).prop_map(Value::Real),
        any::<String>().prop_map(Value::Text),
        any::<Vec<u8>>().prop_map(Value::Blob),
        Just(Value::Null),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_value_comes_back_as_it_was_given(values in proptest::collection::vec(any_value(), 1..5)) {
        let (_folder, sqlite) = sqlite();
        let connection = Instance::new(&sqlite).connection();
        let columns: Vec<String> = (0..values.len()).map(|number| format!("c{number}")).collect();
        let places = vec!["?"; values.len()].join(", ");
        run(&connection, &format!("CREATE TABLE t ({})", columns.join(", "))).unwrap();
        execute(&connection, plenty(), &format!("INSERT INTO t VALUES ({places})"), values.clone()).unwrap();
        prop_assert_eq!(run(&connection, "SELECT * FROM t").unwrap(), [values]);
    }
}
