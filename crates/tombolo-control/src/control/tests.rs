use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use tombolo_api::metrics::Metrics;
use tombolo_api::{Activate, Preview, Split, TenantUsage};
use tombolo_model::Release;
use tombolo_model::release::ReleaseFile;
use tombolo_store::{KeyValue, Namespace};

use super::*;
use crate::stage::{Candidate, Printed, PrintedError, Wanted};

/// A stage that serves nothing: a release is ready if every file of it is there.
#[derive(Default)]
struct Nowhere {
    prepared: AtomicUsize,
    forgets_nothing: AtomicBool,
}

impl Stage for Nowhere {
    type Prepared = Digest;

    fn prepare(&self, candidate: Candidate<'_>) -> Result<Digest, Vec<String>> {
        self.prepared.fetch_add(1, Relaxed);
        match candidate.tree.join("a/one.txt").exists() {
            true => Ok(candidate.release),
            false => Err(vec!["a file is not there".to_owned()]),
        }
    }

    fn allow(&self, _: &TenantName, _: &Quotas) {}

    fn hold_back(&self, _: bool) {}

    fn usage(&self, _: &TenantName) -> TenantUsage {
        TenantUsage::default()
    }

    fn publish(&self, _: &[Served<Digest>]) {}

    fn printed(&self, _: &AppKey, _: Wanted) -> Result<Printed, PrintedError> {
        Err(PrintedError::Busy)
    }

    fn key_value(&self, _: &AppKey, _: &str) -> Result<Option<(KeyValue, Namespace)>, StoreError> {
        Ok(None)
    }

    fn measure(&self, _: &dyn Fn(&AppKey) -> bool, _: &dyn Fn(&TenantName) -> bool) -> Metrics {
        unreachable!("nobody asks")
    }

    fn kept(&self, _: &AppKey) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    fn forget(&self, _: &AppKey) -> Result<(), StoreError> {
        match self.forgets_nothing.load(Relaxed) {
            false => Ok(()),
            true => Err(StoreError::Closed),
        }
    }
}

fn open(folder: &Path, uploads_kept: Duration, quotas: Quotas) -> Control<Nowhere> {
    let config = ControlConfig {
        folder: folder.to_owned(),
        domain: "localhost".to_owned(),
        reached: Reached::Http(80),
        releases_max: 2,
        quotas,
        uploads_kept,
    };
    Control::open(config, Nowhere::default()).unwrap()
}

const APPS: [&str; 3] = ["default/a", "default/b", "ada/a"];
const RELEASES: usize = 6;

fn app(number: usize) -> AppKey {
    APPS[number].parse().unwrap()
}

/// The files of a release: of five that there are in all, so releases share some.
fn files(number: usize) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = |number: usize| format!("file {}", number % 5).repeat(1000).into_bytes();
    vec![("a/one.txt", bytes(number)), ("two.txt", bytes(number * 2 + 1))]
}

fn release(number: usize) -> Release {
    let file = |bytes: &[u8]| ReleaseFile { digest: Digest::of(bytes), bytes: bytes.len() as u64 };
    let manifest = format!(
        "spin_manifest_version = 2\n[application]\nname = \"shop\"\n[[trigger.http]]\nroute = \"/...\"\n\
         static_response = {{ status_code = 200, body = \"{number}\" }}\n"
    );
    let files = files(number).iter().map(|(path, bytes)| (path.parse().unwrap(), file(bytes))).collect();
    Release { manifest, profile: None, files }
}

fn send(control: &Control<Nowhere>, tenant: &TenantName, bytes: &[u8]) -> Answer<Digest> {
    let digest = Digest::of(bytes);
    let mut receiving = control.receive(tenant, None)?;
    receiving.write(bytes)?;
    receiving.keep(&digest)?;
    Ok(digest)
}

fn send_all(control: &Control<Nowhere>, tenant: &TenantName, number: usize) {
    for (_, bytes) in files(number) {
        send(control, tenant, &bytes).unwrap();
    }
}

fn add(control: &Control<Nowhere>, key: &AppKey, number: usize) -> Answer<Digest> {
    let release = release(number);
    control.add_release(key, &release.digest(), &release.document(), "ada").map(|added| added.digest)
}

/// What somebody does; apps and releases by their numbers.
#[derive(Clone, Debug)]
enum Step {
    SendFiles(usize, usize),
    SendStray(usize, u8),
    AddRelease(usize, usize),
    /// A sweep comes while a release is being added.
    SweepWhileAdding(usize, usize),
    Activate(usize, usize, Option<usize>),
    RollBack(usize),
    SetPreview(usize, usize, bool),
    Remove(usize),
    Sweep,
    Reopen,
}

fn steps() -> impl Strategy<Value = Step> {
    let (app, release) = (|| 0..APPS.len(), || 0..RELEASES);
    prop_oneof![
        4 => (app(), release()).prop_map(|(app, release)| Step::SendFiles(app, release)),
        1 => (app(), any::<u8>()).prop_map(|(app, stray)| Step::SendStray(app, stray)),
        6 => (app(), release()).prop_map(|(app, release)| Step::AddRelease(app, release)),
        1 => (app(), release()).prop_map(|(app, release)| Step::SweepWhileAdding(app, release)),
        4 => (app(), release(), prop::option::of(release()))
            .prop_map(|(app, release, split)| Step::Activate(app, release, split)),
        1 => app().prop_map(Step::RollBack),
        2 => (app(), release(), any::<bool>()).prop_map(|(app, release, on)| Step::SetPreview(app, release, on)),
        1 => app().prop_map(Step::Remove),
        2 => Just(Step::Sweep),
        1 => Just(Step::Reopen),
    ]
}

fn take(control: &Control<Nowhere>, step: &Step) {
    match step {
        Step::SendFiles(number, release) => send_all(control, &app(*number).tenant, *release),
        Step::SendStray(number, stray) => drop(send(control, &app(*number).tenant, &[*stray]).unwrap()),
        Step::AddRelease(number, wanted) => {
            let key = app(*number);
            let named: Vec<Digest> = release(*wanted).files.values().map(|file| file.digest).collect();
            let is_complete = control.missing(&key.tenant, &named).unwrap().is_empty();
            assert_eq!(add(control, &key, *wanted).is_ok(), is_complete, "{step:?}");
        }
        Step::SweepWhileAdding(number, wanted) => {
            let tenant = app(*number).tenant;
            send_all(control, &tenant, *wanted);
            let named: Vec<Digest> = release(*wanted).files.values().map(|file| file.digest).collect();
            let adding = control.adding(&tenant, &release(*wanted).digest(), &named);
            control.sweep().unwrap();
            assert_eq!(control.missing(&tenant, &named).unwrap(), [], "what it needs was swept");
            drop(adding);
        }
        Step::Activate(number, wanted, split) => {
            let (key, digest) = (app(*number), release(*wanted).digest());
            let Some(record) = control.registry.app(&key).unwrap() else { return };
            let other = split.filter(|split| split != wanted).map(|split| release(split).digest());
            let order = Activate {
                release: digest,
                generation: record.generation,
                split: other.map(|release| Split { release, percent: 10 }),
                approve: false,
            };
            let is_kept = |digest: &Digest| control.registry.release(&key, digest).unwrap().is_some();
            let can = is_kept(&digest) && other.iter().all(is_kept);
            assert_eq!(control.activate(&key, &order).is_ok(), can, "{step:?}");
        }
        Step::RollBack(number) => {
            let key = app(*number);
            let Some(record) = control.registry.app(&key).unwrap() else { return };
            let Some(previous) = record.previous else { return };
            let order =
                Activate { release: previous, generation: record.generation, split: None, approve: false };
            control.activate(&key, &order).unwrap();
        }
        Step::SetPreview(number, wanted, is_shown) => {
            let preview = Preview { approve: false };
            let digest = release(*wanted).digest();
            let _ = control.set_preview(&app(*number), &digest, is_shown.then_some(&preview));
        }
        Step::Remove(number) => drop(control.remove_app(&app(*number), false)),
        Step::Sweep => control.sweep().unwrap(),
        Step::Reopen => unreachable!("whoever has it does"),
    }
}

/// Everything that a release needs is there; what of it is served has a tree.
fn check(control: &Control<Nowhere>, folder: &Path, after: &Step) {
    for (key, record) in control.registry.apps(None).unwrap() {
        let releases = control.registry.releases(&key).unwrap();
        for (digest, release) in &releases {
            for blob in &release.blobs {
                control
                    .blobs
                    .verify(blob)
                    .unwrap_or_else(|error| panic!("{after:?}: {key}: {digest}: {error}"));
            }
        }
        let active = record.active.iter();
        let active =
            active.flat_map(|it| std::iter::once(it.release).chain(it.split.iter().map(|it| it.release)));
        let served: BTreeSet<Digest> = active.chain(record.previews.iter().copied()).collect();
        for needed in served.iter().chain(&record.previous) {
            assert!(releases.iter().any(|(digest, _)| digest == needed), "{after:?}: {key} lost {needed}");
        }
        for digest in served {
            let tree = folder.join("releases/trees").join(digest.hex());
            assert!(tree.join("a/one.txt").exists() && tree.join("two.txt").exists(), "{after:?}: {key}");
        }
    }
}

/// After a sweep that waits for nobody: what is there is what releases need, and what is counted is what is there.
fn check_swept(control: &Control<Nowhere>, folder: &Path) {
    let holdings = control.registry.holdings().unwrap();
    let needed: BTreeSet<String> =
        holdings.values().flat_map(|holding| &holding.needed).map(Digest::hex).collect();
    let names = |below: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(folder.join("releases").join(below)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    assert_eq!(names("blobs"), needed);
    let releases: BTreeSet<String> =
        holdings.values().flat_map(|holding| &holding.releases).map(Digest::hex).collect();
    assert!(names("trees").is_subset(&releases));
    assert!(names("incoming").is_empty());
    for (tenant, holding) in &holdings {
        assert!(
            holding.sent.keys().all(|blob| holding.needed.contains(blob)),
            "{tenant}: {:?}",
            holding.sent
        );
        let blocks = |blob: &Digest| control.blobs.bytes(blob).unwrap().max(1).div_ceil(4096);
        let blocks = holding.needed.iter().map(blocks).sum::<u64>() + holding.folders;
        assert_eq!(control.uploads.bytes(tenant), blocks * 4096, "{tenant}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever is sent, added, activated, shown, rolled back and removed, in whatever order: nothing that a kept
    /// release needs goes, and after a sweep there is nothing else.
    #[test]
    fn what_releases_need_stays_and_nothing_else(steps in prop::collection::vec(steps(), 1..40)) {
        let folder = tempfile::tempdir().unwrap();
        let mut control = Some(open(folder.path(), Duration::ZERO, Quotas::default()));
        for step in steps.iter().chain([&Step::Sweep]) {
            if let Step::Reopen = step {
                drop(control.take());
                control = Some(open(folder.path(), Duration::ZERO, Quotas::default()));
            } else {
                take(control.as_ref().unwrap(), step);
            }
            let control = control.as_ref().unwrap();
            check(control, folder.path(), step);
            if matches!(step, Step::Sweep) {
                check_swept(control, folder.path());
            }
        }
    }
}

/// By a clock that jumped ahead a file may seem to have waited for days. It has not.
#[test]
fn a_clock_that_jumps_removes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path(), Duration::from_secs(3600), Quotas::default());
    let tenant = TenantName::default_tenant();
    let digest = send(&control, &tenant, b"waits").unwrap();
    let file = folder.path().join("releases/blobs").join(digest.hex());
    for days in [-2_i64, 2] {
        let day = Duration::from_secs(86_400 * days.unsigned_abs());
        let now = std::time::SystemTime::now();
        let written = if days < 0 { now - day } else { now + day };
        fs::File::open(&file).unwrap().set_modified(written).unwrap();
        control.sweep().unwrap();
        assert_eq!(control.missing(&tenant, &[digest]).unwrap(), [], "{days} days");
    }
    // Nor is it known after a start how long what is there has waited.
    drop(control);
    let control = open(folder.path(), Duration::from_secs(3600), Quotas::default());
    assert_eq!(control.missing(&tenant, &[digest]).unwrap(), []);
}

/// Bytes that are on their way count, also where nobody said how many come; what does not arrive counts no more.
#[test]
fn what_comes_is_counted_before_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let quotas = Quotas { releases_mib_max: Some(1), ..Quotas::default() };
    let control = open(folder.path(), Duration::from_secs(3600), quotas);
    let tenant = TenantName::default_tenant();
    let half = vec![1; 512 << 10];
    let announced = control.receive(&tenant, Some(600 << 10)).unwrap_or_else(|problem| panic!("{problem}"));
    let mut streamed = control.receive(&tenant, None).unwrap_or_else(|problem| panic!("{problem}"));
    assert_eq!(streamed.write(&half).unwrap_err().status, 422, "the other one is on its way");
    drop(announced);
    streamed.write(&half).unwrap();
    assert_eq!(control.uploads.bytes(&tenant), 512 << 10);
    drop(streamed);
    assert_eq!(control.uploads.bytes(&tenant), 0);
    // As many small ones as fit, each a block.
    for number in 0..256_u32 {
        send(&control, &tenant, &number.to_le_bytes()).unwrap();
    }
    assert_eq!(send(&control, &tenant, b"one more").unwrap_err().status, 422);
    let other: TenantName = "ada".parse().unwrap();
    send(&control, &other, b"one more").unwrap();
    assert_eq!(control.uploads.bytes(&other), 4096);
    // What was sent again is there once.
    assert_eq!(send(&control, &other, b"one more").unwrap(), Digest::of(b"one more"));
    assert_eq!(control.uploads.bytes(&other), 4096);
}

/// Part of what it kept may be gone: what it has of its stores from before is refused there.
#[test]
fn an_app_that_cannot_be_removed_is_made_ready_anew() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path(), Duration::from_secs(3600), Quotas::default());
    let key = app(0);
    send_all(&control, &key.tenant, 0);
    let release = add(&control, &key, 0).unwrap();
    control.activate(&key, &Activate { release, generation: 0, split: None, approve: false }).unwrap();
    let prepared = || control.stage.prepared.load(Relaxed);
    let before = prepared();
    control.stage.forgets_nothing.store(true, Relaxed);
    assert_eq!(control.remove_app(&key, true).unwrap_err().status, 500);
    assert!(control.served().contains_key(&key), "it is served as before");
    assert_eq!(prepared(), before + 1);
    control.stage.forgets_nothing.store(false, Relaxed);
    control.remove_app(&key, true).unwrap();
    assert!(!control.served().contains_key(&key));
}

/// A release is code that somebody sent: what a disk made of it since is not served as that.
#[test]
fn damaged_code_is_not_served() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path(), Duration::from_secs(3600), Quotas::default());
    let key = app(0);
    send_all(&control, &key.tenant, 0);
    let digest = add(&control, &key, 0).unwrap();
    let order = Activate { release: digest, generation: 0, split: None, approve: false };
    control.activate(&key, &order).unwrap();
    drop(control);
    let document = folder.path().join("releases/blobs").join(digest.hex());
    let mut bytes = fs::read(&document).unwrap();
    let last = bytes.len() - 20;
    bytes[last] ^= 1;
    fs::write(&document, bytes).unwrap();
    let control = open(folder.path(), Duration::from_secs(3600), Quotas::default());
    assert!(control.served().is_empty(), "it is left out");
    let audited = control.audited(None, 1).unwrap();
    assert_eq!(audited[0].what, format!("start {key}"), "and said");
}
