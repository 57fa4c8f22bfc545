//! OpenAI's protocol: `/v1/chat/completions` and `/v1/embeddings`.
//!
//! The prompt is one message of a user. Of the parameters it gets the two that Spin sends: the bound on tokens, and the
//! penalty for repetition as `frequency_penalty`.
//!
//! Source: Spin, `crates/llm-remote-http/src/open_ai`; OpenAI's API reference.

use serde::{Deserialize, Serialize};

use crate::server::Reading;
use crate::view::{Embedded, Generated, Parameters};

#[derive(Serialize)]
pub(crate) struct Inference<'a> {
    model: &'a str,
    messages: [Message<'a>; 1],
    max_completion_tokens: u32,
    frequency_penalty: f32,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

pub(crate) fn inference<'a>(model: &'a str, prompt: &'a str, parameters: &Parameters) -> Inference<'a> {
    Inference {
        model,
        messages: [Message { role: "user", content: prompt }],
        max_completion_tokens: parameters.max_tokens,
        frequency_penalty: parameters.repeat_penalty,
    }
}

/// An answer to either question: with `error` alone if it is a refusal.
#[derive(Deserialize)]
struct Said<T> {
    #[serde(alias = "choices")]
    data: Option<Vec<T>>,
    usage: Option<Usage>,
    error: Option<Refused>,
}

#[derive(Deserialize)]
struct Choice {
    message: Spoken,
}

#[derive(Deserialize)]
struct Spoken {
    content: Option<String>,
}

#[derive(Deserialize)]
struct Embedding {
    embedding: Vec<f32>,
    /// Which of the texts; in the order of the answer unless it is said.
    index: Option<u32>,
}

#[derive(Deserialize)]
struct Usage {
    #[serde(default)]
    prompt_tokens: u32,
    #[serde(default)]
    completion_tokens: u32,
}

#[derive(Deserialize)]
struct Refused {
    #[serde(default)]
    message: String,
    code: Option<Code>,
}

/// Some servers say a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Code {
    Name(String),
    Other(serde::de::IgnoredAny),
}

fn read<T: for<'a> Deserialize<'a>>(body: &[u8]) -> Reading<(Vec<T>, Option<Usage>)> {
    match serde_json::from_slice(body) {
        Ok(Said { error: Some(Refused { code: Some(Code::Name(code)), .. }), .. })
            if code == "model_not_found" =>
        {
            Reading::NoModel
        }
        Ok(Said { error: Some(Refused { message, .. }), .. }) => Reading::Refused(message),
        Ok(Said { data: Some(data), usage, .. }) => Reading::Result((data, usage)),
        _ => Reading::Unreadable,
    }
}

impl<T> Reading<T> {
    fn then<U>(self, next: impl FnOnce(T) -> Reading<U>) -> Reading<U> {
        match self {
            Self::Result(result) => next(result),
            Self::NoModel => Reading::NoModel,
            Self::Refused(reason) => Reading::Refused(reason),
            Self::Unreadable => Reading::Unreadable,
        }
    }
}

/// Reads the answer to an inference: its first choice.
pub(crate) fn read_inference(body: &[u8]) -> Reading<Generated> {
    read::<Choice>(body).then(|(choices, usage)| {
        let Some(Choice { message: Spoken { content: Some(text) } }) = choices.into_iter().next() else {
            return Reading::Unreadable;
        };
        let (prompt_tokens, generated_tokens) =
            usage.map_or((0, 0), |usage| (usage.prompt_tokens, usage.completion_tokens));
        Reading::Result(Generated { text, prompt_tokens, generated_tokens })
    })
}

/// Reads the answer to a question for embeddings, in the order of the texts.
pub(crate) fn read_embeddings(body: &[u8]) -> Reading<Embedded> {
    read::<Embedding>(body).then(|(mut data, usage)| {
        data.sort_by_key(|embedding| embedding.index);
        let embeddings = data.into_iter().map(|embedding| embedding.embedding).collect();
        let prompt_tokens = usage.map_or(0, |usage| usage.prompt_tokens);
        Reading::Result(Embedded { embeddings, prompt_tokens })
    })
}
