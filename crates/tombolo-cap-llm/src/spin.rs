//! Spin's own protocol: `/infer` and `/embed`.
//!
//! Source: Spin, `crates/llm-remote-http/src/default.rs`.

use serde::{Deserialize, Serialize};

use crate::server::Reading;
use crate::view::{Embedded, Generated, Parameters};

#[derive(Serialize)]
pub(crate) struct Inference<'a> {
    model: &'a str,
    prompt: &'a str,
    options: Options,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    max_tokens: u32,
    repeat_penalty: f32,
    repeat_penalty_last_n_token_count: u32,
    temperature: f32,
    top_k: u32,
    top_p: f32,
}

pub(crate) fn inference<'a>(model: &'a str, prompt: &'a str, parameters: &Parameters) -> Inference<'a> {
    let options = Options {
        max_tokens: parameters.max_tokens,
        repeat_penalty: parameters.repeat_penalty,
        repeat_penalty_last_n_token_count: parameters.repeat_penalty_last_n_token_count,
        temperature: parameters.temperature,
        top_k: parameters.top_k,
        top_p: parameters.top_p,
    };
    Inference { model, prompt, options }
}

#[derive(Deserialize)]
struct Inferred {
    text: String,
    usage: Usage,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Usage {
    prompt_token_count: u32,
    #[serde(default)]
    generated_token_count: u32,
}

#[derive(Deserialize)]
struct Embeddings {
    embeddings: Vec<Vec<f32>>,
    usage: Usage,
}

/// Reads the answer to an inference. The protocol has no words for a refusal.
pub(crate) fn read_inference(body: &[u8]) -> Reading<Generated> {
    match serde_json::from_slice(body) {
        Ok(Inferred { text, usage }) => Reading::Result(Generated {
            text,
            prompt_tokens: usage.prompt_token_count,
            generated_tokens: usage.generated_token_count,
        }),
        Err(_) => Reading::Unreadable,
    }
}

/// Reads the answer to a question for embeddings.
pub(crate) fn read_embeddings(body: &[u8]) -> Reading<Embedded> {
    match serde_json::from_slice(body) {
        Ok(Embeddings { embeddings, usage }) => {
            Reading::Result(Embedded { embeddings, prompt_tokens: usage.prompt_token_count })
        }
        Err(_) => Reading::Unreadable,
    }
}
