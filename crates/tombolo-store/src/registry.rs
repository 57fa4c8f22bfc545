//! Apps, releases, tokens and the audit log: one file, every change a transaction that is on disk when it returns.

use std::fs;
use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, Table, TableDefinition};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tombolo_model::{AppKey, Digest, TenantName};

use crate::error::{StoreError, database};
use crate::records::{Activation, AppRecord, AuditRecord, ReleaseRecord, TokenRecord, UnixTime};

type Records = TableDefinition<'static, &'static str, &'static [u8]>;

const APPS: Records = TableDefinition::new("apps");
/// By app and digest: `tenant/app/<hex>`.
const RELEASES: Records = TableDefinition::new("releases");
/// By the digest of the token.
const TOKENS: Records = TableDefinition::new("tokens");
/// By tenant, app and name; sealed.
const VARIABLES: Records = TableDefinition::new("variables");
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
            for table in [APPS, RELEASES, TOKENS, VARIABLES] {
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

    /// Changes the domains of an app; `None` if there is no such app.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn change_domains(
        &self,
        app: &AppKey,
        change: impl FnOnce(&mut std::collections::BTreeSet<String>),
    ) -> Done<Option<AppRecord>> {
        self.writing(APPS, |_, apps| {
            let Some(mut record) = get::<AppRecord>(apps, &app.to_string())? else { return Ok(None) };
            change(&mut record.domains);
            put(apps, &app.to_string(), &record)?;
            Ok(Some(record))
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
            Ok(apps.remove(app.to_string().as_str()).map_err(database("write"))?.is_some())
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

    /// Adds a token, by the digest of its text.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn add_token(&self, token: &Digest, record: &TokenRecord) -> Done<()> {
        self.writing(TOKENS, |_, tokens| put(tokens, &token.hex(), record))
    }

    /// The token with this digest.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn token(&self, token: &Digest) -> Done<Option<TokenRecord>> {
        self.reading(TOKENS, |tokens| get(tokens, &token.hex()))
    }

    /// Every token, by the hex digits of its digest.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn tokens(&self) -> Done<Vec<(String, TokenRecord)>> {
        self.list(TOKENS, "")
    }

    /// Whether there is a token: a node without one is new.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn has_tokens(&self) -> Done<bool> {
        self.reading(TOKENS, |tokens| Ok(!tokens.is_empty().map_err(database("read"))?))
    }

    /// Revokes the token with these hex digits; whether it was there.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn remove_token(&self, hex: &str) -> Done<bool> {
        self.writing(TOKENS, |_, tokens| Ok(tokens.remove(hex).map_err(database("write"))?.is_some()))
    }

    /// Sets a variable of an app to its sealed value, or removes it; whether it was there.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn set_variable(&self, app: &AppKey, name: &str, sealed: Option<&[u8]>) -> Done<bool> {
        self.writing(VARIABLES, |_, variables| {
            let key = format!("{app}/{name}");
            let before = match sealed {
                Some(sealed) => variables.insert(key.as_str(), sealed),
                None => variables.remove(key.as_str()),
            };
            Ok(before.map_err(database("write"))?.is_some())
        })
    }

    /// The sealed variables of an app, by name.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn variables(&self, app: &AppKey) -> Done<Vec<(String, Vec<u8>)>> {
        self.reading(VARIABLES, |variables| {
            let own = range(&app.to_string());
            let found =
                variables.range::<&str>(own.start.as_str()..own.end.as_str()).map_err(database("read"))?;
            found
                .map(|entry| {
                    let (key, value) = entry.map_err(database("read"))?;
                    let name = key.value().rsplit('/').next().unwrap_or_default().to_owned();
                    Ok((name, value.value().to_vec()))
                })
                .collect()
        })
    }

    /// Adds a line to the audit log.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn audit(&self, record: &AuditRecord) -> Done<()> {
        let transaction = self.database.begin_write().map_err(database("write"))?;
        {
            let mut audit = transaction.open_table(AUDIT).map_err(database("write"))?;
            let last = audit.last().map_err(database("write"))?.map_or(0, |(number, _)| number.value());
            audit.insert(last + 1, written(record).as_slice()).map_err(database("write"))?;
            if let Some(oldest) = (last + 1).checked_sub(AUDIT_MAX) {
                audit.remove(oldest).map_err(database("write"))?;
            }
        }
        transaction.commit().map_err(database("write"))
    }

    /// The last lines of the audit log that `wanted` takes, the last first.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn audited(
        &self,
        count_max: usize,
        wanted: impl Fn(&AuditRecord) -> bool,
    ) -> Done<Vec<(u64, AuditRecord)>> {
        let transaction = self.database.begin_read().map_err(database("read"))?;
        let audit = transaction.open_table(AUDIT).map_err(database("read"))?;
        let mut found = Vec::new();
        for entry in audit.iter().map_err(database("read"))?.rev() {
            let (number, value) = entry.map_err(database("read"))?;
            let record = read(value.value())?;
            if wanted(&record) {
                found.push((number.value(), record));
            }
            if found.len() == count_max {
                break;
            }
        }
        Ok(found)
    }
}

impl AppRecord {
    /// Whether a release is served, or a rollback leads to it.
    pub fn needs(&self, release: &Digest) -> bool {
        let served = self.active.iter().flat_map(|active| {
            std::iter::once(&active.release).chain(active.split.iter().map(|split| &split.release))
        });
        served.chain(&self.previous).any(|needed| needed == release)
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
