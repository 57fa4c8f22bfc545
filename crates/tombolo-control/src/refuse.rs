//! The refusals, each in one place, so that the same thing is always said in the same words.

use tombolo_api::Problem;
use tombolo_store::StoreError;

use crate::stage::PrintedError;

/// What was asked for is not there, or not for whoever asks: these are the same, so that nobody learns what
/// others have.
pub(crate) fn not_found(what: impl Into<String>) -> Problem {
    Problem::new(404, "not-found", "not found").detail(what)
}

/// Who asks has no good token.
pub(crate) fn unauthorized() -> Problem {
    let detail = "expected `authorization: Bearer <token>` with a token of this node that was not revoked";
    Problem::new(401, "unauthorized", "no valid token").detail(detail)
}

/// The token is good, but not for this.
pub(crate) fn forbidden(what: &str) -> Problem {
    Problem::new(403, "forbidden", "the token does not allow this").detail(what)
}

/// What was sent is not as expected.
pub(crate) fn bad_request(detail: impl Into<String>) -> Problem {
    Problem::new(400, "bad-request", "the request is not as expected").detail(detail)
}

/// What was sent cannot be done, for these reasons.
pub(crate) fn refused(title: &str, reasons: Vec<String>) -> Problem {
    Problem::new(422, "refused", title).reasons(reasons)
}

/// More was sent than is taken.
pub(crate) fn too_large(detail: impl Into<String>) -> Problem {
    Problem::new(413, "too-large", "more was sent than is taken").detail(detail)
}

/// Somebody else was first.
pub(crate) fn overtaken(generation: u64) -> Problem {
    let detail = format!("the app is at generation {generation} now");
    let problem = Problem::new(409, "overtaken", "the app was changed meanwhile").detail(detail);
    Problem { generation: Some(generation), ..problem }
}

/// The node stops.
pub(crate) fn draining() -> Problem {
    Problem::new(503, "draining", "the node stops").detail("ask it again when it has started")
}

/// Another app has it.
pub(crate) fn taken(domain: &str) -> Problem {
    Problem::new(409, "taken", "another app answers there").detail(format!("`{domain}`"))
}

/// The disk has no room: what is left is the node's own, or there is nothing left.
fn no_room(detail: impl Into<String>) -> Problem {
    Problem::new(507, "no-room", "the node has no room for it").detail(detail)
}

/// The disk, or what is on it. The reason goes to the operator: it may name files of the node.
pub(crate) fn failed(error: &StoreError) -> Problem {
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        reason += &format!(": {cause}");
        source = cause.source();
    }
    match error {
        // How much is left is nothing that names a file.
        StoreError::NoRoom { .. } | StoreError::NoFiles => {
            tracing::warn!("control: {reason}");
            no_room(reason)
        }
        error if error.is_disk_full() => {
            tracing::error!("control: {reason}");
            no_room("its disk is full")
        }
        _ => said(&reason),
    }
}

/// As many follow as may.
pub(crate) fn busy() -> Problem {
    let detail = "as many follow as may: try again when one has ended";
    Problem::new(429, "busy", "too many at once").detail(detail)
}

/// What an app printed is not told. The disk's reason goes to the operator.
pub(crate) fn not_printed(error: &PrintedError) -> Problem {
    match error {
        PrintedError::Busy => busy(),
        PrintedError::Read(cause) => said(&format!("{error}: {cause}")),
    }
}

/// What did it ended before it was done.
pub(crate) fn lost(error: &tokio::task::JoinError) -> Problem {
    said(&error.to_string())
}

/// A reason that is the operator's alone.
fn said(reason: &str) -> Problem {
    tracing::error!("control: {reason}");
    Problem::new(500, "failed", "the node could not do it").detail("its log says why")
}
