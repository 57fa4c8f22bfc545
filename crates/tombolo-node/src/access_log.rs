//! Opens the log of requests.

use std::fs;
use std::io;

use tombolo_gateway::AccessLog;
use tombolo_model::access_log::{AccessLogConfig, AccessLogTo};

/// Requests cannot be written down where they should be.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the access log `{name}`")]
pub struct AccessLogError {
    /// The file, or `-`.
    name: String,
    /// Why.
    source: io::Error,
}

/// The log that `config` is about, in a folder that is made.
pub(crate) fn open(config: AccessLogConfig) -> Result<AccessLog, AccessLogError> {
    if let AccessLogTo::File(path) = &config.to
        && let Some(folder) = path.parent()
    {
        // Why it cannot be made is why the file cannot be opened.
        let _ = fs::create_dir_all(folder);
    }
    AccessLog::open(&config).map_err(|source| AccessLogError {
        name: match &config.to {
            AccessLogTo::Stdout => "-".to_owned(),
            AccessLogTo::File(path) => path.display().to_string(),
        },
        source,
    })
}
