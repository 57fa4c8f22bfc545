//! The embedded key-value store against SQLite and a local Redis server: reads, and writes that are on disk.
//!
//! `cargo bench --package tombolo-cap-kv --bench stores` prints one row for each store and kind of write. 64 tasks
//! (as many requests of guests) call in a closed loop; the row "one" is one task alone. Runs alternate; figures
//! are medians of the rounds. Keys are 10,000 of 16 bytes, values of 100.
//!
//! SQLite is used as Spin's key-value store uses it: one connection in WAL mode, one statement a write, kept
//! prepared; reads have a connection for each thread, which is more than Spin gives them. Redis gets one
//! connection a task. All share both cores with their callers.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tombolo_model::AppName;
use tombolo_store::{KeyValue, Namespace};
use tombolo_testkit::servers::redis::Redis;

const TASKS: usize = 64;
const KEYS: u64 = 10_000;
/// Bytes of a value.
const BYTES: usize = 100;
const ROUNDS: usize = 5;
const RUN: Duration = Duration::from_secs(2);

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What is measured. Each store is opened once, and keeps what was written.
#[derive(Clone)]
enum Store {
    Ours(KeyValue, Namespace),
    Sqlite { writer: Arc<Mutex<Connection>>, path: Arc<Path> },
    Redis(u16),
}

#[derive(Clone, Copy)]
enum Work {
    Get,
    Set,
}

struct Row {
    name: &'static str,
    store: Store,
    work: Work,
    tasks: usize,
    per_s: Vec<f64>,
}

#[expect(clippy::print_stdout, reason = "the table is what a benchmark is for")]
fn main() -> Result<(), Failure> {
    let tokio = tokio::runtime::Runtime::new()?;
    // Beside the sources, not in memory: what is measured is the disk.
    let folder = tempfile::tempdir_in(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target"))?;
    let app: AppName = "bench".parse()?;
    let ours = KeyValue::open(&folder.path().join("ours.redb"))?;
    let namespace = ours.namespace(&app, "default");
    let ours = Store::Ours(ours, namespace);
    let full = sqlite(&folder.path().join("full.db"), "FULL")?;
    let normal = sqlite(&folder.path().join("normal.db"), "NORMAL")?;
    let everysec = Redis::start_with(&["appendonly yes", "appendfsync everysec"]);
    let always = Redis::start_with(&["appendonly yes", "appendfsync always"]);

    let redis = |server: &Redis| Store::Redis(server.port());
    let row =
        |name, store: &Store, work, tasks| Row { name, store: store.clone(), work, tasks, per_s: vec![] };
    let mut rows = vec![
        row("get: tombolo", &ours, Work::Get, TASKS),
        row("get: SQLite", &full, Work::Get, TASKS),
        row("get: Redis", &redis(&everysec), Work::Get, TASKS),
        row("durable set: tombolo", &ours, Work::Set, TASKS),
        row("durable set: tombolo, one", &ours, Work::Set, 1),
        row("durable set: SQLite, FULL", &full, Work::Set, TASKS),
        row("durable set: SQLite, FULL, one", &full, Work::Set, 1),
        row("durable set: Redis, always", &redis(&always), Work::Set, TASKS),
        row("durable set: Redis, always, one", &redis(&always), Work::Set, 1),
        row("set: SQLite, NORMAL", &normal, Work::Set, TASKS),
        row("set: Redis, everysec", &redis(&everysec), Work::Set, TASKS),
    ];
    for store in [&ours, &full, &normal, &redis(&everysec), &redis(&always)] {
        tokio.block_on(fill(store))?;
    }
    for round in 0..ROUNDS {
        let count = rows.len();
        for turn in 0..count {
            // Each round begins with another row.
            let row = &mut rows[(turn + round) % count];
            let per_s = tokio.block_on(measure(&row.store, row.work, row.tasks))?;
            row.per_s.push(per_s);
        }
    }

    let against = |row: &Row, other: &Row| median(row.per_s.iter().zip(&other.per_s).map(|(a, b)| a / b));
    println!("| store | tasks | per s | x tombolo | x tombolo, one |");
    println!("|---|---|---|---|---|");
    for row in &rows {
        let (same, one) = match row.work {
            Work::Get => (against(row, &rows[0]), String::new()),
            Work::Set => (against(row, &rows[3]), format!("{:.2}", against(row, &rows[4]))),
        };
        let per_s = median(row.per_s.iter().copied());
        println!("| {} | {} | {per_s:.0} | {same:.3} | {one} |", row.name, row.tasks);
    }
    Ok(())
}

fn sqlite(path: &Path, synchronous: &str) -> Result<Store, Failure> {
    let connection = Connection::open(path)?;
    connection.execute_batch(&format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous};
         CREATE TABLE kv (store TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (store, key));"
    ))?;
    Ok(Store::Sqlite { writer: Arc::new(Mutex::new(connection)), path: path.into() })
}

fn key(number: u64) -> String {
    format!("key-{number:012}")
}

/// Another key each time, in no order.
fn next(state: &mut u64) -> String {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    key((*state >> 33) % KEYS)
}

/// Another value each time: SQLite writes nothing where nothing changes.
fn value(number: u64) -> [u8; BYTES] {
    let mut value = [7; BYTES];
    value[..8].copy_from_slice(&number.to_le_bytes());
    value
}

async fn fill(store: &Store) -> Result<(), Failure> {
    match store {
        Store::Ours(store, space) => {
            let entries = (0..KEYS).map(|number| (key(number), value(number).to_vec())).collect();
            Ok(store.set_many(space, entries).await?)
        }
        Store::Sqlite { writer, .. } => {
            let mut connection = writer.lock().map_err(|_| "a writer panicked")?;
            let transaction = connection.transaction()?;
            for number in 0..KEYS {
                transaction
                    .execute("INSERT INTO kv VALUES ('default', ?1, ?2)", (key(number), value(number)))?;
            }
            Ok(transaction.commit()?)
        }
        Store::Redis(port) => {
            let mut redis = Client::connect(*port).await?;
            for number in 0..KEYS {
                redis.set(&key(number), &value(number)).await?;
            }
            Ok(())
        }
    }
}

/// Calls that were answered, for each second.
async fn measure(store: &Store, work: Work, tasks: usize) -> Result<f64, Failure> {
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut all = JoinSet::new();
    let begun = Instant::now();
    for task in 0..tasks {
        let (store, stop, done) = (store.clone(), Arc::clone(&stop), Arc::clone(&done));
        let seed = task as u64 + 1;
        match store {
            // It waits for its lock and its disk on a thread, as it would in a host.
            Store::Sqlite { writer, path } => {
                all.spawn_blocking(move || sqlite_loop(&writer, &path, work, seed, &stop, &done));
            }
            Store::Ours(store, space) => {
                all.spawn(async move { ours_loop(&store, &space, work, seed, &stop, &done).await });
            }
            Store::Redis(port) => {
                all.spawn(async move { redis_loop(port, work, seed, &stop, &done).await });
            }
        }
    }
    tokio::time::sleep(RUN).await;
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = all.join_next().await {
        ended??;
    }
    Ok(done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64())
}

async fn ours_loop(
    store: &KeyValue,
    space: &Namespace,
    work: Work,
    mut seed: u64,
    stop: &AtomicBool,
    done: &AtomicU64,
) -> Result<(), Failure> {
    while !stop.load(Ordering::Relaxed) {
        let key = next(&mut seed);
        match work {
            Work::Get => {
                store.get(space, &key)?.ok_or("a key is lost")?;
                // Reads wait for nothing, and would keep the thread.
                tokio::task::consume_budget().await;
            }
            Work::Set => store.set(space, key, value(seed).to_vec()).await?,
        }
        done.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

fn sqlite_loop(
    writer: &Mutex<Connection>,
    path: &Path,
    work: Work,
    mut seed: u64,
    stop: &AtomicBool,
    done: &AtomicU64,
) -> Result<(), Failure> {
    let reader = Connection::open(path)?;
    while !stop.load(Ordering::Relaxed) {
        let key = next(&mut seed);
        match work {
            Work::Get => {
                let mut get = reader.prepare_cached("SELECT value FROM kv WHERE store = ?1 AND key = ?2")?;
                let value: Vec<u8> = get.query_row(("default", &key), |row| row.get(0))?;
                assert_eq!(value.len(), BYTES, "the value that was set");
            }
            Work::Set => {
                let writer = writer.lock().map_err(|_| "a writer panicked")?;
                let sql =
                    "INSERT INTO kv VALUES (?1, ?2, ?3) ON CONFLICT (store, key) DO UPDATE SET value = ?3";
                writer.prepare_cached(sql)?.execute(("default", &key, value(seed)))?;
            }
        }
        done.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

async fn redis_loop(
    port: u16,
    work: Work,
    mut seed: u64,
    stop: &AtomicBool,
    done: &AtomicU64,
) -> Result<(), Failure> {
    let mut redis = Client::connect(port).await?;
    while !stop.load(Ordering::Relaxed) {
        let key = next(&mut seed);
        match work {
            Work::Get => redis.get(&key).await?,
            Work::Set => redis.set(&key, &value(seed)).await?,
        }
        done.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// The least that can speak to Redis: nothing of a client's own cost is measured with it.
struct Client(BufReader<TcpStream>);

impl Client {
    async fn connect(port: u16) -> Result<Self, Failure> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    async fn get(&mut self, key: &str) -> Result<(), Failure> {
        let command = format!("*2\r\n$3\r\nGET\r\n${}\r\n{key}\r\n", key.len());
        self.0.write_all(command.as_bytes()).await?;
        let mut answer = [0; 6 + BYTES + 2];
        self.0.read_exact(&mut answer).await?;
        if answer.starts_with(b"$100\r\n") { Ok(()) } else { Err("another answer than a value".into()) }
    }

    async fn set(&mut self, key: &str, value: &[u8; BYTES]) -> Result<(), Failure> {
        let mut command = format!("*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n$100\r\n", key.len()).into_bytes();
        command.extend_from_slice(value);
        command.extend_from_slice(b"\r\n");
        self.0.write_all(&command).await?;
        let mut answer = [0; 5];
        self.0.read_exact(&mut answer).await?;
        if answer == *b"+OK\r\n" { Ok(()) } else { Err("another answer than OK".into()) }
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
