//! Answers of one JSON document a line, some without an end.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{StreamExt, future, stream};
use tokio::time::timeout;
use tombolo_api::Lost;

use crate::feed::{Feed, Told};

/// The media type of such an answer.
pub(super) const MEDIA_TYPE: &str = "application/x-ndjson";
/// After how long without a line an empty one is sent: whoever stands between keeps the connection, and one whose
/// client is gone is noticed.
const QUIET_TIME_MAX: Duration = Duration::from_secs(15);

/// Lines that are there, and then those that come, until the feed ends.
pub(super) fn answer(before: Vec<u8>, feed: Option<Feed>) -> Response {
    let body = match feed {
        None => Body::from(before),
        Some(feed) => {
            let there = stream::once(future::ready(Ok::<_, Infallible>(Bytes::from(before))));
            Body::from_stream(there.chain(stream::unfold(feed, next)))
        }
    };
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn next(mut feed: Feed) -> Option<(Result<Bytes, Infallible>, Feed)> {
    let line = match timeout(QUIET_TIME_MAX, feed.next()).await {
        Err(_) => Bytes::from_static(b"\n"),
        Ok(told) => match told? {
            Told::Line(line) => line,
            Told::Lost(lost) => line(&Lost { lost }),
        },
    };
    Some((Ok(line), feed))
}

/// A document on one line, with its end.
///
/// # Panics
///
/// If it is no document: a map whose keys are no texts.
pub fn line(value: &impl serde::Serialize) -> Bytes {
    let mut line = serde_json::to_vec(value).expect("texts and numbers are JSON");
    line.push(b'\n');
    line.into()
}
