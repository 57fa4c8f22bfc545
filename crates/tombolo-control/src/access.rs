//! Who may do what.

use std::time::{SystemTime, UNIX_EPOCH};

use tombolo_api::Problem;
use tombolo_model::{AppKey, Digest, SiteName, TenantName};
use tombolo_store::records::{Scope, TokenRecord, UnixTime};

use crate::refuse;
use crate::seal::random_bytes;

/// What a token begins with, so that people and scanners of leaked secrets know one.
const PREFIX: &str = "tbl_";

/// A new token: 256 random bits. Only its digest is kept.
pub(crate) fn new_token() -> String {
    let digits = random_bytes().map(|byte| format!("{byte:02x}"));
    format!("{PREFIX}{}", digits.concat())
}

/// What a token is kept and found by. As it is a digest, how long a look at it takes tells nothing of the token.
pub(crate) fn token_digest(token: &str) -> Digest {
    Digest::of(token.as_bytes())
}

/// The token in the value of an `authorization` header, if that has one.
pub fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Now, by the system's clock.
pub(crate) fn now() -> UnixTime {
    // A clock before 1970 is one that is not set: then nothing has expired yet.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Look.
    Look,
    /// Send and activate releases.
    Deploy,
    /// Anything else a tenant may do.
    Manage,
}

/// Somebody with a good token.
#[derive(Clone, Debug)]
pub(crate) struct Principal {
    /// What the token is called.
    pub(crate) name: String,
    /// What it is good for.
    pub(crate) scope: Scope,
}

impl Principal {
    /// Whose a token is.
    pub(crate) fn of(token: TokenRecord) -> Self {
        Self { name: token.name, scope: token.scope }
    }

    /// The tenant whose apps are meant: the one asked for, or the token's own.
    ///
    /// # Errors
    ///
    /// If it is not this token's: as if it were not there.
    pub(crate) fn tenant(&self, asked: Option<TenantName>) -> Result<TenantName, Problem> {
        let own = match &self.scope {
            Scope::Admin => return Ok(asked.unwrap_or_else(TenantName::default_tenant)),
            Scope::Tenant { tenant } | Scope::Deploy { tenant, .. } | Scope::Read { tenant } => tenant,
        };
        match asked {
            Some(asked) if asked != *own => Err(refuse::not_found(format!("no tenant `{asked}`"))),
            _ => Ok(own.clone()),
        }
    }

    /// The tenant that files of releases are sent for.
    ///
    /// # Errors
    ///
    /// If the token is for looking, or for another tenant.
    pub(crate) fn sends_for(&self, asked: Option<TenantName>) -> Result<TenantName, Problem> {
        let tenant = self.tenant(asked)?;
        match self.scope {
            Scope::Read { .. } => Err(refuse::forbidden("it is for looking")),
            _ => Ok(tenant),
        }
    }

    /// Whether this token is for everything.
    ///
    /// # Errors
    ///
    /// If it is not.
    pub(crate) fn admin(&self) -> Result<(), Problem> {
        match self.scope {
            Scope::Admin => Ok(()),
            _ => Err(refuse::forbidden("it takes the token of an admin")),
        }
    }

    /// Whether the apps of a tenant may be looked at, or changed, all of them.
    ///
    /// # Errors
    ///
    /// If the token is for less.
    pub(crate) fn whole_tenant(&self, action: Action) -> Result<(), Problem> {
        match (&self.scope, action) {
            (Scope::Admin | Scope::Tenant { .. }, _) | (Scope::Read { .. }, Action::Look) => Ok(()),
            _ => Err(refuse::forbidden("it takes a token for the whole tenant")),
        }
    }

    /// The app that is meant, if something may be done with it.
    ///
    /// # Errors
    ///
    /// If not. An app that the token may not even look at is not found.
    pub(crate) fn app(
        &self,
        tenant: Option<TenantName>,
        app: SiteName,
        action: Action,
    ) -> Result<AppKey, Problem> {
        let tenant = self.tenant(tenant)?;
        match (&self.scope, action) {
            (Scope::Deploy { app: own, .. }, _) if *own != app => {
                Err(refuse::not_found(format!("no app `{app}`")))
            }
            (Scope::Deploy { .. }, Action::Manage) => {
                Err(refuse::forbidden("it is for releases and activations of this app"))
            }
            (Scope::Read { .. }, Action::Deploy | Action::Manage) => {
                Err(refuse::forbidden("it is for looking"))
            }
            _ => Ok(AppKey { tenant, app }),
        }
    }

    /// Whether this token's holder may see that token, and revoke it.
    pub(crate) fn oversees(&self, other: &Scope) -> bool {
        match (&self.scope, other) {
            (Scope::Admin, _) => true,
            (
                Scope::Tenant { tenant: own },
                Scope::Tenant { tenant } | Scope::Deploy { tenant, .. } | Scope::Read { tenant },
            ) => own == tenant,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(scope: Scope) -> Principal {
        Principal { name: "x".to_owned(), scope }
    }

    fn tenant(name: &str) -> TenantName {
        name.parse().unwrap()
    }

    #[track_caller]
    fn check(scope: Scope, asked: Option<&str>, app: &str, action: Action, expected: Result<&str, u16>) {
        let found = principal(scope).app(asked.map(tenant), app.parse().unwrap(), action);
        let found = found.map(|key| key.to_string()).map_err(|problem| problem.status);
        assert_eq!(found, expected.map(str::to_owned));
    }

    #[test]
    fn a_token_is_good_for_what_it_says() {
        let deploy = || Scope::Deploy { tenant: tenant("ada"), app: "shop".parse().unwrap() };
        let read = || Scope::Read { tenant: tenant("ada") };
        let all = || Scope::Tenant { tenant: tenant("ada") };
        check(Scope::Admin, None, "shop", Action::Manage, Ok("default/shop"));
        check(Scope::Admin, Some("ada"), "shop", Action::Manage, Ok("ada/shop"));
        check(all(), None, "shop", Action::Manage, Ok("ada/shop"));
        check(all(), Some("bob"), "shop", Action::Look, Err(404));
        check(deploy(), None, "shop", Action::Deploy, Ok("ada/shop"));
        check(deploy(), None, "other", Action::Look, Err(404));
        check(deploy(), None, "shop", Action::Manage, Err(403));
        check(read(), None, "shop", Action::Look, Ok("ada/shop"));
        check(read(), None, "shop", Action::Deploy, Err(403));
        check(read(), Some("bob"), "shop", Action::Look, Err(404));
    }

    #[test]
    fn nobody_oversees_a_token_that_is_good_for_more() {
        let all = principal(Scope::Tenant { tenant: tenant("ada") });
        assert!(all.oversees(&Scope::Read { tenant: tenant("ada") }));
        assert!(!all.oversees(&Scope::Read { tenant: tenant("bob") }) && !all.oversees(&Scope::Admin));
        assert!(
            !principal(Scope::Read { tenant: tenant("ada") })
                .oversees(&Scope::Read { tenant: tenant("ada") })
        );
        assert!(principal(Scope::Admin).oversees(&Scope::Admin));
    }

    #[test]
    fn tokens_differ_and_are_known_by_sight() {
        let (one, other) = (new_token(), new_token());
        assert!(one != other && one.starts_with("tbl_") && one.len() == 68);
        assert_ne!(token_digest(&one), token_digest(&other));
    }
}
