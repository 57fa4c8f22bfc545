//! What a node keeps about its apps: the values of [`crate::Registry`].

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tombolo_model::{Digest, SiteName, TenantName};

/// Seconds since 1970-01-01, UTC.
pub type UnixTime = u64;

/// One app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppRecord {
    /// When it was first heard of.
    pub created: UnixTime,
    /// How often what it serves was changed. Who changes it says the one that it saw.
    pub generation: u64,
    /// What it serves; `None` until something was activated.
    pub active: Option<Activation>,
    /// The release that was active before the one that is now; where a rollback leads.
    pub previous: Option<Digest>,
    /// The number of its last release.
    pub releases: u64,
    /// Other hosts that it answers at.
    #[serde(default)]
    pub domains: BTreeSet<String>,
    /// Releases that are shown at addresses of their own.
    #[serde(default)]
    pub previews: BTreeSet<Digest>,
}

/// What an app serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activation {
    /// The release.
    pub release: Digest,
    /// Another release for some of the clients.
    pub split: Option<SplitRecord>,
}

/// A release for some of the clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitRecord {
    /// The release.
    pub release: Digest,
    /// So many of a hundred clients.
    pub percent: u8,
}

/// One release of an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseRecord {
    /// Its place among those of its app, from 1.
    pub number: u64,
    /// When it came.
    pub created: UnixTime,
    /// Who sent it: the name of a token.
    pub by: String,
    /// What its manifest says its version is.
    pub version: Option<String>,
    /// Every blob of it, the document first.
    pub blobs: Vec<Digest>,
    /// Bytes of its files.
    pub bytes: u64,
    /// Folders that they are in, its own included.
    #[serde(default)]
    pub folders: u64,
    /// What its components may do, in words that can be compared with those of another release.
    pub capabilities: BTreeSet<String>,
}

/// What a token lets its holder do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "scope")]
pub enum Scope {
    /// Everything, on every tenant.
    Admin,
    /// Everything of one tenant.
    Tenant {
        /// Which.
        tenant: TenantName,
    },
    /// To release, activate and look at one app.
    Deploy {
        /// Whose.
        tenant: TenantName,
        /// Which.
        app: SiteName,
    },
    /// To look at what is a tenant's.
    Read {
        /// Whose.
        tenant: TenantName,
    },
}

/// A token, without the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// What people call it.
    pub name: String,
    /// What it is good for.
    pub scope: Scope,
    /// When it was made.
    pub created: UnixTime,
    /// From when on it is good for nothing.
    pub expires: Option<UnixTime>,
}

/// One line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// When.
    pub at: UnixTime,
    /// Who: the name of a token, or `-` for somebody without a good one.
    pub who: String,
    /// From where.
    pub from: String,
    /// What was asked, as method and path.
    pub what: String,
    /// The status it was answered with.
    pub outcome: u16,
    /// Whose it was.
    pub tenant: Option<TenantName>,
    /// What that was for those who follow what happens, if it concerns them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventRecord>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRecord {
    /// Of which kind it is.
    pub kind: EventKind,
    /// Who may know; `None` is admins alone.
    pub tenant: Option<TenantName>,
    /// Which app it is about.
    pub app: Option<SiteName>,
    /// Which release.
    pub release: Option<Digest>,
    /// More, for people.
    pub detail: String,
}

/// A kind of what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// An app serves a release.
    Activated,
    /// It serves one that came before the one it served.
    RolledBack,
    /// A release was not taken, or not activated.
    DeploymentRefused,
    /// An app is no more.
    AppRemoved,
    /// An app could not be served when the node started.
    AppFailed,
    /// A token was made.
    TokenMade,
    /// A token is good for nothing any more.
    TokenRevoked,
}
