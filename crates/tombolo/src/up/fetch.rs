//! Components that a manifest names by a URL: downloaded once, and what they are said to be.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tombolo_model::{App, Component, Digest, Source};

use super::say;
use crate::failure::Failure;

/// A component that is larger is not downloaded to its end.
const BYTES_MAX: u64 = 256 << 20;
/// All of one download, redirects included.
const TIME_MAX: Duration = Duration::from_secs(300);
const REDIRECTS_MAX: u32 = 10;

/// Puts the file of each component that is at a URL into `folder`, and its path in place of the URL. What is there
/// and has the digest is not downloaded again.
///
/// # Errors
///
/// The first that cannot be had, or is not what its digest says.
pub(crate) fn fetch(app: &mut App, folder: &Path) -> Result<(), Failure> {
    for component in app.components.values_mut() {
        if let Source::Url { url, digest } = &component.source {
            let path = one(component, url, *digest, folder)?;
            component.source = Source::Path(path);
        }
    }
    Ok(())
}

fn one(component: &Component, url: &str, digest: Digest, folder: &Path) -> Result<PathBuf, Failure> {
    let refuse = |reason: String| Failure::new(format!("component `{}`: {reason}", component.id));
    // What paths of the app are relative to is another folder.
    let folder = std::path::absolute(folder).map_err(|error| refuse(error.to_string()))?;
    let path = folder.join(format!("{}.wasm", digest.hex()));
    if fs::read(&path).is_ok_and(|bytes| Digest::of(&bytes) == digest) {
        return Ok(path);
    }
    say(&format!("Downloading {url}\n"));
    let bytes = download(url).map_err(|reason| refuse(format!("cannot download `{url}`: {reason}")))?;
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

fn download(url: &str) -> Result<Vec<u8>, String> {
    if !url.starts_with("https://") && !url.starts_with("http://") {
        return Err("expected `https://` or `http://`".to_owned());
    }
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(TIME_MAX))
        .max_redirects(REDIRECTS_MAX)
        .user_agent(concat!("tombolo/", env!("CARGO_PKG_VERSION")));
    let agent = ureq::Agent::new_with_config(config.build());
    let mut answer = agent.get(url).call().map_err(|error| error.to_string())?;
    let read = answer.body_mut().with_config().limit(BYTES_MAX).read_to_vec();
    read.map_err(|error| match error {
        ureq::Error::BodyExceedsLimit(_) => format!("it has more than {} MiB", BYTES_MAX >> 20),
        error => error.to_string(),
    })
}
