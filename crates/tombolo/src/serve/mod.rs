//! `tombolo serve`.

mod check;
mod notify;
mod reload;
mod settings;
mod sockets;

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};
use tombolo_node::{
    Allocation, Drain, EngineConfig, GatewayConfig, Interruption, Lines, Listen, Platform, PlatformConfig,
    PlatformError, Pool,
};

use crate::access_log;
use crate::failure::Failure;
use crate::log::Format;
use crate::remote::Environment;
use crate::up::walls::{self, Walls};
use crate::up::{compiler, stop_signal, threads};
use notify::Notify;
use reload::Reload;
use settings::Options;
use sockets::Sockets;

/// Serve the apps that are deployed to this node
///
/// Started for the first time it prints an admin's token, this once: log in with it, then deploy. An app answers at
/// http://<app>.<domain>:<port>/, so with the usual domain at http://<app>.localhost:3000/.
///
/// Examples:
///   tombolo serve
///   tombolo serve --data /var/lib/tombolo --listen 0.0.0.0:80 --domain apps.example.com
///   tombolo serve --config /etc/tombolo/node.toml
///   tombolo serve --tls-default-certificate apps.pem apps.key --tls-listen 0.0.0.0:443 --tls-redirect
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Serve {
    /// Only say whether the configuration, its certificates and the data folder can be used; change nothing
    #[arg(long)]
    check: bool,
    /// How the node says what goes on, on stderr, and what components print; TOMBOLO_LOG says how much
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) log: Format,
    /// Do not give up what serving does not need; to find out whether that is what fails
    #[arg(long)]
    no_confine: bool,
    #[command(flatten)]
    options: Options,
}

impl Serve {
    pub(crate) fn run(self, cache: Option<PathBuf>, environment: &Environment) -> Result<ExitCode, Failure> {
        let settings = self.options.settings(environment)?;
        if self.check {
            check::check(&settings, &mut io::stdout().lock())?;
            return Ok(ExitCode::SUCCESS);
        }
        let sockets = Sockets::take(environment)?;
        if sockets.https.is_some() && settings.tls.is_none() {
            return Err(Failure::new("a socket for `https` was given, and there is no certificate"));
        }
        // Before the data folder is made, and files are out of reach.
        let changeable = settings.changeable().map_err(|error| Failure::of(&error))?;
        let data = make(&settings.data)?;
        let artefacts = cache.unwrap_or_else(|| data.join("artefacts"));
        let notify = Notify::connect(environment);
        let walls = if self.no_confine { Walls::None } else { Walls::All };
        // Before anything starts a thread: see `tombolo_confine`.
        walls.put_up(
            |text| self.log.say(text),
            || {
                let log = access_log::file(settings.access_log.as_ref());
                walls::plan_of_platform(&data, Some(&artefacts), &settings.files(), log.as_deref())
            },
        );
        let config = PlatformConfig {
            listen: listen(sockets.http, settings.listen),
            listen_tls: settings.tls.as_ref().map(|tls| listen(sockets.https, tls.listen)),
            control: listen(sockets.control, settings.control),
            data,
            artefacts: Some(artefacts),
            domain: settings.domain.clone(),
            private: settings.private,
            quotas: settings.quotas.clone(),
            uploads_kept: settings.uploads_kept,
            lines: match self.log {
                Format::Text => Lines::Text,
                Format::Json => Lines::Json,
            },
            settings: changeable,
            engine: EngineConfig {
                allocation: Allocation::Pooled(Pool::DEFAULT),
                interruption: Interruption::Sliced,
            },
            compiler: compiler()?,
            gateway: GatewayConfig::DEFAULT,
            access_log: settings.access_log.clone(),
            llm: settings.llm.clone(),
        };
        let environment = environment.clone();
        let log = self.log;
        drained(config, Reload { options: self.options, environment, running: settings, notify, log })
    }
}

fn listen(given: Option<TcpListener>, address: SocketAddr) -> Listen {
    given.map_or(Listen::At(address), Listen::Given)
}

/// Serves until the node is told to stop and has drained.
fn drained(config: PlatformConfig, reload: Reload) -> Result<ExitCode, Failure> {
    let tokio = threads()?;
    let drain = tokio.block_on(serve(config, reload))?;
    // Whoever is still at work had its time to drain.
    tokio.shutdown_background();
    match drain {
        Drain::Complete => Ok(ExitCode::SUCCESS),
        Drain::Forced => Err(Failure::new("requests under way were cut: they took longer than the drain")),
    }
}

async fn serve(config: PlatformConfig, reload: Reload) -> Result<Drain, Failure> {
    let log = reload.log;
    // From here on a signal drains, also one that comes before the first request.
    let stop = stop_signal(move |text| log.say(text))?;
    // With nothing to read again it ends the node, as it ends what runs in a terminal that is closed.
    let has_log = access_log::file(reload.running.access_log.as_ref()).is_some();
    let hears = has_log || !reload.running.files().is_empty();
    let hangups = hears.then(|| signal(SignalKind::hangup())).transpose();
    let hangups = hangups.map_err(|error| Failure::new(format!("cannot listen for signals: {error}")))?;
    let platform = Platform::start(config).await.map_err(|error| refusal(&error))?;
    let first = platform.first_token().map_err(|error| Failure::of(&error))?;
    let control = platform.control_address();
    if let Some(token) = first {
        log.say(&format!(
            "The first token, told this once: {token}\nLog in with it: tombolo login http://{control}\n"
        ));
    }
    log.say(&banner(&platform, &reload.running.domain));
    let notify = reload.notify.clone();
    notify.ready("Serving");
    if let Some(hangups) = hangups {
        tokio::spawn(reload.run(platform.dial(), hangups));
    }
    let stop = async {
        stop.await;
        notify.stopping();
    };
    Ok(platform.run(stop).await)
}

fn banner(platform: &Platform, domain: &str) -> String {
    let (plain, control) = (platform.address(), platform.control_address());
    let (apps, encrypted) = match platform.tls_address() {
        Some(tls) => {
            (format!("https://<app>.{domain}:{}/", tls.port()), format!("Listening on https://{tls}\n"))
        }
        None => (format!("http://<app>.{domain}:{}/", plain.port()), String::new()),
    };
    format!("Apps answer at {apps}\nControl at http://{control}\n{encrypted}Listening on http://{plain}\n")
}

fn refusal(error: &PlatformError) -> Failure {
    let failure = Failure::of(error);
    match error {
        PlatformError::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse => failure.hint(
            "something else listens there: choose another with `--listen`, `--tls-listen` or `--control`, or any free \
             one with port 0"
                .to_owned(),
        ),
        _ => failure,
    }
}

/// The folder, made for this user alone if it is not there; what follows does not depend on where we are.
fn make(folder: &Path) -> Result<PathBuf, Failure> {
    let refuse = |error: io::Error| {
        Failure::new(format!("cannot use the data folder `{}`: {error}", folder.display()))
    };
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(folder).map_err(refuse)?;
    fs::canonicalize(folder).map_err(refuse)
}
