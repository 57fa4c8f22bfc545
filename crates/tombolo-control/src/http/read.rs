//! What was asked, read strictly: a word that is misspelled must not mean nothing.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use tombolo_api::Problem;

use super::{BODY_BYTES_MAX, Done, Refused};
use crate::refuse;

/// How long the next part of a body may take.
pub(super) const PART_TIME_MAX: Duration = Duration::from_secs(30);

/// The parts of a path, as texts; read one with [`named`].
pub(super) struct At<T>(pub(super) T);

impl<N: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<N> for At<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, node: &N) -> Done<Self> {
        let path = Path::<T>::from_request_parts(parts, node).await;
        let Path(path) = path.map_err(|error| refuse::bad_request(error.body_text()))?;
        Ok(Self(path))
    }
}

/// A part of a path as what it names.
pub(super) fn named<T: FromStr<Err: Display>>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|error: T::Err| refuse::bad_request(error.to_string()))
}

/// What was asked after the `?`.
pub(super) struct Asked<T>(pub(super) T);

impl<N: Send + Sync, T: DeserializeOwned> FromRequestParts<N> for Asked<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, node: &N) -> Done<Self> {
        let asked = Query::<T>::from_request_parts(parts, node).await;
        let Query(asked) = asked.map_err(|error: QueryRejection| refuse::bad_request(error.body_text()))?;
        Ok(Self(asked))
    }
}

/// A body of JSON.
pub(super) struct Sent<T>(pub(super) T);

impl<N: Send + Sync, T: DeserializeOwned> FromRequest<N> for Sent<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, _: &N) -> Done<Self> {
        Ok(Self(parsed(&whole(request.into_body(), BODY_BYTES_MAX).await?)?))
    }
}

/// JSON as what it says.
pub(super) fn parsed<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| refuse::bad_request(format!("the body: {error}")))
}

/// The next part of a body, `None` at its end.
pub(super) async fn part(body: &mut Body) -> Result<Option<Bytes>, Problem> {
    loop {
        let frame = tokio::time::timeout(PART_TIME_MAX, body.frame()).await;
        let late = || Problem::new(408, "late", "the next part of the body did not come within 30 s");
        let Some(frame) = frame.map_err(|_| late())? else { return Ok(None) };
        let frame = frame.map_err(|_| refuse::bad_request("the body ends before its end"))?;
        // Trailers say nothing here.
        if let Ok(part) = frame.into_data() {
            return Ok(Some(part));
        }
    }
}

/// A body, all of it.
pub(super) async fn whole(mut body: Body, bytes_max: usize) -> Result<Bytes, Problem> {
    let too_large = || refuse::too_large(format!("the body has more than {bytes_max} bytes"));
    // Where its length is said, nobody waits for it to come.
    if http_body::Body::size_hint(&body).lower() > bytes_max as u64 {
        return Err(too_large());
    }
    let mut bytes = BytesMut::new();
    while let Some(part) = part(&mut body).await? {
        if bytes.len() + part.len() > bytes_max {
            return Err(too_large());
        }
        bytes.extend_from_slice(&part);
    }
    Ok(bytes.freeze())
}
