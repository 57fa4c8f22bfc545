//! `tombolo up`.

pub(crate) mod app;
pub(crate) mod build;
mod fetch;
mod operator;
mod registry;
pub(crate) mod walls;
mod watch;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tombolo_model::networking::RootsChosen;
use tombolo_model::{App, Isolation, KeyValueStore};
use tombolo_node::{
    Access, Allocation, Compiler, Drain, EngineConfig, GatewayConfig, Interruption, LoadError, Node,
    NodeConfig, NodeError, Pool, Trust,
};
use tombolo_runtime::priority;

use crate::access_log::{self, AccessLogOptions};
use crate::allocator;
use crate::compile::SUBCOMMAND;
use crate::failure::{Failure, chain};
use crate::pairs;
use app::{Given, Source};
pub(crate) use operator::Operator;
use walls::Walls;

/// Serve an app: a spin.toml, the folder of one, or a single component
///
/// Routes and address are printed on stderr. What components print appears here behind their names,
/// and in .tombolo/logs/ beside the app.
///
/// Examples:
///   tombolo up
///   tombolo up my-api --build --watch
///   tombolo up hello.wasm --listen 127.0.0.1:0
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Up {
    /// A spin.toml, a folder with one, or a component
    #[arg(default_value = ".", value_name = "FILE|DIR")]
    path: PathBuf,
    /// Run the build commands of the manifest first
    #[arg(long)]
    build: bool,
    /// Serve, and build, components as this profile of the manifest has them
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Where stores and databases are, and values of variables come from: Spin's runtime-config.toml
    #[arg(long, value_name = "FILE")]
    runtime_config_file: Option<PathBuf>,
    /// Let components trust the certificates in this file too, in PEM form, and whom they vouch for
    #[arg(long, value_name = "FILE")]
    roots: Option<PathBuf>,
    /// Let components trust whom this machine trusts too
    #[arg(long)]
    platform_roots: bool,
    /// Execute SQL in the database `default` before serving: statements, or a file of them
    #[arg(long, value_name = "STATEMENTS|@FILE")]
    sqlite: Vec<String>,
    /// Where to listen; port 0 is one the system chooses
    #[arg(long, default_value = "127.0.0.1:3000", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Give every component an environment variable
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = pairs::variable)]
    environment: Vec<(String, String)>,
    /// Let components write to copies of their files, which are gone when the app is loaded anew
    #[arg(long)]
    allow_transient_write: bool,
    /// How requests of every component are kept apart, whatever the manifest says
    #[arg(long, value_enum, value_name = "HOW")]
    isolation: Option<IsolationArgument>,
    /// Connections open at once; one more is answered 503
    #[arg(long, default_value_t = GatewayConfig::DEFAULT.connections_max, value_name = "COUNT")]
    connections_max: u32,
    /// Connections of one client address open at once; one more is answered 503
    #[arg(long, default_value_t = GatewayConfig::DEFAULT.client_connections_max, value_name = "COUNT")]
    client_connections_max: u32,
    /// Let go the code of a component that had no request for so many seconds
    #[arg(long, default_value_t = GatewayConfig::DEFAULT.unused_time_max.as_secs(), value_name = "SECONDS")]
    unused_s_max: u64,
    /// Tell clients in `server-timing` what their request used
    #[arg(long)]
    server_timing: bool,
    #[command(flatten)]
    access_log: AccessLogOptions,
    /// Serve anew whenever the app changes, and build when its sources change
    #[arg(long)]
    watch: bool,
    /// Do not give up what serving does not need; to find out whether that is what fails
    #[arg(long)]
    no_confine: bool,
}

/// Tasks a thread polls before it looks for new requests. Tokio's usual 61 slices of a computing guest
/// would be 300 ms; a look costs half a microsecond.
const POLLS_PER_LOOK: u32 = 8;

/// The threads that serve.
pub(crate) fn threads() -> Result<tokio::runtime::Runtime, Failure> {
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .event_interval(POLLS_PER_LOOK)
        .global_queue_interval(POLLS_PER_LOOK)
        // Here, as tokio's other threads never are: what takes long is on those.
        .on_thread_park(|| {
            priority::serves();
            allocator::give_back();
        })
        .build();
    tokio.map_err(|error| Failure::new(format!("cannot start: {error}")))
}

/// What `--isolation` may be.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum IsolationArgument {
    /// A new instance for every request
    Fresh,
    /// An instance that ended a request well may take another, and remembers
    Pool,
}

impl IsolationArgument {
    fn meaning(self) -> Isolation {
        match self {
            Self::Fresh => Isolation::Fresh,
            Self::Pool => Isolation::POOL,
        }
    }
}

impl Up {
    pub(crate) fn run(
        self,
        cache: &Option<PathBuf>,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<ExitCode, Failure> {
        let Operator { stores, databases, llm, known, vaults, networking } =
            Operator::read(self.runtime_config_file.as_deref(), &variables.collect())?;
        let sqlite_at_start =
            self.sqlite.iter().map(|text| operator::statements(text)).collect::<Result<_, _>>()?;
        // Beside the folder of what is compiled.
        let downloads = cache.as_ref().and_then(|cache| Some(cache.parent()?.join("downloads")));
        let given = Given { known, vaults: vaults.clone(), profile: self.profile.clone(), downloads };
        let access_log = self.access_log.config(None)?;
        let source = Source::find(&self.path, given)?;
        let app = source.read()?;
        if self.build {
            build::build(&app, source.root())?;
        }
        // Before the files are out of reach.
        let usual = RootsChosen { webpki: true, platform: self.platform_roots, file: self.roots.clone() };
        let trust = Trust::read(&usual, &networking.client_tls).map_err(|error| Failure::of(&error))?;
        let state = source.root().join(".tombolo");
        // Before anything starts a thread: see `tombolo_confine`.
        let kept = stores.values().filter_map(|store| match store {
            KeyValueStore::File(path) => Some(path),
            KeyValueStore::Redis(_) => None,
        });
        let log = access_log::file(access_log.as_ref());
        let files: Vec<_> = kept.chain(databases.values()).chain(&log).collect();
        self.walls().put_up(say, || walls::plan(&source, &app, &state, &files, cache.as_deref()));
        let config = NodeConfig {
            listen: self.listen,
            root: source.root().to_owned(),
            state,
            artefacts: cache.clone(),
            key_value_stores: stores,
            sqlite_databases: databases,
            llm,
            vaults,
            sqlite_at_start,
            environment: self.environment.iter().cloned().collect(),
            files: if self.allow_transient_write { Access::Write } else { Access::Read },
            isolation: self.isolation.map(IsolationArgument::meaning),
            networking,
            trust,
            engine: EngineConfig {
                allocation: Allocation::Pooled(Pool::DEFAULT),
                interruption: Interruption::Sliced,
            },
            compiler: compiler()?,
            gateway: GatewayConfig {
                connections_max: self.connections_max,
                client_connections_max: self.client_connections_max,
                unused_time_max: Duration::from_secs(self.unused_s_max),
                server_timing: self.server_timing,
                ..GatewayConfig::DEFAULT
            },
            access_log,
        };
        let tokio = threads()?;
        let drain = tokio.block_on(self.serve(source, app, config))?;
        // Whoever is still at work had its time to drain.
        tokio.shutdown_background();
        match drain {
            Drain::Complete => Ok(ExitCode::SUCCESS),
            Drain::Forced => {
                Err(Failure::new("requests under way were cut: they took longer than the drain"))
            }
        }
    }

    fn walls(&self) -> Walls {
        match (self.no_confine, self.watch) {
            (true, _) => Walls::None,
            (false, true) => Walls::Watching,
            (false, false) => Walls::All,
        }
    }

    async fn serve(&self, source: Source, app: App, config: NodeConfig) -> Result<Drain, Failure> {
        // Watched before it is read, so that no change falls between.
        let watch = if self.watch { Some(watch::Watch::new(&source, &app)?) } else { None };
        // From here on a signal drains, also one that comes before the first request.
        let stop = stop_signal(say)?;
        let has_file = access_log::file(config.access_log.as_ref()).is_some();
        let mut node = Node::start(config, &app).await.map_err(|error| refusal(&error, &app))?;
        if has_file && let Some(log) = node.access_log() {
            access_log::reopen_at_hangups(log, say)?;
        }
        let server = node.take_server();
        say(&banner(&app, node.address()));
        let node = Arc::new(node);
        if let Some(watch) = watch {
            watch.start(source, app, Arc::clone(&node))?;
        }
        let drain = server.run(stop).await;
        node.close().await;
        Ok(drain)
    }
}

/// This program, in a process of its own.
pub(crate) fn compiler() -> Result<Compiler, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::new(format!("cannot find this program, to compile with: {error}")))?;
    Ok(Compiler::Process { program, subcommand: SUBCOMMAND })
}

/// Talk goes to stderr; if nobody listens the serving goes on.
pub(crate) fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

fn banner(app: &App, address: Option<SocketAddr>) -> String {
    let components = app
        .triggers
        .iter()
        .filter_map(|trigger| Some((trigger.route.as_ref()?.to_string(), trigger.component.to_string())));
    let assets = app
        .assets
        .iter()
        .map(|assets| (assets.route.to_string(), format!("files in {}", assets.directory.display())));
    let written = app
        .responses
        .iter()
        .map(|response| (response.route.to_string(), format!("always {}", response.status.as_u16())));
    let messages = app
        .redis_triggers
        .iter()
        .map(|trigger| (format!("messages of `{}`", trigger.channel), trigger.component.to_string()));
    let routes: Vec<(String, String)> = components.chain(written).chain(assets).chain(messages).collect();
    let width = routes.iter().map(|(route, _)| route.len()).max().unwrap_or(0);
    let routes: String =
        routes.iter().map(|(route, answerer)| format!("  {route:width$}  {answerer}\n")).collect();
    let waits = match address {
        Some(address) => format!("Listening on http://{address}"),
        None => "Waiting for messages".to_owned(),
    };
    format!("Serving {}\n{routes}{waits}\n", app.name)
}

fn refusal(error: &NodeError, app: &App) -> Failure {
    let failure = Failure::of(error);
    let has_build = app.components.values().any(|component| component.build.is_some());
    let hint = match error {
        NodeError::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
            "something else listens there: choose another with `--listen`, or any free one with port 0"
        }
        NodeError::Load(error) => {
            let each = error.each();
            let mut each = each.iter().map(|(error, _)| *error);
            match each.find(|error| matches!(error, LoadError::Read { .. } | LoadError::Assets { .. })) {
                Some(LoadError::Read { source, .. })
                    if has_build && source.kind() == io::ErrorKind::NotFound =>
                {
                    "build it first: `tombolo up --build`"
                }
                Some(LoadError::Assets { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                    "build what goes there first, or correct `directory`, which is relative to the manifest"
                }
                _ => return failure,
            }
        }
        _ => return failure,
    };
    failure.hint(hint.to_owned())
}

/// Done at SIGTERM or SIGINT, which it says. A second SIGINT ends the process at once: somebody is waiting.
pub(crate) fn stop_signal(say: impl Fn(&str) + Send + 'static) -> Result<impl Future<Output = ()>, Failure> {
    let failed = |error: io::Error| Failure::new(format!("cannot listen for signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        say("Draining; once more to stop at once\n");
        tokio::spawn(async move {
            interrupt.recv().await;
            std::process::exit(130);
        });
    })
}

/// Says why a change is not served, and that what was served still is.
fn say_unchanged(error: &dyn std::error::Error) {
    say(&format!("error: {}\nThe app is served as it was before\n", chain(error)));
}
