use super::*;
use std::time::Duration;

use tombolo_capability::{HostMemory, MemoryBudget, Meter, conformance};
use tombolo_egress::{Egress, EgressConfig};
use tombolo_model::{Digest, Source};
use tombolo_store::key_value::Swap;
use wasmtime::component::ResourceTable;

use crate::view::Refusal;

fn kv() -> (tempfile::TempDir, Kv) {
    let folder = tempfile::tempdir().unwrap();
    let files = ["default", "sessions"]
        .map(|label| (label.to_owned(), KeyValueStore::File(folder.path().join(label))));
    (folder, Kv::new(files.into()))
}

fn view(kv: &Kv, labels: &[&str]) -> Result<View, GrantError> {
    let component = Component {
        key_value_stores: labels.iter().map(|label| (*label).to_owned()).collect(),
        ..Component::bare("api".parse().unwrap(), Source::Path("api.wasm".into()))
    };
    let granted = kv.grant(&"shop".parse().unwrap(), &component, &Egress::new(EgressConfig::none()))?;
    Ok(kv.open(&granted))
}

fn memory() -> HostMemory {
    MemoryBudget::new(1 << 20, Arc::new(Meter::new(Duration::MAX))).host().clone()
}

#[test]
fn it_provides_what_it_names() {
    let (_folder, kv) = kv();
    conformance::provides_what_it_names(&kv);
}

#[test]
fn a_label_nobody_defined_is_refused_when_the_app_is_prepared() {
    let (_folder, kv) = kv();
    let error = view(&kv, &["cache"]).err().unwrap();
    assert_eq!(
        error.to_string(),
        "component `api`: key_value_stores: there is no store `cache`, expected `default` or `sessions`"
    );
}

#[test]
fn a_store_opens_only_with_a_grant() {
    let (_folder, kv) = kv();
    let mut table = ResourceTable::new();
    let mut ungranted = view(&kv, &[]).unwrap();
    let memory = memory();
    let mut host = Host { view: &mut ungranted, table: &mut table, memory: &memory };
    assert!(matches!(host.open("default"), Err(Refusal::AccessDenied)));
    assert!(matches!(host.open("sessions"), Err(Refusal::AccessDenied)));
    assert!(matches!(host.open("other"), Err(Refusal::NoSuchStore)));
    let mut granted = view(&kv, &["default"]).unwrap();
    let mut host = Host { view: &mut granted, table: &mut table, memory: &memory };
    assert!(host.open("default").is_ok());
}

#[test]
fn open_stores_are_bounded_and_closing_makes_room() {
    let (_folder, kv) = kv();
    let mut table = ResourceTable::new();
    let mut view = view(&kv, &["default"]).unwrap();
    let memory = memory();
    let mut host = Host { view: &mut view, table: &mut table, memory: &memory };
    let mut open: Vec<_> = (0..256).map(|_| host.open("default").unwrap()).collect();
    assert!(matches!(host.open("default"), Err(Refusal::TableFull)));
    host.close(open.pop().unwrap()).unwrap();
    assert!(host.open("default").is_ok());
}

/// Eight at once count to 200 by compare-and-swap, and eight more by incrementing: none is lost.
/// The host keeps it for as long as the guest keeps what it is for.
#[tokio::test]
async fn a_key_to_swap_by_has_a_bound() {
    let (_folder, kv) = kv();
    let mut table = ResourceTable::new();
    let (mut view, memory) = (view(&kv, &["default"]).unwrap(), memory());
    let mut host = Host { view: &mut view, table: &mut table, memory: &memory };
    let bucket = host.open("default").unwrap();
    let mut made = async |bytes: usize| {
        let bucket = wasmtime::component::Resource::new_borrow(bucket.rep());
        wasi::atomics::HostCas::new(&mut host, bucket, "k".repeat(bytes)).await.unwrap().is_ok()
    };
    assert!(made(4096).await && !made(4097).await);
}

#[tokio::test]
async fn no_change_is_lost_in_redis() {
    let server = tombolo_testkit::servers::redis::Redis::start();
    let kv = Kv::new([("default".to_owned(), KeyValueStore::Redis(server.address()))].into());
    let (mut view, mut table, memory) = (view(&kv, &["default"]).unwrap(), ResourceTable::new(), memory());
    let mut host = Host { view: &mut view, table: &mut table, memory: &memory };
    let opened = host.open("default").unwrap();
    let store = host.store(&opened).unwrap();
    let workers = (0..8).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            for _ in 0..25 {
                store.increment("sum".to_owned(), 2).await.unwrap();
                loop {
                    let now = store.get("count").await.unwrap();
                    let next = now
                        .as_ref()
                        .map_or(1, |now| String::from_utf8_lossy(now).parse::<u32>().unwrap() + 1);
                    let seen = now.map(|now| Digest::of(&now));
                    match store.swap("count", seen, next.to_string().into_bytes()).await.unwrap() {
                        Swap::Done => break,
                        Swap::Changed => {}
                    }
                }
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    assert_eq!((server.cli(&["GET", "count"]), server.cli(&["GET", "sum"])), ("200".into(), "400".into()));
    // What is large is refused before it is read, and the next call has a connection that works.
    store.set("large".to_owned(), vec![b'x'; 600_000]).await.unwrap();
    server.cli(&["EVAL", "redis.call('APPEND', 'large', string.rep('x', 1000000))", "0"]);
    let refused = store.get("large").await;
    assert!(matches!(refused, Err(Refusal::Other(reason)) if reason.contains("too large")));
    assert!(store.exists("large").await.unwrap());
    let keys = store.page(None).await.unwrap();
    assert_eq!((keys.keys.len(), keys.next), (3, None));
}
