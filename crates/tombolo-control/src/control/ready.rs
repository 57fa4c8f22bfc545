//! Releases made ready to be served, with the values of their variables.

use std::collections::BTreeMap;

use tombolo_api::Problem;
use tombolo_model::{App, AppKey, Digest, Release, manifest, release};
use tombolo_store::StoreError;
use tombolo_store::records::{Activation, AppRecord, SplitRecord};

use super::{Answer, Control, Kept};
use crate::refuse;
use crate::stage::{Candidate, Served, Stage};

/// A release that was made ready with the values of a moment.
pub(super) struct Ready<P> {
    pub(super) release: Digest,
    /// Of the values, sealed: each time one is set it is another.
    pub(super) values: Digest,
    prepared: P,
}

/// With which values of its variables a release may have been made ready.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Values {
    /// Those of now: who activates it wants them.
    OfNow,
    /// Others too, where it is served with those.
    OfBefore,
}

/// An app as a release says it is.
pub(super) struct Read {
    pub(super) app: App,
    /// Why it cannot be served.
    pub(super) reasons: Vec<String>,
    /// Whether all variables had values.
    pub(super) has_all_values: bool,
}

fn refused(reasons: Vec<String>) -> Problem {
    refuse::refused("the release cannot be served", reasons)
}

impl<S: Stage> Control<S> {
    /// The app that a release is, with its values of now. Of one that some are missing of, others stand for them.
    pub(super) fn read(&self, key: &AppKey, release: &Release) -> Answer<Read> {
        let mut values = self.values(key)?;
        let parsed = |values: &BTreeMap<String, String>| {
            let (given, profile) = (manifest::Given::known(values), release.profile.as_deref());
            manifest::parse_given("spin.toml", &release.manifest, &given, profile)
        };
        let mut reasons = Vec::new();
        let app = parsed(&values).or_else(|error| {
            let mut required = manifest::required("spin.toml", &release.manifest).unwrap_or_default();
            required.retain(|name| !values.contains_key(name));
            let missing = |name| {
                format!(
                    "variable `{name}` has no value: set it with `tombolo variables set {} {name}`",
                    key.app
                )
            };
            reasons.extend(required.iter().map(missing));
            let read = manifest::STAND_INS.iter().find_map(|value| {
                values.extend(required.iter().map(|name| (name.clone(), (*value).to_owned())));
                parsed(&values).ok()
            });
            read.ok_or(error)
        });
        let has_all_values = reasons.is_empty();
        let mut app = match app {
            Ok(app) => app,
            Err(error) => {
                let hint = error.hint.iter().filter(|_| has_all_values).map(|hint| format!(" ({hint})"));
                reasons.push(format!("{error}{}", hint.collect::<String>()));
                return Err(refused(reasons));
            }
        };
        let known = reasons.len();
        reasons.extend(release::settle(&mut app));
        for (id, path, _) in release::code(&mut app) {
            if path.to_str().is_none_or(|path| !release.files.contains_key(path)) {
                reasons.push(format!("component `{id}`: the release lacks `{}`, its code", path.display()));
            }
        }
        // Without its code no more can be said of it.
        if reasons.len() > known {
            return Err(refused(reasons));
        }
        Ok(Read { app, reasons, has_all_values })
    }

    /// Has it prepared. If there are `reasons` against it, then only to say with them all that is wrong.
    pub(super) fn prepare(&self, candidate: Candidate<'_>, mut reasons: Vec<String>) -> Answer<S::Prepared> {
        match self.stage.prepare(candidate) {
            Ok(prepared) if reasons.is_empty() => Ok(prepared),
            prepared => {
                reasons.extend(prepared.err().unwrap_or_default());
                Err(refused(reasons))
            }
        }
    }

    /// A release of an app, ready to be served.
    pub(super) fn stand(&self, key: &AppKey, digest: &Digest, is_one_of_many: bool) -> Answer<S::Prepared> {
        let failed = |error| refuse::failed(&error);
        let document = self.blobs.read(digest).map_err(failed)?;
        let document = document.ok_or_else(|| refuse::not_found(format!("no release {digest}")))?;
        let release = Release::parse(&document)
            .map_err(|error| failed(StoreError::Record { reason: error.to_string() }))?;
        let Read { mut app, reasons, has_all_values } = self.read(key, &release)?;
        // What a disk made of code since is not code that anybody sent.
        for (_, path, _) in release::code(&mut app) {
            let file = path.to_str().and_then(|path| release.files.get(path));
            file.map_or(Ok(()), |file| self.blobs.verify(&file.digest)).map_err(failed)?;
        }
        let tree = self.blobs.tree(&release).map_err(failed)?;
        let (release, app, tree) = (*digest, &app, &tree);
        let is_new = false;
        self.prepare(Candidate { key, release, app, tree, is_one_of_many, has_all_values, is_new }, reasons)
    }

    /// Everything that an activation names, ready; what is of `before` is taken from there, if its values are `values`.
    pub(super) fn stand_up(
        &self,
        key: &AppKey,
        record: &AppRecord,
        activation: &Activation,
        is_one_of_many: bool,
        before: Option<&Kept<S::Prepared>>,
        values: Values,
    ) -> Answer<Kept<S::Prepared>> {
        let now = self.values_digest(key)?;
        let is_good = |known: &&Ready<S::Prepared>| values == Values::OfBefore || known.values == now;
        let known = |release: &Digest| {
            before.into_iter().flat_map(|kept| &kept.releases).find(|known| known.release == *release)
        };
        let as_it_is = |Ready { values, prepared, .. }: &Ready<S::Prepared>| (*values, prepared.clone());
        let ready = |release: &Digest| match known(release).filter(is_good) {
            Some(ready) => Ok(as_it_is(ready)),
            None => self.stand(key, release, is_one_of_many).map(|prepared| (now, prepared)),
        };
        // One that is shown beside is no reason to refuse, and stays as it is.
        let shown =
            |release: &Digest| ready(release).or_else(|problem| known(release).map(as_it_is).ok_or(problem));
        let mut releases = Vec::new();
        let mut take = |release: Digest, (values, prepared): (Digest, S::Prepared)| {
            releases.push(Ready { release, values, prepared: prepared.clone() });
            prepared
        };
        let main = take(activation.release, ready(&activation.release)?);
        let mut split = None;
        if let Some(SplitRecord { release, percent }) = &activation.split {
            split = Some((*percent, take(*release, ready(release)?)));
        }
        let mut previews = Vec::new();
        for (digest, host, prepared) in self.previews(key, record, &shown) {
            previews.push((host, take(digest, prepared)));
        }
        let served = Served { key: key.clone(), hosts: self.hosts(key, record), main, split, previews };
        Ok(Kept { releases, served })
    }

    /// Of the values of an app's variables, sealed.
    pub(super) fn values_digest(&self, key: &AppKey) -> Answer<Digest> {
        let sealed = self.registry.variables(key).map_err(|error| refuse::failed(&error))?;
        let lengths: Vec<_> =
            sealed.iter().map(|(name, value)| [name.len(), value.len()].map(usize::to_le_bytes)).collect();
        let parts = sealed.iter().zip(&lengths).flat_map(|((name, value), [of_name, of_value])| {
            [&of_name[..], name.as_bytes(), &of_value[..], value]
        });
        Ok(Digest::of_parts(parts))
    }
}
