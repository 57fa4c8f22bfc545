//! Whom guests trust at the other ends of their connections, and how they prove who they are.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};
use tombolo_egress::tls;
use tombolo_model::networking::{ClientTls, RootsChosen};

use crate::pem::{self, PemError};

type Hosts = BTreeMap<String, Arc<ClientConfig>>;

/// How guests' connections are encrypted. Made before a server gives up the right to read other files.
#[derive(Clone, Debug)]
pub struct Trust {
    usual: Arc<ClientConfig>,
    /// By component, and then by host in lower case.
    components: BTreeMap<String, Arc<Hosts>>,
}

/// Whom browsers trust.
impl Default for Trust {
    fn default() -> Self {
        Self { usual: Arc::clone(&tls::PUBLIC), components: BTreeMap::new() }
    }
}

/// Why there is no such trust.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file is not what it should be.
    #[error(transparent)]
    File(#[from] PemError),
    /// The machine has no roots where they are looked for.
    #[error("this machine has no trusted roots: {0}")]
    Platform(String),
    /// Certificate and key do not fit.
    #[error("`{}` is not the key of the first certificate in `{}`", key.display(), certificates.display())]
    Identity {
        /// The certificate.
        certificates: PathBuf,
        /// The key.
        key: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
}

impl Trust {
    /// Reads what `usual` says for every connection, and `client_tls` for some; the first that names a component and a
    /// host counts. Paths are as this process finds them.
    ///
    /// # Errors
    ///
    /// Which file is wrong.
    pub fn read(usual: &RootsChosen, client_tls: &[ClientTls]) -> Result<Self, TrustError> {
        let mut components = BTreeMap::<String, Hosts>::new();
        for ClientTls { components: ids, hosts, trust, identity } in client_tls {
            let roots = roots(trust)?;
            let config = match identity {
                None => tls::config(roots),
                Some(identity) => {
                    let (certificates, key) =
                        (pem::certificates(&identity.certificates)?, pem::key(&identity.key)?);
                    tls::config_as(roots, certificates, key).map_err(|source| TrustError::Identity {
                        certificates: identity.certificates.clone(),
                        key: identity.key.clone(),
                        source,
                    })?
                }
            };
            for id in ids {
                let own = components.entry(id.clone()).or_default();
                for host in hosts {
                    own.entry(bare(host)).or_insert_with(|| Arc::clone(&config));
                }
            }
        }
        let components = components.into_iter().map(|(id, hosts)| (id, Arc::new(hosts))).collect();
        Ok(Self { usual: tls::config(roots(usual)?), components })
    }

    /// To hosts that nothing is said about.
    pub(crate) fn usual(&self) -> &Arc<ClientConfig> {
        &self.usual
    }

    /// To this host, for this component.
    pub(crate) fn to(&self, component: &str, host: &str) -> Arc<ClientConfig> {
        let own = self.components.get(component).and_then(|hosts| hosts.get(&bare(host)));
        Arc::clone(own.unwrap_or(&self.usual))
    }

    /// What is said about hosts that this component connects to.
    pub(crate) fn of(&self, component: &str) -> Arc<Hosts> {
        self.components.get(component).cloned().unwrap_or_default()
    }
}

/// As a connection is asked for: without brackets, in lower case.
fn bare(host: &str) -> String {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    bare.unwrap_or(host).to_ascii_lowercase()
}

fn roots(chosen: &RootsChosen) -> Result<RootCertStore, TrustError> {
    let mut store = RootCertStore::empty();
    if chosen.webpki {
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    if chosen.platform {
        let found = rustls_native_certs::load_native_certs();
        // A machine has old roots that nothing reads any more: those are left out.
        if store.add_parsable_certificates(found.certs).0 == 0 {
            let reasons: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
            let reason = if reasons.is_empty() { "none were found".to_owned() } else { reasons.join("; ") };
            return Err(TrustError::Platform(reason));
        }
    }
    if let Some(path) = &chosen.file {
        for certificate in pem::certificates(path)? {
            let expected = "certificates whose issuers can be trusted";
            store.add(certificate).map_err(|_| PemError::Content { path: path.clone(), expected })?;
        }
    }
    Ok(store)
}
