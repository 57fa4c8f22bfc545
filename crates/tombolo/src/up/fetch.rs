//! Components that a manifest names by a URL or as a package: downloaded once, and what they are said to be.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tombolo_model::{App, ComponentId, Digest, Package, Source};

use super::registry::{self, Found};
use super::say;
use crate::failure::Failure;

/// A component that is larger is not downloaded to its end.
const BYTES_MAX: u64 = 256 << 20;
/// All of one download, redirects included.
const TIME_MAX: Duration = Duration::from_secs(300);
const REDIRECTS_MAX: u32 = 10;

/// Puts the file of each component, and of each part of one, that is at a URL or in a registry into `folder`, and its path in
/// place of that. What is there and has the digest is not downloaded again.
///
/// # Errors
///
/// The first that cannot be had, or is not what its digest says.
pub(crate) fn fetch(app: &mut App, folder: &Path) -> Result<(), Failure> {
    for (whose, source) in app.sources_mut() {
        let path = match &*source {
            Source::Path(_) => continue,
            Source::Url { url, digest } => one(whose, url, *digest, None, folder)?,
            Source::Package(package) => packaged(whose, package, folder)?,
        };
        *source = Source::Path(path);
    }
    Ok(())
}

/// The code of a package. An exact version that was asked for before is not asked for again.
fn packaged(whose: &ComponentId, package: &Package, folder: &Path) -> Result<PathBuf, Failure> {
    let refuse = |reason: String| Failure::new(format!("component `{whose}`: {reason}"));
    let note = registry::known(folder, package);
    let known = note.as_ref().and_then(|note| fs::read_to_string(note).ok()?.parse::<Digest>().ok());
    if let Some(digest) = known {
        let path = std::path::absolute(folder).map_err(|error| refuse(error.to_string()))?;
        let path = path.join(format!("{}.wasm", digest.hex()));
        if fs::read(&path).is_ok_and(|bytes| Digest::of(&bytes) == digest) {
            return Ok(path);
        }
    }
    say(&format!("Looking up {package}\n"));
    let found =
        registry::find(package).map_err(|reason| refuse(format!("cannot find {package}: {reason}")))?;
    let Found { url, digest, token } = found;
    let path = one(whose, &url, digest, token.as_deref(), folder)?;
    // Without it the registry is asked again, no more.
    let _ = note.map(|note| fs::write(note, digest.to_string()));
    Ok(path)
}

fn one(
    whose: &ComponentId,
    url: &str,
    digest: Digest,
    token: Option<&str>,
    folder: &Path,
) -> Result<PathBuf, Failure> {
    let refuse = |reason: String| Failure::new(format!("component `{whose}`: {reason}"));
    // What paths of the app are relative to is another folder.
    let folder = std::path::absolute(folder).map_err(|error| refuse(error.to_string()))?;
    let path = folder.join(format!("{}.wasm", digest.hex()));
    if fs::read(&path).is_ok_and(|bytes| Digest::of(&bytes) == digest) {
        return Ok(path);
    }
    say(&format!("Downloading {url}\n"));
    let bytes =
        download(url, token).map_err(|reason| refuse(format!("cannot download `{url}`: {reason}")))?;
    let found = Digest::of(&bytes);
    if found != digest {
        return Err(refuse(format!("`{url}` gives {found}, and `digest` says {digest}")));
    }
    let keep = || {
        fs::create_dir_all(&folder)?;
        // Never half-written under its name, whatever ends this process.
        let part = folder.join(format!("{}.part-{}", digest.hex(), std::process::id()));
        let written = fs::File::create(&part).and_then(|mut file| {
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&part, &path)
        });
        written.inspect_err(|_| drop(fs::remove_file(&part)))
    };
    keep().map_err(|error| refuse(format!("cannot write `{}`: {error}", path.display())))?;
    Ok(path)
}

fn download(url: &str, token: Option<&str>) -> Result<Vec<u8>, String> {
    if !url.starts_with("https://") && !url.starts_with("http://") {
        return Err("expected `https://` or `http://`".to_owned());
    }
    let mut request = agent(true).get(url);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let mut answer = request.call().map_err(|error| error.to_string())?;
    limited(&mut answer, BYTES_MAX)
}

/// What sends requests; `is_error` is whether an answer of 400 and above is an error.
pub(super) fn agent(is_error: bool) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(TIME_MAX))
        .max_redirects(REDIRECTS_MAX)
        .http_status_as_error(is_error)
        .user_agent(concat!("tombolo/", env!("CARGO_PKG_VERSION")));
    ureq::Agent::new_with_config(config.build())
}

/// The body of an answer.
pub(super) fn limited(
    answer: &mut ureq::http::Response<ureq::Body>,
    bytes_max: u64,
) -> Result<Vec<u8>, String> {
    let read = answer.body_mut().with_config().limit(bytes_max).read_to_vec();
    read.map_err(|error| match error {
        ureq::Error::BodyExceedsLimit(_) => format!("it has more than {} MiB", bytes_max >> 20),
        error => error.to_string(),
    })
}
