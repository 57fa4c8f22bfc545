//! How a release comes: its files were sent before, and it is kept once it can be served.

use std::collections::BTreeMap;

use tombolo_api as api;
use tombolo_model::release::{self, ReleaseError};
use tombolo_model::{AppKey, Digest, Release};
use tombolo_store::records::ReleaseRecord;

use super::ready::{Read, Values};
use super::uploads::{Adding, of_release};
use super::{Answer, Control, LOADED_MAX};
use crate::access::now;
use crate::refuse;
use crate::stage::{Candidate, Stage};

/// A release as it was sent.
struct Sent<'a> {
    digest: &'a Digest,
    document: &'a [u8],
    release: Release,
    /// Its files, and the bytes of each.
    files: BTreeMap<Digest, u64>,
    /// Whose token sent it.
    by: &'a str,
}

impl<S: Stage> Control<S> {
    /// Adds a release that can be served. Its code is compiled when this returns.
    pub(crate) fn add_release(
        &self,
        key: &AppKey,
        digest: &Digest,
        document: &[u8],
        by: &str,
    ) -> Answer<api::ReleaseInfo> {
        let release = Release::parse(document).map_err(|error| match error {
            ReleaseError::TooMuch { .. } => refuse::too_large(error.to_string()),
            _ => refuse::bad_request(error.to_string()),
        })?;
        if Digest::of(document) != *digest || release.document() != document {
            let detail = format!("the release is {}, and was sent as {digest}", release.digest());
            return Err(refuse::bad_request(detail));
        }
        let files = release.files.values().map(|file| (file.digest, file.bytes)).collect();
        self.add(key, &Sent { digest, document, release, files, by })
    }

    fn add(&self, key: &AppKey, sent: &Sent<'_>) -> Answer<api::ReleaseInfo> {
        let failed = |error| refuse::failed(&error);
        let named: Vec<Digest> = sent.files.keys().copied().collect();
        let mut adding = self.adding(&key.tenant, sent.digest, &named);
        self.complete(key, &sent.files)?;
        self.room_for(key)?;
        if self.registry.release(key, sent.digest).map_err(failed)?.is_none() {
            self.claim_release(&mut adding, sent)?;
        }
        let mut read = self.read(key, &sent.release)?;
        read.reasons.extend(self.beyond(&key.tenant, &read.app)?);
        match self.take(key, sent, &read) {
            Ok(record) => {
                adding.done();
                self.revive(key);
                let app = self.registry.app(key).map_err(failed)?;
                self.release_info(key, app.as_ref(), *sent.digest, record)
            }
            Err(problem) => {
                // Its document and its tree are no release's.
                drop(adding);
                self.sweep().map_err(failed)?;
                Err(problem)
            }
        }
    }

    /// Serves an app as it should be that is not served: one that could not be when the node started, now that what it
    /// lacked was sent, or one that could not be removed.
    pub(super) fn revive(&self, key: &AppKey) {
        let mut served = self.served();
        let Ok(Some(record)) = self.registry.app(key) else { return };
        let Some(active) = record.active.as_ref().filter(|_| !served.contains_key(key)) else { return };
        // Where it still cannot be, it is as it was, and the log has said why.
        if let Ok(kept) = self.stand_up(key, &record, active, served.len() > LOADED_MAX, None, Values::OfNow)
        {
            served.insert(key.clone(), kept);
            self.publish(&served);
        }
    }

    /// Puts a release where it is served from, has it made ready, and writes it down.
    fn take(&self, key: &AppKey, sent: &Sent<'_>, read: &Read) -> Answer<ReleaseRecord> {
        let failed = |error| refuse::failed(&error);
        let Sent { digest, document, release, files, by } = sent;
        let Read { app, reasons, has_all_values } = read;
        self.blobs.put(document).map_err(failed)?;
        let tree = self.blobs.tree(release).map_err(failed)?;
        let candidate = Candidate {
            key,
            release: **digest,
            app,
            tree: &tree,
            is_one_of_many: false,
            has_all_values: *has_all_values,
            is_new: true,
        };
        self.prepare(candidate, reasons.clone())?;
        let record = ReleaseRecord {
            number: 0,
            created: now(),
            by: (*by).to_owned(),
            version: app.version.clone(),
            blobs: std::iter::once(**digest).chain(files.keys().copied()).collect(),
            bytes: release.files.values().map(|file| file.bytes).sum(),
            folders: folders(release),
            capabilities: release::capabilities(app),
        };
        self.add_where_there_is_room(key, digest, record)
    }

    /// Whether a tenant sent all files of a release, as it says that they are.
    fn complete(&self, key: &AppKey, files: &BTreeMap<Digest, u64>) -> Answer<()> {
        let named: Vec<Digest> = files.keys().copied().collect();
        let missing = self.missing(&key.tenant, &named)?;
        if !missing.is_empty() {
            let reasons = missing.iter().map(|blob| format!("the blob {blob} was not sent")).collect();
            return Err(refuse::refused("the release is not complete", reasons));
        }
        let other = files.iter().filter(|(digest, bytes)| self.blobs.bytes(digest) != Some(**bytes));
        let other: Vec<String> =
            other.map(|(digest, _)| format!("the blob {digest} has another size")).collect();
        if !other.is_empty() {
            return Err(refuse::refused("the release is not as it says", other));
        }
        Ok(())
    }

    /// Sets aside what a new release takes besides its files.
    fn claim_release(&self, adding: &mut Adding<'_>, sent: &Sent<'_>) -> Answer<()> {
        let bytes = of_release(sent.document.len() as u64, folders(&sent.release));
        let quotas = self.quotas(adding.tenant())?.unwrap_or_else(|| self.config.quotas.clone());
        self.room(bytes)?;
        adding.claim(bytes, quotas.releases_bytes_max())
    }
}

/// Folders of the tree of a release, of which its own is one.
fn folders(release: &Release) -> u64 {
    release.folders() + 1
}
