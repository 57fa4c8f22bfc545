//! What belongs to apps besides releases, and who may change it: domains, variables, tokens, the audit log.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tombolo_api as api;
use tombolo_api::Problem;
use tombolo_api::metrics::Metrics;
use tombolo_model::name::is_host_name;
use tombolo_model::{AppKey, Digest, SiteName, TenantName};
use tombolo_store::records::{Activation, AuditRecord, EventKind, EventRecord, Scope, TokenRecord};
use tombolo_store::registry::DomainSet;
use tombolo_store::{KeyValue, Namespace};

use super::{Answer, Control, no_app};
use crate::access::{Principal, new_token, now, token_digest};
use crate::events::{self, Followers};
use crate::feed::Feed;
use crate::refuse;
use crate::stage::{Printed, Stage, Wanted};

/// How often somebody without a good token gets into the audit log.
const STRANGER_INTERVAL: Duration = Duration::from_secs(60);

/// Bytes of all variables of a tenant, of apps that are yet to come as well: they are in the node's own file.
const VARIABLES_BYTES_MAX: u64 = 8 << 20;
/// Tokens of a tenant, and of admins.
const TOKENS_MAX: usize = 10_000;

impl<S: Stage> Control<S> {
    /// Lets an app answer at a host, or no more.
    pub(crate) fn set_domain(&self, key: &AppKey, domain: &str, answers: bool) -> Answer<api::App> {
        let failed = |error| refuse::failed(&error);
        let domain = domain.to_ascii_lowercase();
        if !is_host_name(&domain) {
            return Err(refuse::bad_request(format!(
                "`{domain}` is no name of a host, expected like `shop.example.com`"
            )));
        }
        if domain == self.config.domain || domain.ends_with(&format!(".{}", self.config.domain)) {
            return Err(refuse::bad_request(format!(
                "`{domain}`: hosts below `{}` are named by the node",
                self.config.domain
            )));
        }
        let mut served = self.served();
        let changed = self.registry.set_domain(key, &domain, answers).map_err(failed)?;
        let record = match changed {
            DomainSet::Done(record) => record,
            DomainSet::Taken => return Err(refuse::taken(&domain)),
            DomainSet::NoApp => return Err(no_app(key)),
        };
        if let Some(kept) = served.get_mut(key) {
            kept.served.hosts = self.hosts(key, &record);
            self.publish(&served);
        }
        drop(served);
        self.app_info(key, record)
    }

    /// From now on the node is not ready, and nothing is changed: it stops.
    pub fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// What was counted until now.
    pub(crate) fn measure(
        &self,
        apps: &dyn Fn(&AppKey) -> bool,
        tenants: &dyn Fn(&TenantName) -> bool,
    ) -> Metrics {
        self.stage.measure(apps, tenants)
    }

    /// What an app printed, and prints from now on.
    pub(crate) fn printed(&self, key: &AppKey, wanted: Wanted) -> Answer<Printed> {
        let printed = self.stage.printed(key, wanted).map_err(|error| refuse::not_printed(&error))?;
        // Afterwards: who follows an app that is removed meanwhile is let go.
        self.is_app(key).map(|()| printed)
    }

    /// The same, for something to be set in it.
    pub(crate) fn key_value_to_set(&self, key: &AppKey, label: &str) -> Answer<(KeyValue, Namespace)> {
        self.room(0)?;
        self.key_value(key, label)
    }

    /// A key-value store of an app, and what is the app's in it.
    pub(crate) fn key_value(&self, key: &AppKey, label: &str) -> Answer<(KeyValue, Namespace)> {
        self.is_app(key)?;
        let found = self.stage.key_value(key, label).map_err(|error| refuse::failed(&error))?;
        found.ok_or_else(|| refuse::not_found(format!("no store `{label}`")))
    }

    /// The values of an app's variables.
    pub(super) fn values(&self, key: &AppKey) -> Answer<BTreeMap<String, String>> {
        let sealed = self.registry.variables(key).map_err(|error| refuse::failed(&error))?;
        let open = |(name, sealed): (String, Vec<u8>)| {
            let value = self.seal.open_value(key, &name, &sealed).map_err(|_| {
                tracing::error!("the variable `{name}` of {key} was sealed with another key than `node.key`");
                refuse::refused(
                    "the release cannot be served",
                    vec![format!("variable `{name}`: set it again")],
                )
            })?;
            Ok((name, value))
        };
        sealed.into_iter().map(open).collect()
    }

    /// The names of an app's variables that were set.
    pub(crate) fn variables(&self, key: &AppKey) -> Answer<Vec<String>> {
        let sealed = self.registry.variables(key).map_err(|error| refuse::failed(&error))?;
        Ok(sealed.into_iter().map(|(name, _)| name).collect())
    }

    /// Sets a variable, from the next activation on, or removes it; whether it was there.
    pub(crate) fn set_variable(&self, key: &AppKey, name: &str, value: Option<&str>) -> Answer<bool> {
        let is_name = |name: &str| {
            let mut bytes = name.bytes();
            bytes.next().is_some_and(|byte| byte.is_ascii_lowercase())
                && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
                && name.len() <= 255
        };
        if !is_name(name) {
            return Err(refuse::bad_request(format!(
                "`{name}` is no name of a variable, expected lower_snake"
            )));
        }
        let sealed = value.map(|value| self.seal.seal(key, name, value));
        let _alone = self.served();
        if let Some(sealed) = &sealed {
            let bytes = self.registry.variables_bytes(&key.tenant).map_err(|error| refuse::failed(&error))?;
            if bytes + (name.len() + sealed.len()) as u64 > VARIABLES_BYTES_MAX {
                let reason =
                    format!("the variables of the tenant take {bytes} bytes, of {VARIABLES_BYTES_MAX}");
                return Err(refuse::refused("the variable cannot be taken", vec![reason]));
            }
        }
        self.registry.set_variable(key, name, sealed.as_deref()).map_err(|error| refuse::failed(&error))
    }

    /// Makes a token.
    pub(crate) fn make_token(
        &self,
        name: String,
        scope: Scope,
        expires_in_s: Option<u64>,
    ) -> Answer<api::MadeToken> {
        let token = new_token();
        let digest = token_digest(&token);
        let expires = expires_in_s.map(|seconds| now().saturating_add(seconds));
        let record = TokenRecord { name, scope, created: now(), expires };
        let _alone = self.served();
        let all = self.registry.tokens().map_err(|error| refuse::failed(&error))?;
        if all.iter().filter(|(_, token)| token.scope.tenant() == record.scope.tenant()).count() >= TOKENS_MAX
        {
            let reason = format!("there are {TOKENS_MAX}, as many as may be: revoke those that expired");
            return Err(refuse::refused("the token cannot be made", vec![reason]));
        }
        self.registry.add_token(&digest, &record).map_err(|error| refuse::failed(&error))?;
        Ok(api::MadeToken { id: id_of(&digest.hex()), token })
    }

    /// The tokens that somebody oversees.
    pub(crate) fn tokens(&self, by: &Principal) -> Answer<Vec<api::TokenInfo>> {
        let all = self.registry.tokens().map_err(|error| refuse::failed(&error))?;
        let all = all.into_iter().filter(|(_, token)| by.oversees(&token.scope));
        Ok(all.map(|(hex, token)| token_info(&hex, token)).collect())
    }

    /// Makes a token good for nothing; what it was.
    pub(crate) fn revoke(&self, by: &Principal, id: &str) -> Answer<TokenRecord> {
        let failed = |error| refuse::failed(&error);
        // One at a time: of two that revoke each other's, one must see what the other did.
        let _alone = self.served();
        let all = self.registry.tokens().map_err(failed)?;
        let known = all.iter().find(|(hex, token)| id_of(hex) == id && by.oversees(&token.scope));
        let (hex, token) = known.ok_or_else(|| refuse::not_found(format!("no token `{id}`")))?;
        let admins =
            all.iter().filter(|(_, token)| token.scope == Scope::Admin && token.expires.is_none()).count();
        if token.scope == Scope::Admin && token.expires.is_none() && admins == 1 {
            let reason = "it is the last of an admin that does not expire: nobody could make another";
            return Err(refuse::refused("the token is kept", vec![reason.to_owned()]));
        }
        self.registry.remove_token(hex).map_err(failed)?;
        Ok(token.clone())
    }

    /// Adds a line to the audit log. If that fails it is said, and what was done stands.
    pub(crate) fn audit(&self, record: &AuditRecord) {
        let followers = self.followers();
        match self.registry.audit(record) {
            Ok(number) => followers.tell(number, record),
            Err(error) => drop(refuse::failed(&error)),
        }
    }

    fn followers(&self) -> MutexGuard<'_, Followers> {
        self.followers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last events, and those that come if they are asked for.
    pub(crate) fn events(
        &self,
        tenant: Option<TenantName>,
        lines_max: usize,
        follow: bool,
    ) -> Answer<(Vec<u8>, Option<Feed>)> {
        let scan = |after, most, of: &dyn Fn(&AuditRecord) -> bool| match most {
            0 => Ok(Vec::new()),
            _ => self.registry.audited(after, most, of).map_err(|error| refuse::failed(&error)),
        };
        let wanted = |record: &AuditRecord| events::is_of(record, tenant.as_ref());
        let last = scan(0, 1, &|_| true)?.first().map_or(0, |(number, _)| *number);
        let before = scan(0, lines_max, &wanted)?;
        let last = before.first().map_or(last, |(number, _)| last.max(*number));
        // Whoever writes something down waits from here on, so it is only what came meanwhile that is looked through.
        let mut followers = self.followers();
        let feed = follow.then(|| followers.follow(tenant.clone())).transpose()?;
        let mut found = scan(last, lines_max, &wanted)?;
        drop(followers);
        found.extend(before);
        found.truncate(lines_max);
        found.reverse();
        let lines: Vec<Bytes> =
            found.iter().filter_map(|(number, record)| events::line(*number, record)).collect();
        Ok((lines.concat(), feed))
    }

    /// Lets go who follows what happens.
    pub fn close(&self) {
        self.followers().close();
    }

    /// What it is if an app that serves `active` is to serve `release`.
    pub(super) fn kind_of(
        &self,
        key: &AppKey,
        active: Option<&Activation>,
        release: &Digest,
    ) -> Answer<EventKind> {
        let number = |digest: &Digest| {
            let release = self.registry.release(key, digest).map_err(|error| refuse::failed(&error))?;
            Ok(release.map(|release| release.number))
        };
        let Some(active) = active else { return Ok(EventKind::Activated) };
        match number(release)? < number(&active.release)? {
            true => Ok(EventKind::RolledBack),
            false => Ok(EventKind::Activated),
        }
    }

    /// The same for somebody without a good token, but once a minute: they must not push out what others did.
    pub(crate) fn audit_stranger(&self, record: &AuditRecord) {
        let mut last = self.stranger.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| last.elapsed() < STRANGER_INTERVAL) {
            tracing::debug!("control: {} from {} without a good token", record.what, record.from);
            return;
        }
        *last = Some(Instant::now());
        drop(last);
        self.audit(record);
    }

    /// The last lines of the audit log.
    pub(crate) fn audited(
        &self,
        tenant: Option<&TenantName>,
        count_max: usize,
    ) -> Answer<Vec<api::AuditLine>> {
        let wanted = |record: &AuditRecord| tenant.is_none() || record.tenant.as_ref() == tenant;
        let found = self.registry.audited(0, count_max, wanted).map_err(|error| refuse::failed(&error))?;
        Ok(found.into_iter().map(crate::audit::line).collect())
    }
}

/// What is written down of an app that could not be served when the node started.
pub(super) fn failed(key: &AppKey, active: &Activation, problem: &Problem) -> AuditRecord {
    AuditRecord {
        at: now(),
        who: "-".to_owned(),
        from: "-".to_owned(),
        what: format!("start {key}"),
        outcome: problem.status,
        tenant: Some(key.tenant.clone()),
        event: Some(EventRecord {
            kind: EventKind::AppFailed,
            tenant: Some(key.tenant.clone()),
            app: Some(key.app.clone()),
            release: Some(active.release),
            detail: problem.to_string(),
        }),
    }
}

/// What a token is known by: enough of its digest to tell it from all others, and not enough to find it.
fn id_of(hex: &str) -> String {
    hex.chars().take(12).collect()
}

fn token_info(hex: &str, token: TokenRecord) -> api::TokenInfo {
    let TokenRecord { name, scope, created, expires } = token;
    let (scope, tenant, app): (_, Option<TenantName>, Option<SiteName>) = match scope {
        Scope::Admin => (api::ScopeName::Admin, None, None),
        Scope::Tenant { tenant } => (api::ScopeName::Tenant, Some(tenant), None),
        Scope::Deploy { tenant, app } => (api::ScopeName::Deploy, Some(tenant), Some(app)),
        Scope::Read { tenant } => (api::ScopeName::Read, Some(tenant), None),
    };
    api::TokenInfo { id: id_of(hex), name, scope, tenant, app, created, expires }
}
