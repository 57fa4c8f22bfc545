//! A platform: one process that serves the apps of many tenants, and takes new releases while it does.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tombolo_cap_llm::Llm;
use tombolo_cap_sqlite::Sqlite;
use tombolo_cap_variables::Variables;
use tombolo_control::{Control, ControlConfig, ControlError};
use tombolo_gateway::{Drain, Gateway, GatewayConfig, Published};
use tombolo_model::Quotas;
use tombolo_model::networking::BlockedNetworks;
use tombolo_model::reach::PrivateNetworks;
use tombolo_runtime::{Compiler, EngineConfig, Runtime};

use crate::logs::{Journals, Keeper, Lines, Logs};
use crate::measure::Measures;
use crate::messages::Subscriptions;
use crate::node::{Server, capabilities, open};
use crate::office::Office;
use crate::stage::Apps;
use crate::trust::Trust;

/// Everything a platform is started with.
pub struct PlatformConfig {
    /// Where apps answer; port 0 is one the system chooses.
    pub listen: SocketAddr,
    /// Where it is told what to do; port 0 is one the system chooses.
    pub control: SocketAddr,
    /// Where everything is kept: what was deployed, what apps keep, logs, the node's key.
    pub data: PathBuf,
    /// Where it keeps what was compiled; `None` compiles at every start.
    pub artefacts: Option<PathBuf>,
    /// What the hosts of apps end in.
    pub domain: String,
    /// What manifests may name that is not public: tenants write them.
    pub private: PrivateNetworks,
    /// How the node itself prints what apps print.
    pub lines: Lines,
    /// Releases of an app that are kept, besides what is served.
    pub releases_max: usize,
    /// What a tenant may use for which nothing else was said.
    pub quotas: Quotas,
    /// Settings of the engine.
    pub engine: EngineConfig,
    /// Where components are compiled.
    pub compiler: Compiler,
    /// Bounds of the gateway.
    pub gateway: GatewayConfig,
}

/// Why a platform does not start.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// An address cannot be listened at.
    #[error("cannot listen at {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Its data cannot be used.
    #[error(transparent)]
    Control(#[from] ControlError),
}

/// A platform that is ready to serve.
pub struct Platform {
    control: Arc<Control<Apps>>,
    gateway: Gateway,
    logs: Arc<Logs>,
    journals: Arc<Journals>,
    subscriptions: Arc<Subscriptions>,
    listener: TcpListener,
    office: Office,
    address: SocketAddr,
    drain_time_max: Duration,
}

impl Platform {
    /// Takes the ports, then prepares and publishes what was served when the last process ended: who connects
    /// meanwhile waits until it is served.
    ///
    /// # Errors
    ///
    /// If a port is taken or the data cannot be used.
    pub async fn start(config: PlatformConfig) -> Result<Self, PlatformError> {
        let PlatformConfig { data, engine, compiler, artefacts, gateway, .. } = config;
        let drain_time_max = gateway.drain_time_max;
        // First, so that their numbers are known.
        let listener = bind(config.listen).await?;
        let address = listener.local_addr().map_err(refused(config.listen))?;
        let office = Office::new(bind(config.control).await?, config.control)?;
        // For what is linked; each tenant has stores of its own.
        let sqlite = Sqlite::new(data.clone(), BTreeMap::new());
        let linked = capabilities(Arc::default(), sqlite, Variables::new(Vec::new()), Llm::new(None));
        let runtime = Runtime::new(engine, linked, open(artefacts), compiler);
        let engines = runtime.clone();
        tokio::task::spawn_blocking(move || engines.warm_up());
        let journals = Arc::new(Journals::new(data.join("logs")));
        let logs = Arc::new(Logs::start(Keeper::Journals(Arc::clone(&journals)), config.lines));
        let gateway = Gateway::new(gateway);
        let blocked = BlockedNetworks { private: config.private, ..BlockedNetworks::default() };
        gateway.look_after();
        let subscriptions = Arc::new(Subscriptions::new());
        let apps = Apps {
            runtime,
            gateway: gateway.clone(),
            subscriptions: Arc::clone(&subscriptions),
            logs: Arc::clone(&logs),
            journals: Arc::clone(&journals),
            measures: Measures::default(),
            blocked,
            quotas: config.quotas.clone(),
            trust: Trust::default(),
            folder: data.join("tenants"),
            tenants: Mutex::default(),
        };
        let config = ControlConfig {
            folder: data,
            domain: config.domain,
            port: Some(address.port()).filter(|port| *port != 80),
            releases_max: config.releases_max,
            quotas: config.quotas,
        };
        let control = tokio::task::spawn_blocking(|| Control::open(config, apps)).await;
        let control = control.map_err(|error| ControlError::Start { reason: error.to_string() })??;
        let control = Arc::new(control);
        Ok(Self {
            control,
            gateway,
            logs,
            journals,
            subscriptions,
            listener,
            office,
            address,
            drain_time_max,
        })
    }

    /// Where apps answer.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it is told what to do.
    pub fn control_address(&self) -> SocketAddr {
        self.office.address()
    }

    /// The first admin's token, if there is no token at all: it is told once.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn first_token(&self) -> Result<Option<String>, PlatformError> {
        Ok(self.control.first_token().map_err(ControlError::from)?)
    }

    /// Serves until `stop` is done, lets requests and messages under way end, then takes no more orders, and waits
    /// until what guests printed is out.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Drain {
        let Self {
            control, gateway, logs, journals, subscriptions, listener, office, drain_time_max, ..
        } = self;
        let server =
            Server { gateway: gateway.clone(), listener: Some(listener), subscriptions, drain_time_max };
        let (stopped, mut closing) = watch::channel(());
        let stop = async {
            stop.await;
            control.drain();
        };
        let served = async {
            let drain = server.run(stop).await;
            // Who follows an app sees all that it printed.
            logs.collected().await;
            journals.close();
            control.close();
            drop(stopped);
            drain
        };
        let orders = office.run(tombolo_control::router(Arc::clone(&control)), async move {
            // Nothing is sent: it can only close.
            let _ = closing.changed().await;
        });
        let (drain, ()) = tokio::join!(served, orders);
        drop(control);
        // With the table goes the last of what can print.
        gateway.publish(Published::default());
        logs.close().await;
        drain
    }
}

fn refused(address: SocketAddr) -> impl Fn(io::Error) -> PlatformError {
    move |source| PlatformError::Listen { address, source }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, PlatformError> {
    TcpListener::bind(address).await.map_err(refused(address))
}
