//! What the server knows and what it has seen.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::fault::{AdapterFault, Fault, Refusal};

/// How the server is set up.
#[derive(Clone, Debug)]
pub struct MockConfig {
    /// Name of the base model.
    pub model: String,
    /// `max_model_len` of the model list, in tokens (words count as tokens here).
    pub context_length: usize,
    /// Adapters it can hold; one more is refused with 400.
    pub max_loras: usize,
    /// Constraints it turns down.
    pub refuses: Vec<Refusal>,
    /// Accepts `response_format` and pays no attention to it.
    pub ignores_format: bool,
    /// Length of embeddings.
    pub dimensions: usize,
    /// Milliseconds each generation takes.
    pub latency_ms: u64,
    /// Milliseconds between the pieces of a streamed answer.
    pub pause_ms: u64,
    /// Gives every (query, document) the same score, as servers do that drop the reranker's template (vllm#21681).
    pub broken_reranker: bool,
}

impl Default for MockConfig {
    fn default() -> Self {
        Self {
            model: "mock-model".into(),
            context_length: 4096,
            max_loras: 4,
            refuses: vec![],
            ignores_format: false,
            dimensions: 8,
            latency_ms: 0,
            pause_ms: 0,
            broken_reranker: false,
        }
    }
}

/// One request that arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    /// For example `/v1/chat/completions`.
    pub path: String,
    /// The JSON body; null for GET.
    pub body: Value,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The `traceparent` header.
    pub traceparent: Option<String>,
}

#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) queued: VecDeque<Fault>,
    pub(crate) always: Option<Fault>,
    pub(crate) adapter_fault: Option<AdapterFault>,
    /// Name to hash of the adapter's files.
    pub(crate) adapters: BTreeMap<String, String>,
    pub(crate) seen: Vec<Seen>,
    pub(crate) in_flight: usize,
    pub(crate) most_in_flight: usize,
    pub(crate) loaded_while_busy: usize,
}

pub(crate) struct State {
    pub(crate) config: MockConfig,
    inner: Mutex<Inner>,
}

impl State {
    pub(crate) fn new(config: MockConfig) -> Self {
        Self { config, inner: Mutex::default() }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whose weights answer a request for `model`: the base model's name, or an adapter's content hash. `None` when
    /// there is no such model.
    pub(crate) fn weights(&self, model: &str) -> Option<String> {
        let inner = self.lock();
        if model == self.config.model {
            return Some(self.config.model.clone());
        }
        let own = inner.adapters.get(model)?;
        Some(match inner.adapter_fault {
            Some(AdapterFault::ServesBase) => self.config.model.clone(),
            Some(AdapterFault::ServesOther) => {
                inner.adapters.iter().find(|(name, _)| *name != model).map_or(own, |(_, hash)| hash).clone()
            }
            Some(AdapterFault::LoadNotListed) | None => own.clone(),
        })
    }

    /// The fault that this request meets, if any.
    pub(crate) fn next_fault(&self) -> Option<Fault> {
        let mut inner = self.lock();
        inner.queued.pop_front().or_else(|| inner.always.clone())
    }
}
