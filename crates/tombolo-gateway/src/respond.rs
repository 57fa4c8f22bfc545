//! From what a guest did to what the client gets.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tombolo_model::StaticResponse;
use tombolo_model::assets::Encoding;
use tombolo_runtime::{BodyError, Exhausted, ResponseBody, ServiceError};

use crate::assets::AssetBody;
use crate::edge::{Compressed, X_REQUEST_ID};
use crate::record::{Outcome, RequestRecord};

/// The body of an answer, with the record of its request: both end together.
pub(crate) struct AnswerBody {
    body: Inner,
    record: RequestRecord,
}

enum Inner {
    Guest(ResponseBody),
    Asset(AssetBody),
    Text(Option<Bytes>),
    Compressed(Box<Compressed<Inner>>),
}

/// Why an answer ended before its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnswerError {
    /// The guest's fault, or its time was over.
    #[error(transparent)]
    Guest(#[from] BodyError),
    /// A file could not be read to its end, or not in time.
    #[error("a file was cut")]
    Asset(#[from] io::Error),
    /// There was no memory to compress it.
    #[error("the answer could not be compressed")]
    Encoder(#[source] io::Error),
}

/// The answer of a guest.
pub(crate) fn answer(
    response: Response<ResponseBody>,
    mut record: RequestRecord,
    is_head: bool,
    server_timing: bool,
) -> Response<AnswerBody> {
    let mut response = response;
    record.status = response.status().as_u16();
    if server_timing {
        response.headers_mut().insert("server-timing", record.server_timing());
    }
    response.map(|body| {
        if is_head || body.is_end_stream() {
            record.outcome = Outcome::Answered;
        }
        AnswerBody { body: Inner::Guest(body), record }
    })
}

/// A file.
pub(crate) fn asset(
    mut response: Response<AssetBody>,
    mut record: RequestRecord,
    server_timing: bool,
) -> Response<AnswerBody> {
    record.status = response.status().as_u16();
    if server_timing {
        response.headers_mut().insert("server-timing", record.server_timing());
    }
    response.map(|body| {
        if body.left() == 0 {
            record.outcome = Outcome::Answered;
        }
        AnswerBody { body: Inner::Asset(body), record }
    })
}

/// What the manifest wrote.
pub(crate) fn written(
    written: &StaticResponse,
    mut record: RequestRecord,
    is_head: bool,
    server_timing: bool,
) -> Response<AnswerBody> {
    record.status = written.status.as_u16();
    record.outcome = Outcome::Answered;
    let body = Bytes::copy_from_slice(written.body.as_bytes());
    record.response_bytes = if is_head { 0 } else { body.len() as u64 };
    let mut headers = written.headers.clone();
    if server_timing {
        headers.insert("server-timing", record.server_timing());
    }
    let mut response = Response::new(AnswerBody { body: Inner::Text(Some(body)), record });
    *response.status_mut() = written.status;
    *response.headers_mut() = headers;
    response
}

/// The answer for a file that cannot be read.
pub(crate) fn asset_failure(
    status: StatusCode,
    error: &io::Error,
    mut record: RequestRecord,
) -> Response<AnswerBody> {
    warn(&record, error);
    record.outcome = Outcome::Failed;
    text(status, record)
}

/// The answer to a request that reached no guest.
pub(crate) fn refusal(status: StatusCode, mut record: RequestRecord) -> Response<AnswerBody> {
    record.outcome = Outcome::Refused;
    text(status, record)
}

/// The answer to a request that goes elsewhere, with its method and its body (RFC 9110 §15.4.9).
pub(crate) fn redirect(location: HeaderValue, record: RequestRecord) -> Response<AnswerBody> {
    let mut response = refusal(StatusCode::PERMANENT_REDIRECT, record);
    response.headers_mut().insert(header::LOCATION, location);
    response
}

/// The answer for a guest that gave none. The caller learns the status, the operator the reason.
pub(crate) fn failure(error: &ServiceError, mut record: RequestRecord) -> Response<AnswerBody> {
    let (status, outcome) = match error {
        ServiceError::Busy | ServiceError::Exhausted(Exhausted::Requests | Exhausted::Memory) => {
            (StatusCode::SERVICE_UNAVAILABLE, Outcome::Refused)
        }
        ServiceError::Exhausted(Exhausted::Cpu) => (StatusCode::TOO_MANY_REQUESTS, Outcome::Refused),
        ServiceError::Deadline { .. } | ServiceError::Cpu(_) => {
            (StatusCode::GATEWAY_TIMEOUT, Outcome::Deadline)
        }
        // A guest that broke is an internal error of the app; one that answered wrongly is a bad
        // gateway to it.
        ServiceError::Trap { .. } | ServiceError::Load { .. } => {
            (StatusCode::INTERNAL_SERVER_ERROR, Outcome::Failed)
        }
        ServiceError::NoAnswer { .. } | ServiceError::TooLarge { .. } => {
            (StatusCode::BAD_GATEWAY, Outcome::Failed)
        }
    };
    if outcome != Outcome::Refused {
        warn(&record, error);
    }
    record.outcome = outcome;
    let mut response = text(status, record);
    if matches!(error, ServiceError::Busy | ServiceError::Exhausted(_)) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// The answer to a browser that asks what a page may send: there is nothing to say but in its head.
pub(crate) fn preflight(status: StatusCode, mut record: RequestRecord) -> Response<AnswerBody> {
    if status != StatusCode::NO_CONTENT {
        return refusal(status, record);
    }
    (record.status, record.outcome) = (status.as_u16(), Outcome::Answered);
    let mut response = Response::new(AnswerBody { body: Inner::Text(None), record });
    *response.status_mut() = status;
    response
}

/// The answer to a client that asks too often.
pub(crate) fn too_soon(retry_after_s: u64, record: RequestRecord) -> Response<AnswerBody> {
    let mut response = refusal(StatusCode::TOO_MANY_REQUESTS, record);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after_s));
    response
}

/// Tells the operator what the caller is not told, with the number the caller has.
fn warn(record: &RequestRecord, error: &dyn std::error::Error) {
    let id = &record.id;
    let causes = std::iter::successors(Some(error), |error| error.source());
    let error = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
    match &record.target {
        Some(name) => tracing::warn!("{name}: request {id}: {error}"),
        None => tracing::warn!("request {id}: {error}"),
    }
}

/// The status in words, and the number by which the caller can ask about it.
fn text(status: StatusCode, mut record: RequestRecord) -> Response<AnswerBody> {
    record.status = status.as_u16();
    let reason = status.canonical_reason().unwrap_or("error");
    let id = record.id.value();
    let text = Bytes::from(format!("{} {reason}\n", status.as_u16()));
    record.response_bytes = text.len() as u64;
    let mut response = Response::new(AnswerBody { body: Inner::Text(Some(text)), record });
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response.headers_mut().insert(X_REQUEST_ID, id);
    response
}

impl AnswerBody {
    /// The same, encoded while it is sent.
    pub(crate) fn compressed(self, encoding: Encoding, place: OwnedSemaphorePermit) -> Self {
        let Self { body, mut record } = self;
        if matches!(body, Inner::Text(_)) {
            // They are counted as they go out.
            record.response_bytes = 0;
        }
        Self { body: Inner::Compressed(Box::new(Compressed::new(body, encoding, place))), record }
    }

    /// None of it: the answer to a `HEAD` says how it would be.
    pub(crate) fn withheld(self) -> Self {
        Self { body: Inner::Text(None), record: self.record }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = AnswerError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnswerError>>> {
        let Self { body, record } = &mut *self;
        let frame = match &mut *body {
            Inner::Text(text) => return Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Inner::Compressed(body) => ready!(body.poll_frame(context, record.meter.as_deref())),
            body => ready!(Pin::new(body).poll_frame(context)),
        };
        match &frame {
            Some(Ok(frame)) => {
                record.response_bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                if body.is_end_stream() {
                    record.outcome = Outcome::Answered;
                }
            }
            None => record.outcome = Outcome::Answered,
            Some(Err(error)) => {
                warn(record, error);
                record.outcome = if error.is_late() { Outcome::Deadline } else { Outcome::Failed };
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Body for Inner {
    type Data = Bytes;
    type Error = AnswerError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnswerError>>> {
        let frame = match &mut *self {
            Self::Text(text) => text.take().map(|text| Ok(Frame::data(text))),
            Self::Guest(body) => {
                ready!(Pin::new(body).poll_frame(context)).map(|frame| frame.map_err(AnswerError::from))
            }
            Self::Asset(body) => ready!(body.poll_chunk(context)).map(|chunk| Ok(Frame::data(chunk?))),
            Self::Compressed(body) => ready!(body.poll_frame(context, None)),
        };
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Guest(body) => body.is_end_stream(),
            Self::Asset(body) => body.left() == 0,
            Self::Text(text) => text.is_none(),
            Self::Compressed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Guest(body) => body.size_hint(),
            Self::Asset(body) => SizeHint::with_exact(body.left()),
            Self::Text(text) => SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64)),
            Self::Compressed(_) => SizeHint::default(),
        }
    }
}

impl AnswerError {
    /// Whether it took too long, rather than failed.
    fn is_late(&self) -> bool {
        match self {
            Self::Guest(error) => matches!(error, BodyError::Deadline { .. } | BodyError::Cpu(_)),
            Self::Asset(error) => error.kind() == io::ErrorKind::TimedOut,
            Self::Encoder(_) => false,
        }
    }
}
