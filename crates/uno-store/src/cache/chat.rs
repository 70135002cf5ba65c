//! A chat model that never makes the same generation twice.

use std::collections::HashMap;
use std::sync::Arc;

use uno_types::role::OnGeneration;
use uno_types::{ChatModel, GenerationRequest, ModelError};

use super::generations::{GenerationCache, generation_key};
use crate::TokenLedger;

/// Requests per call of the inner model while a budget is set: the most that is paid beyond it.
const BUDGET_BATCH: usize = 16;

/// Answers from the cache where it can; sends the rest to `M` in one batch and stores each result as it arrives.
///
/// Failed generations are not stored: they are asked again next time. Equal requests of one batch are sent once.
pub struct CachedChat<M> {
    inner: M,
    cache: Arc<GenerationCache>,
    ledger: Arc<TokenLedger>,
}

impl<M: ChatModel> CachedChat<M> {
    /// Wraps a model.
    pub fn new(inner: M, cache: Arc<GenerationCache>, ledger: Arc<TokenLedger>) -> Self {
        Self { inner, cache, ledger }
    }

    /// The wrapped model.
    pub fn inner(&self) -> &M {
        &self.inner
    }

    /// Sends `batch` (each with the positions that wait for it) and stores what comes back.
    fn pay(
        &self,
        keys: &[String],
        batch: &[Miss<'_>],
        done: &mut OnGeneration<'_>,
    ) -> Result<(), ModelError> {
        let requests: Vec<GenerationRequest> = batch.iter().map(|miss| miss.request.clone()).collect();
        let mut failed = None;
        self.inner.generate(&requests, &mut |i, result| {
            let Some(miss) = batch.get(i) else { return };
            if let Ok(generation) = &result {
                self.ledger.pay(generation.prompt_tokens, generation.completion_tokens);
                if let Err(error) = self.cache.put(&keys[miss.positions[0]], generation) {
                    failed.get_or_insert(error);
                }
            }
            for &position in &miss.positions {
                done(position, result.clone());
            }
        })?;
        failed.map_or(Ok(()), |error| Err(ModelError::Stopped(error.to_string())))
    }
}

struct Miss<'a> {
    request: &'a GenerationRequest,
    positions: Vec<usize>,
}

impl<M: ChatModel> ChatModel for CachedChat<M> {
    fn id(&self) -> String {
        self.inner.id()
    }

    fn context_length(&self) -> usize {
        self.inner.context_length()
    }

    fn generate(
        &self,
        requests: &[GenerationRequest],
        done: &mut OnGeneration<'_>,
    ) -> Result<(), ModelError> {
        let model = self.inner.id();
        let keys: Vec<String> = requests.iter().map(|r| generation_key(&model, r)).collect();
        let mut misses: Vec<Miss<'_>> = Vec::new();
        let mut by_key: HashMap<&str, usize> = HashMap::new();
        for (position, (key, request)) in keys.iter().zip(requests).enumerate() {
            if let Some(generation) = self.cache.get(key) {
                self.ledger.reuse(generation.prompt_tokens, generation.completion_tokens);
                done(position, Ok(generation));
            } else if let Some(&miss) = by_key.get(key.as_str()) {
                misses[miss].positions.push(position);
            } else {
                by_key.insert(key, misses.len());
                misses.push(Miss { request, positions: vec![position] });
            }
        }
        let size = if self.ledger.budget().is_some() { BUDGET_BATCH } else { misses.len().max(1) };
        for batch in misses.chunks(size) {
            if self.ledger.exhausted() {
                return Err(ModelError::Stopped(format!(
                    "the budget of {} tokens is used up ({} paid): finished work is kept; run again with a larger \
                     --budget-tokens to go on",
                    self.ledger.budget().unwrap_or_default(),
                    self.ledger.spent()
                )));
            }
            self.pay(&keys, batch, done)?;
        }
        Ok(())
    }
}
