//! What reads the headers of a client, as fuzzing asks it.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, Request, StatusCode};
use tombolo_model::assets::Encoding;

use super::accept;
use super::conditions::{Selected, Verdict, judge};
use super::range::Asked;

/// Whom a request is for.
///
/// # Errors
///
/// The status of a request that is for nobody.
pub fn host(request: &mut Request<()>, local: SocketAddr) -> Result<String, StatusCode> {
    crate::admit::authority(request, local).map(|authority| crate::admit::host(&authority).to_owned())
}

/// Which encodings a client takes, and whether it asks for a page.
pub fn negotiated(headers: &HeaderMap) -> (Vec<Encoding>, bool) {
    (accept::encodings(headers, &[Encoding::Brotli, Encoding::Gzip]), accept::wants_page(headers))
}

/// What is sent of a file of so many bytes, if anything.
pub fn conditions(headers: &HeaderMap, length: u64) -> Option<Asked> {
    let tag = HeaderValue::from_static("\"tag\"");
    let modified = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    match judge(headers, true, Selected { tag: &tag, modified, length }) {
        Verdict::Send(asked) => Some(asked),
        Verdict::NotModified | Verdict::Failed => None,
    }
}
