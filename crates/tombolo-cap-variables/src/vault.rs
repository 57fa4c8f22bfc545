//! A server that speaks Vault's protocol: its key-value engine, version 2.
//!
//! A variable is a secret of its own, whose field `value` has the value. Nothing is kept: what changes there is seen by
//! the next call.
//!
//! Source: Spin, `crates/variables-vault`; Vault's HTTP API.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tombolo_model::runtime_config;
use tombolo_remote::{Answer, Bounds, Budget, Remote, RemoteError};

/// Questions to one server at once, for all apps; one more waits.
const REQUESTS_MAX: usize = 32;
/// A store of secrets is near, or away.
const TIME_MAX: Duration = Duration::from_secs(10);
/// What stays as it is in a path: its segments, and what RFC 3986 leaves.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A store of secrets that is asked each time.
pub struct Vault {
    remote: Remote,
    token: HeaderValue,
    /// The path of a secret, up to its name.
    path: String,
}

/// Why there is no answer, in words for a guest; the operator was told more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ProviderError(pub(crate) String);

/// What the engine says of a secret.
#[derive(Deserialize)]
struct Read {
    data: Version,
}

#[derive(Deserialize)]
struct Version {
    data: Secret,
}

#[derive(Deserialize)]
struct Secret {
    value: String,
}

impl Vault {
    /// The store that a runtime configuration names, not connected to yet.
    ///
    /// # Panics
    ///
    /// If the token is none that a header can have: that is refused where it is read.
    pub fn new(vault: &runtime_config::Vault) -> Self {
        let runtime_config::Vault { endpoint, token, mount, prefix } = vault;
        let mut token = HeaderValue::from_str(token.reveal()).expect("it was checked where it was read");
        token.set_sensitive(true);
        let escaped = |text: &str| utf8_percent_encode(text.trim_matches('/'), PATH).to_string();
        let prefix = prefix.as_ref().map(|prefix| format!("{}/", escaped(prefix)));
        let path = format!("/v1/{}/data/{}", escaped(mount), prefix.unwrap_or_default());
        let bounds = Bounds { requests_max: REQUESTS_MAX, time_max: TIME_MAX };
        Self { remote: Remote::new(endpoint.clone(), bounds), token, path }
    }

    /// The value of a variable; `None` if there is no such secret. What is read is taken from `budget`.
    ///
    /// # Errors
    ///
    /// If the server does not say.
    pub async fn value<B: Budget>(
        &self,
        name: &str,
        budget: B,
    ) -> Result<Option<(String, B)>, ProviderError> {
        let request = Request::get(format!("{}{name}", self.path))
            .header("x-vault-token", &self.token)
            .body(Bytes::new())
            .map_err(|_| ProviderError(format!("`{name}` is no name of a secret")))?;
        let answer = self.remote.call(request, budget).await;
        let Answer { status, body, mut budget } = answer.map_err(|error| failed(&error))?;
        match status {
            StatusCode::NOT_FOUND => return Ok(None),
            StatusCode::OK => {}
            status => {
                tracing::warn!("a vault answered {status} for the variable `{name}`");
                return Err(ProviderError(format!("the provider answered {}", status.as_u16())));
            }
        }
        budget.take(body.len() as u64).map_err(|error| failed(&RemoteError::TooLarge(error)))?;
        let Ok(Read { data: Version { data: Secret { value } } }) = serde_json::from_slice(&body) else {
            tracing::warn!("a vault has no text in the field `value` of the variable `{name}`");
            return Err(ProviderError("the provider has something else than a text".to_owned()));
        };
        Ok(Some((value, budget)))
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("path", &self.path).finish_non_exhaustive()
    }
}

fn failed(error: &RemoteError) -> ProviderError {
    if let RemoteError::TooLarge(reason) = error {
        return ProviderError(format!("the value is too large: {reason}"));
    }
    let causes = std::iter::successors(error.source(), |error| (*error).source());
    let causes: String = causes.map(|cause| format!(": {cause}")).collect();
    tracing::warn!("a vault failed: {error}{causes}");
    ProviderError(format!("the provider failed: {error}"))
}
