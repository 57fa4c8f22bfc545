//! What tenants send: what it takes on the disk is counted to them, from its first byte until it is swept.
//!
//! A file that no release of its tenant names waits for one. It goes once it has waited for so long, counted from when
//! it was last sent or its tenant was told that it is there, by a clock that nobody sets. What several tenants sent
//! is on the disk once, and counts in full for each: none learns of the others.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLockReadGuard};
use std::time::{Duration, Instant};

use tombolo_model::{Digest, TenantName};
use tombolo_store::blobs::Incoming;
use tombolo_store::registry::Holding;
use tombolo_store::{Space, StoreError};

use super::{Answer, Control};
use crate::refuse;
use crate::stage::Stage;

/// What a file takes at least, and a folder: a block of the usual file systems. So many small ones count as well.
const BLOCK_BYTES: u64 = 4096;

/// Bytes of a file on the disk.
fn on_disk(bytes: u64) -> u64 {
    bytes.max(1).div_ceil(BLOCK_BYTES).saturating_mul(BLOCK_BYTES)
}

/// What a release takes on the disk besides its files.
pub(super) fn of_release(document: u64, folders: u64) -> u64 {
    on_disk(document).saturating_add(folders.saturating_mul(BLOCK_BYTES))
}

/// What was sent, and what comes.
pub(super) struct Uploads {
    /// From when on it is known what was sent.
    started: Instant,
    /// How long a file waits for its release.
    kept: Duration,
    /// Whether the disk had no room when it was last looked at.
    is_short: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    tenants: HashMap<TenantName, Account>,
    /// Releases that are being added: their documents and trees are there before the registry knows of them.
    adding: HashMap<u64, Coming>,
    /// How many there were.
    added: u64,
    /// Bytes that are set aside and not written yet, of all tenants.
    unwritten: u64,
}

/// A release that is being added, and the files that it names.
#[derive(Clone)]
struct Coming {
    tenant: TenantName,
    release: Digest,
    files: Vec<Digest>,
}

/// What one tenant has.
#[derive(Default)]
struct Account {
    /// Bytes on the disk.
    held: u64,
    /// Bytes that are set aside for what comes.
    coming: u64,
    /// When blobs were last sent, or said to be there.
    touched: HashMap<Digest, Instant>,
}

impl Uploads {
    pub(super) fn new(kept: Duration) -> Self {
        Self { started: Instant::now(), kept, is_short: AtomicBool::new(false), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that a tenant takes, with what comes.
    pub(super) fn bytes(&self, tenant: &TenantName) -> u64 {
        self.state().tenants.get(tenant).map_or(0, |account| account.held + account.coming)
    }

    /// Tenants that have something.
    pub(super) fn tenants(&self) -> Vec<TenantName> {
        let state = self.state();
        let some = state.tenants.iter().filter(|(_, account)| account.held + account.coming > 0);
        some.map(|(tenant, _)| tenant.clone()).collect()
    }

    /// A tenant relies on these.
    pub(super) fn touch<'d>(&self, tenant: &TenantName, blobs: impl IntoIterator<Item = &'d Digest>) {
        let now = Instant::now();
        let touched = blobs.into_iter().map(|blob| (*blob, now));
        self.state().tenants.entry(tenant.clone()).or_default().touched.extend(touched);
    }

    fn claim(&self, tenant: &TenantName, bytes: u64, bytes_max: Option<u64>, title: &str) -> Answer<()> {
        let mut state = self.state();
        let account = state.tenants.entry(tenant.clone()).or_default();
        let taken = account.held + account.coming;
        if let Some(most) = bytes_max.filter(|most| taken.saturating_add(bytes) > *most) {
            let (taken, most) = (taken.div_ceil(1 << 20), most >> 20);
            let reason = format!(
                "the releases of the tenant, with files that no release names, take {taken} MiB, of {most} MiB that they may"
            );
            return Err(refuse::refused(title, vec![reason]));
        }
        account.coming += bytes;
        state.unwritten += bytes;
        Ok(())
    }

    /// So much of what was set aside is needed no more, and of that so much was never written.
    fn unclaim(&self, tenant: &TenantName, bytes: u64, unwritten: u64) {
        let mut state = self.state();
        state.unwritten = state.unwritten.saturating_sub(unwritten);
        if let Some(account) = state.tenants.get_mut(tenant) {
            account.coming = account.coming.saturating_sub(bytes);
        }
    }

    fn hold(&self, tenant: &TenantName, bytes: u64) {
        self.state().tenants.entry(tenant.clone()).or_default().held += bytes;
    }
}

/// A release that is being added: what is there of it stays until this is dropped.
pub(super) struct Adding<'c> {
    uploads: &'c Uploads,
    tenant: TenantName,
    number: u64,
    /// Bytes that are set aside for it.
    claimed: u64,
}

impl Adding<'_> {
    pub(super) fn tenant(&self) -> &TenantName {
        &self.tenant
    }

    /// Sets aside what it takes besides its files.
    pub(super) fn claim(&mut self, bytes: u64, bytes_max: Option<u64>) -> Answer<()> {
        self.uploads.claim(&self.tenant, bytes, bytes_max, "the release cannot be taken")?;
        self.claimed += bytes;
        Ok(())
    }

    /// It is one of its app.
    pub(super) fn done(self) {
        self.uploads.hold(&self.tenant, self.claimed);
    }
}

impl Drop for Adding<'_> {
    fn drop(&mut self) {
        self.uploads.unclaim(&self.tenant, self.claimed, self.claimed);
        self.uploads.state().adding.remove(&self.number);
    }
}

/// A file that a tenant sends. Dropped before it is kept, nothing of it is left or counted.
pub(crate) struct Receiving<'c, S: Stage> {
    control: &'c Control<S>,
    tenant: TenantName,
    bytes_max: Option<u64>,
    incoming: Option<Incoming<'c>>,
    /// Bytes that are set aside for it.
    claimed: u64,
    /// Those of them that were written.
    written: u64,
}

impl<S: Stage> Receiving<'_, S> {
    fn claim(&mut self, bytes: u64) -> Answer<()> {
        self.control.room(bytes)?;
        let uploads = &self.control.uploads;
        uploads.claim(&self.tenant, bytes, self.bytes_max, "the file cannot be taken")?;
        self.claimed += bytes;
        Ok(())
    }

    /// Appends a part.
    pub(crate) fn write(&mut self, part: &[u8]) -> Answer<()> {
        let bytes = part.len() as u64;
        let more = on_disk(self.written + bytes).saturating_sub(self.claimed);
        if more > 0 {
            self.claim(more)?;
        }
        let incoming = self.incoming.as_mut().expect("it is there until it is kept");
        incoming.write(part).map_err(|error| refuse::failed(&error))?;
        self.written += bytes;
        let mut state = self.control.uploads.state();
        state.unwritten = state.unwritten.saturating_sub(bytes);
        Ok(())
    }

    /// Makes it the blob that was expected.
    pub(crate) fn keep(mut self, digest: &Digest) -> Answer<()> {
        let failed = |error: StoreError| match error {
            StoreError::Digest { .. } => refuse::bad_request(error.to_string()),
            error => refuse::failed(&error),
        };
        let incoming = self.incoming.take().expect("it is kept once");
        // Until it is written down whose it is, it is nobody's.
        let _unswept = self.control.unswept();
        incoming.keep(digest).map_err(failed)?;
        let is_new = self.control.registry.sent(&self.tenant, digest, self.written).map_err(failed)?;
        if is_new {
            self.control.uploads.hold(&self.tenant, on_disk(self.written));
        }
        self.control.uploads.touch(&self.tenant, [digest]);
        Ok(())
    }
}

impl<S: Stage> Drop for Receiving<'_, S> {
    fn drop(&mut self) {
        let unwritten = self.claimed.saturating_sub(self.written);
        self.control.uploads.unclaim(&self.tenant, self.claimed, unwritten);
    }
}

impl<S: Stage> Control<S> {
    /// Whether the disk has room for so many bytes more, beside what was set aside and the node's own.
    pub(super) fn room(&self, bytes: u64) -> Answer<()> {
        let unwritten = self.uploads.state().unwritten;
        let space = Space::of(&self.config.folder);
        let checked = space.and_then(|space| space.check(bytes.saturating_add(unwritten)));
        checked.map_err(|error| refuse::failed(&error))
    }

    /// Whether a tenant may send a file, of so many bytes if that is known.
    pub(crate) fn may_receive(&self, tenant: &TenantName, bytes: Option<u64>) -> Answer<()> {
        self.claimed(tenant, bytes).map(drop)
    }

    /// Looks how much of the disk is left, and has what apps keep grow no more once that is the node's own.
    ///
    /// # Errors
    ///
    /// If the disk does not say.
    pub fn look_at_disk(&self) -> Result<(), StoreError> {
        let checked = Space::of(&self.config.folder)?.check(0);
        let is_short = checked.is_err();
        if is_short != self.uploads.is_short.swap(is_short, Relaxed) {
            match checked {
                Err(error) => tracing::warn!("apps keep nothing more: {error}"),
                Ok(()) => tracing::info!("apps keep more again: the disk has room"),
            }
            self.stage.hold_back(is_short);
        }
        Ok(())
    }

    /// Takes a file of a tenant, of so many bytes if that is known.
    pub(crate) fn receive(&self, tenant: &TenantName, bytes: Option<u64>) -> Answer<Receiving<'_, S>> {
        let mut receiving = self.claimed(tenant, bytes)?;
        receiving.incoming = Some(self.blobs.incoming().map_err(|error| refuse::failed(&error))?);
        Ok(receiving)
    }

    fn claimed(&self, tenant: &TenantName, bytes: Option<u64>) -> Answer<Receiving<'_, S>> {
        let quotas = self.quotas(tenant)?.unwrap_or_else(|| self.config.quotas.clone());
        let bytes_max = quotas.releases_bytes_max();
        let tenant = tenant.clone();
        let mut receiving =
            Receiving { control: self, tenant, bytes_max, incoming: None, claimed: 0, written: 0 };
        receiving.claim(on_disk(bytes.unwrap_or(0)))?;
        Ok(receiving)
    }

    /// Holds what a release is made of while it is added.
    pub(super) fn adding(&self, tenant: &TenantName, release: &Digest, files: &[Digest]) -> Adding<'_> {
        // Who sweeps knows of all that were added before.
        let _unswept = self.unswept();
        let mut state = self.uploads.state();
        let coming = Coming { tenant: tenant.clone(), release: *release, files: files.to_vec() };
        let number = state.added;
        state.added += 1;
        state.adding.insert(number, coming);
        Adding { uploads: &self.uploads, tenant: tenant.clone(), number, claimed: 0 }
    }

    /// While this is held nothing is swept.
    pub(super) fn unswept(&self) -> RwLockReadGuard<'_, ()> {
        self.sweeping.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often to sweep, so that nothing is kept for much longer than it has to be.
    pub fn sweep_interval(&self) -> Duration {
        (self.uploads.kept / 4).clamp(Duration::from_millis(250), Duration::from_secs(600))
    }

    /// Removes what no release needs and nobody waits with any more, and counts anew what is left.
    ///
    /// # Errors
    ///
    /// If the disk refuses; what was removed until then stays removed.
    pub fn sweep(&self) -> Result<(), StoreError> {
        let _alone = self.sweeping.write().unwrap_or_else(PoisonError::into_inner);
        // Before the registry is read: what has been added since is there, and nothing begins to be added now.
        let adding: Vec<Coming> = self.uploads.state().adding.values().cloned().collect();
        let mut holdings = self.registry.holdings()?;
        let mut trees: HashSet<Digest> =
            holdings.values().flat_map(|holding| &holding.releases).copied().collect();
        let mut kept: HashSet<Digest> = adding.iter().map(|coming| coming.release).collect();
        trees.extend(&kept);
        for (tenant, blob) in self.forget_stale(&holdings, &adding)? {
            if let Some(holding) = holdings.get_mut(&tenant) {
                holding.sent.remove(&blob);
            }
        }
        kept.extend(holdings.values().flat_map(Holding::blobs).map(|(blob, _)| *blob));
        let (blobs, bytes) = self.blobs.sweep(|blob| kept.contains(blob), |tree| trees.contains(tree))?;
        if blobs > 0 {
            tracing::info!("removed {blobs} blobs that no release needs, {bytes} bytes");
        }
        self.recount(&holdings);
        Ok(())
    }

    /// Forgets what tenants sent, no release of theirs needs, and nobody relied on for so long.
    fn forget_stale(
        &self,
        holdings: &BTreeMap<TenantName, Holding>,
        adding: &[Coming],
    ) -> Result<Vec<(TenantName, Digest)>, StoreError> {
        let (kept, started) = (self.uploads.kept, self.uploads.started);
        let mut state = self.uploads.state();
        for account in state.tenants.values_mut() {
            account.touched.retain(|_, touched| touched.elapsed() < kept);
        }
        if started.elapsed() < kept {
            return Ok(Vec::new());
        }
        let mut gone = Vec::new();
        for (tenant, Holding { sent, needed, .. }) in holdings {
            let own = adding.iter().filter(|coming| coming.tenant == *tenant);
            let coming: HashSet<&Digest> = own.flat_map(|coming| &coming.files).collect();
            let touched = state.tenants.get(tenant).map(|account| &account.touched);
            let is_touched = |blob: &Digest| touched.is_some_and(|touched| touched.contains_key(blob));
            let is_stale =
                |blob: &&Digest| !needed.contains(blob) && !coming.contains(blob) && !is_touched(blob);
            gone.extend(sent.keys().filter(is_stale).map(|blob| (tenant.clone(), *blob)));
        }
        drop(state);
        if !gone.is_empty() {
            self.registry.forget_sent(&gone)?;
        }
        Ok(gone)
    }

    /// Counts what tenants have. Nothing is kept meanwhile.
    fn recount(&self, holdings: &BTreeMap<TenantName, Holding>) {
        let mut held = HashMap::<&TenantName, u64>::new();
        for (tenant, holding) in holdings {
            let size = |(blob, bytes): (&Digest, Option<u64>)| bytes.or_else(|| self.blobs.bytes(blob));
            let blobs: u64 = holding.blobs().map(|blob| on_disk(size(blob).unwrap_or(0))).sum();
            held.insert(tenant, blobs + holding.folders * BLOCK_BYTES);
        }
        let mut state = self.uploads.state();
        for (tenant, account) in &mut state.tenants {
            account.held = held.remove(tenant).unwrap_or(0);
        }
        for (tenant, held) in held {
            state.tenants.insert(tenant.clone(), Account { held, ..Account::default() });
        }
        state.tenants.retain(|_, account| account.held + account.coming > 0 || !account.touched.is_empty());
    }
}
