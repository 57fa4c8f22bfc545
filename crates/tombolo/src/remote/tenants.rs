//! `tombolo tenants`.

use std::io::Write;
use std::process::ExitCode;

use tombolo_api::TenantInfo;
use tombolo_model::{Quotas, TenantName};

use super::session::{At, Environment};
use super::{json, told};
use crate::failure::Failure;

/// Show tenants and what they use, and set what they may
///
/// Examples:
///   tombolo tenants list
///   tombolo tenants quotas ada --memory-mib 512 --cpu-ms-per-s 500
///   tombolo tenants quotas ada --usual
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Tenants {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List tenants, what they use, and what they may
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        at: At,
    },
    /// Set what a tenant may use, all of it at once: what is not said has no bound
    Quotas {
        /// Which tenant
        name: TenantName,
        #[command(flatten)]
        said: Said,
        /// What all have for whom nothing else was said
        #[arg(long, conflicts_with = "Said")]
        usual: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        at: At,
    },
}

/// Quotas, as options.
#[derive(Debug, clap::Args)]
struct Said {
    /// Requests and messages at once
    #[arg(long, value_name = "COUNT")]
    concurrency: Option<u32>,
    /// Memory of all instances
    #[arg(long, value_name = "MIB")]
    memory_mib: Option<u64>,
    /// Time on cores in each second; 1000 are one core
    #[arg(long, value_name = "MS")]
    cpu_ms_per_s: Option<u32>,
    /// Connections to other hosts, of releases that are prepared from then on
    #[arg(long, value_name = "COUNT")]
    outbound_connections: Option<u32>,
    /// Size of each file that apps keep: the key-value store, and each SQLite database
    #[arg(long, value_name = "MIB")]
    store_mib: Option<u64>,
    /// What releases take on the disk, with files that were sent and that no release names yet
    #[arg(long, value_name = "MIB")]
    releases_mib: Option<u64>,
    /// Apps
    #[arg(long = "apps", value_name = "COUNT")]
    apps: Option<u32>,
    /// Releases of each app that are kept, besides what is served
    #[arg(long = "releases", value_name = "COUNT")]
    releases: Option<u32>,
}

impl Said {
    fn quotas(&self) -> Quotas {
        Quotas {
            concurrency_max: self.concurrency,
            memory_mib_max: self.memory_mib,
            cpu_ms_per_s_max: self.cpu_ms_per_s,
            outbound_connections_max: self.outbound_connections,
            store_mib_max: self.store_mib,
            releases_mib_max: self.releases_mib,
            apps_max: self.apps,
            releases_max: self.releases,
        }
    }
}

impl Tenants {
    pub(crate) fn run(self, environment: &Environment, to: &mut impl Write) -> Result<ExitCode, Failure> {
        let (tenants, as_json) = match self.action {
            Action::List { json, at } => (at.client(environment)?.get("/v1/tenants")?, json),
            Action::Quotas { name, said, usual, json, at } => {
                let client = at.client(environment)?;
                let path = format!("/v1/tenants/{name}/quotas");
                let tenant: TenantInfo = match usual {
                    true => client.remove(&path)?,
                    false => client.put(&path, &said.quotas())?,
                };
                (vec![tenant], json)
            }
        };
        if as_json {
            json(&tenants, to)?;
            return Ok(ExitCode::SUCCESS);
        }
        for TenantInfo { name, quotas, has_usual_quotas, usage } in &tenants {
            let of = |used: String, most: Option<String>| match most {
                Some(most) => format!("{used} of {most}"),
                None => used,
            };
            let number = |most: Option<u32>| most.map(|most| most.to_string());
            let mib = |bytes: u64| format!("{}", bytes.div_ceil(1 << 20));
            let usual = if *has_usual_quotas { "" } else { "  (own quotas)" };
            told(writeln!(
                to,
                "{name}{usual}\n  apps      {}\n  requests  {}\n  memory    {} MiB\n  cpu       {} ms so far{}\n  \
                 stores    {} MiB{}\n  releases  {} MiB",
                of(usage.apps.to_string(), number(quotas.apps_max)),
                of(usage.requests.to_string(), number(quotas.concurrency_max)),
                of(mib(usage.memory_bytes), quotas.memory_mib_max.map(|mib| mib.to_string())),
                usage.cpu_ms,
                quotas
                    .cpu_ms_per_s_max
                    .map(|most| format!(", at most {most} ms each second"))
                    .unwrap_or_default(),
                mib(usage.store_bytes),
                quotas.store_mib_max.map(|most| format!(", each at most {most}")).unwrap_or_default(),
                of(mib(usage.releases_bytes), quotas.releases_mib_max.map(|mib| mib.to_string())),
            ))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
