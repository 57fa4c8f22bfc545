//! From what a guest did to what the client gets.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use tombolo_runtime::{BodyError, ResponseBody, ServiceError};

use crate::record::{Outcome, RequestRecord};

/// The body of an answer, with the record of its request: both end together.
pub(crate) struct AnswerBody {
    body: Inner,
    record: RequestRecord,
}

enum Inner {
    Guest(ResponseBody),
    Text(Option<Bytes>),
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

/// The answer to a request that reached no guest.
pub(crate) fn refusal(status: StatusCode, mut record: RequestRecord) -> Response<AnswerBody> {
    record.outcome = Outcome::Refused;
    text(status, record)
}

/// The answer for a guest that gave none. The caller learns the status, the operator the reason.
pub(crate) fn failure(error: &ServiceError, mut record: RequestRecord) -> Response<AnswerBody> {
    let (status, outcome) = match error {
        ServiceError::Busy => (StatusCode::SERVICE_UNAVAILABLE, Outcome::Refused),
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
    if matches!(error, ServiceError::Busy) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// Tells the operator what the caller is not told, with the number the caller has.
fn warn(record: &RequestRecord, error: &dyn std::error::Error) {
    let id = record.id;
    let causes = std::iter::successors(Some(error), |error| error.source());
    let error = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
    match &record.target {
        Some((app, component)) => tracing::warn!("{app}/{component}: request {id}: {error}"),
        None => tracing::warn!("request {id}: {error}"),
    }
}

/// The status in words, and the number by which the caller can ask about it.
fn text(status: StatusCode, mut record: RequestRecord) -> Response<AnswerBody> {
    record.status = status.as_u16();
    let reason = status.canonical_reason().unwrap_or("error");
    let id = record.id.to_string();
    let text = Bytes::from(format!("{} {reason}\n", status.as_u16()));
    record.response_bytes = text.len() as u64;
    let mut response = Response::new(AnswerBody { body: Inner::Text(Some(text)), record });
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    let id = HeaderValue::from_str(&id).expect("hexadecimal digits are a value a header can have");
    response.headers_mut().insert("x-request-id", id);
    response
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Self { body, record } = &mut *self;
        let body = match body {
            Inner::Text(text) => return Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Inner::Guest(body) => body,
        };
        let frame = ready!(Pin::new(&mut *body).poll_frame(context));
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
                let late = matches!(error, BodyError::Deadline { .. } | BodyError::Cpu(_));
                record.outcome = if late { Outcome::Deadline } else { Outcome::Failed };
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            Inner::Guest(body) => body.is_end_stream(),
            Inner::Text(text) => text.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Inner::Guest(body) => body.size_hint(),
            Inner::Text(text) => SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64)),
        }
    }
}
