use super::*;
use std::time::Duration;

use tombolo_capability::{HostMemory, MemoryBudget, Meter, conformance};
use tombolo_egress::{Egress, EgressConfig};
use tombolo_model::Source;
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
