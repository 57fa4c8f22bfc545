//! `tombolo serve`.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tombolo_model::Quotas;
use tombolo_model::name::is_host_name;
use tombolo_model::reach::PrivateNetworks;
use tombolo_node::{
    Allocation, Drain, EngineConfig, GatewayConfig, Interruption, Lines, Platform, PlatformConfig,
    PlatformError, Pool,
};

use crate::allocator;
use crate::failure::Failure;
use crate::log::Format;
use crate::remote::Environment;
use crate::up::walls::{self, Walls};
use crate::up::{POLLS_PER_LOOK, compiler, stop_signal};

/// Serve the apps that are deployed to this node
///
/// Started for the first time it prints an admin's token, this once: log in with it, then deploy. An app answers at
/// http://<app>.<domain>:<port>/, so with the usual domain at http://<app>.localhost:3000/.
///
/// Examples:
///   tombolo serve
///   tombolo serve --data /var/lib/tombolo --listen 0.0.0.0:80 --domain apps.example.com
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Serve {
    /// Where everything is kept; ~/.local/share/tombolo unless said
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Where apps answer; port 0 is one the system chooses
    #[arg(long, default_value = "127.0.0.1:3000", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Where the node is told what to do; port 0 is one the system chooses
    #[arg(long, default_value = "127.0.0.1:3001", value_name = "ADDRESS")]
    control: SocketAddr,
    /// What the hosts of apps end in
    #[arg(long, default_value = "localhost", value_name = "HOST", value_parser = domain)]
    domain: String,
    /// Let apps connect to private networks and this machine, where their manifests name them: those who deploy
    /// are trusted with your network
    #[arg(long)]
    private_networks: bool,
    /// Releases of an app that are kept, besides what is served
    #[arg(long, default_value_t = 20, value_name = "COUNT")]
    releases_max: usize,
    /// How the node says what goes on, on stderr, and what components print; TOMBOLO_LOG says how much
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) log: Format,
    /// Do not give up what serving does not need; to find out whether that is what fails
    #[arg(long)]
    no_confine: bool,
}

fn domain(text: &str) -> Result<String, String> {
    let text = text.to_ascii_lowercase();
    // An app's label of at most 63 and a dot stand before it (RFC 1035 §2.3.4).
    if text.len() <= 253 - 64 && is_host_name(&text) {
        return Ok(text);
    }
    Err("expected a name of hosts such as `localhost` or `apps.example.com`".to_owned())
}

impl Serve {
    pub(crate) fn run(self, cache: Option<PathBuf>, environment: &Environment) -> Result<ExitCode, Failure> {
        let data = self.data.clone().or_else(|| usual(environment)).ok_or_else(|| {
            Failure::new("there is no usual place for data: neither XDG_DATA_HOME nor HOME is set")
                .hint("say where: `--data FOLDER`".to_owned())
        })?;
        let data = make(&data)?;
        let artefacts = cache.clone().unwrap_or_else(|| data.join("artefacts"));
        let walls = if self.no_confine { Walls::None } else { Walls::All };
        // Before anything starts a thread: see `tombolo_confine`.
        walls.put_up(|text| self.log.say(text), || walls::plan_of_platform(&data, Some(&artefacts)));
        let config = PlatformConfig {
            listen: self.listen,
            control: self.control,
            data,
            artefacts: Some(artefacts),
            domain: self.domain,
            private: match self.private_networks {
                true => PrivateNetworks::ByName,
                false => PrivateNetworks::Refused,
            },
            releases_max: self.releases_max,
            quotas: Quotas::default(),
            lines: match self.log {
                Format::Text => Lines::Text,
                Format::Json => Lines::Json,
            },
            engine: EngineConfig {
                allocation: Allocation::Pooled(Pool::DEFAULT),
                interruption: Interruption::Sliced,
            },
            compiler: compiler()?,
            gateway: GatewayConfig::DEFAULT,
        };
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .event_interval(POLLS_PER_LOOK)
            .global_queue_interval(POLLS_PER_LOOK)
            .on_thread_park(allocator::give_back)
            .build();
        let tokio = tokio.map_err(|error| Failure::new(format!("cannot start: {error}")))?;
        let drain = tokio.block_on(serve(config, self.log))?;
        // Whoever is still at work had its time to drain.
        tokio.shutdown_background();
        match drain {
            Drain::Complete => Ok(ExitCode::SUCCESS),
            Drain::Forced => {
                Err(Failure::new("requests under way were cut: they took longer than the drain"))
            }
        }
    }
}

async fn serve(config: PlatformConfig, log: Format) -> Result<Drain, Failure> {
    // From here on a signal drains, also one that comes before the first request.
    let stop = stop_signal(move |text| log.say(text))?;
    let domain = config.domain.clone();
    let platform = Platform::start(config).await.map_err(|error| refusal(&error))?;
    let first = platform.first_token().map_err(|error| Failure::of(&error))?;
    let control = platform.control_address();
    if let Some(token) = first {
        log.say(&format!(
            "The first token, told this once: {token}\nLog in with it: tombolo login http://{control}\n"
        ));
    }
    let port = platform.address().port();
    log.say(&format!(
        "Apps answer at http://<app>.{domain}:{port}/\nControl at http://{control}\nListening on http://{}\n",
        platform.address()
    ));
    Ok(platform.run(stop).await)
}

fn refusal(error: &PlatformError) -> Failure {
    let failure = Failure::of(error);
    match error {
        PlatformError::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse => failure.hint(
            "something else listens there: choose another with `--listen` or `--control`, or any free one with port 0"
                .to_owned(),
        ),
        _ => failure,
    }
}

/// Where data is, for a user who said nothing (XDG Base Directory Specification).
fn usual(environment: &Environment) -> Option<PathBuf> {
    let set = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    let folder = set("XDG_DATA_HOME").map(PathBuf::from);
    let folder = folder.or_else(|| set("HOME").map(|home| Path::new(home).join(".local/share")));
    folder.map(|folder| folder.join("tombolo"))
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
