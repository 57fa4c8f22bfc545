use std::time::Duration;

use tokio_rustls::rustls::RootCertStore;
use tombolo_capability::{MemoryBudget, Meter, conformance};
use tombolo_egress::{EgressConfig, tls};
use tombolo_model::Source;
use tombolo_model::outbound::{AllowedHosts, Destination};
use tombolo_redis::Reply;
use tombolo_testkit::servers::redis::Redis as Server;
use wasmtime::component::ResourceTable;

use super::*;
use crate::refusal::Refusal;
use crate::view::OpenConnection;

/// An instance and its resources.
struct Instance {
    view: View,
    table: ResourceTable,
    memory_bytes_max: u64,
}

impl Instance {
    fn of(config: EgressConfig) -> Self {
        Self::over(&Egress::new(config))
    }

    fn over(egress: &Arc<Egress>) -> Self {
        let component = Component::bare("api".parse().unwrap(), Source::Path("api.wasm".into()));
        let granted = Redis.grant(&"shop".parse().unwrap(), &component, egress).unwrap();
        Self {
            view: Capability::open(&Redis, &granted),
            table: ResourceTable::new(),
            memory_bytes_max: 1 << 20,
        }
    }

    fn new(connections_max: u32) -> Self {
        let allowed = Arc::new(AllowedHosts::parse(["redis://127.0.0.1:*"]).unwrap());
        Self::of(EgressConfig { connections_max, ..EgressConfig::to(allowed) })
    }

    fn account(&self) -> Account {
        let meter = Arc::new(Meter::new(Duration::MAX));
        let memory = MemoryBudget::new(self.memory_bytes_max, Arc::clone(&meter)).host().clone();
        Account { meter, memory }
    }

    async fn open(&mut self, address: &str) -> Result<OpenConnection, Refusal> {
        let account = self.account();
        let host = Host { view: &mut self.view, table: &mut self.table, account };
        host.opening(address)?.open().await
    }
}

fn other(refused: Result<impl std::fmt::Debug, Refusal>) -> String {
    match refused {
        Err(Refusal::Other(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

fn arguments(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

#[test]
fn it_provides_what_it_names() {
    conformance::provides_what_it_names(&Redis);
}

#[tokio::test]
async fn what_is_set_on_a_connection_is_its_handles_alone() {
    let server = Server::start();
    let mut instance = Instance::new(8);
    let (first, second) =
        (instance.open(&server.address()).await.unwrap(), instance.open(&server.address()).await.unwrap());
    let account = instance.account();
    let run = async |on: &OpenConnection, name: &str, rest: &[&str]| {
        on.execute(account.clone(), name.to_owned(), arguments(rest)).await.map(|(parts, _)| parts)
    };
    assert_eq!(run(&first, "SELECT", &["1"]).await.unwrap(), [Reply::Status("OK".into())]);
    first.set(account.clone(), "key".into(), b"in 1".to_vec()).await.unwrap();
    assert_eq!(second.get(account.clone(), "key".into()).await.unwrap(), None);
    assert_eq!(server.cli(&["-n", "1", "GET", "key"]), "in 1");
    // A transaction of one is none of the other's.
    run(&first, "MULTI", &[]).await.unwrap();
    assert!(other(first.get(account.clone(), "key".into()).await).contains("QUEUED"));
    second.set(account.clone(), "key".into(), b"in 0".to_vec()).await.unwrap();
    assert_eq!(run(&first, "EXEC", &[]).await.unwrap(), [Reply::Bytes(b"in 1".to_vec())]);
    drop(first);
    let third = instance.open(&server.address()).await.unwrap();
    assert_eq!(third.get(account.clone(), "key".into()).await.unwrap().unwrap(), b"in 0");
    for refused in ["SUBSCRIBE", "MONITOR", "HELLO"] {
        assert!(other(run(&third, refused, &["x"]).await).contains("not possible"));
    }
    assert_eq!(third.get(account, "key".into()).await.unwrap().unwrap(), b"in 0");
}

#[tokio::test]
async fn an_answer_that_is_too_large_or_not_waited_for_costs_its_connection_alone() {
    let server = Server::start();
    let mut instance = Instance::new(1);
    let connection = instance.open(&server.address()).await.unwrap();
    let account = instance.account();
    let large = vec![b'x'; 700_000];
    connection.set(account.clone(), "large".into(), large.clone()).await.unwrap();
    let get = async |account| connection.get(account, "large".into()).await;
    assert_eq!(get(account.clone()).await.unwrap().unwrap(), large);
    server.cli(&["APPEND", "large", &"x".repeat(100_000)]);
    server.cli(&["EVAL", "redis.call('APPEND', 'large', string.rep('x', 1000000))", "0"]);
    assert!(other(get(account.clone()).await).contains("too large"), "it has more than 1 MiB");
    // Many small parts count as well.
    let many = arguments(&["local t = {} for i = 1, 100000 do t[i] = i end return t", "0"]);
    let refused = connection.execute(account.clone(), "EVAL".into(), many).await;
    assert!(other(refused.map(|(parts, _)| parts)).contains("too large"));
    // The one connection there may be was replaced each time.
    server.cli(&["SET", "large", "small"]);
    assert_eq!(get(account.clone()).await.unwrap().unwrap(), b"small");
    let slow = connection.execute(account.clone(), "BLPOP".into(), arguments(&["none", "0"]));
    assert!(tokio::time::timeout(Duration::from_millis(50), slow).await.is_err());
    assert!(other(get(account).await).contains("lost"));
}

/// A component has its connections for all it speaks: one that waits for a command is in nobody's way.
#[tokio::test]
async fn a_connection_that_waits_gives_its_slot_to_whoever_needs_one() {
    let server = Server::start();
    let allowed = Arc::new(AllowedHosts::parse(["redis://127.0.0.1:*", "tcp://127.0.0.1:*"]).unwrap());
    let egress = Egress::new(EgressConfig { connections_max: 1, ..EgressConfig::to(allowed) });
    let mut instance = Instance::over(&egress);
    let connection = instance.open(&server.address()).await.unwrap();
    let account = instance.account();
    connection.set(account.clone(), "key".into(), b"value".to_vec()).await.unwrap();
    let to = Destination { scheme: "tcp", host: "127.0.0.1", port: server.port() };
    let other = egress.connect(&to).await.unwrap();
    let busy = connection.get(account.clone(), "key".into()).await;
    assert_eq!(busy, Err(Refusal::TooManyConnections));
    drop(other);
    assert_eq!(connection.get(account, "key".into()).await.unwrap().unwrap(), b"value");
}

#[tokio::test]
async fn who_finds_no_connection_waits_for_one_that_comes_back() {
    let server = Server::start();
    let mut instance = Instance::new(2);
    let connection = instance.open(&server.address()).await.unwrap();
    let account = instance.account();
    let counts = (0..100).map(|_| {
        let (connection, account) = (connection.clone(), account.clone());
        tokio::spawn(async move { connection.incr(account, "count".into()).await.unwrap() })
    });
    for count in counts.collect::<Vec<_>>() {
        count.await.unwrap();
    }
    assert_eq!(server.cli(&["GET", "count"]), "100");
    // Connections that are kept do not come back, so nobody waits for them.
    let mut kept = Vec::new();
    for _ in 0..2 {
        let connection = instance.open(&server.address()).await.unwrap();
        connection.execute(account.clone(), "CLIENT".into(), arguments(&["GETNAME"])).await.unwrap();
        kept.push(connection);
    }
    let busy = connection.get(account.clone(), "count".into()).await;
    assert_eq!(busy, Err(Refusal::TooManyConnections));
    kept.pop();
    assert_eq!(connection.get(account, "count".into()).await.unwrap().unwrap(), b"100");
}

#[tokio::test]
async fn a_connection_that_the_server_closed_is_made_anew() {
    let mut server = Server::start();
    let mut instance = Instance::new(4);
    let connection = instance.open(&server.address()).await.unwrap();
    let account = instance.account();
    connection.set(account.clone(), "a".into(), b"1".to_vec()).await.unwrap();
    server.restart();
    assert_eq!(connection.get(account.clone(), "a".into()).await, Ok(None));
    server.stop();
    assert!(other(connection.get(account, "a".into()).await).starts_with("cannot connect"));
    assert!(other(instance.open(&server.address()).await.map(drop)).starts_with("cannot connect"));
}

#[tokio::test]
async fn an_address_that_is_none_or_was_not_granted_is_invalid() {
    let server = Server::start_with(&["requirepass right"]);
    let mut instance = Instance::new(4);
    let port = server.port();
    for address in [
        "127.0.0.1".to_owned(),
        format!("redis://127.0.0.2:{port}"),
        format!("redis://db.invalid:{port}"),
        format!("rediss://127.0.0.1:{port}"),
    ] {
        assert_eq!(instance.open(&address).await.err(), Some(Refusal::InvalidAddress), "{address}");
    }
    instance.open(&format!("redis://:right@127.0.0.1:{port}/2")).await.unwrap();
    let wrong = instance.open(&format!("redis://:wrong@127.0.0.1:{port}")).await;
    assert!(other(wrong.map(drop)).starts_with("WRONGPASS"));
    let database = instance.open(&format!("redis://default:right@127.0.0.1:{port}/99")).await;
    assert!(other(database.map(drop)).contains("DB index"));
    let none = instance.open(&server.address()).await.unwrap();
    assert!(other(none.get(instance.account(), "a".into()).await).starts_with("NOAUTH"));
}

#[tokio::test]
async fn an_encrypted_connection_trusts_whom_it_should() {
    let folder = tempfile::tempdir().unwrap();
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, own.cert.pem()).unwrap();
    std::fs::write(&key, own.signing_key.serialize_pem()).unwrap();
    let lines = [
        "port 0".to_owned(),
        "tls-port {port}".to_owned(),
        format!("tls-cert-file {}", certificate.display()),
        format!("tls-key-file {}", key.display()),
        "tls-auth-clients no".to_owned(),
    ];
    let server = Server::start_with(&lines.each_ref().map(String::as_str));
    let allowed = Arc::new(AllowedHosts::parse(["rediss://localhost:*"]).unwrap());
    let mut roots = RootCertStore::empty();
    roots.add(own.cert.der().clone()).unwrap();
    let config = EgressConfig { tls: tls::config(roots), ..EgressConfig::to(Arc::clone(&allowed)) };
    let mut instance = Instance::of(config);
    let address = format!("rediss://localhost:{}", server.port());
    let connection = instance.open(&address).await.unwrap();
    for count in 1..4 {
        assert_eq!(connection.incr(instance.account(), "count".into()).await, Ok(count));
    }
    let refused = Instance::of(EgressConfig::to(allowed)).open(&address).await;
    assert!(other(refused.map(drop)).contains("TLS"));
}
