//! What tenants have on the disk: blobs that they sent, and those of their releases.

use std::collections::{BTreeMap, HashMap, HashSet};

use redb::ReadableTable;
use tombolo_model::{AppKey, Digest, TenantName};

use super::{Done, RELEASES, Registry, SENT};
use crate::error::{StoreError, database};
use crate::records::ReleaseRecord;

/// What one tenant has.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// What it sent, with the bytes of each; `None` where an earlier version did not write them down.
    pub sent: HashMap<Digest, Option<u64>>,
    /// What its releases need, their documents included.
    pub needed: HashSet<Digest>,
    /// Its releases, by their documents.
    pub releases: HashSet<Digest>,
    /// Folders of all of them.
    pub folders: u64,
}

impl Holding {
    /// Everything that it has.
    pub fn blobs(&self) -> impl Iterator<Item = (&Digest, Option<u64>)> {
        let unsent = self.needed.iter().filter(|blob| !self.sent.contains_key(blob));
        self.sent.iter().map(|(blob, bytes)| (blob, *bytes)).chain(unsent.map(|blob| (blob, None)))
    }
}

fn key(tenant: &TenantName, blob: &Digest) -> String {
    format!("{tenant}/{}", blob.hex())
}

impl Registry {
    /// Remembers that a tenant sent a blob of so many bytes; whether it had not before. Only then may it be in a
    /// release of that tenant's: who knows a digest alone does not get what it names.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn sent(&self, tenant: &TenantName, blob: &Digest, bytes: u64) -> Done<bool> {
        self.writing(SENT, |_, sent| {
            let before = sent.insert(key(tenant, blob).as_str(), bytes.to_le_bytes().as_slice());
            Ok(before.map_err(database("write"))?.is_none())
        })
    }

    /// Those of `blobs` that a tenant did not send.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn not_sent(&self, tenant: &TenantName, blobs: &[Digest]) -> Done<Vec<Digest>> {
        self.reading(SENT, |sent| {
            let mut missing = Vec::new();
            for blob in blobs {
                if sent.get(key(tenant, blob).as_str()).map_err(database("read"))?.is_none() {
                    missing.push(*blob);
                }
            }
            Ok(missing)
        })
    }

    /// Forgets that tenants sent these: no release of theirs needs them.
    ///
    /// # Errors
    ///
    /// If the disk refuses; then nothing is forgotten.
    pub fn forget_sent(&self, gone: &[(TenantName, Digest)]) -> Done<()> {
        self.writing(SENT, |_, sent| {
            for (tenant, blob) in gone {
                sent.remove(key(tenant, blob).as_str()).map_err(database("write"))?;
            }
            Ok(())
        })
    }

    /// What each tenant has. Reads all there is: for a start, and for a sweep.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn holdings(&self) -> Done<BTreeMap<TenantName, Holding>> {
        let damaged = |key: &str| StoreError::Record { reason: format!("a blob or a release `{key}`") };
        let mut all = BTreeMap::<TenantName, Holding>::new();
        self.reading(SENT, |sent| {
            for entry in sent.iter().map_err(database("read"))? {
                let (key, bytes) = entry.map_err(database("read"))?;
                let (tenant, blob) = parsed(key.value()).ok_or_else(|| damaged(key.value()))?;
                let bytes = bytes.value().try_into().ok().map(u64::from_le_bytes);
                all.entry(tenant).or_default().sent.insert(blob, bytes);
            }
            Ok(())
        })?;
        for (key, record) in self.list::<ReleaseRecord>(RELEASES, "")? {
            let (app, _) = key.rsplit_once('/').ok_or_else(|| damaged(&key))?;
            let app: AppKey = app.parse().map_err(|_| damaged(&key))?;
            let holding = all.entry(app.tenant).or_default();
            holding.releases.extend(record.blobs.first());
            holding.needed.extend(record.blobs);
            holding.folders += record.folders;
        }
        Ok(all)
    }
}

/// The tenant and the blob of a key.
fn parsed(key: &str) -> Option<(TenantName, Digest)> {
    let (tenant, hex) = key.split_once('/')?;
    Some((tenant.parse().ok()?, format!("sha256:{hex}").parse().ok()?))
}
