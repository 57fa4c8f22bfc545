//! Where a node writes requests down, and how.

use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;

/// `[access_log]` of `node.toml`, `--access-log` and `--access-log-format`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLogConfig {
    /// Where lines go.
    pub to: AccessLogTo,
    /// What they look like.
    pub format: AccessLogFormat,
}

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessLogTo {
    /// To the standard output: `-`.
    Stdout,
    /// To the end of a file, which is made if it is not there.
    File(PathBuf),
}

/// What lines look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessLogFormat {
    /// As Apache's `combined`, which most programs that count requests read.
    #[default]
    Combined,
    /// JSON, one document a line.
    Json,
}

/// A text is no format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `combined` or `json`")]
pub struct AccessLogFormatError;

impl FromStr for AccessLogTo {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "-" => Self::Stdout,
            file => Self::File(file.into()),
        })
    }
}

impl FromStr for AccessLogFormat {
    type Err = AccessLogFormatError;

    fn from_str(text: &str) -> Result<Self, AccessLogFormatError> {
        match text {
            "combined" => Ok(Self::Combined),
            "json" => Ok(Self::Json),
            _ => Err(AccessLogFormatError),
        }
    }
}
