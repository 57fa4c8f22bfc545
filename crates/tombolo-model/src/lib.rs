//! The vocabulary of Tombolo: what an app is, what it may use, where it answers.
//!
//! Values only. Nothing here does I/O, waits, reads a clock or draws a random number, so every
//! type can be checked by a property test and every other crate may depend on this one.
//!
//! Read in this order: [`name`], [`digest`], [`limits`], [`app`] (an application as it is meant),
//! [`dependency`] (what is composed into its components), [`assets`] and [`file_path`] (files it serves), [`edge`] (what
//! is done for its clients beside), [`file_glob`] (files it reads), [`template`], [`manifest`] (an application as it is
//! written), [`runtime_config`], [`networking`], [`endpoint`] and [`dotenv`] (what the operator says beside it),
//! [`address`], [`reach`] (which addresses a grant opens), [`outbound`], [`package`] (code of a registry), [`route`] and
//! [`site`], [`release`] (what is deployed), [`quotas`] (what those who deploy may use), [`node_config`] and
//! [`access_log`] (what the operator says about a node).

pub mod access_log;
pub mod address;
pub mod app;
pub mod assets;
pub mod dependency;
pub mod digest;
pub mod dotenv;
pub mod edge;
pub mod endpoint;
pub mod file_glob;
pub mod file_path;
pub mod limits;
pub mod manifest;
pub mod name;
pub mod networking;
pub mod node_config;
pub mod outbound;
pub mod package;
pub mod quotas;
pub mod reach;
pub mod release;
pub mod route;
pub mod runtime_config;
pub mod site;
pub mod template;

pub use app::{
    About, App, Component, Executor, FileMount, Files, HttpTrigger, RedisTrigger, Source, StaticResponse,
    Variable,
};
pub use assets::StaticAssets;
pub use dependency::{Configuration, Dependency, DependencyName, Inherited, Middleware, Part};
pub use digest::{Digest, DigestError};
pub use edge::Edge;
pub use endpoint::{Endpoint, Secret};
pub use limits::{Isolation, Limits};
pub use name::{AppKey, AppName, ComponentId, NameError, SiteName, TenantName};
pub use package::{Package, PackageVersion};
pub use quotas::Quotas;
pub use release::Release;
pub use runtime_config::{KeyValueStore, LlmApi, LlmCompute, RuntimeConfig};
