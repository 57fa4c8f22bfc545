//! Apps, releases, tokens and the audit log: one file, every change a transaction that is on disk when it returns.

mod check;
mod oversee;

use std::fs;
use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, Table, TableDefinition};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tombolo_model::{AppKey, Digest, TenantName};

pub use check::Found;

use crate::error::{StoreError, database};
use crate::records::{Activation, AppRecord, ReleaseRecord, TokenRecord, UnixTime};

type Records = TableDefinition<'static, &'static str, &'static [u8]>;

const APPS: Records = TableDefinition::new("apps");
/// By app and digest: `tenant/app/<hex>`.
const RELEASES: Records = TableDefinition::new("releases");
/// By the digest of the token.
const TOKENS: Records = TableDefinition::new("tokens");
/// Which app answers at which domain.
const DOMAINS: Records = TableDefinition::new("domains");
/// By tenant, app and name; sealed.
const VARIABLES: Records = TableDefinition::new("variables");
/// What tenants may use together, by tenant.
const QUOTAS: Records = TableDefinition::new("quotas");
/// Which tenant sent which blob: `tenant/<hex>`.
const SENT: Records = TableDefinition::new("sent");
const AUDIT: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("audit");
const META: TableDefinition<'static, &str, u64> = TableDefinition::new("meta");

/// What this version writes. A file of a later one is refused, untouched.
const FORMAT: u64 = 1;
/// Lines of the audit log that are kept.
const AUDIT_MAX: u64 = 100_000;

/// An open registry.
pub struct Registry {
    database: Database,
}

/// What became of an activation.
#[derive(Debug, PartialEq, Eq)]
pub enum Activated {
    /// It is what is served from now on.
    Done(AppRecord),
    /// Somebody else changed the app before; its generation now.
    Overtaken(u64),
    /// There is no such release, or no such app.
    NoRelease,
}

/// What became of a change of an app's domains.
#[derive(Debug, PartialEq, Eq)]
pub enum DomainSet {
    /// It is as it was to be.
    Done(AppRecord),
    /// Another app answers there.
    Taken,
    /// There is no such app.
    NoApp,
}

/// What became of a change of the releases that an app shows.
#[derive(Debug, PartialEq, Eq)]
pub enum PreviewSet {
    /// It is as it was to be.
    Done(AppRecord),
    /// It shows as many as it may.
    TooMany,
    /// There is no such release, or no such app.
    NoRelease,
}

type Done<T> = Result<T, StoreError>;

/// The last character of a range of keys that begin alike, and then some.
fn range(prefix: &str) -> std::ops::Range<String> {
    format!("{prefix}/")..format!("{prefix}0")
}

fn release_key(app: &AppKey, release: &Digest) -> String {
    format!("{app}/{}", release.hex())
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Done<T> {
    serde_json::from_slice(bytes).map_err(|error| StoreError::Record { reason: error.to_string() })
}

fn written<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("records are texts, numbers and lists of them")
}

fn get<T: DeserializeOwned>(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
    key: &str,
) -> Done<Option<T>> {
    let found = table.get(key).map_err(database("read"))?;
    found.map(|bytes| read(bytes.value())).transpose()
}

fn put<T: Serialize>(table: &mut Table<'_, &'static str, &'static [u8]>, key: &str, value: &T) -> Done<()> {
    table.insert(key, written(value).as_slice()).map_err(database("write")).map(drop)
}

impl Registry {
    /// The registry in the file `path`, made if it is not there.
    ///
    /// # Errors
    ///
    /// If another process has it open, it is damaged or of a later version, or the disk refuses.
    pub fn open(path: &Path) -> Done<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(crate::error::at("make the folder", folder))?;
        }
        let open = Database::create(path).map_err(|error| match error {
            redb::DatabaseError::DatabaseAlreadyOpen => StoreError::InUse { path: path.to_owned() },
            error => database("open")(error),
        })?;
        let transaction = open.begin_write().map_err(database("open"))?;
        {
            let mut meta = transaction.open_table(META).map_err(database("open"))?;
            let found = meta.get("format").map_err(database("open"))?.map(|format| format.value());
            match found {
                Some(FORMAT) => {}
                Some(found) => {
                    return Err(StoreError::Format { path: path.to_owned(), found, known: FORMAT });
                }
                None => drop(meta.insert("format", FORMAT).map_err(database("open"))?),
            }
            for table in [APPS, RELEASES, TOKENS, DOMAINS, VARIABLES, QUOTAS, SENT] {
                transaction.open_table(table).map_err(database("open"))?;
            }
            transaction.open_table(AUDIT).map_err(database("open"))?;
        }
        transaction.commit().map_err(database("open"))?;
        Ok(Self { database: open })
    }

    fn reading<T>(
        &self,
        table: Records,
        look: impl FnOnce(&redb::ReadOnlyTable<&'static str, &'static [u8]>) -> Done<T>,
    ) -> Done<T> {
        let transaction = self.database.begin_read().map_err(database("read"))?;
        look(&transaction.open_table(table).map_err(database("read"))?)
    }

    /// All of one kind whose keys begin with `prefix` and a slash; all there are if it is empty.
    fn list<T: DeserializeOwned>(&self, table: Records, prefix: &str) -> Done<Vec<(String, T)>> {
        self.reading(table, |table| {
            let range = if prefix.is_empty() { String::new().."~".to_owned() } else { range(prefix) };
            let found =
                table.range::<&str>(range.start.as_str()..range.end.as_str()).map_err(database("read"))?;
            found
                .map(|entry| {
                    let (key, value) = entry.map_err(database("read"))?;
                    Ok((key.value().to_owned(), read(value.value())?))
                })
                .collect()
        })
    }

    fn writing<T>(
        &self,
        table: Records,
        change: impl FnOnce(&redb::WriteTransaction, &mut Table<'_, &'static str, &'static [u8]>) -> Done<T>,
    ) -> Done<T> {
        let transaction = self.database.begin_write().map_err(database("write"))?;
        let done = {
            let mut table = transaction.open_table(table).map_err(database("write"))?;
            change(&transaction, &mut table)?
        };
        transaction.commit().map_err(database("write"))?;
        Ok(done)
    }

    /// An app.
    ///
    /// # Errors
    ///
    /// If the disk refuses; so do all of these.
    pub fn app(&self, app: &AppKey) -> Done<Option<AppRecord>> {
        self.reading(APPS, |apps| get(apps, &app.to_string()))
    }

    /// The apps of a tenant, or all.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn apps(&self, tenant: Option<&TenantName>) -> Done<Vec<(AppKey, AppRecord)>> {
        let found = self.list(APPS, tenant.map_or("", TenantName::as_str))?;
        found.into_iter().map(|(key, record)| Ok((app_key(&key)?, record))).collect()
    }

    /// Adds a release to an app, which is made if it is new. The number of a release that is there already.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn add_release(
        &self,
        app: &AppKey,
        digest: &Digest,
        mut release: ReleaseRecord,
    ) -> Done<ReleaseRecord> {
        self.writing(APPS, |transaction, apps| {
            let mut releases = transaction.open_table(RELEASES).map_err(database("write"))?;
            let key = release_key(app, digest);
            if let Some(known) = get(&releases, &key)? {
                return Ok(known);
            }
            let new = || AppRecord {
                created: release.created,
                generation: 0,
                active: None,
                previous: None,
                releases: 0,
                domains: Default::default(),
                previews: Default::default(),
            };
            let mut record: AppRecord = get(apps, &app.to_string())?.unwrap_or_else(new);
            record.releases += 1;
            release.number = record.releases;
            put(apps, &app.to_string(), &record)?;
            put(&mut releases, &key, &release)?;
            Ok(release)
        })
    }

    /// A release of an app.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn release(&self, app: &AppKey, digest: &Digest) -> Done<Option<ReleaseRecord>> {
        self.reading(RELEASES, |releases| get(releases, &release_key(app, digest)))
    }

    /// The releases of an app, the last first.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn releases(&self, app: &AppKey) -> Done<Vec<(Digest, ReleaseRecord)>> {
        let found: Vec<(String, ReleaseRecord)> = self.list(RELEASES, &app.to_string())?;
        let mut found = found
            .into_iter()
            .map(|(key, record)| {
                let hex = key.rsplit('/').next().unwrap_or_default();
                let digest = format!("sha256:{hex}").parse();
                let digest =
                    digest.map_err(|_| StoreError::Record { reason: format!("a release `{key}`") })?;
                Ok((digest, record))
            })
            .collect::<Done<Vec<_>>>()?;
        found.sort_by_key(|(_, record)| std::cmp::Reverse(record.number));
        Ok(found)
    }

    /// Makes `activation` what `app` serves, if it is at generation `expected`. This is the moment of truth of a
    /// deploy.
    ///
    /// # Errors
    ///
    /// If the disk refuses; then nothing has changed.
    pub fn activate(&self, app: &AppKey, expected: u64, activation: &Activation) -> Done<Activated> {
        self.writing(APPS, |transaction, apps| {
            let releases = transaction.open_table(RELEASES).map_err(database("write"))?;
            let Some(mut record) = get::<AppRecord>(apps, &app.to_string())? else {
                return Ok(Activated::NoRelease);
            };
            if record.generation != expected {
                return Ok(Activated::Overtaken(record.generation));
            }
            let split = activation.split.iter().map(|split| &split.release);
            for release in std::iter::once(&activation.release).chain(split) {
                if get::<ReleaseRecord>(&releases, &release_key(app, release))?.is_none() {
                    return Ok(Activated::NoRelease);
                }
            }
            let before = record.active.replace(activation.clone()).map(|before| before.release);
            if let Some(before) = before.filter(|before| *before != activation.release) {
                record.previous = Some(before);
            }
            record.generation += 1;
            put(apps, &app.to_string(), &record)?;
            Ok(Activated::Done(record))
        })
    }

    /// Lets an app answer at a host, or no more.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn set_domain(&self, app: &AppKey, domain: &str, answers: bool) -> Done<DomainSet> {
        self.writing(APPS, |transaction, apps| {
            let mut domains = transaction.open_table(DOMAINS).map_err(database("write"))?;
            let key = app.to_string();
            let Some(mut record) = get::<AppRecord>(apps, &key)? else { return Ok(DomainSet::NoApp) };
            let owner = domains.get(domain).map_err(database("write"))?.map(|owner| owner.value().to_vec());
            if owner.as_ref().is_some_and(|owner| *owner != key.as_bytes()) {
                return Ok(DomainSet::Taken);
            }
            match answers {
                true => {
                    domains.insert(domain, key.as_bytes()).map_err(database("write"))?;
                    record.domains.insert(domain.to_owned());
                }
                false => {
                    domains.remove(domain).map_err(database("write"))?;
                    record.domains.remove(domain);
                }
            }
            put(apps, &key, &record)?;
            Ok(DomainSet::Done(record))
        })
    }

    /// Removes an app with its releases and variables; whether it was there.
    ///
    /// # Errors
    ///
    /// If the disk refuses; then it is still there.
    pub fn remove_app(&self, app: &AppKey) -> Done<bool> {
        self.writing(APPS, |transaction, apps| {
            for table in [RELEASES, VARIABLES] {
                let mut table = transaction.open_table(table).map_err(database("write"))?;
                let own = range(&app.to_string());
                let own = own.start.as_str()..own.end.as_str();
                table.retain_in(own, |_, _| false).map_err(database("write"))?;
            }
            let mut domains = transaction.open_table(DOMAINS).map_err(database("write"))?;
            let own = app.to_string();
            domains.retain(|_, owner| owner != own.as_bytes()).map_err(database("write"))?;
            Ok(apps.remove(own.as_str()).map_err(database("write"))?.is_some())
        })
    }

    /// Removes the oldest releases of an app beyond so many, but none that is served or that a rollback leads to.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn retain_releases(&self, app: &AppKey, count_max: usize) -> Done<()> {
        let all = self.releases(app)?;
        if all.len() <= count_max {
            return Ok(());
        }
        self.writing(APPS, |transaction, apps| {
            let Some(record) = get::<AppRecord>(apps, &app.to_string())? else { return Ok(()) };
            let mut releases = transaction.open_table(RELEASES).map_err(database("write"))?;
            for (digest, _) in all.iter().skip(count_max).filter(|(digest, _)| !record.needs(digest)) {
                releases.remove(release_key(app, digest).as_str()).map_err(database("write"))?;
            }
            Ok(())
        })
    }

    /// Every blob that a release has, and every release.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn needed(&self) -> Done<(Vec<Digest>, Vec<Digest>)> {
        let releases: Vec<(String, ReleaseRecord)> = self.list(RELEASES, "")?;
        let documents = releases.iter().filter_map(|(_, release)| release.blobs.first().copied()).collect();
        Ok((releases.into_iter().flat_map(|(_, release)| release.blobs).collect(), documents))
    }

    /// Remembers that a tenant sent a blob. Only then may it be in a release of that tenant's: who knows a digest
    /// alone does not get what it names.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn sent(&self, tenant: &TenantName, blob: &Digest) -> Done<()> {
        self.writing(SENT, |_, sent| {
            let key = format!("{tenant}/{}", blob.hex());
            sent.insert(key.as_str(), [].as_slice()).map_err(database("write")).map(drop)
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
                let key = format!("{tenant}/{}", blob.hex());
                if sent.get(key.as_str()).map_err(database("read"))?.is_none() {
                    missing.push(*blob);
                }
            }
            Ok(missing)
        })
    }
}

impl AppRecord {
    /// Whether a release is served or shown, or a rollback leads to it.
    pub fn needs(&self, release: &Digest) -> bool {
        let served = self.active.iter().flat_map(|active| {
            std::iter::once(&active.release).chain(active.split.iter().map(|split| &split.release))
        });
        served.chain(&self.previous).chain(&self.previews).any(|needed| needed == release)
    }
}

impl TokenRecord {
    /// Whether it is good for something at `now`.
    pub fn is_good(&self, now: UnixTime) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

fn app_key(key: &str) -> Done<AppKey> {
    key.parse().map_err(|_| StoreError::Record { reason: format!("an app `{key}`") })
}

#[cfg(test)]
mod tests;
