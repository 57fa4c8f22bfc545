//! Releases that are shown at addresses of their own, beside what an app serves.

use tombolo_api as api;
use tombolo_model::{AppKey, Digest};
use tombolo_store::records::AppRecord;
use tombolo_store::registry::PreviewSet;

use super::ready::Values;
use super::{Answer, Control, LOADED_MAX, no_app};
use crate::refuse;
use crate::stage::Stage;

/// Releases of one app that are shown at once.
const PREVIEWS_MAX: usize = 10;
/// Letters in a label of a host (RFC 1035 §2.3.4).
const LABEL_BYTES_MAX: usize = 63;

impl<S: Stage> Control<S> {
    /// Where a release is shown: no name of an app has two `-` in a row, so it is no other app's host. `None` if the
    /// app's name leaves no room.
    pub(super) fn preview_host(&self, key: &AppKey, number: u64) -> Option<String> {
        let label = format!("r{number}---{}", key.label());
        (label.len() <= LABEL_BYTES_MAX).then(|| format!("{label}.{}", self.config.domain))
    }

    /// Those that an app shows, ready; one that cannot be served is left out, and said.
    pub(super) fn previews<P>(
        &self,
        key: &AppKey,
        record: &AppRecord,
        ready: &dyn Fn(&Digest) -> Answer<P>,
    ) -> Vec<(Digest, String, P)> {
        let shown = |digest: &Digest| -> Answer<Option<(Digest, String, P)>> {
            let release = self.registry.release(key, digest).map_err(|error| refuse::failed(&error))?;
            let host = release.and_then(|release| self.preview_host(key, release.number));
            host.map(|host| Ok((*digest, host, ready(digest)?))).transpose()
        };
        let all = record.previews.iter().filter_map(|digest| {
            let shown = shown(digest);
            shown.unwrap_or_else(|problem| {
                tracing::error!("{key}: release {digest} is not shown: {problem}");
                None
            })
        });
        all.collect()
    }

    /// Shows a release at an address of its own, or no more.
    pub(crate) fn set_preview(
        &self,
        key: &AppKey,
        digest: &Digest,
        wanted: Option<&api::Preview>,
    ) -> Answer<api::ReleaseInfo> {
        let failed = |error| refuse::failed(&error);
        let title = "the release cannot be shown";
        let mut served = self.served();
        let record = self.registry.app(key).map_err(failed)?;
        let record = record.ok_or_else(|| no_app(key))?;
        let release = self.registry.release(key, digest).map_err(failed)?;
        let release = release.ok_or_else(|| refuse::not_found(format!("no release {digest}")))?;
        let Some(activation) = record.active.clone() else {
            let reason = "the app serves nothing yet: activate a release first".to_owned();
            return Err(refuse::refused(title, vec![reason]));
        };
        if let Some(api::Preview { approve }) = wanted {
            if self.preview_host(key, release.number).is_none() {
                let reason = "the name of the app leaves no room for the number of a release".to_owned();
                return Err(refuse::refused(title, vec![reason]));
            }
            let new = self.new_capabilities(key, Some(&record), &release)?;
            if !new.is_empty() && !approve {
                let title = "the release may do what the active one may not";
                return Err(refuse::refused(title, new.into_iter().collect()));
            }
            // What cannot be served is told before anything changes.
            drop(self.stand(key, digest, false)?);
        }
        let set = self.registry.set_preview(key, digest, wanted.is_some(), PREVIEWS_MAX);
        let record = match set.map_err(failed)? {
            PreviewSet::Done(record) => record,
            PreviewSet::TooMany => {
                let reason = format!("the app shows {PREVIEWS_MAX} releases, the most that it may");
                return Err(refuse::refused(title, vec![reason]));
            }
            PreviewSet::NoRelease => return Err(refuse::not_found("the release was removed meanwhile")),
        };
        let many = served.len() > LOADED_MAX;
        let kept = self.stand_up(key, &record, &activation, many, served.get(key), Values::OfBefore)?;
        served.insert(key.clone(), kept);
        self.publish(&served);
        drop(served);
        self.release_info(key, Some(&record), *digest, release)
    }
}
