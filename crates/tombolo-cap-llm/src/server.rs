//! The server that has the models: what both protocols share.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request, StatusCode};
use serde::Serialize;
use tombolo_capability::HeldMemory;
use tombolo_model::{Endpoint, LlmApi, LlmCompute};
use tombolo_remote::{Bounds, Budget, Remote, RemoteError, TooLarge};

use crate::view::{Charged, Embedded, Generated, Parameters, Refusal};
use crate::{open_ai, spin};

/// Requests to the server at once, for all apps; one more waits. Models are asked for long, and by few.
const REQUESTS_MAX: usize = 64;
/// The deadline of a guest is nearly always nearer.
const TIME_MAX: Duration = Duration::from_secs(600);
/// Bytes of what a server says about its refusal that a guest is told.
const REASON_BYTES_MAX: usize = 1024;

/// A server of language models.
pub(crate) struct Server {
    remote: Remote,
    authorization: HeaderValue,
    api: LlmApi,
}

/// The memory of an instance, as what an answer is taken from.
struct Held(HeldMemory);

impl Budget for Held {
    fn take(&mut self, bytes: u64) -> Result<(), TooLarge> {
        self.0.grow(bytes).map_err(|error| TooLarge(format!("{error} (`memory_mib_max`)")))
    }
}

/// What an answer says.
pub(crate) enum Reading<T> {
    /// What was asked for.
    Result(T),
    /// That it has no such model.
    NoModel,
    /// Why it refuses, in its own words.
    Refused(String),
    /// Something else than the protocol knows.
    Unreadable,
}

impl Server {
    pub(crate) fn new(compute: LlmCompute) -> Self {
        let LlmCompute { endpoint, auth_token, api } = compute;
        // As Spin does: the path of the address counts for nothing.
        let endpoint = Endpoint { path: String::new(), ..endpoint };
        let bounds = Bounds { requests_max: REQUESTS_MAX, time_max: TIME_MAX };
        let authorization = HeaderValue::from_str(&format!("bearer {}", auth_token.reveal()));
        let mut authorization = authorization.expect("it was checked where it was read");
        authorization.set_sensitive(true);
        Self { remote: Remote::new(endpoint, bounds), authorization, api }
    }

    pub(crate) async fn infer(
        &self,
        model: &str,
        prompt: String,
        parameters: Parameters,
        held: HeldMemory,
    ) -> Charged<Generated> {
        let (path, body, read): (_, _, fn(&[u8]) -> _) = match self.api {
            LlmApi::Spin => {
                ("/infer", json(&spin::inference(model, &prompt, &parameters)), spin::read_inference)
            }
            LlmApi::OpenAi => (
                "/v1/chat/completions",
                json(&open_ai::inference(model, &prompt, &parameters)),
                open_ai::read_inference,
            ),
        };
        drop(prompt);
        self.ask(path, body, read, held).await
    }

    pub(crate) async fn embed(&self, model: &str, texts: Vec<String>, held: HeldMemory) -> Charged<Embedded> {
        // Both ask for embeddings in the same words.
        let body = json(&Embedding { model, input: &texts });
        let count = texts.len();
        drop(texts);
        let (path, read): (_, fn(&[u8]) -> _) = match self.api {
            LlmApi::Spin => ("/embed", spin::read_embeddings),
            LlmApi::OpenAi => ("/v1/embeddings", open_ai::read_embeddings),
        };
        let (embedded, held) = self.ask(path, body, read, held).await?;
        if embedded.embeddings.len() != count {
            let found = embedded.embeddings.len();
            tracing::warn!("the server of language models sent {found} embeddings for {count} texts");
            return Err(Refusal::Runtime("the server of language models answered something else".to_owned()));
        }
        Ok((embedded, held))
    }

    /// Sends a question and reads the answer to it.
    async fn ask<T>(
        &self,
        path: &'static str,
        body: Vec<u8>,
        read: fn(&[u8]) -> Reading<T>,
        mut held: HeldMemory,
    ) -> Charged<T> {
        held.grow(body.len() as u64)
            .map_err(|error| Refusal::InvalidInput(format!("the prompt is too large: {error}")))?;
        let request = Request::post(path)
            .header(AUTHORIZATION, &self.authorization)
            .header(CONTENT_TYPE, "application/json")
            .body(Bytes::from(body))
            .expect("its parts are valid");
        let answer = self.remote.call(request, Held(held)).await.map_err(|error| failed(&error))?;
        let Held(mut held) = answer.budget;
        held.grow(parsed_bytes_max(&answer.body))
            .map_err(|error| Refusal::Runtime(format!("the answer is too large: {error}")))?;
        settle(answer.status, read(&answer.body)).map(|result| (result, held))
    }
}

#[derive(Serialize)]
struct Embedding<'a> {
    model: &'a str,
    input: &'a [String],
}

fn json(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("texts and finite numbers are JSON")
}

/// The most that is held for what is read from a JSON text, whatever that says: a text has the bytes it is written
/// in, a number stands behind a comma or a bracket, and what holds others begins with a bracket or a brace. Twice
/// that, as a list that grows has room for as much again.
fn parsed_bytes_max(text: &[u8]) -> u64 {
    let cost = |byte: &u8| match byte {
        b',' => 1 + size_of::<f32>(),
        b'[' | b'{' => 1 + 64,
        _ => 1,
    };
    text.iter().map(|byte| 2 * cost(byte) as u64).sum()
}

/// What the guest is told of an answer; what only the operator can mend, the operator is told.
fn settle<T>(status: StatusCode, reading: Reading<T>) -> Result<T, Refusal> {
    let is_own_fault = matches!(
        status,
        StatusCode::BAD_REQUEST
            | StatusCode::NOT_FOUND
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNPROCESSABLE_ENTITY
    );
    match reading {
        Reading::Result(result) if status.is_success() => Ok(result),
        Reading::NoModel => Err(Refusal::ModelNotSupported),
        Reading::Refused(reason) if is_own_fault => Err(Refusal::InvalidInput(shortened(reason))),
        _ => {
            tracing::warn!("the server of language models answered {status}, and not what was asked for");
            let reason = match status.is_success() {
                true => "the server of language models answered something else".to_owned(),
                false => format!("the server of language models answered {}", status.as_u16()),
            };
            Err(Refusal::Runtime(reason))
        }
    }
}

fn shortened(mut reason: String) -> String {
    if reason.len() > REASON_BYTES_MAX {
        reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
        reason.push('…');
    }
    reason
}

fn failed(error: &RemoteError) -> Refusal {
    if let RemoteError::TooLarge(reason) = error {
        return Refusal::Runtime(format!("the answer is too large: {reason}"));
    }
    let causes = std::iter::successors(error.source(), |error| (*error).source());
    let causes: String = causes.map(|cause| format!(": {cause}")).collect();
    tracing::warn!("the server of language models failed: {error}{causes}");
    Refusal::Runtime(format!("the server of language models failed: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_takes_no_more_than_was_charged() {
        // Lists of nothing, and of small numbers, are the largest for their text.
        for text in ["[[],[],[],[],[]]", "[[1,1,1,1,1,1]]"] {
            let read: Vec<Vec<f32>> = serde_json::from_str(text).unwrap();
            let inner: usize = read.iter().map(|list| list.capacity() * size_of::<f32>()).sum();
            let held = read.capacity() * size_of::<Vec<f32>>() + inner;
            assert!(held as u64 <= parsed_bytes_max(text.as_bytes()), "{text}: {held}");
        }
    }

    #[test]
    fn the_guest_is_told_its_own_faults_and_not_the_operators() {
        let said = |status, reading| settle::<()>(status, reading).unwrap_err();
        let refused = || Reading::Refused("the key sk-1 is wrong".to_owned());
        assert_eq!(
            said(StatusCode::BAD_REQUEST, refused()),
            Refusal::InvalidInput("the key sk-1 is wrong".into())
        );
        assert_eq!(
            said(StatusCode::UNAUTHORIZED, refused()),
            Refusal::Runtime("the server of language models answered 401".into())
        );
        assert_eq!(said(StatusCode::NOT_FOUND, Reading::NoModel), Refusal::ModelNotSupported);
        let odd = "the server of language models answered something else";
        assert_eq!(said(StatusCode::OK, Reading::Unreadable), Refusal::Runtime(odd.into()));
        let long = shortened("é".repeat(1000));
        assert!(long.len() <= REASON_BYTES_MAX + '…'.len_utf8() && long.ends_with('…'));
    }
}
