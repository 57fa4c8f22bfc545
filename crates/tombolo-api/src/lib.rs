//! The control interface of a node as types: what is asked of it, what it answers, how it refuses.
//!
//! Both sides use them: the node's control plane and the command that speaks to it. A client may be older or
//! newer than its node, so fields that a reader does not know are passed over; what is sent to a node is read
//! strictly, as a word that is misspelled must not mean nothing.

pub mod metrics;
pub mod problem;
mod tenants;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tombolo_model::{Digest, SiteName, TenantName};
use utoipa::ToSchema;

pub use problem::Problem;
pub use tenants::{SetQuotas, TenantInfo, TenantUsage};

/// Seconds since 1970-01-01, UTC.
pub type UnixTime = u64;

/// Blobs that somebody asks about.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Blobs {
    /// Their digests.
    #[schema(value_type = Vec<String>)]
    pub digests: Vec<Digest>,
}

/// Blobs that the node does not have.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MissingBlobs {
    /// Their digests.
    #[schema(value_type = Vec<String>)]
    pub missing: Vec<Digest>,
}

/// One app.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct App {
    /// Whose it is.
    #[schema(value_type = String)]
    pub tenant: TenantName,
    /// Its name.
    #[schema(value_type = String)]
    pub name: SiteName,
    /// Where it answers, the node's own address first.
    pub addresses: Vec<String>,
    /// Other hosts that it answers at.
    pub domains: BTreeSet<String>,
    /// How often what it serves was changed.
    pub generation: u64,
    /// What it serves; none until something was activated.
    pub active: Option<Active>,
    /// Whether variables were set or removed since that was made ready: they hold once it is activated again,
    /// or the node is started.
    #[serde(default)]
    pub is_stale: bool,
    /// The release a rollback leads to.
    #[schema(value_type = Option<String>)]
    pub previous: Option<Digest>,
    /// When it was first heard of.
    pub created: UnixTime,
}

/// What an app serves.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Active {
    /// The release.
    #[schema(value_type = String)]
    pub release: Digest,
    /// Another release for some of the clients.
    pub split: Option<Split>,
}

/// A release for some of the clients: always the same, as far as their addresses tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// The release.
    #[schema(value_type = String)]
    pub release: Digest,
    /// So many of a hundred clients, 1 to 99.
    pub percent: u8,
}

/// One release of an app.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReleaseInfo {
    /// Its name.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// Its place among those of its app, from 1.
    pub number: u64,
    /// When it came.
    pub created: UnixTime,
    /// The name of the token it came with.
    pub by: String,
    /// What its manifest says its version is.
    pub version: Option<String>,
    /// Bytes of its files.
    pub bytes: u64,
    /// What its components may do.
    pub capabilities: BTreeSet<String>,
    /// What its components may do that those of the active release may not: it needs approval.
    pub new_capabilities: BTreeSet<String>,
    /// Where it is shown beside what the app serves.
    #[serde(default)]
    pub preview: Option<String>,
}

/// A release that is to be shown at an address of its own.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Preview {
    /// Whether what its components newly may do is meant.
    #[serde(default)]
    pub approve: bool,
}

/// What an app is to serve.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Activate {
    /// The release.
    #[schema(value_type = String)]
    pub release: Digest,
    /// The app's generation as it was seen. If somebody changed the app since, nothing happens: 409.
    pub generation: u64,
    /// Another release for some of the clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
    /// Whether what its components newly may do is meant.
    #[serde(default)]
    pub approve: bool,
}

/// The value of a variable. It is never told again.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VariableValue {
    /// The value.
    pub value: String,
}

/// What a token is good for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ScopeName {
    /// Everything, on every tenant.
    Admin,
    /// Everything of one tenant.
    Tenant,
    /// To release, activate and look at one app.
    Deploy,
    /// To look at what is a tenant's.
    Read,
}

/// A token to be made.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What people call it.
    pub name: String,
    /// What it is good for.
    pub scope: ScopeName,
    /// The tenant, unless it is for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub tenant: Option<TenantName>,
    /// The app of a token for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub app: Option<SiteName>,
    /// After how many seconds it is good for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_s: Option<u64>,
}

/// A token that was made. Nobody can ask for it again.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct MadeToken {
    /// What it is known by.
    pub id: String,
    /// The token.
    pub token: String,
}

/// A token, without the token.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TokenInfo {
    /// What it is known by.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it is good for.
    pub scope: ScopeName,
    /// The tenant, unless it is for all.
    #[schema(value_type = Option<String>)]
    pub tenant: Option<TenantName>,
    /// The app of a token for one.
    #[schema(value_type = Option<String>)]
    pub app: Option<SiteName>,
    /// When it was made.
    pub created: UnixTime,
    /// From when on it is good for nothing.
    pub expires: Option<UnixTime>,
}

/// Keys in a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Keys {
    /// In order.
    pub keys: Vec<String>,
    /// Whether there are more behind them.
    pub more: bool,
}

/// One line that a component printed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogLine {
    /// When, in milliseconds since 1970-01-01, UTC.
    pub at_ms: u64,
    /// Who: its id.
    pub component: String,
    /// Where.
    pub stream: LogStream,
    /// What, without the end of the line. What is not UTF-8 is replaced.
    pub text: String,
}

/// Which of its two streams a component printed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Lines that a client did not get here, as it read those before too slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Lost {
    /// How many.
    pub lost: u64,
}

/// One line of the audit log.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditLine {
    /// Its place in the log.
    pub number: u64,
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
}

/// What happened on a node.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Its place in the audit log.
    pub number: u64,
    /// When.
    pub at: UnixTime,
    /// Of which kind it is.
    pub kind: EventKind,
    /// Whose it is; none for what concerns the node.
    #[schema(value_type = Option<String>)]
    pub tenant: Option<TenantName>,
    /// Which app it is about.
    #[schema(value_type = Option<String>)]
    pub app: Option<SiteName>,
    /// Which release.
    #[schema(value_type = Option<String>)]
    pub release: Option<Digest>,
    /// Who: the name of a token, or `-` for the node itself.
    pub who: String,
    /// More, for people.
    pub detail: String,
}

/// A kind of what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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
