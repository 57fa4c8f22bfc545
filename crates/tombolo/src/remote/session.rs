//! Which node commands speak to, and as whom: kept in a file of this user's alone.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tombolo_model::TenantName;

use crate::failure::Failure;

/// The variables of the environment that this reads.
pub(crate) type Environment = BTreeMap<String, String>;

/// Which node, whose token, and which tenant is meant.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Session {
    /// Where its control interface is, without a slash at the end.
    pub(crate) url: String,
    /// Who asks.
    pub(crate) token: String,
    /// Whose apps are meant, if it is not the token that says so.
    #[serde(skip)]
    pub(crate) tenant: Option<TenantName>,
}

/// The node, for a command that speaks to one.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct At {
    /// The node's control interface, in place of the one logged in to
    #[arg(long, value_name = "URL", value_parser = url)]
    node: Option<String>,
    /// Whose apps are meant; an admin may name any
    #[arg(long, value_name = "NAME")]
    tenant: Option<TenantName>,
}

impl At {
    /// The session: what this says, then `TOMBOLO_NODE` and `TOMBOLO_TOKEN`, then what was logged in to.
    pub(crate) fn session(&self, environment: &Environment) -> Result<Session, Failure> {
        let tenant = self.tenant.clone();
        let named = self.node.clone().or_else(|| environment.get("TOMBOLO_NODE").cloned());
        let named =
            named.map(|text| url(&text).map_err(|reason| Failure::new(format!("TOMBOLO_NODE: {reason}"))));
        let (named, token) = (named.transpose()?, environment.get("TOMBOLO_TOKEN").cloned());
        if let (Some(url), Some(token)) = (&named, &token) {
            return Ok(Session { url: url.clone(), token: token.clone(), tenant });
        }
        let kept = read(environment)?.ok_or_else(|| {
            Failure::new("not logged in to a node")
                .hint("log in: `tombolo login URL`, or set TOMBOLO_NODE and TOMBOLO_TOKEN".to_owned())
        })?;
        if let Some(named) = named.filter(|named| *named != kept.url) {
            // Its token is for the other one.
            let message = format!("not logged in to {named}, but to {}", kept.url);
            return Err(Failure::new(message).hint(format!("log in: `tombolo login {named}`")));
        }
        Ok(Session { token: token.unwrap_or(kept.token), tenant, ..kept })
    }
}

/// The address of a node, as it is kept.
pub(crate) fn url(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let host = rest.map(|rest| rest.trim_end_matches('/')).unwrap_or_default();
    if host.is_empty() || host.contains(['/', '?', '#', '@', ' ']) {
        return Err(format!("`{text}` is not the address of a node, expected like `http://127.0.0.1:3001`"));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

fn file(environment: &Environment) -> Option<PathBuf> {
    let set = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    let folder = set("XDG_CONFIG_HOME").map(PathBuf::from);
    let folder = folder.or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".config")));
    folder.map(|folder| folder.join("tombolo/login.json"))
}

fn read(environment: &Environment) -> Result<Option<Session>, Failure> {
    let Some(path) = file(environment) else { return Ok(None) };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::new(format!("cannot read `{}`: {error}", path.display()))),
    };
    let session = serde_json::from_str(&text).map_err(|error| {
        let message = format!("`{}` is not what `tombolo login` writes: {error}", path.display());
        Failure::new(message).hint("log in anew: `tombolo login URL`".to_owned())
    })?;
    Ok(Some(session))
}

/// Keeps a session for the commands that follow.
pub(crate) fn keep(session: &Session, environment: &Environment) -> Result<(), Failure> {
    let path = file(environment).ok_or_else(|| {
        Failure::new("there is no place for a login: neither XDG_CONFIG_HOME nor HOME is set")
    })?;
    let text = serde_json::to_vec(session).expect("two texts are JSON");
    let write = || {
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        // Whole, and for this user alone from the first byte on.
        let part = path.with_extension(format!("part-{}", std::process::id()));
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
        let written = file.write_all(&text).and_then(|()| fs::rename(&part, &path));
        written.inspect_err(|_| drop(fs::remove_file(&part)))
    };
    write().map_err(|error| Failure::new(format!("cannot write `{}`: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_login_is_for_its_user_alone_and_for_its_node_alone() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().display().to_string();
        let environment = Environment::from([("HOME".to_owned(), home)]);
        assert!(At::default().session(&environment).is_err());
        let session =
            Session { url: "http://127.0.0.1:1".to_owned(), token: "tbl_1".to_owned(), tenant: None };
        keep(&session, &environment).unwrap();
        let path = file(&environment).unwrap();
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(At::default().session(&environment).unwrap().token, "tbl_1");
        let elsewhere = At { node: Some("http://127.0.0.1:2".to_owned()), tenant: None };
        assert!(elsewhere.session(&environment).is_err(), "the token must not go to another node");
    }

    #[test]
    fn an_address_is_of_a_host_and_nothing_else() {
        assert_eq!(url("http://127.0.0.1:3001/").unwrap(), "http://127.0.0.1:3001");
        for bad in ["127.0.0.1:3001", "http://", "ftp://a", "http://a/b", "http://u:p@a", "http://a?x"] {
            assert!(url(bad).is_err(), "{bad}");
        }
    }
}
