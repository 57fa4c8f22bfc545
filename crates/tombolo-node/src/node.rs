//! A node: one process that serves apps.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tombolo_cap_kv::Kv;
use tombolo_cap_mysql::Mysql;
use tombolo_cap_postgres::Postgres;
use tombolo_cap_sqlite::Sqlite;
use tombolo_cap_variables::Variables;
use tombolo_capability::AnyCapability;
use tombolo_gateway::{Drain, Gateway, GatewayConfig, RouteTable};
use tombolo_model::{App, Isolation};
use tombolo_runtime::{Compiler, EngineConfig, Load, Runtime};
use tombolo_store::{ArtefactCache, StoreError};

use crate::load::{LoadError, Loader};
use crate::logs::Logs;

/// Everything a node is started with.
pub struct NodeConfig {
    /// Where it listens; port 0 is one the system chooses.
    pub listen: SocketAddr,
    /// What relative paths of the app are relative to.
    pub root: PathBuf,
    /// Where it keeps data and logs. Made when first written to.
    pub state: PathBuf,
    /// Where it keeps what was compiled; `None` compiles at every start.
    pub artefacts: Option<PathBuf>,
    /// Files of key-value stores, by label; `default` is in `state` unless it is among them.
    pub key_value_stores: BTreeMap<String, PathBuf>,
    /// Files of SQLite databases, by label; `default` is in `state` unless it is among them.
    pub sqlite_databases: BTreeMap<String, PathBuf>,
    /// Executed in the database `default` before it serves.
    pub sqlite_at_start: Vec<String>,
    /// Given to every component, over its own environment.
    pub environment: BTreeMap<String, String>,
    /// How requests of every component are kept apart, over what the app says.
    pub isolation: Option<Isolation>,
    /// Settings of the engine.
    pub engine: EngineConfig,
    /// Where components are compiled.
    pub compiler: Compiler,
    /// Bounds of the gateway.
    pub gateway: GatewayConfig,
}

/// Components of an app that come into memory before their first request. Of an app with more, most
/// will wait for their first request for long: about 100 kB each, for nothing.
const LOADED_MAX: usize = 32;

/// A node that is ready to serve.
pub struct Node {
    parts: Parts,
    /// Until the server is taken.
    listener: Option<TcpListener>,
    address: SocketAddr,
}

/// What a node is made of, apart from its port.
struct Parts {
    runtime: Runtime,
    capabilities: Vec<Arc<dyn AnyCapability>>,
    gateway: Gateway,
    logs: Logs,
    root: PathBuf,
    state: PathBuf,
    environment: BTreeMap<String, String>,
    isolation: Option<Isolation>,
}

impl Parts {
    fn load(&self, app: &App) -> Result<(), LoadError> {
        let loader = Loader {
            runtime: &self.runtime,
            capabilities: &self.capabilities,
            root: &self.root,
            state: &self.state,
            environment: &self.environment,
            isolation: self.isolation,
            logs: self.logs.sender(),
            load: if app.components.len() > LOADED_MAX { Load::Later } else { Load::Now },
        };
        self.gateway.publish(loader.load(app)?);
        Ok(())
    }
}

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The address cannot be listened at.
    #[error("cannot listen at {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The app cannot be served.
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl Node {
    /// Prepares `app`, publishes it, and only then opens the port: who connects is served.
    ///
    /// # Errors
    ///
    /// If the app cannot be served or the port is taken.
    pub async fn start(config: NodeConfig, app: &App) -> Result<Self, NodeError> {
        let NodeConfig {
            listen,
            root,
            state,
            artefacts,
            environment,
            isolation,
            engine,
            compiler,
            gateway,
            ..
        } = config;
        let mut stores = config.key_value_stores;
        stores
            .entry(tombolo_cap_kv::DEFAULT_LABEL.to_owned())
            .or_insert_with(|| state.join("key_value.redb"));
        let sqlite =
            Sqlite::new(state.join("sqlite"), config.sqlite_databases).at_start(config.sqlite_at_start);
        let capabilities: Vec<Arc<dyn AnyCapability>> = vec![
            Arc::new(Kv::new(stores)),
            Arc::new(sqlite),
            Arc::new(Mysql),
            Arc::new(Postgres),
            Arc::new(Variables),
        ];
        let runtime = Runtime::new(engine, capabilities.clone(), open(artefacts), compiler);
        // Made while files are read and their digests taken.
        let engines = runtime.clone();
        tokio::task::spawn_blocking(move || engines.warm_up());
        let logs = Logs::start(Some(state.join("logs")));
        let parts = Parts {
            runtime,
            capabilities,
            gateway: Gateway::new(gateway),
            logs,
            root,
            state,
            environment,
            isolation,
        };
        parts.load(app)?;
        let refuse = |source| NodeError::Listen { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(refuse)?;
        let address = listener.local_addr().map_err(refuse)?;
        Ok(Self { parts, listener: Some(listener), address })
    }

    /// Prepares `app` and makes it the one that is served from now on. Requests under way end as
    /// they began; if it cannot be served, nothing has changed. Takes as long as compiling does.
    ///
    /// # Errors
    ///
    /// Why it cannot be served.
    pub fn load(&self, app: &App) -> Result<(), LoadError> {
        self.parts.load(app)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The part of the node that serves; what is left can go on loading.
    ///
    /// # Panics
    ///
    /// If it was taken before: a node has one.
    pub fn take_server(&mut self) -> Server {
        let listener = self.listener.take().expect("a node's server is taken once");
        Server { gateway: self.parts.gateway.clone(), listener }
    }

    /// Serves nothing any more, and waits until what guests printed is out.
    pub async fn close(&self) {
        // With the table goes the last of what can print.
        self.parts.gateway.publish(RouteTable::default());
        self.parts.logs.close().await;
    }
}

/// The listening part of a node.
pub struct Server {
    gateway: Gateway,
    listener: TcpListener,
}

impl Server {
    /// Serves until `stop` is done, then lets requests under way end.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Drain {
        self.gateway.serve(self.listener, stop).await
    }
}

/// The cache of artefacts, or none with a warning: a node without one starts slower and serves as
/// well.
fn open(folder: Option<PathBuf>) -> Option<ArtefactCache> {
    let folder = folder?;
    ArtefactCache::open(&folder).inspect_err(warn).ok()
}

fn warn(error: &StoreError) {
    let source = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    tracing::warn!("what is compiled is not cached, so every start compiles again: {error}{source}");
}
