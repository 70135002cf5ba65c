//! The parts of the API's answers that are read. Unknown fields are ignored, missing ones are not errors until needed.

use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
pub(crate) struct ChatAnswer {
    pub(crate) model: Option<String>,
    #[serde(default)]
    pub(crate) choices: Vec<ChatChoice>,
    pub(crate) usage: Option<Usage>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ChatChoice {
    pub(crate) message: ChatMessage,
    pub(crate) finish_reason: Option<String>,
    pub(crate) logprobs: Option<ChatLogprobs>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ChatMessage {
    pub(crate) content: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ChatLogprobs {
    pub(crate) content: Option<Vec<TokenLogprob>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct TokenLogprob {
    pub(crate) logprob: f32,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Usage {
    #[serde(default)]
    pub(crate) prompt_tokens: usize,
    #[serde(default)]
    pub(crate) completion_tokens: usize,
}

#[derive(Debug, Deserialize)]
pub(crate) struct CompletionAnswer {
    #[serde(default)]
    pub(crate) choices: Vec<CompletionChoice>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct CompletionChoice {
    pub(crate) logprobs: Option<CompletionLogprobs>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct CompletionLogprobs {
    #[serde(default)]
    pub(crate) token_logprobs: Vec<Option<f32>>,
    /// One map from token text to log-prob for each position.
    #[serde(default)]
    pub(crate) top_logprobs: Vec<Value>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct EmbeddingsAnswer {
    #[serde(default)]
    pub(crate) data: Vec<Embedding>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Embedding {
    pub(crate) index: usize,
    pub(crate) embedding: Vec<f32>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ModelList {
    #[serde(default)]
    pub(crate) data: Vec<ModelCard>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ModelCard {
    pub(crate) id: String,
    pub(crate) root: Option<String>,
    pub(crate) parent: Option<String>,
    pub(crate) max_model_len: Option<usize>,
}
