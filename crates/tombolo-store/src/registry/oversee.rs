//! What belongs to apps besides releases, and who may change it: tokens, variables, the audit log.

use redb::{ReadableDatabase, ReadableTable, ReadableTableMetadata};
use tombolo_model::{AppKey, Digest, Quotas, TenantName};

use super::{
    APPS, AUDIT, AUDIT_MAX, Done, PreviewSet, QUOTAS, RELEASES, Registry, TOKENS, VARIABLES, get, put, range,
    read, release_key, written,
};
use crate::error::{StoreError, database};
use crate::records::{AppRecord, AuditRecord, ReleaseRecord, TokenRecord};

impl Registry {
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

    /// What tenants may use together, by their names; those that are not there have what all have.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn quotas(&self) -> Done<Vec<(TenantName, Quotas)>> {
        let found = self.list(QUOTAS, "")?;
        let named = |(name, quotas): (String, Quotas)| match name.parse() {
            Ok(name) => Ok((name, quotas)),
            Err(_) => Err(StoreError::Record { reason: format!("a tenant `{name}`") }),
        };
        found.into_iter().map(named).collect()
    }

    /// Sets what a tenant may use together, or that it has what all have.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn set_quotas(&self, tenant: &TenantName, quotas: Option<&Quotas>) -> Done<()> {
        self.writing(QUOTAS, |_, all| match quotas {
            Some(quotas) => put(all, tenant.as_str(), quotas),
            None => all.remove(tenant.as_str()).map_err(database("write")).map(drop),
        })
    }

    /// Shows a release of an app, of which at most `count_max` are shown, or no more.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn set_preview(
        &self,
        app: &AppKey,
        release: &Digest,
        is_shown: bool,
        count_max: usize,
    ) -> Done<PreviewSet> {
        self.writing(APPS, |transaction, apps| {
            let releases = transaction.open_table(RELEASES).map_err(database("write"))?;
            let known: Option<ReleaseRecord> = get(&releases, &release_key(app, release))?;
            let record: Option<AppRecord> = get(apps, &app.to_string())?;
            let (Some(_), Some(mut record)) = (known, record) else { return Ok(PreviewSet::NoRelease) };
            match is_shown {
                true => drop(record.previews.insert(*release)),
                false => drop(record.previews.remove(release)),
            }
            if record.previews.len() > count_max {
                return Ok(PreviewSet::TooMany);
            }
            put(apps, &app.to_string(), &record)?;
            Ok(PreviewSet::Done(record))
        })
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

    /// Bytes of all variables of a tenant, sealed and with their names.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn variables_bytes(&self, tenant: &TenantName) -> Done<u64> {
        self.reading(VARIABLES, |variables| {
            let own = range(tenant.as_str());
            let mut bytes = 0;
            for entry in
                variables.range::<&str>(own.start.as_str()..own.end.as_str()).map_err(database("read"))?
            {
                let (key, value) = entry.map_err(database("read"))?;
                bytes += (key.value().len() + value.value().len()) as u64;
            }
            Ok(bytes)
        })
    }

    /// Adds a line to the audit log; its number.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn audit(&self, record: &AuditRecord) -> Done<u64> {
        self.changing(|transaction| {
            let mut audit = transaction.open_table(AUDIT).map_err(database("write"))?;
            let last = audit.last().map_err(database("write"))?.map_or(0, |(number, _)| number.value());
            audit.insert(last + 1, written(record).as_slice()).map_err(database("write"))?;
            if let Some(oldest) = (last + 1).checked_sub(AUDIT_MAX) {
                audit.remove(oldest).map_err(database("write"))?;
            }
            Ok(last + 1)
        })
    }

    /// The last lines of the audit log behind number `after` that `wanted` takes, the last first; they are numbered
    /// from 1.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn audited(
        &self,
        after: u64,
        count_max: usize,
        wanted: impl Fn(&AuditRecord) -> bool,
    ) -> Done<Vec<(u64, AuditRecord)>> {
        let open = self.file.database()?;
        let transaction = open.begin_read().map_err(database("read"))?;
        let audit = transaction.open_table(AUDIT).map_err(database("read"))?;
        let mut found = Vec::new();
        for entry in audit.range(after.saturating_add(1)..).map_err(database("read"))?.rev() {
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
