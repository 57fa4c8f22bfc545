//! What tenants may use, and what they do.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

use tombolo_api as api;
use tombolo_model::{App, AppKey, Component, Digest, Limits, Quotas, TenantName};
use tombolo_store::records::ReleaseRecord;

use super::{Answer, Control};
use crate::refuse;
use crate::stage::Stage;

impl<S: Stage> Control<S> {
    /// Tells the stage what was said of tenants.
    pub(super) fn allow_all(&self) -> Result<(), tombolo_store::StoreError> {
        for (tenant, quotas) in self.registry.quotas()? {
            self.stage.allow(&tenant, &quotas);
        }
        Ok(())
    }

    /// What a tenant may use, and whether it was said for it.
    pub(super) fn quotas(&self, tenant: &TenantName) -> Answer<Option<Quotas>> {
        let all = self.registry.quotas().map_err(|error| refuse::failed(&error))?;
        Ok(all.into_iter().find(|(name, _)| name == tenant).map(|(_, quotas)| quotas))
    }

    /// Every tenant that has an app or sent files, or for which something was said.
    pub(crate) fn tenants(&self) -> Answer<Vec<api::TenantInfo>> {
        let failed = |error| refuse::failed(&error);
        let mut found = BTreeMap::<TenantName, Option<Quotas>>::new();
        for (AppKey { tenant, .. }, _) in self.registry.apps(None).map_err(failed)? {
            found.entry(tenant).or_default();
        }
        for tenant in self.uploads.tenants() {
            found.entry(tenant).or_default();
        }
        for (tenant, quotas) in self.registry.quotas().map_err(failed)? {
            found.insert(tenant, Some(quotas));
        }
        found.into_iter().map(|(tenant, quotas)| self.tenant_info(tenant, quotas)).collect()
    }

    /// One tenant; one that nobody heard of has nothing.
    pub(crate) fn tenant(&self, tenant: TenantName) -> Answer<api::TenantInfo> {
        let quotas = self.quotas(&tenant)?;
        self.tenant_info(tenant, quotas)
    }

    fn tenant_info(&self, name: TenantName, quotas: Option<Quotas>) -> Answer<api::TenantInfo> {
        let apps = self.registry.apps(Some(&name)).map_err(|error| refuse::failed(&error))?.len();
        let usage = api::TenantUsage {
            apps: u32::try_from(apps).unwrap_or(u32::MAX),
            releases_bytes: self.uploads.bytes(&name),
            ..self.stage.usage(&name)
        };
        let has_usual_quotas = quotas.is_none();
        let quotas = quotas.unwrap_or_else(|| self.config.quotas.clone());
        Ok(api::TenantInfo { name, quotas, has_usual_quotas, usage })
    }

    /// From now on a tenant may use so much, or as much as all.
    pub(crate) fn set_quotas(&self, tenant: TenantName, quotas: Option<Quotas>) -> Answer<api::TenantInfo> {
        if let Some(fault) = quotas.as_ref().and_then(Quotas::fault) {
            return Err(refuse::bad_request(fault));
        }
        // What was written last is what holds.
        let alone = self.served();
        let written = self.registry.set_quotas(&tenant, quotas.as_ref());
        written.map_err(|error| refuse::failed(&error))?;
        self.stage.allow(&tenant, quotas.as_ref().unwrap_or(&self.config.quotas));
        drop(alone);
        self.tenant(tenant)
    }

    /// Adds a release, where its app has room: asked again where nobody else adds one.
    pub(super) fn add_where_there_is_room(
        &self,
        key: &AppKey,
        digest: &Digest,
        record: ReleaseRecord,
    ) -> Answer<ReleaseRecord> {
        let _alone = self.served();
        let releases_max = self.room_for(key)?;
        let failed = |error| refuse::failed(&error);
        let record = self.registry.add_release(key, digest, record).map_err(failed)?;
        self.registry.retain_releases(key, releases_max).map_err(failed)?;
        Ok(record)
    }

    /// Whether a tenant may have one more app, if this one is new; and how many releases of it are kept.
    pub(super) fn room_for(&self, key: &AppKey) -> Answer<usize> {
        let quotas = self.quotas(&key.tenant)?.unwrap_or_else(|| self.config.quotas.clone());
        if let Some(apps_max) = quotas.apps_max {
            let apps = self.registry.apps(Some(&key.tenant)).map_err(|error| refuse::failed(&error))?;
            if !apps.iter().any(|(known, _)| known == key) && apps.len() >= apps_max as usize {
                let reason = format!("the tenant has {} apps, of {apps_max} that it may have", apps.len());
                return Err(refuse::refused("the release cannot be taken", vec![reason]));
            }
        }
        let kept = self.releases_max.load(Relaxed);
        // The one that is being added is kept, or it could not be activated.
        Ok(quotas.releases_max.map_or(kept, |max| kept.min(max as usize)).max(1))
    }

    /// What components of an app ask for that is above what their tenant has. What they get without asking is bounded by
    /// that in any case.
    pub(super) fn beyond(&self, tenant: &TenantName, app: &App) -> Answer<Vec<String>> {
        let quotas = self.quotas(tenant)?.unwrap_or_else(|| self.config.quotas.clone());
        let of = |limits: &Limits| {
            [
                limits.memory_bytes_max >> 20,
                limits.concurrency_max.into(),
                limits.outbound_connections_max.into(),
            ]
        };
        let usual = of(&Limits::DEFAULT);
        let most = [
            quotas.memory_mib_max,
            quotas.concurrency_max.map(u64::from),
            quotas.outbound_connections_max.map(u64::from),
        ];
        let names = ["memory_mib_max", "concurrency_max", "outbound_connections_max"];
        let asked = |component: &Component| {
            let all = names.into_iter().zip(of(&component.limits)).zip(usual).zip(most);
            let beyond = all.filter_map(|(((name, asked), usual), most)| {
                let most = most.filter(|most| asked != usual && asked > *most)?;
                let id = &component.id;
                Some(format!("component `{id}`: `{name}` is {asked}, and its tenant has {most} for all"))
            });
            beyond.collect::<Vec<_>>()
        };
        Ok(app.components.values().flat_map(asked).collect())
    }
}
