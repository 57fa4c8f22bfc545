//! What both versions of the interface share: each has types of its own that say the same.

/// One version, over what this crate has for all.
macro_rules! interface {
    ($llm:ident) => {
        impl From<crate::view::Refusal> for $llm::Error {
            fn from(refusal: crate::view::Refusal) -> Self {
                use crate::view::Refusal;
                match refusal {
                    Refusal::ModelNotSupported => Self::ModelNotSupported,
                    Refusal::InvalidInput(reason) => Self::InvalidInput(reason),
                    Refusal::Runtime(reason) => Self::RuntimeError(reason),
                }
            }
        }

        impl From<$llm::InferencingParams> for crate::view::Parameters {
            fn from(given: $llm::InferencingParams) -> Self {
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

        impl $llm::Host for crate::view::Host<'_> {
            async fn infer(
                &mut self,
                model: String,
                prompt: String,
                params: Option<$llm::InferencingParams>,
            ) -> wasmtime::Result<Result<$llm::InferencingResult, $llm::Error>> {
                let parameters = params.map(crate::view::Parameters::from).unwrap_or_default();
                Ok(match crate::view::Host::infer(self, model, prompt, parameters).await {
                    Ok((crate::view::Generated { text, prompt_tokens, generated_tokens }, _held)) => {
                        Ok($llm::InferencingResult {
                            text,
                            usage: $llm::InferencingUsage {
                                prompt_token_count: prompt_tokens,
                                generated_token_count: generated_tokens,
                            },
                        })
                    }
                    Err(refusal) => Err(refusal.into()),
                })
            }

            async fn generate_embeddings(
                &mut self,
                model: String,
                texts: Vec<String>,
            ) -> wasmtime::Result<Result<$llm::EmbeddingsResult, $llm::Error>> {
                Ok(match self.embed(model, texts).await {
                    Ok((crate::view::Embedded { embeddings, prompt_tokens }, _held)) => {
                        Ok($llm::EmbeddingsResult {
                            embeddings,
                            usage: $llm::EmbeddingsUsage { prompt_token_count: prompt_tokens },
                        })
                    }
                    Err(refusal) => Err(refusal.into()),
                })
            }
        }
    };
}

pub(crate) use interface;
