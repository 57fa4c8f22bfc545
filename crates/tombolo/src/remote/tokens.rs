//! `tombolo tokens`.

use std::io::Write;
use std::process::ExitCode;

use tombolo_api::{MadeToken, NewToken, ScopeName, TokenInfo};
use tombolo_model::{SiteName, TenantName};

use super::session::{At, Environment};
use super::{ago, json, told};
use crate::failure::Failure;

/// Make, list and revoke tokens
#[derive(Debug, clap::Args)]
pub(crate) struct Tokens {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make a token, and print it: this once
    Create {
        /// What people call it
        name: String,
        /// What it is good for
        #[arg(long, value_enum)]
        scope: Scope,
        /// The app of a token to deploy one
        #[arg(long)]
        app: Option<SiteName>,
        /// After how many days it is good for nothing
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=36_500))]
        expires_in: Option<u64>,
        /// Whose it is
        #[arg(long = "for", value_name = "TENANT")]
        holder: Option<TenantName>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        at: At,
    },
    /// List the tokens there are, without the tokens
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        at: At,
    },
    /// Make a token good for nothing
    Revoke {
        /// What `list` calls it in its first column
        id: String,
        #[command(flatten)]
        at: At,
    },
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Scope {
    /// Everything, on every tenant
    Admin,
    /// Everything of one tenant
    Tenant,
    /// To release, activate and look at one app
    Deploy,
    /// To look at what is a tenant's
    Read,
}

impl Scope {
    fn name(self) -> ScopeName {
        match self {
            Self::Admin => ScopeName::Admin,
            Self::Tenant => ScopeName::Tenant,
            Self::Deploy => ScopeName::Deploy,
            Self::Read => ScopeName::Read,
        }
    }
}

impl Tokens {
    pub(crate) fn run(self, environment: &Environment, to: &mut impl Write) -> Result<ExitCode, Failure> {
        match self.action {
            Action::Create { name, scope, app, expires_in, holder: tenant, json: as_json, at } => {
                let expires_in_s = expires_in.map(|days| days * 86_400);
                let new = NewToken { name, scope: scope.name(), tenant, app, expires_in_s };
                let made: MadeToken = at.client(environment)?.post("/v1/tokens", &new)?;
                match as_json {
                    true => json(&made, to)?,
                    false => told(writeln!(to, "{}", made.token))?,
                }
            }
            Action::List { json: as_json, at } => {
                let tokens: Vec<TokenInfo> = at.client(environment)?.get("/v1/tokens")?;
                if as_json {
                    json(&tokens, to)?;
                    return Ok(ExitCode::SUCCESS);
                }
                for TokenInfo { id, name, scope, tenant, app, created, expires } in tokens {
                    let of = match (tenant, app) {
                        (Some(tenant), Some(app)) => format!("{tenant}/{app}"),
                        (Some(tenant), None) => tenant.to_string(),
                        _ => "all".to_owned(),
                    };
                    let scope = format!("{scope:?}").to_lowercase();
                    let expires = expires.map(|at| format!("expires at {at}")).unwrap_or_default();
                    let made = ago(created);
                    told(writeln!(to, "{id}  {scope:6}  {of:20}  {made:>10}  {name}  {expires}"))?;
                }
            }
            Action::Revoke { id, at } => {
                if !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    let message = format!("`{id}` is no token's id: `tombolo tokens list` shows them");
                    return Err(Failure::new(message));
                }
                at.client(environment)?.delete(&format!("/v1/tokens/{id}"))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
