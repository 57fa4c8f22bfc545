//! How a node refuses: problem documents (RFC 9457).

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The media type of a problem document.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Why something was not done: all reasons at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// What went wrong, for programs: `about:blank#` and a word. It says no more than the status where that says all.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// The same for people, always in the same words.
    pub title: String,
    /// The status of the answer.
    pub status: u16,
    /// What went wrong this time.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Every reason, if there can be more than one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// Where the app is now, if somebody changed it meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
}

impl Problem {
    /// A problem with this status, word and title.
    pub fn new(status: u16, word: &str, title: &str) -> Self {
        Self {
            kind: format!("about:blank#{word}"),
            title: title.to_owned(),
            status,
            detail: String::new(),
            reasons: Vec::new(),
            generation: None,
        }
    }

    /// The same, with what went wrong this time.
    #[must_use]
    pub fn detail(self, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..self }
    }

    /// The same, with every reason.
    #[must_use]
    pub fn reasons(self, reasons: Vec<String>) -> Self {
        Self { reasons, ..self }
    }
}

/// On one line, and each reason on another.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title)?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        self.reasons.iter().try_for_each(|reason| write!(f, "\n  - {reason}"))
    }
}
