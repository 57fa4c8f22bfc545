//! Apps, releases, tokens and the audit log: one file, every change a transaction that is on disk when it returns.

mod check;
mod holdings;
mod oversee;

use std::path::Path;
use std::sync::Arc;

use redb::{Database, ReadableDatabase, ReadableTable, Table, TableDefinition, TableError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tombolo_model::{AppKey, Digest, TenantName};

pub use check::Found;
pub use holdings::Holding;

use crate::database::DatabaseFile;
use crate::disk::{Disk, Os};
use crate::error::{StoreError, chain, database};
use crate::records::{Activation, AppRecord, ReleaseRecord, Scope, TokenRecord, UnixTime};

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
/// Which tenant sent which blob, `tenant/<hex>`, and its bytes: eight of them, the least significant first.
const SENT: Records = TableDefinition::new("sent");
const AUDIT: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("audit");
const META: TableDefinition<'static, &str, u64> = TableDefinition::new("meta");

/// Those of records.
const TABLES: [Records; 7] = [APPS, RELEASES, TOKENS, DOMAINS, VARIABLES, QUOTAS, SENT];

/// What this version writes. A file of a later one is refused, untouched.
const FORMAT: u64 = 1;
/// Lines of the audit log that are kept.
const AUDIT_MAX: u64 = 100_000;

/// An open registry.
pub struct Registry {
    file: DatabaseFile,
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

/// Whether a database is a registry of this version, with every table.
fn is_whole(open: &Database) -> Done<bool> {
    let transaction = open.begin_read().map_err(database("open"))?;
    let is_there = |opened: Result<(), TableError>| match opened {
        Ok(()) => Ok(true),
        Err(TableError::TableDoesNotExist(_)) => Ok(false),
        Err(error) => Err(database("open")(error)),
    };
    for table in TABLES {
        if !is_there(transaction.open_table(table).map(drop))? {
            return Ok(false);
        }
    }
    if !is_there(transaction.open_table(AUDIT).map(drop))?
        || !is_there(transaction.open_table(META).map(drop))?
    {
        return Ok(false);
    }
    let meta = transaction.open_table(META).map_err(database("open"))?;
    Ok(meta.get("format").map_err(database("open"))?.is_some_and(|format| format.value() == FORMAT))
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
        match Self::check(path)? {
            Found::InUse => Err(StoreError::InUse { path: path.to_owned() }),
            Found::Nothing | Found::Registry | Found::Cut => Self::open_on(Arc::new(Os), path),
        }
    }

    /// The same of a file that was checked.
    pub(crate) fn open_on(disk: Arc<dyn Disk>, path: &Path) -> Done<Self> {
        let file = DatabaseFile::open(disk, path, |open| {
            // A disk that is full lets a node start that has nothing to write.
            if is_whole(open)? {
                return Ok(());
            }
            let transaction = open.begin_write().map_err(database("open"))?;
            let mut meta = transaction.open_table(META).map_err(database("open"))?;
            let format = meta.get("format").map_err(database("open"))?.map(|format| format.value());
            if let Some(found) = format.filter(|format| *format != FORMAT) {
                return Err(StoreError::Format { path: path.to_owned(), found, known: FORMAT });
            }
            meta.insert("format", FORMAT).map_err(database("open"))?;
            drop(meta);
            for table in TABLES {
                transaction.open_table(table).map_err(database("open"))?;
            }
            transaction.open_table(AUDIT).map_err(database("open"))?;
            transaction.commit().map_err(database("open"))
        })?;
        Ok(Self { file })
    }

    fn reading<T>(
        &self,
        table: Records,
        look: impl FnOnce(&redb::ReadOnlyTable<&'static str, &'static [u8]>) -> Done<T>,
    ) -> Done<T> {
        let open = self.file.database()?;
        let transaction = open.begin_read().map_err(database("read"))?;
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
        self.changing(|transaction| {
            let mut table = transaction.open_table(table).map_err(database("write"))?;
            change(transaction, &mut table)
        })
    }

    /// Changes something in one transaction, or nothing.
    fn changing<T>(&self, change: impl FnOnce(&redb::WriteTransaction) -> Done<T>) -> Done<T> {
        let open = self.file.database()?;
        let changed = open.begin_write().map_err(database("write")).and_then(|transaction| {
            let done = change(&transaction)?;
            transaction.commit().map_err(database("write"))?;
            Ok(done)
        });
        drop(open);
        if let Err(StoreError::Database { .. }) = &changed {
            // It would refuse all that comes, also once the disk has room again.
            if let Err(error) = self.file.reopen() {
                tracing::error!("the registry is closed until it can be opened: {}", chain(&error));
            }
        }
        changed
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

impl Scope {
    /// Whose it is; `None` is an admin's.
    pub fn tenant(&self) -> Option<&TenantName> {
        match self {
            Self::Admin => None,
            Self::Tenant { tenant } | Self::Deploy { tenant, .. } | Self::Read { tenant } => Some(tenant),
        }
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
