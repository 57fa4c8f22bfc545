//! `fermyon:spin/llm@2.0.0`.

use crate::view::{Embedded, Generated, Host, Parameters, Refusal};

mod generated {
    wasmtime::component::bindgen!({
        inline: "package tombolo:llm2; world imports { import fermyon:spin/llm@2.0.0; }",
        path: ["../../wit/fermyon-spin@2.0.0"],
        world: "tombolo:llm2/imports",
        imports: { default: async | trappable },
    });
}

pub(crate) use generated::fermyon::spin::llm;

impl From<Refusal> for llm::Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::ModelNotSupported => Self::ModelNotSupported,
            Refusal::InvalidInput(reason) => Self::InvalidInput(reason),
            Refusal::Runtime(reason) => Self::RuntimeError(reason),
        }
    }
}

impl From<llm::InferencingParams> for Parameters {
    fn from(given: llm::InferencingParams) -> Self {
        Self {
            max_tokens: given.max_tokens,
            repeat_penalty: given.repeat_penalty,
            repeat_penalty_last_n_token_count: given.repeat_penalty_last_n_token_count,
            temperature: given.temperature,
            top_k: given.top_k,
            top_p: given.top_p,
        }
    }
}

impl llm::Host for Host<'_> {
    async fn infer(
        &mut self,
        model: String,
        prompt: String,
        params: Option<llm::InferencingParams>,
    ) -> wasmtime::Result<Result<llm::InferencingResult, llm::Error>> {
        let parameters = params.map(Parameters::from).unwrap_or_default();
        Ok(match Host::infer(self, model, prompt, parameters).await {
            Ok((Generated { text, prompt_tokens, generated_tokens }, _held)) => Ok(llm::InferencingResult {
                text,
                usage: llm::InferencingUsage {
                    prompt_token_count: prompt_tokens,
                    generated_token_count: generated_tokens,
                },
            }),
            Err(refusal) => Err(refusal.into()),
        })
    }

    async fn generate_embeddings(
        &mut self,
        model: String,
        texts: Vec<String>,
    ) -> wasmtime::Result<Result<llm::EmbeddingsResult, llm::Error>> {
        Ok(match self.embed(model, texts).await {
            Ok((Embedded { embeddings, prompt_tokens }, _held)) => Ok(llm::EmbeddingsResult {
                embeddings,
                usage: llm::EmbeddingsUsage { prompt_token_count: prompt_tokens },
            }),
            Err(refusal) => Err(refusal.into()),
        })
    }
}
