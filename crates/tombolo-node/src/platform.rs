//! A platform: one process that serves the apps of many tenants, and takes new releases while it does.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tombolo_cap_llm::Llm;
use tombolo_cap_sqlite::Sqlite;
use tombolo_cap_variables::Variables;
use tombolo_control::{Control, ControlConfig, ControlError, Reached};
use tombolo_gateway::{
    AccessLog, Doors, Drain, Front, Gateway, GatewayConfig, Hsts, Published, Redirect, ServerTls,
};
use tombolo_model::access_log::AccessLogConfig;
use tombolo_model::networking::BlockedNetworks;
use tombolo_model::reach::PrivateNetworks;
use tombolo_model::{LlmCompute, Quotas};
use tombolo_runtime::{Compiler, EngineConfig, Runtime};

use crate::access_log::{self, AccessLogError};
use crate::limiters::Limiters;
use crate::logs::{Journals, Keeper, Lines, Logs};
use crate::measure::Measures;
use crate::messages::Subscriptions;
use crate::node::{Server, capabilities, open};
use crate::office::Office;
use crate::stage::Apps;
use crate::trust::Trust;

/// Everything a platform is started with.
pub struct PlatformConfig {
    /// Where apps answer.
    pub listen: Listen,
    /// Where they answer with TLS.
    pub listen_tls: Option<Listen>,
    /// Where it is told what to do.
    pub control: Listen,
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
    /// What a tenant may use for which nothing else was said.
    pub quotas: Quotas,
    /// How long files that no release names are kept.
    pub uploads_kept: Duration,
    /// What can change while it serves.
    pub settings: PlatformSettings,
    /// Settings of the engine.
    pub engine: EngineConfig,
    /// Where components are compiled.
    pub compiler: Compiler,
    /// Bounds of the gateway.
    pub gateway: GatewayConfig,
    /// Where requests are written down.
    pub access_log: Option<AccessLogConfig>,
    /// Where language models are; without one, apps that ask for some are refused.
    pub llm: Option<LlmCompute>,
}

/// What can change while a platform serves.
#[derive(Clone, Debug)]
pub struct PlatformSettings {
    /// How connections at the listener with TLS are encrypted.
    pub tls: Option<ServerTls>,
    /// Whether requests without TLS are sent to the listener with it.
    pub redirects: bool,
    /// For how many seconds clients that came with TLS are to come with TLS alone.
    pub hsts_s: Option<u64>,
    /// Releases of an app that are kept, besides what is served.
    pub releases_max: usize,
}

/// Where connections come from.
#[derive(Debug)]
pub enum Listen {
    /// An address to listen at; port 0 is one the system chooses.
    At(SocketAddr),
    /// A socket that listens: whoever started this process made it.
    Given(std::net::TcpListener),
}

impl Listen {
    async fn open(self) -> Result<(TcpListener, SocketAddr), PlatformError> {
        let (listener, named) = match self {
            Self::At(address) => {
                let refused = |source| PlatformError::Listen { address, source };
                (TcpListener::bind(address).await.map_err(refused)?, address)
            }
            Self::Given(listener) => {
                let address = listener.local_addr().map_err(PlatformError::Given)?;
                listener.set_nonblocking(true).map_err(PlatformError::Given)?;
                (TcpListener::from_std(listener).map_err(PlatformError::Given)?, address)
            }
        };
        let address = listener.local_addr();
        let address = address.map_err(|source| PlatformError::Listen { address: named, source })?;
        Ok((listener, address))
    }
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
    /// A socket that was given is none to listen at.
    #[error("cannot listen at a socket that was given")]
    Given(#[source] io::Error),
    /// Requests cannot be written down where they should be.
    #[error(transparent)]
    AccessLog(#[from] AccessLogError),
    /// Its data cannot be used.
    #[error(transparent)]
    Control(#[from] ControlError),
}

/// A platform that is ready to serve.
pub struct Platform {
    control: Arc<Control<Apps>>,
    gateway: Gateway,
    access_log: Option<AccessLog>,
    logs: Arc<Logs>,
    journals: Arc<Journals>,
    subscriptions: Arc<Subscriptions>,
    doors: Doors,
    office: Office,
    address: SocketAddr,
    tls_address: Option<SocketAddr>,
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
        let (plain, address) = config.listen.open().await?;
        let (tls, tls_address) = match config.listen_tls {
            Some(listen) => listen.open().await.map(|(listener, address)| (Some(listener), Some(address)))?,
            None => (None, None),
        };
        let doors = Doors { plain, tls };
        let (listener, told_at) = config.control.open().await?;
        let office = Office::new(listener, told_at);
        // For what is linked; each tenant has stores of its own.
        let sqlite = Sqlite::new(data.clone(), BTreeMap::new());
        let linked =
            capabilities(Arc::default(), Arc::new(sqlite), Variables::new(Vec::new()), Llm::new(None));
        let runtime = Runtime::new(engine, linked, open(artefacts), compiler);
        let engines = runtime.clone();
        tokio::task::spawn_blocking(move || engines.warm_up());
        let journals = Arc::new(Journals::new(data.join("logs")));
        let logs = Arc::new(Logs::start(Keeper::Journals(Arc::clone(&journals)), config.lines));
        let access_log = config.access_log.map(access_log::open).transpose()?;
        let gateway = Gateway::new(gateway, access_log.clone());
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
            limiters: Limiters::default(),
            blocked,
            quotas: config.quotas.clone(),
            llm: config.llm,
            trust: Trust::default(),
            folder: data.join("tenants"),
            tenants: Mutex::default(),
            is_held_back: AtomicBool::new(false),
        };
        let control = ControlConfig {
            folder: data,
            domain: config.domain,
            reached: match tls_address {
                Some(address) => Reached::Https(address.port()),
                None => Reached::Http(address.port()),
            },
            releases_max: config.settings.releases_max,
            quotas: config.quotas,
            uploads_kept: config.uploads_kept,
        };
        gateway.face(front(&config.settings, tls_address));
        let control = tokio::task::spawn_blocking(|| Control::open(control, apps)).await;
        let control = control.map_err(|error| ControlError::Start { reason: error.to_string() })??;
        let control = Arc::new(control);
        Ok(Self {
            control,
            gateway,
            access_log,
            logs,
            journals,
            subscriptions,
            doors,
            office,
            address,
            tls_address,
            drain_time_max,
        })
    }

    /// Where apps answer.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where they answer with TLS.
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.tls_address
    }

    /// For changes while it serves.
    pub fn dial(&self) -> Dial {
        let (gateway, control) = (self.gateway.clone(), Arc::downgrade(&self.control));
        Dial { gateway, access_log: self.access_log.clone(), control, tls_address: self.tls_address }
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
            control,
            gateway,
            access_log,
            logs,
            journals,
            subscriptions,
            doors,
            office,
            drain_time_max,
            ..
        } = self;
        let server = Server { gateway: gateway.clone(), doors: Some(doors), subscriptions, drain_time_max };
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
        let keeper = tokio::spawn(keep_house(Arc::downgrade(&control), control.sweep_interval()));
        let (drain, ()) = tokio::join!(served, orders);
        keeper.abort();
        drop(control);
        // With the table goes the last of what can print.
        gateway.publish(Published::default());
        logs.close().await;
        if let Some(log) = access_log {
            log.finish().await;
        }
        drain
    }
}

/// How often the disk is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Looks after the disk, and removes what no release needs, for as long as the node serves.
async fn keep_house(control: Weak<Control<Apps>>, sweep_interval: Duration) {
    let mut swept = Instant::now();
    loop {
        tokio::time::sleep(LOOK_INTERVAL.min(sweep_interval)).await;
        let Some(control) = control.upgrade() else { return };
        let is_time = swept.elapsed() >= sweep_interval;
        let kept = tokio::task::spawn_blocking(move || {
            control.look_at_disk()?;
            if is_time { control.sweep() } else { Ok(()) }
        });
        if let Ok(Err(error)) = kept.await {
            tracing::error!("the data folder cannot be looked after: {}", chain(&error));
        }
        if is_time {
            swept = Instant::now();
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Changes what a platform does while it serves.
pub struct Dial {
    gateway: Gateway,
    access_log: Option<AccessLog>,
    /// Weak, as what it serves ends with the platform.
    control: Weak<Control<Apps>>,
    tls_address: Option<SocketAddr>,
}

impl Dial {
    /// From now on these hold. No connection is closed, and no request dropped.
    pub fn set(&self, settings: &PlatformSettings) {
        self.gateway.face(front(settings, self.tls_address));
        if let Some(control) = self.control.upgrade() {
            control.keep(settings.releases_max);
        }
    }

    /// Where requests are written down, if they are.
    pub fn access_log(&self) -> Option<&AccessLog> {
        self.access_log.as_ref()
    }
}

fn front(settings: &PlatformSettings, tls_address: Option<SocketAddr>) -> Front {
    let redirect = tls_address.filter(|_| settings.redirects);
    Front {
        tls: settings.tls.clone(),
        redirect: redirect.map(|address| Redirect { port: address.port() }),
        hsts: settings.hsts_s.map(Hsts::seconds),
    }
}
