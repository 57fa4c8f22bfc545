//! What the operator says: files of stores and databases, values of variables, who answers for language models.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tombolo_cap_variables::AtMost;
use tombolo_model::manifest::Known;
use tombolo_model::manifest::variables::Values;
use tombolo_model::networking::Networking;
use tombolo_model::runtime_config::{self, VariablesProvider, Vault};
use tombolo_model::{KeyValueStore, LlmCompute, RuntimeConfig, dotenv};

use crate::failure::Failure;

/// Bytes of a value that must be known when an app is read, as it comes and as it is.
const VALUE_BYTES_MAX: u64 = 1 << 20;

/// What is said beside the manifest, with paths as this process finds them.
#[derive(Debug, Default)]
pub(crate) struct Operator {
    /// Where key-value stores are, by label.
    pub(crate) stores: BTreeMap<String, KeyValueStore>,
    /// Files of databases, by label.
    pub(crate) databases: BTreeMap<String, PathBuf>,
    /// Who answers for large language models.
    pub(crate) llm: Option<LlmCompute>,
    /// Values of variables that are known, by name.
    pub(crate) known: BTreeMap<String, Known>,
    /// Who is asked for others.
    pub(crate) vaults: Vec<Vault>,
    /// What holds for connections to other hosts.
    pub(crate) networking: Networking,
}

impl Operator {
    /// What `file` says, if there is one, and `environment`.
    pub(crate) fn read(file: Option<&Path>, environment: &Values) -> Result<Self, Failure> {
        let mut config = match file {
            None => RuntimeConfig::default(),
            Some(file) => {
                let text = fs::read_to_string(file)
                    .map_err(|error| Failure::new(format!("cannot read `{}`: {error}", file.display())))?;
                runtime_config::parse(&file.display().to_string(), &text)
                    .map_err(|error| Failure::new(error.to_string()).hint(error.hint))?
            }
        };
        let (known, vaults) = variables(&config.variables, environment)?;
        // Those of stores are relative to the configuration and those of databases are not: so it is in Spin.
        let folder = file.and_then(Path::parent).unwrap_or(Path::new(""));
        for store in config.key_value_stores.values_mut() {
            if let KeyValueStore::File(path) = store {
                *path = absolute(&folder.join(&*path))?;
            }
        }
        for path in config.sqlite_databases.values_mut() {
            *path = absolute(path)?;
        }
        for tls in &mut config.networking.client_tls {
            let identity = tls.identity.iter_mut().flat_map(|own| [&mut own.certificates, &mut own.key]);
            for path in tls.trust.file.iter_mut().chain(identity) {
                *path = folder.join(&*path);
            }
        }
        Ok(Self {
            stores: config.key_value_stores,
            databases: config.sqlite_databases,
            llm: config.llm,
            known,
            vaults,
            networking: config.networking,
        })
    }
}

/// Absolute, so that each has a folder.
fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    let absolute = std::path::absolute(path);
    absolute.map_err(|error| Failure::new(format!("`{}` is no path: {error}", path.display())))
}

/// What `--sqlite` says: statements, or behind `@` the file they are in.
pub(crate) fn statements(text: &str) -> Result<String, Failure> {
    let Some(file) = text.strip_prefix('@') else { return Ok(text.to_owned()) };
    fs::read_to_string(file).map_err(|error| Failure::new(format!("cannot read `{file}`: {error}")))
}

/// What a file that is not there means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    IsFine,
    IsAnError,
}

/// What providers know, and those that are asked: the first that has a value counts.
fn variables(
    providers: &[VariablesProvider],
    environment: &Values,
) -> Result<(BTreeMap<String, Known>, Vec<Vault>), Failure> {
    let (mut known, mut vaults) = (BTreeMap::new(), Vec::new());
    let mut add = |found: Values, behind: usize| {
        for (name, value) in found {
            known.entry(name).or_insert(Known { value, behind });
        }
    };
    let last = VariablesProvider::last();
    let configured = providers.iter().map(|provider| (provider, Missing::IsAnError));
    for (provider, missing) in configured.chain([(&last, Missing::IsFine)]) {
        match provider {
            VariablesProvider::Vault(vault) => vaults.push(vault.clone()),
            VariablesProvider::Static(own) => add(own.clone(), vaults.len()),
            VariablesProvider::Environment { prefix, dotenv } => {
                add(named(prefix, environment), vaults.len());
                if let Some(path) = dotenv {
                    add(named(prefix, &lines(path, missing)?), vaults.len());
                }
            }
        }
    }
    Ok((known, vaults))
}

/// The values whose names have the prefix, by what stands behind it.
fn named(prefix: &str, found: &Values) -> Values {
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}_") };
    let mut values = Values::new();
    for (name, value) in found {
        if let Some(name) = name.strip_prefix(&prefix) {
            values.entry(name.to_ascii_lowercase()).or_insert_with(|| value.clone());
        }
    }
    values
}

/// Asks each for the value of a variable, in their order, and waits for it: for what must be known when an app is read.
///
/// Leaves no thread behind: what confines this process must come before there are others.
pub(crate) fn ask(vaults: &[Vault], name: &str) -> Result<Option<String>, String> {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let tokio = tokio.map_err(|error| error.to_string())?;
    for vault in vaults {
        let vault = tombolo_cap_variables::Vault::new(vault);
        let found = tokio.block_on(vault.value(name, AtMost(VALUE_BYTES_MAX)));
        if let Some((value, _)) = found.map_err(|error| error.to_string())? {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

fn lines(path: &Path, missing: Missing) -> Result<Values, Failure> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if missing == Missing::IsFine && error.kind() == io::ErrorKind::NotFound => {
            return Ok(Values::new());
        }
        Err(error) => return Err(Failure::new(format!("cannot read `{}`: {error}", path.display()))),
    };
    dotenv::parse(&text).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(entries: &[(&str, &str)]) -> Values {
        entries.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_values_of_variables_come_from_the_environment() {
        let environment = environment(&[("SPIN_VARIABLE_API_TOKEN", "t"), ("PATH", "/bin")]);
        let found = Operator::read(None, &environment).unwrap();
        let known = Known { value: "t".into(), behind: 0 };
        assert_eq!(found.known, BTreeMap::from([("api_token".into(), known)]));
    }

    #[test]
    fn providers_count_in_their_order_and_the_environment_last() {
        let folder = tempfile::tempdir().unwrap();
        let vars = folder.path().join("vars.env");
        fs::write(&vars, "APP_B=file\nAPP_C=file\n").unwrap();
        let config = folder.path().join("runtime.toml");
        let text = format!(
            "[[variables_provider]]\ntype = \"static\"\nvalues = {{ a = \"static\" }}\n\
             [[variables_provider]]\ntype = \"vault\"\nurl = \"http://a\"\ntoken = \"\"\nmount = \"one\"\n\
             [[variables_provider]]\ntype = \"env\"\nprefix = \"APP\"\ndotenv_path = \"{}\"\n\
             [[variables_provider]]\ntype = \"vault\"\nurl = \"http://b\"\ntoken = \"\"\nmount = \"two\"\n\
             [key_value_store.cache]\ntype = \"spin\"\npath = \"data/cache.redb\"\n\
             [sqlite_database.users]\ntype = \"spin\"\npath = \"users.db\"\n",
            vars.display()
        );
        fs::write(&config, text).unwrap();
        let environment = environment(&[
            ("APP_A", "prefixed"),
            ("APP_B", "prefixed"),
            ("SPIN_VARIABLE_C", "last"),
            ("SPIN_VARIABLE_D", "last"),
        ]);
        let found = Operator::read(Some(&config), &environment).unwrap();
        let values: Vec<_> = found
            .known
            .iter()
            .map(|(name, known)| (name.as_str(), known.value.as_str(), known.behind))
            .collect();
        assert_eq!(values, [("a", "static", 0), ("b", "prefixed", 1), ("c", "file", 1), ("d", "last", 2)]);
        assert_eq!(found.vaults.iter().map(|vault| vault.mount.as_str()).collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(found.stores["cache"], KeyValueStore::File(folder.path().join("data/cache.redb")));
        assert_eq!(found.databases["users"], std::env::current_dir().unwrap().join("users.db"));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("runtime.toml");
        let refused = |text: &str| {
            fs::write(&config, text).unwrap();
            Operator::read(Some(&config), &Values::new()).unwrap_err().to_string()
        };
        let provider = "[[variables_provider]]\ntype = \"env\"\ndotenv_path = \"/no/such.env\"\n";
        assert!(refused(provider).contains("cannot read `/no/such.env`"));
        assert!(refused("[sqlite_database]\nusers = 1\n").contains("runtime.toml:2:9"));
        fs::remove_file(&config).unwrap();
        let refused = Operator::read(Some(&config), &Values::new()).unwrap_err().to_string();
        assert!(refused.contains("cannot read `"), "{refused}");
    }
}
