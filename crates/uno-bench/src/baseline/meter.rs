//! A chat model that counts what it is asked and what it says.

use std::cell::Cell;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use uno_types::{ChatModel, GenerationRequest, ModelError, role::OnGeneration};

/// Tokens and calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Generations that were had.
    pub calls: usize,
    /// Tokens of their prompts.
    pub prompt: usize,
    /// Tokens generated.
    pub completion: usize,
}

/// Counts the generations of a model; those that failed do not count.
pub struct Metered<'a> {
    inner: &'a dyn ChatModel,
    usage: Mutex<Usage>,
}

impl<'a> Metered<'a> {
    /// Counts from zero.
    pub fn new(inner: &'a dyn ChatModel) -> Self {
        Self { inner, usage: Mutex::new(Usage::default()) }
    }

    /// What was used since the last call of this.
    pub fn take(&self) -> Usage {
        self.usage.lock().map(|mut usage| std::mem::take(&mut *usage)).unwrap_or_default()
    }
}

impl ChatModel for Metered<'_> {
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
        let sum = Cell::new(Usage::default());
        let outcome = self.inner.generate(requests, &mut |index, result| {
            if let Ok(generation) = &result {
                let mut usage = sum.get();
                usage.calls += 1;
                usage.prompt += generation.prompt_tokens;
                usage.completion += generation.completion_tokens;
                sum.set(usage);
            }
            done(index, result);
        });
        if let Ok(mut usage) = self.usage.lock() {
            let sum = sum.get();
            usage.calls += sum.calls;
            usage.prompt += sum.prompt;
            usage.completion += sum.completion;
        }
        outcome
    }
}
