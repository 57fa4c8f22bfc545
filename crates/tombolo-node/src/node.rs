//! A node: one process that serves apps.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::Instant;
use tombolo_cap_kv::Kv;
use tombolo_cap_llm::Llm;
use tombolo_cap_mqtt::Mqtt;
use tombolo_cap_mysql::Mysql;
use tombolo_cap_postgres::Postgres;
use tombolo_cap_redis::Redis;
use tombolo_cap_sqlite::Sqlite;
use tombolo_cap_variables::{self as variables, Variables};
use tombolo_cap_wasi::Access;
use tombolo_capability::AnyCapability;
use tombolo_egress::Common;
use tombolo_gateway::{AccessLog, Doors, Drain, Gateway, GatewayConfig, Published, RouteTable};
use tombolo_model::access_log::AccessLogConfig;
use tombolo_model::networking::Networking;
use tombolo_model::runtime_config::Vault;
use tombolo_model::site::Sites;
use tombolo_model::{App, Isolation, KeyValueStore, LlmCompute};
use tombolo_runtime::{Compiler, EngineConfig, Load, Runtime};
use tombolo_store::{ArtefactCache, StoreError};

use crate::access_log::{self, AccessLogError};
use crate::files::Originals;
use crate::limiters::Limiters;
use crate::load::{Loaded, Loader};
use crate::load_error::LoadError;
use crate::logs::{Files, Keeper, Lines, Logs};
use crate::messages::Subscriptions;
use crate::trust::Trust;

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
    /// Where key-value stores are, by label; `default` is in `state` unless it is among them.
    pub key_value_stores: BTreeMap<String, KeyValueStore>,
    /// Files of SQLite databases, by label; `default` is in `state` unless it is among them.
    pub sqlite_databases: BTreeMap<String, PathBuf>,
    /// Who answers for large language models.
    pub llm: Option<LlmCompute>,
    /// Who is asked for values of variables.
    pub vaults: Vec<Vault>,
    /// Executed in the database `default` before it serves.
    pub sqlite_at_start: Vec<String>,
    /// Given to every component, over its own environment.
    pub environment: BTreeMap<String, String>,
    /// What components may do in the files they read: if they may write, each has copies of its own until it is loaded
    /// anew, and what it writes there is bounded by nothing but the disk.
    pub files: Access,
    /// How requests of every component are kept apart, over what the app says.
    pub isolation: Option<Isolation>,
    /// What holds for guests' connections to other hosts.
    pub networking: Networking,
    /// How those are encrypted.
    pub trust: Trust,
    /// Settings of the engine.
    pub engine: EngineConfig,
    /// Where components are compiled.
    pub compiler: Compiler,
    /// Bounds of the gateway.
    pub gateway: GatewayConfig,
    /// Where requests are written down.
    pub access_log: Option<AccessLogConfig>,
}

/// Components of an app that come into memory before their first request. Of an app with more, most
/// will wait for their first request for long: about 100 kB each, for nothing.
pub(crate) const LOADED_MAX: usize = 32;

/// The file of key-value stores, in the folder of state.
pub(crate) const KEY_VALUE_FILE: &str = "key_value.redb";
/// The folder of databases, there as well.
pub(crate) const SQLITE_FOLDER: &str = "sqlite";

/// A node that is ready to serve.
pub struct Node {
    parts: Parts,
    /// Until the server is taken.
    listener: Option<TcpListener>,
    address: Option<SocketAddr>,
    drain_time_max: Duration,
}

/// What a node is made of, apart from its port.
struct Parts {
    runtime: Runtime,
    capabilities: Vec<Arc<dyn AnyCapability>>,
    gateway: Gateway,
    access_log: Option<AccessLog>,
    limiters: Limiters,
    subscriptions: Arc<Subscriptions>,
    logs: Logs,
    root: PathBuf,
    state: PathBuf,
    environment: BTreeMap<String, String>,
    files: Access,
    isolation: Option<Isolation>,
    common: Arc<Common>,
    trust: Trust,
}

impl Parts {
    /// Prepares an app and makes it the one that is served; `has_port` is whether it may have routes.
    fn load(&self, app: &App, has_port: impl FnOnce(&RouteTable) -> bool) -> Result<(), LoadError> {
        let loader = Loader {
            place: None,
            runtime: &self.runtime,
            capabilities: &self.capabilities,
            gateway: &self.gateway,
            root: &self.root,
            state: &self.state,
            environment: &self.environment,
            files: self.files,
            originals: Originals::Changeable,
            isolation: self.isolation,
            common: &self.common,
            trust: &self.trust,
            allowance: None,
            logs: self.logs.sender(),
            counts: Arc::default(),
            limiters: &self.limiters,
            load: if app.components.len() > LOADED_MAX { Load::Later } else { Load::Now },
        };
        let Loaded { routes, services, wanted, counts: _ } = loader.load(app)?;
        if !has_port(&routes) {
            return Err(LoadError::NoPort);
        }
        self.gateway.publish(Published { sites: Sites::everywhere(routes), services });
        self.subscriptions.replace(wanted);
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
    /// Requests cannot be written down where they should be.
    #[error(transparent)]
    AccessLog(#[from] AccessLogError),
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
            files,
            isolation,
            networking,
            trust,
            engine,
            compiler,
            gateway,
            access_log,
            ..
        } = config;
        let access_log = access_log.map(access_log::open).transpose()?;
        let drain_time_max = gateway.drain_time_max;
        let mut stores = config.key_value_stores;
        stores
            .entry(tombolo_cap_kv::DEFAULT_LABEL.to_owned())
            .or_insert_with(|| KeyValueStore::File(state.join(KEY_VALUE_FILE)));
        let sqlite =
            Sqlite::new(state.join(SQLITE_FOLDER), config.sqlite_databases).at_start(config.sqlite_at_start);
        let variables = Variables::new(config.vaults.iter().map(variables::Vault::new).collect());
        let capabilities = capabilities(
            Arc::new(Kv::new(stores).trusting(Arc::clone(trust.usual()))),
            Arc::new(sqlite),
            variables,
            Llm::new(config.llm),
        );
        let runtime = Runtime::new(engine, capabilities.clone(), open(artefacts), compiler);
        // Made while files are read and their digests taken.
        let engines = runtime.clone();
        tokio::task::spawn_blocking(move || engines.warm_up());
        let logs = Logs::start(Keeper::Files(Files::new(state.join("logs"))), Lines::Text);
        let gateway = Gateway::new(gateway, access_log.clone());
        gateway.look_after();
        let parts = Parts {
            runtime,
            capabilities,
            gateway,
            access_log,
            limiters: Limiters::default(),
            subscriptions: Arc::new(Subscriptions::new()),
            logs,
            root,
            state,
            environment,
            files,
            isolation,
            common: Common::new(&networking),
            trust,
        };
        let mut has_routes = true;
        parts.load(app, |table| {
            has_routes = table.routes().next().is_some();
            true
        })?;
        if !has_routes {
            return Ok(Self { parts, listener: None, address: None, drain_time_max });
        }
        let refuse = |source| NodeError::Listen { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(refuse)?;
        let address = listener.local_addr().map_err(refuse)?;
        Ok(Self { parts, listener: Some(listener), address: Some(address), drain_time_max })
    }

    /// Prepares `app` and makes it the one that is served from now on. Requests under way end as
    /// they began; if it cannot be served, nothing has changed. Takes as long as compiling does.
    ///
    /// # Errors
    ///
    /// Why it cannot be served.
    pub fn load(&self, app: &App) -> Result<(), LoadError> {
        self.parts.load(app, |table| self.address.is_some() || table.routes().next().is_none())
    }

    /// Where it listens; `None` if nothing of the app answers HTTP.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// The part of the node that serves; what is left can go on loading. A node has one: a second serves
    /// messages alone.
    pub fn take_server(&mut self) -> Server {
        Server {
            gateway: self.parts.gateway.clone(),
            doors: self.listener.take().map(|plain| Doors { plain, tls: None }),
            subscriptions: Arc::clone(&self.parts.subscriptions),
            drain_time_max: self.drain_time_max,
        }
    }

    /// Where requests are written down, if they are.
    pub fn access_log(&self) -> Option<AccessLog> {
        self.parts.access_log.clone()
    }

    /// Serves nothing any more, and waits until what guests printed is out, and all requests are written down.
    pub async fn close(&self) {
        // With the table goes the last of what can print.
        self.parts.gateway.publish(Published::default());
        self.parts.logs.close().await;
        if let Some(log) = &self.parts.access_log {
            log.finish().await;
        }
    }
}

/// The serving part of a node.
pub struct Server {
    pub(crate) gateway: Gateway,
    pub(crate) doors: Option<Doors>,
    pub(crate) subscriptions: Arc<Subscriptions>,
    pub(crate) drain_time_max: Duration,
}

impl Server {
    /// Serves until `stop` is done, then lets requests and messages under way end.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Drain {
        let Self { gateway, doors, subscriptions, drain_time_max } = self;
        let (stopped, messages) = tokio::sync::oneshot::channel();
        let stop = async {
            stop.await;
            let _ = stopped.send(Instant::now() + drain_time_max);
        };
        let requests = async {
            match doors {
                Some(doors) => gateway.serve(doors, stop).await,
                None => {
                    stop.await;
                    Drain::Complete
                }
            }
        };
        let messages = async {
            // It was sent: what sends it is part of what this is joined with.
            let until = messages.await.unwrap_or_else(|_| Instant::now());
            (subscriptions.drain(until).await, until)
        };
        let (requests, (messages, until)) = tokio::join!(requests, messages);
        // Requests and messages call components of their app, so these are idle last.
        let idle = tokio::time::timeout_at(until, gateway.idle()).await.is_ok();
        match (requests, messages && idle) {
            (Drain::Complete, true) => Drain::Complete,
            _ => Drain::Forced,
        }
    }
}

/// Everything a guest may be given. The same capabilities in the same order for each who calls this; what they
/// keep is where their stores are.
pub(crate) fn capabilities(
    key_value: Arc<Kv>,
    sqlite: Arc<Sqlite>,
    variables: Variables,
    llm: Llm,
) -> Vec<Arc<dyn AnyCapability>> {
    vec![
        key_value,
        sqlite,
        Arc::new(variables),
        Arc::new(Redis),
        Arc::new(Mqtt),
        Arc::new(llm),
        Arc::new(Mysql),
        Arc::new(Postgres),
    ]
}

/// The cache of artefacts, or none with a warning: a node without one starts slower and serves as
/// well.
pub(crate) fn open(folder: Option<PathBuf>) -> Option<ArtefactCache> {
    let folder = folder?;
    ArtefactCache::open(&folder).inspect_err(warn).ok()
}

fn warn(error: &StoreError) {
    let source = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    tracing::warn!("what is compiled is not cached, so every start compiles again: {error}{source}");
}
