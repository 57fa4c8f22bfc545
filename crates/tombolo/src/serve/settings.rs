//! What `serve` is told, and what is usual where nothing is said.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tombolo_model::access_log::{AccessLogConfig, AccessLogTo};
use tombolo_model::node_config::{self, CertificateFiles, NodeConfig, TlsConfig, domain};
use tombolo_model::reach::PrivateNetworks;
use tombolo_model::{LlmCompute, Quotas};
use tombolo_node::{CertificatesError, PlatformSettings, certificates};

use crate::access_log::AccessLogOptions;
use crate::failure::Failure;
use crate::remote::Environment;

/// Settings of a node.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Options {
    /// What the other options say, and certificates, in a file: an option that is said beside it counts
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where everything is kept [default: ~/.local/share/tombolo]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Where apps answer; port 0 is one the system chooses [default: 127.0.0.1:3000]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Where the node is told what to do; port 0 is one the system chooses [default: 127.0.0.1:3001]
    #[arg(long, value_name = "ADDRESS")]
    control: Option<SocketAddr>,
    /// What the hosts of apps end in [default: localhost]
    #[arg(long, value_name = "HOST", value_parser = domain)]
    domain: Option<String>,
    /// Let apps connect to private networks and this machine, where their manifests name them: those who deploy
    /// are trusted with your network
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
    private_networks: Option<bool>,
    /// Releases of an app that are kept, besides what is served [default: 20]
    #[arg(long, value_name = "COUNT")]
    releases_max: Option<usize>,
    /// Seconds that files which no release names are kept after they were last sent or asked for: a release that is
    /// being sent needs them [default: 3600]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    uploads_kept_s: Option<u64>,
    #[command(flatten)]
    access_log: AccessLogOptions,
    #[command(flatten)]
    tls: TlsOptions,
}

/// How clients come with TLS.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "TLS, with a certificate")]
struct TlsOptions {
    /// Show a certificate to clients that name one of its hosts: files of its chain and its key, in PEM form. May be
    /// said more than once; all are read again at SIGHUP
    #[arg(long, num_args = 2, value_names = ["CHAIN", "KEY"])]
    tls_certificate: Vec<PathBuf>,
    /// The same, and clients that name no host, or one no certificate is for, get it too: else they get none
    #[arg(long, num_args = 2, value_names = ["CHAIN", "KEY"])]
    tls_default_certificate: Vec<PathBuf>,
    /// Where apps answer with TLS; port 0 is one the system chooses [default: 127.0.0.1:3443]
    #[arg(long, value_name = "ADDRESS")]
    tls_listen: Option<SocketAddr>,
    /// Send requests that come without TLS to the same host with it
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
    tls_redirect: Option<bool>,
    /// Tell clients to come with TLS alone for so many seconds (HSTS)
    #[arg(long, value_name = "SECONDS")]
    tls_hsts_s: Option<u64>,
}

/// Everything a node is started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) config: Option<PathBuf>,
    pub(super) data: PathBuf,
    pub(super) listen: SocketAddr,
    pub(super) control: SocketAddr,
    pub(super) domain: String,
    pub(super) private: PrivateNetworks,
    pub(super) releases_max: usize,
    pub(super) uploads_kept: Duration,
    /// Of tenants for which nothing else was said.
    pub(super) quotas: Quotas,
    pub(super) tls: Option<Tls>,
    /// Where requests are written down.
    pub(super) access_log: Option<AccessLogConfig>,
    /// Where language models are.
    pub(super) llm: Option<LlmCompute>,
}

/// How clients come with TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tls {
    pub(super) listen: SocketAddr,
    pub(super) certificates: Vec<CertificateFiles>,
    pub(super) redirects: bool,
    pub(super) hsts_s: Option<u64>,
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

impl Options {
    /// What they come to, with the file that they name as it is now.
    pub(super) fn settings(&self, environment: &Environment) -> Result<Settings, Failure> {
        let file = self.config.as_deref().map_or_else(|| Ok(NodeConfig::default()), read)?;
        let data = self.data.clone().or(file.data).or_else(|| usual(environment)).ok_or_else(|| {
            Failure::new("there is no usual place for data: neither XDG_DATA_HOME nor HOME is set")
                .hint("say where: `--data FOLDER`".to_owned())
        })?;
        Ok(Settings {
            config: self.config.clone(),
            data,
            listen: self.listen.or(file.listen).unwrap_or(loopback(3000)),
            control: self.control.or(file.control).unwrap_or(loopback(3001)),
            domain: self.domain.clone().or(file.domain).unwrap_or_else(|| "localhost".to_owned()),
            private: match self.private_networks.or(file.private_networks) {
                Some(true) => PrivateNetworks::ByName,
                _ => PrivateNetworks::Refused,
            },
            releases_max: self.releases_max.or(file.releases_max).unwrap_or(20),
            uploads_kept: Duration::from_secs(self.uploads_kept_s.or(file.uploads_kept_s).unwrap_or(3600)),
            quotas: file.quotas,
            tls: self.tls.settings(file.tls)?,
            access_log: self.access_log.config(file.access_log)?,
            llm: file.llm,
        })
    }
}

/// Reads a `node.toml`. Its paths are relative to its folder.
fn read(path: &Path) -> Result<NodeConfig, Failure> {
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::new(format!("cannot read `{}`: {error}", path.display())))?;
    let mut config = node_config::parse(&path.display().to_string(), &text)
        .map_err(|error| Failure::new(error.to_string()).hint(error.hint))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let certificates = config.tls.certificates.iter_mut();
    let files = certificates.flat_map(|files| [&mut files.chain, &mut files.key]);
    let log = config.access_log.as_mut().and_then(|log| match &mut log.to {
        AccessLogTo::File(path) => Some(path),
        AccessLogTo::Stdout => None,
    });
    for path in config.data.iter_mut().chain(files).chain(log) {
        *path = folder.join(&*path);
    }
    Ok(config)
}

impl TlsOptions {
    fn settings(&self, file: TlsConfig) -> Result<Option<Tls>, Failure> {
        let mut certificates = self.certificates();
        if certificates.is_empty() {
            certificates = file.certificates;
        }
        if certificates.is_empty() {
            let said = self.tls_listen.is_some() || self.tls_redirect.is_some() || self.tls_hsts_s.is_some();
            return match said {
                false => Ok(None),
                true => Err(Failure::usage("how clients come with TLS is said, and there is no certificate")
                    .hint("name one: `--tls-certificate CHAIN KEY`".to_owned())),
            };
        }
        Ok(Some(Tls {
            listen: self.tls_listen.or(file.listen).unwrap_or(loopback(3443)),
            certificates,
            redirects: self.tls_redirect.or(file.redirect).unwrap_or(false),
            hsts_s: self.tls_hsts_s.or(file.hsts_s),
        }))
    }

    fn certificates(&self) -> Vec<CertificateFiles> {
        let pairs = |files: &[PathBuf], is_default: bool| {
            // The parser takes them by two.
            let pairs = files.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone()));
            pairs.map(|(chain, key)| CertificateFiles { chain, key, is_default }).collect::<Vec<_>>()
        };
        let own = pairs(&self.tls_certificate, false);
        own.into_iter().chain(pairs(&self.tls_default_certificate, true)).collect()
    }
}

impl Settings {
    /// What can change while the node serves, with the certificates as their files have them now.
    pub(super) fn changeable(&self) -> Result<PlatformSettings, CertificatesError> {
        Ok(PlatformSettings {
            tls: self.tls.as_ref().map(|tls| certificates::read(&tls.certificates)).transpose()?,
            redirects: self.tls.as_ref().is_some_and(|tls| tls.redirects),
            hsts_s: self.tls.as_ref().and_then(|tls| tls.hsts_s),
            releases_max: self.releases_max,
        })
    }

    /// These, but what cannot change while the node serves is as in `running`; and the names of what would have.
    pub(super) fn beside(mut self, running: &Self) -> (Self, Vec<&'static str>) {
        let mut kept = Vec::new();
        keep("data", &mut self.data, &running.data, &mut kept);
        keep("listen", &mut self.listen, &running.listen, &mut kept);
        keep("control", &mut self.control, &running.control, &mut kept);
        keep("domain", &mut self.domain, &running.domain, &mut kept);
        keep("private_networks", &mut self.private, &running.private, &mut kept);
        keep("uploads_kept_s", &mut self.uploads_kept, &running.uploads_kept, &mut kept);
        keep("quotas", &mut self.quotas, &running.quotas, &mut kept);
        keep("access_log", &mut self.access_log, &running.access_log, &mut kept);
        keep("llm_compute", &mut self.llm, &running.llm, &mut kept);
        match (&mut self.tls, &running.tls) {
            (Some(asked), Some(running)) => keep("tls.listen", &mut asked.listen, &running.listen, &mut kept),
            // A listener comes, or goes.
            (asked, running) => keep("tls", asked, running, &mut kept),
        }
        (self, kept)
    }

    /// The files that are read again when the node is told to.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let certificates = self.tls.iter().flat_map(|tls| &tls.certificates);
        let certificates = certificates.flat_map(|files| [files.chain.clone(), files.key.clone()]);
        self.config.iter().cloned().chain(certificates).collect()
    }
}

fn keep<T: Clone + PartialEq>(name: &'static str, asked: &mut T, running: &T, kept: &mut Vec<&'static str>) {
    if asked != running {
        asked.clone_from(running);
        kept.push(name);
    }
}

/// Where data is, for a user who said nothing (XDG Base Directory Specification).
fn usual(environment: &Environment) -> Option<PathBuf> {
    let set = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    let folder = set("XDG_DATA_HOME").map(PathBuf::from);
    let folder = folder.or_else(|| set("HOME").map(|home| Path::new(home).join(".local/share")));
    folder.map(|folder| folder.join("tombolo"))
}
