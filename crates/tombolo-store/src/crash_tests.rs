//! What a disk that fails costs: at every step in turn, and in every way that it can.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use tombolo_model::release::ReleaseFile;
use tombolo_model::{AppKey, Digest, Release, TenantName};

use crate::disk::Disk;
use crate::error::StoreError;
use crate::faulty::{FAULTS, Fault, FaultyDisk};
use crate::records::{Activation, ReleaseRecord};
use crate::registry::Activated;
use crate::{Blobs, KeyValue, Registry};

/// More than any of these takes: who gets there is in a circle.
const STEPS_MAX: usize = 2000;

/// What a node keeps releases with.
struct Store {
    registry: Registry,
    blobs: Blobs,
}

impl Store {
    fn open(disk: &Arc<dyn Disk>, folder: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            registry: Registry::open_on(Arc::clone(disk), &folder.join("registry.redb"))?,
            blobs: Blobs::open_on(Arc::clone(disk), &folder.join("releases"))?,
        })
    }

    /// The same steps as a node takes: files, then the release, then the activation.
    fn deploy(&self, number: usize) -> Result<(), StoreError> {
        let (release, files) = release(number);
        let (app, tenant) = (app(), TenantName::default_tenant());
        for bytes in &files {
            let digest = Digest::of(bytes);
            let mut incoming = self.blobs.incoming()?;
            let (one, other) = bytes.split_at(bytes.len() / 2);
            incoming.write(one)?;
            incoming.write(other)?;
            incoming.keep(&digest)?;
            self.registry.sent(&tenant, &digest, bytes.len() as u64)?;
        }
        let document = self.blobs.put(&release.document())?;
        self.blobs.tree(&release)?;
        let record = ReleaseRecord {
            number: 0,
            created: 1,
            by: "ada".to_owned(),
            version: None,
            blobs: std::iter::once(document).chain(files.iter().map(|bytes| Digest::of(bytes))).collect(),
            bytes: 0,
            folders: release.folders() + 1,
            capabilities: BTreeSet::new(),
        };
        self.registry.add_release(&app, &document, record)?;
        self.registry.retain_releases(&app, 2)?;
        let generation = self.registry.app(&app)?.map_or(0, |app| app.generation);
        let activation = Activation { release: document, split: None };
        match self.registry.activate(&app, generation, &activation)? {
            Activated::Done(_) => Ok(()),
            other => panic!("{other:?}"),
        }
    }

    /// Which release is active, if any; everything that it needs is there and right.
    fn active(&self) -> Option<usize> {
        let active = self.registry.app(&app()).unwrap()?.active?.release;
        let record = self.registry.release(&app(), &active).unwrap().expect("what is active is kept");
        for blob in &record.blobs {
            self.blobs.verify(blob).unwrap();
        }
        let document = self.blobs.read(&active).unwrap().unwrap();
        let read = Release::parse(&document).unwrap();
        let tree = self.blobs.tree(&read).unwrap();
        for (path, file) in &read.files {
            assert_eq!(Digest::of(&fs::read(tree.join(path.as_str())).unwrap()), file.digest, "{path}");
        }
        [1, 2].into_iter().find(|number| release(*number).0 == read)
    }

    /// Removes what no release needs.
    fn sweep(&self) -> Result<(u64, u64), StoreError> {
        let holdings = self.registry.holdings()?;
        let is_needed = |blob: &Digest| holdings.values().any(|holding| holding.needed.contains(blob));
        let is_release = |tree: &Digest| holdings.values().any(|holding| holding.releases.contains(tree));
        self.blobs.sweep(is_needed, is_release)
    }
}

fn app() -> AppKey {
    "default/shop".parse().unwrap()
}

/// Two releases that share a file, with folders in folders.
fn release(number: usize) -> (Release, Vec<Vec<u8>>) {
    let files = vec![format!("code of release {number}").into_bytes(), b"the same in both".to_vec()];
    let file = |bytes: &[u8]| ReleaseFile { digest: Digest::of(bytes), bytes: bytes.len() as u64 };
    let named = [("web.wasm", &files[0]), ("assets/css/a.css", &files[1]), ("assets/b.txt", &files[1])];
    let release = Release {
        manifest: format!("release {number}"),
        profile: None,
        files: named.into_iter().map(|(path, bytes)| (path.parse().unwrap(), file(bytes))).collect(),
    };
    (release, files)
}

/// A disk without a fault, which need not wait for the system's, and its folder.
fn base() -> (tempfile::TempDir, FaultyDisk, Arc<dyn Disk>) {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::empty(&folder.path().join("base"));
    let shared = Arc::new(disk.clone());
    (folder, disk, shared)
}

/// Does `work` on a disk that holds what `base` does and fails at each step in turn, until a whole run is through, and
/// has what is left looked at.
fn at_every_step(
    base: &FaultyDisk,
    work: impl Fn(&Arc<dyn Disk>, &Path) -> bool,
    look: impl Fn(&Arc<dyn Disk>, &Path, bool, &str),
) {
    for fault in FAULTS {
        let mut is_through = false;
        for step in 0..STEPS_MAX {
            let folder = tempfile::tempdir().unwrap();
            let (live, left) = (folder.path().join("live"), folder.path().join("left"));
            let disk = base.failing(&live, fault, step);
            let shared: Arc<dyn Disk> = Arc::new(disk.clone());
            let is_acknowledged = work(&shared, &live);
            drop(shared);
            let good: Arc<dyn Disk> = Arc::new(disk.left(&left));
            look(&good, &left, is_acknowledged, &format!("{fault:?} at step {step}"));
            if !disk.has_failed() {
                assert!(step > 20, "{fault:?}: {step} steps are too few for it");
                is_through = true;
                break;
            }
        }
        assert!(is_through, "{fault:?}: it takes more than {STEPS_MAX} steps");
    }
}

/// A crash, or an error of the disk, at any step leaves the old release or the new one, and the new one if that was
/// said; everything that it needs is there, also after a sweep; and the same can be done again.
#[test]
fn a_disk_that_fails_at_any_step_leaves_one_of_two_releases() {
    let (folder, base, disk) = base();
    let store = Store::open(&disk, &folder.path().join("base")).unwrap();
    store.deploy(1).unwrap();
    // For a sweep: a file, and the tree of a release that is in no registry.
    let stray = store.blobs.put(b"stray").unwrap();
    store.blobs.put(&release(3).1[0]).unwrap();
    store.blobs.tree(&release(3).0).unwrap();
    drop(store);
    let work = |disk: &Arc<dyn Disk>, folder: &Path| {
        let Ok(store) = Store::open(disk, folder) else { return false };
        let is_acknowledged = store.deploy(2).is_ok();
        let _ = store.sweep();
        is_acknowledged
    };
    at_every_step(&base, work, |disk, left, is_acknowledged, when| {
        let store = Store::open(disk, left).unwrap_or_else(|error| panic!("{when}: {error}"));
        let active = store.active();
        let expected = if is_acknowledged { &[2][..] } else { &[1, 2] };
        assert!(active.is_some_and(|active| expected.contains(&active)), "{when}: {active:?}");
        store.sweep().unwrap_or_else(|error| panic!("{when}: {error}"));
        assert!(!store.blobs.has(&stray), "{when}: a sweep sweeps");
        assert_eq!(store.active(), active, "{when}: after a sweep");
        store.deploy(2).unwrap_or_else(|error| panic!("{when}: again: {error}"));
        assert_eq!(store.active(), Some(2), "{when}: again");
    });
}

/// The same from an empty folder: what was half made at a first start is no reason not to start.
#[test]
fn a_first_start_that_fails_at_any_step_can_be_repeated() {
    let (_folder, base, _) = base();
    let work = |disk: &Arc<dyn Disk>, folder: &Path| {
        Store::open(disk, folder).and_then(|store| store.deploy(1)).is_ok()
    };
    at_every_step(&base, work, |disk, left, is_acknowledged, when| {
        let store = Store::open(disk, left).unwrap_or_else(|error| panic!("{when}: {error}"));
        let active = store.active();
        assert!(active == Some(1) || (active.is_none() && !is_acknowledged), "{when}: {active:?}");
        store.deploy(1).unwrap_or_else(|error| panic!("{when}: again: {error}"));
        assert_eq!(store.active(), Some(1), "{when}: again");
    });
}

/// A disk that fails once costs what was asked for then, and not what is asked for afterwards: nobody has to start the
/// node again.
#[test]
fn an_error_that_passes_costs_one_order() {
    let (folder, base, disk) = base();
    Store::open(&disk, &folder.path().join("base")).and_then(|store| store.deploy(1)).unwrap();
    for step in 0..STEPS_MAX {
        let folder = tempfile::tempdir().unwrap();
        let fault = Fault::Error(std::io::ErrorKind::StorageFull);
        let disk = base.failing(folder.path(), fault, step);
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let Ok(store) = Store::open(&shared, folder.path()) else { continue };
        let first = store.deploy(2);
        if !disk.has_failed() {
            return;
        }
        store.deploy(2).unwrap_or_else(|error| panic!("step {step}, after {first:?}: {error:?}"));
        assert_eq!(store.active(), Some(2), "step {step}");
    }
    panic!("it takes more than {STEPS_MAX} steps");
}

/// What a key-value store said that it has, it has.
#[test]
fn a_key_value_store_keeps_what_it_acknowledged_at_every_step() {
    let (folder, base, disk) = base();
    let space = |store: &KeyValue| store.namespace(&"shop".parse().unwrap(), "default");
    let open = |disk: &Arc<dyn Disk>, folder: &Path| {
        KeyValue::open_on(Arc::clone(disk), &folder.join("tenants/ada/key_value.redb"))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let set = |store: &KeyValue, number: u8| {
        // Two keys in one change, which are there both or not at all.
        let entries = ["a", "b"].map(|key| (key.to_owned(), vec![number; 100]));
        runtime.block_on(store.set_many(&space(store), entries.to_vec()))
    };
    let first = open(&disk, &folder.path().join("base")).unwrap();
    set(&first, 1).unwrap();
    drop(first);
    let work =
        |disk: &Arc<dyn Disk>, folder: &Path| open(disk, folder).is_ok_and(|store| set(&store, 2).is_ok());
    at_every_step(&base, work, |disk, left, is_acknowledged, when| {
        let store = open(disk, left).unwrap_or_else(|error| panic!("{when}: {error}"));
        let values = ["a", "b"].map(|key| store.get(&space(&store), key).unwrap().unwrap());
        assert_eq!(values[0], values[1], "{when}: half of a change");
        let expected = if is_acknowledged { &[2][..] } else { &[1, 2] };
        assert!(expected.contains(&values[0][0]) && values[0].len() == 100, "{when}: {values:?}");
        set(&store, 3).unwrap_or_else(|error| panic!("{when}: again: {error}"));
    });
}
