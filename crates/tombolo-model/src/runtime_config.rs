//! What the operator says about an app beside its manifest: Spin's `runtime-config.toml`.
//!
//! Which file a label of a store or database is, where values of variables come from, and who answers for large
//! language models. The format is
//! Spin's. What this version does not act on is refused by name: to ignore it would be to keep data where
//! nobody asked for it.
//!
//! Source: Spin, `crates/runtime-config`, `crates/sqlite`, `crates/key-value-spin`, `crates/variables`,
//! `crates/factor-llm`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use http::HeaderValue;
use toml::Spanned;
use toml::de::DeValue;

use crate::endpoint::{Endpoint, Secret};
use crate::manifest::ManifestError;
use crate::manifest::fields::{Document, Fields, Placed};
use crate::manifest::read::{lower_snake, required};
use crate::networking::{self, Networking};

/// A runtime configuration, with paths as they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuntimeConfig {
    /// Where each key-value store is, by label; files are relative to the folder of the configuration.
    pub key_value_stores: BTreeMap<String, KeyValueStore>,
    /// The file of each SQLite database, by label; relative to the working directory, as in Spin.
    pub sqlite_databases: BTreeMap<String, PathBuf>,
    /// Where values of variables come from; the first that has one counts.
    pub variables: Vec<VariablesProvider>,
    /// What holds for connections to other hosts.
    pub networking: Networking,
    /// Who answers for large language models; nobody unless it is said.
    pub llm: Option<LlmCompute>,
}

/// A server of large language models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LlmCompute {
    /// Where it is. Its path counts for nothing, as in Spin: each protocol has paths of its own.
    pub endpoint: Endpoint,
    /// What it is shown.
    pub auth_token: Secret,
    /// What it speaks.
    pub api: LlmApi,
}

/// The protocol of a server of large language models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LlmApi {
    /// Spin's own: `/infer` and `/embed`.
    Spin,
    /// OpenAI's, which many others speak: `/v1/chat/completions` and `/v1/embeddings`.
    OpenAi,
}

/// Where a key-value store is.
#[derive(Clone, PartialEq, Eq)]
pub enum KeyValueStore {
    /// In a file of the embedded store.
    File(PathBuf),
    /// In the database of a Redis server, whose URL may hold a password.
    Redis(String),
}

/// Without the URL, for its password.
impl fmt::Debug for KeyValueStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Redis(_) => f.write_str("Redis"),
        }
    }
}

/// Where values of variables come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VariablesProvider {
    /// The environment, and a file beside it.
    Environment {
        /// What stands before the name of a variable, with a `_` between.
        prefix: String,
        /// A file of lines `NAME=value`, for what the environment lacks; relative to the working directory.
        dotenv: Option<PathBuf>,
    },
    /// The configuration itself.
    Static(BTreeMap<String, String>),
    /// A server that speaks Vault's protocol, asked each time.
    Vault(Vault),
}

/// A store of secrets of Vault's: its key-value engine, version 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vault {
    /// Where it is.
    pub endpoint: Endpoint,
    /// What it is shown.
    pub token: Secret,
    /// Where the engine is mounted.
    pub mount: String,
    /// What stands before the name of a variable, with a `/` between.
    pub prefix: Option<String>,
}

/// The prefix of variables in the environment, unless a provider says another.
pub const VARIABLE_PREFIX: &str = "SPIN_VARIABLE";

impl VariablesProvider {
    /// What comes behind all that are configured: the environment, and `.env` if there is one.
    pub fn last() -> Self {
        Self::Environment { prefix: VARIABLE_PREFIX.to_owned(), dotenv: Some(".env".into()) }
    }
}

/// Reads the configuration `text`. `file` is what messages call it.
///
/// # Errors
///
/// The first thing that is wrong, with its place.
pub fn parse(file: &str, text: &str) -> Result<RuntimeConfig, ManifestError> {
    let document = Document { file, text };
    let table = document.parse()?;
    let root = Fields::root(&document, &table);
    let config = RuntimeConfig {
        key_value_stores: key_value_stores(&root)?,
        sqlite_databases: sqlite_databases(&root)?,
        variables: variables(&root)?,
        networking: networking::read(&root)?,
        llm: llm(&root)?,
    };
    for (field, hint) in [
        ("state_dir", "data is kept in `.tombolo` beside the app"),
        ("log_dir", "logs are kept in `.tombolo/logs` beside the app"),
    ] {
        root.unsupported(field, hint)?;
    }
    root.done()?;
    Ok(config)
}

/// `[key_value_store.<label>]`: a file, or a Redis server.
fn key_value_stores(root: &Fields<'_>) -> Result<BTreeMap<String, KeyValueStore>, ManifestError> {
    let hint =
        "`spin`, a file of this machine, and `redis` are supported; azure_cosmos and aws_dynamo are not";
    labelled(root, "key_value_store", hint, |table, kind| {
        Ok(match kind {
            "spin" => Some(KeyValueStore::File(file(table)?)),
            "redis" => {
                let url = required(table, "url", "the server, `redis://host:port/database`")?;
                Some(KeyValueStore::Redis(url.value.to_owned()))
            }
            _ => None,
        })
    })
}

/// `[sqlite_database.<label>]`: a file.
fn sqlite_databases(root: &Fields<'_>) -> Result<BTreeMap<String, PathBuf>, ManifestError> {
    let hint = "`spin`, a file of this machine, is supported; libsql is not";
    labelled(
        root,
        "sqlite_database",
        hint,
        |table, kind| {
            if kind == "spin" { file(table).map(Some) } else { Ok(None) }
        },
    )
}

/// `[llm_compute]`: a server.
pub(crate) fn llm(root: &Fields<'_>) -> Result<Option<LlmCompute>, ManifestError> {
    let Some(table) = root.table("llm_compute")? else { return Ok(None) };
    let kind = required(&table, "type", "`remote_http`")?;
    if kind.value != "remote_http" {
        let message = format!("the type `{}` is not supported by this version of tombolo", kind.value);
        let hint = Some("run the models in a server, and name that with `type = \"remote_http\"`".to_owned());
        return Err(ManifestError { hint, ..table.error(kind.span, message) });
    }
    let api = match table.text("api_type")? {
        None => LlmApi::Spin,
        Some(Placed { value: "default", .. }) => LlmApi::Spin,
        Some(Placed { value: "open_ai", .. }) => LlmApi::OpenAi,
        Some(other) => {
            let message = format!("`{}` is no API, expected `default` or `open_ai`", other.value);
            return Err(table.error(other.span, message));
        }
    };
    let (endpoint, auth_token) = (endpoint(&table)?, token(&table, "auth_token")?);
    table.done()?;
    Ok(Some(LlmCompute { endpoint, auth_token, api }))
}

/// The `url` of a service.
fn endpoint(table: &Fields<'_>) -> Result<Endpoint, ManifestError> {
    let url = required(table, "url", "the server, `https://host:port`")?;
    url.value.parse().map_err(|error| table.error(url.span, format!("`{}`: {error}", table.path("url"))))
}

/// What a service is shown: it goes into a header.
fn token(table: &Fields<'_>, field: &'static str) -> Result<Secret, ManifestError> {
    let token = required(table, field, "what the server is shown, which may be empty")?;
    match HeaderValue::from_str(token.value) {
        Ok(_) => Ok(Secret::new(token.value)),
        Err(_) => {
            let message = format!("`{}` has characters that no header can have", table.path(field));
            Err(table.error(token.span, message))
        }
    }
}

/// Each `[<field>.<label>]` as `read` reads its table, by its `type`; `hint` says which types there are.
fn labelled<T>(
    root: &Fields<'_>,
    field: &'static str,
    hint: &str,
    read: impl Fn(&Fields<'_>, &str) -> Result<Option<T>, ManifestError>,
) -> Result<BTreeMap<String, T>, ManifestError> {
    let Some(tables) = root.table(field)? else { return Ok(BTreeMap::new()) };
    let entry = |(label, value): (Placed<&str>, &Spanned<DeValue<'_>>)| {
        let table = tables.entry_table(label.value, value)?;
        let kind = required(&table, "type", "`spin`")?;
        let Some(found) = read(&table, kind.value)? else {
            let message = format!("the type `{}` is not supported by this version of tombolo", kind.value);
            return Err(ManifestError { hint: Some(hint.to_owned()), ..table.error(kind.span, message) });
        };
        table.done()?;
        Ok((label.value.to_owned(), found))
    };
    tables.entries().map(entry).collect()
}

/// The `path` of a table with `type = "spin"`.
fn file(table: &Fields<'_>) -> Result<PathBuf, ManifestError> {
    let path = required(table, "path", "the file it is kept in: what is only in memory keeps nothing")?;
    if path.value.is_empty() {
        return Err(table.error(path.span, "`path` is empty, expected the file it is kept in"));
    }
    Ok(PathBuf::from(path.value))
}

/// `[[variables_provider]]`, once called `[[config_provider]]`.
fn variables(root: &Fields<'_>) -> Result<Vec<VariablesProvider>, ManifestError> {
    let tables = root.tables("variables_provider")?.into_iter().chain(root.tables("config_provider")?);
    let provider = |table: Fields<'_>| {
        let kind = required(&table, "type", "`env`, `static` or `vault`")?;
        let provider = match kind.value {
            "env" => VariablesProvider::Environment {
                prefix: table.text("prefix")?.map_or(VARIABLE_PREFIX, |text| text.value).to_owned(),
                dotenv: table.text("dotenv_path")?.map(|text| text.value.into()),
            },
            "static" => VariablesProvider::Static(values(&table)?),
            "vault" => VariablesProvider::Vault(Vault {
                endpoint: endpoint(&table)?,
                token: token(&table, "token")?,
                mount: required(&table, "mount", "where the key-value engine is mounted")?.value.to_owned(),
                prefix: table.text("prefix")?.map(|text| text.value.to_owned()),
            }),
            other => {
                let message = format!("the type `{other}` is not supported by this version of tombolo");
                let hint = Some("`env`, `static` and `vault` are supported".to_owned());
                return Err(ManifestError { hint, ..table.error(kind.span, message) });
            }
        };
        table.done()?;
        Ok(provider)
    };
    tables.map(provider).collect()
}

fn values(table: &Fields<'_>) -> Result<BTreeMap<String, String>, ManifestError> {
    let values = table.table("values")?;
    let values = values.ok_or_else(|| table.missing("values", "a table of names and values"))?;
    let entry = |(key, value): (Placed<&str>, &Spanned<DeValue<'_>>)| {
        lower_snake(&values, &key)?;
        Ok((key.value.to_owned(), values.entry_text(key.value, value)?.to_owned()))
    };
    values.entries().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(text: &str) -> String {
        let error = parse("runtime.toml", text).unwrap_err();
        error.hint.iter().fold(error.to_string(), |text, hint| format!("{text} [{hint}]"))
    }

    #[test]
    fn labels_become_files_and_providers_keep_their_order() {
        let text = "[key_value_store.default]\ntype = \"spin\"\npath = \"kv.redb\"\n\
            [key_value_store.cache]\ntype = \"spin\"\npath = \"/data/cache.redb\"\n\
            [key_value_store.shared]\ntype = \"redis\"\nurl = \"redis://cache/1\"\n\
            [sqlite_database.users]\ntype = \"spin\"\npath = \"users.db\"\n\
            [[variables_provider]]\ntype = \"static\"\nvalues = { region = \"eu\" }\n\
            [[variables_provider]]\ntype = \"env\"\nprefix = \"APP\"\ndotenv_path = \"vars.env\"\n\
            [[variables_provider]]\ntype = \"env\"\n\
            [[variables_provider]]\ntype = \"vault\"\nurl = \"https://vault.test\"\ntoken = \"t\"\nmount = \"secret\"\n\
            prefix = \"shop\"\n\
            [llm_compute]\ntype = \"remote_http\"\nurl = \"https://llm.test:8080/v1\"\nauth_token = \"t\"\n\
            api_type = \"open_ai\"\n";
        let config = parse("runtime.toml", text).unwrap();
        let files = |list: &[(&str, &str)]| {
            list.iter().map(|(label, path)| ((*label).to_owned(), PathBuf::from(path))).collect()
        };
        assert_eq!(
            config,
            RuntimeConfig {
                key_value_stores: BTreeMap::from([
                    ("default".into(), KeyValueStore::File("kv.redb".into())),
                    ("cache".into(), KeyValueStore::File("/data/cache.redb".into())),
                    ("shared".into(), KeyValueStore::Redis("redis://cache/1".into())),
                ]),
                sqlite_databases: files(&[("users", "users.db")]),
                variables: vec![
                    VariablesProvider::Static(BTreeMap::from([("region".into(), "eu".into())])),
                    VariablesProvider::Environment { prefix: "APP".into(), dotenv: Some("vars.env".into()) },
                    VariablesProvider::Environment { prefix: VARIABLE_PREFIX.into(), dotenv: None },
                    VariablesProvider::Vault(Vault {
                        endpoint: "https://vault.test".parse().unwrap(),
                        token: Secret::new("t"),
                        mount: "secret".into(),
                        prefix: Some("shop".into()),
                    }),
                ],
                llm: Some(LlmCompute {
                    endpoint: "https://llm.test:8080/v1".parse().unwrap(),
                    auth_token: Secret::new("t"),
                    api: LlmApi::OpenAi,
                }),
                ..RuntimeConfig::default()
            }
        );
        assert_eq!(parse("runtime.toml", "").unwrap(), RuntimeConfig::default());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(
            text in "(\\[\\[?(variables_provider|sqlite_database\\.a|.{0,5})\\]?\\]\n)?((type|path|values|é) ?= ?.{0,9}\n){0,3}"
        ) {
            let _ = parse("runtime.toml", &text);
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (text, expected) in [
            (
                "[sqlite_database.users]\ntype = \"libsql\"\nurl = \"https://x\"\n",
                "runtime.toml:2:8: the type `libsql` is not supported by this version of tombolo [`spin`, a file \
                 of this machine, is supported; libsql is not]",
            ),
            (
                "[sqlite_database.users]\ntype = \"spin\"\n",
                "runtime.toml:1:1: `[sqlite_database.users]` has no `path`, expected the file it is kept in: what \
                 is only in memory keeps nothing",
            ),
            (
                "[sqlite_database.users]\ntype = \"spin\"\npth = \"x\"\n",
                "runtime.toml:1:1: `[sqlite_database.users]` has no `path`, expected the file it is kept in: what \
                 is only in memory keeps nothing [is `pth` meant to be `path`?]",
            ),
            (
                "[key_value_store.a]\ntype = \"spin\"\npath = 1\n",
                "runtime.toml:3:8: `key_value_store.a.path` is an integer, expected a string",
            ),
            (
                "[[variables_provider]]\ntype = \"azure_key_vault\"\n",
                "runtime.toml:2:8: the type `azure_key_vault` is not supported by this version of tombolo [`env`, \
                 `static` and `vault` are supported]",
            ),
            (
                "[[variables_provider]]\ntype = \"vault\"\nurl = \"http://vault.test\"\ntoken = \"t\"\n",
                "runtime.toml:1:1: `[variables_provider]` has no `mount`, expected where the key-value engine is \
                 mounted",
            ),
            (
                "[[variables_provider]]\ntype = \"static\"\nvalues = { No = \"x\" }\n",
                "runtime.toml:3:12: `No` is not the name of a variable, expected lower_snake_case",
            ),
            (
                "[llm_compute]\ntype = \"spin\"\n",
                "runtime.toml:2:8: the type `spin` is not supported by this version of tombolo [run the models in a \
                 server, and name that with `type = \"remote_http\"`]",
            ),
            (
                "[llm_compute]\ntype = \"remote_http\"\nurl = \"llm.test\"\nauth_token = \"\"\n",
                "runtime.toml:3:7: `llm_compute.url`: expected `http://` or `https://`, a host, and maybe a port and \
                 a path",
            ),
            (
                "[llm_compute]\ntype = \"remote_http\"\nurl = \"http://llm.test\"\nauth_token = \"a\\nb\"\n",
                "runtime.toml:4:14: `llm_compute.auth_token` has characters that no header can have",
            ),
            (
                "[llm_compute]\ntype = \"remote_http\"\nurl = \"http://llm.test\"\nauth_token = \"\"\n\
                 api_type = \"openai\"\n",
                "runtime.toml:5:12: `openai` is no API, expected `default` or `open_ai`",
            ),
            (
                "[key_value_stores.default]\ntype = \"spin\"\n",
                "runtime.toml:1:2: unknown field `key_value_stores` [did you mean `key_value_store`?]",
            ),
        ] {
            assert_eq!(refused(text), expected);
        }
    }
}
