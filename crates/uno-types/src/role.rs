//! What a model must be able to do for the method. Implemented by uno-models (embedded and remote), used by uno-learn.
//!
//! The traits are synchronous and take whole batches: the embedded engine decodes a batch in one go, the remote client
//! keeps its requests in flight at once. Results arrive one by one through a callback, so that each can be stored as
//! soon as it is paid for.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{AdapterRef, Message};

/// How tokens are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// 0 is greedy.
    pub temperature: f32,
    /// Nucleus; 1 keeps every token.
    pub top_p: f32,
    /// Seed of the draw; a row's draw depends on nothing else in its batch.
    pub seed: u64,
}

impl Sampling {
    /// The most likely token each time.
    pub const GREEDY: Sampling = Sampling { temperature: 0.0, top_p: 1.0, seed: 0 };
}

/// What the generated text must look like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Constraint {
    /// A JSON document of this schema.
    JsonSchema(serde_json::Value),
}

/// One text to generate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GenerationRequest {
    /// The conversation so far; the model adds the next assistant turn.
    pub messages: Vec<Message>,
    /// Adapter to answer with; the base model otherwise.
    pub adapter: Option<AdapterRef>,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// Most tokens to generate.
    pub max_tokens: usize,
    /// What the text must look like.
    pub constraint: Option<Constraint>,
    /// Also return the log-probability of every generated token.
    #[serde(default)]
    pub logprobs: bool,
}

/// Why a generation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model ended its turn, or the constraint was fulfilled.
    Stop,
    /// `max_tokens` or the context's end was reached.
    Length,
}

/// A generated text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generation {
    /// The text, without special tokens.
    pub text: String,
    /// Why it ended.
    pub finish: FinishReason,
    /// Tokens of the rendered prompt.
    pub prompt_tokens: usize,
    /// Tokens generated.
    pub completion_tokens: usize,
    /// Log-probability of each generated token, when asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<Vec<f32>>,
}

/// Why a model gave no result.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ModelError {
    /// The prompt does not fit; nothing is cut silently.
    #[error(
        "prompt of {tokens} tokens does not fit the context of {limit}: shorten the input or use a model with a longer context"
    )]
    ContextLength {
        /// Tokens of the prompt.
        tokens: usize,
        /// Tokens the model can hold.
        limit: usize,
    },
    /// The request itself is wrong (adapter, constraint, template).
    #[error("{0}")]
    Invalid(String),
    /// The server answered with an error, garbage, or not at all, after retries.
    #[error("{0}")]
    Upstream(String),
    /// The embedded engine failed.
    #[error("{0}")]
    Engine(String),
    /// Nothing more may be paid for or kept (budget used up, disk full): the run stops and can go on later.
    #[error("{0}")]
    Stopped(String),
}

/// Receives the result of request `index` as soon as it is there. Called on the thread that called `generate`.
pub type OnGeneration<'a> = dyn FnMut(usize, Result<Generation, ModelError>) + 'a;

/// A chat model: the target being improved, the teacher, the judge.
pub trait ChatModel: Send + Sync {
    /// Name and content hash of the model: part of every cache key, recorded in manifests.
    fn id(&self) -> String;
    /// Tokens of context.
    fn context_length(&self) -> usize;
    /// Generates all requests, in whatever order is fastest, calling `done` exactly once for each. Returns an error
    /// only when nothing more can work (model lost, server gone); requests not yet answered then stay unanswered.
    fn generate(&self, requests: &[GenerationRequest], done: &mut OnGeneration<'_>)
    -> Result<(), ModelError>;
}

/// An embedding model.
pub trait Embedder: Send + Sync {
    /// Name and content hash.
    fn id(&self) -> String;
    /// Length of a vector.
    fn dimensions(&self) -> usize;
    /// One vector per text, not necessarily normalised.
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError>;
    /// What is embedded for a question: the question, unless an instruction goes before it (Qwen3-Embedding). Rules,
    /// sentences and answers go as they are.
    fn question_text<'a>(&self, question: &'a str) -> Cow<'a, str> {
        Cow::Borrowed(question)
    }
    /// One vector per question of a user.
    fn embed_questions(&self, questions: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        let texts: Vec<Cow<'_, str>> =
            questions.iter().map(|question| self.question_text(question)).collect();
        self.embed(&texts.iter().map(AsRef::as_ref).collect::<Vec<_>>())
    }
}

/// A reranker that passed its golden self-test.
pub trait Reranker: Send + Sync {
    /// Name and content hash.
    fn id(&self) -> String;
    /// For each (query, document): the probability of "yes", 0 to 1.
    fn score(&self, pairs: &[(&str, &str)]) -> Result<Vec<f32>, ModelError>;
}
