//! What one instance has of language models, and what is asked of them.

use std::sync::Arc;

use tombolo_capability::{HeldMemory, HostMemory};

use crate::server::Server;

/// What one component was granted.
pub struct Granted {
    pub(crate) models: Vec<String>,
    pub(crate) server: Option<Arc<Server>>,
}

/// The models of one instance.
pub struct View(Arc<Granted>);

/// An instance's view, borrowed for one call.
pub(crate) struct Host<'a> {
    pub(crate) view: &'a View,
    pub(crate) memory: &'a HostMemory,
}

/// Why a call gets an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The server has no such model.
    ModelNotSupported,
    /// What was asked for cannot be.
    InvalidInput(String),
    /// It could be, and did not work.
    Runtime(String),
}

/// How a text is to be generated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Parameters {
    pub(crate) max_tokens: u32,
    pub(crate) repeat_penalty: f32,
    pub(crate) repeat_penalty_last_n_token_count: u32,
    pub(crate) temperature: f32,
    pub(crate) top_k: u32,
    pub(crate) top_p: f32,
}

/// As in Spin, where none are given.
impl Default for Parameters {
    fn default() -> Self {
        Self {
            max_tokens: 100,
            repeat_penalty: 1.1,
            repeat_penalty_last_n_token_count: 64,
            temperature: 0.8,
            top_k: 40,
            top_p: 0.9,
        }
    }
}

impl Parameters {
    /// JSON has no words for what is no number.
    fn are_numbers(&self) -> bool {
        [self.repeat_penalty, self.temperature, self.top_p].iter().all(|number| number.is_finite())
    }
}

/// A text that was generated.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Generated {
    pub(crate) text: String,
    pub(crate) prompt_tokens: u32,
    pub(crate) generated_tokens: u32,
}

/// Where texts are in the space of a model.
#[derive(Debug, PartialEq)]
pub(crate) struct Embedded {
    pub(crate) embeddings: Vec<Vec<f32>>,
    pub(crate) prompt_tokens: u32,
}

/// A result, and the memory it is charged to until the guest has it.
pub(crate) type Charged<T> = Result<(T, HeldMemory), Refusal>;

impl View {
    pub(crate) fn new(granted: Arc<Granted>) -> Self {
        Self(granted)
    }

    fn server(&self, model: &str) -> Result<Arc<Server>, Refusal> {
        if !self.0.models.iter().any(|granted| granted == model) {
            return Err(Refusal::InvalidInput(format!(
                "the component does not have access to use `{model}`: it is not among its `ai_models`"
            )));
        }
        self.0.server.clone().ok_or_else(|| {
            let reason = "there is no server of language models: the operator has set no `[llm_compute]`";
            Refusal::Runtime(reason.to_owned())
        })
    }
}

impl Host<'_> {
    pub(crate) async fn infer(
        &mut self,
        model: String,
        prompt: String,
        parameters: Parameters,
    ) -> Charged<Generated> {
        let server = self.view.server(&model)?;
        if !parameters.are_numbers() {
            let reason = "expected numbers in the parameters, found one that is infinite or none";
            return Err(Refusal::InvalidInput(reason.to_owned()));
        }
        let held = self.held(model.len() + prompt.len())?;
        server.infer(&model, prompt, parameters, held).await
    }

    pub(crate) async fn embed(&mut self, model: String, texts: Vec<String>) -> Charged<Embedded> {
        let server = self.view.server(&model)?;
        let bytes: usize = texts.iter().map(|text| text.len() + size_of::<String>()).sum();
        let held = self.held(model.len() + bytes)?;
        server.embed(&model, texts, held).await
    }

    fn held(&self, bytes: usize) -> Result<HeldMemory, Refusal> {
        let held = self.memory.take(bytes as u64);
        held.map_err(|error| Refusal::InvalidInput(format!("the prompt is too large: {error}")))
    }
}
