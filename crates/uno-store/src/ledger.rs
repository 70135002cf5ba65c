//! What a run costs: tokens paid for and tokens reused, per stage, and the budget that ends it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

/// Tokens of one stage. Prompt and completion tokens are both counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StageTokens {
    /// Generations that a model had to make.
    pub paid_calls: u64,
    /// Prompt tokens of those.
    pub paid_prompt: u64,
    /// Completion tokens of those.
    pub paid_completion: u64,
    /// Generations answered from the cache.
    pub reused_calls: u64,
    /// Prompt and completion tokens of those.
    pub reused: u64,
}

impl StageTokens {
    /// Prompt and completion tokens that were paid for.
    pub fn paid(&self) -> u64 {
        self.paid_prompt + self.paid_completion
    }

    /// Adds another count.
    pub fn add(&mut self, other: &StageTokens) {
        self.paid_calls += other.paid_calls;
        self.paid_prompt += other.paid_prompt;
        self.paid_completion += other.paid_completion;
        self.reused_calls += other.reused_calls;
        self.reused += other.reused;
    }
}

/// Shared by all cached models of a process.
#[derive(Debug, Default)]
pub struct TokenLedger {
    budget: Option<u64>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    stage: String,
    stages: BTreeMap<String, StageTokens>,
    spent: u64,
    stopped: bool,
}

impl TokenLedger {
    /// A ledger that stops paying once `budget` tokens (prompt + completion) were paid in this process; `None`: never.
    pub fn new(budget: Option<u64>) -> Self {
        Self { budget, state: Mutex::default() }
    }

    /// From now on tokens count for `stage`.
    pub fn enter(&self, stage: &str) {
        self.lock().stage = stage.to_owned();
    }

    /// Counts a generation made by a model.
    pub fn pay(&self, prompt: usize, completion: usize) {
        let mut state = self.lock();
        let (prompt, completion) = (prompt as u64, completion as u64);
        state.spent += prompt + completion;
        let tokens = state.current();
        tokens.paid_calls += 1;
        tokens.paid_prompt += prompt;
        tokens.paid_completion += completion;
    }

    /// Counts a generation answered from the cache.
    pub fn reuse(&self, prompt: usize, completion: usize) {
        let mut state = self.lock();
        let tokens = state.current();
        tokens.reused_calls += 1;
        tokens.reused += (prompt + completion) as u64;
    }

    /// Whether nothing more may be paid. Remembers that somebody asked in vain, see [`Self::stopped`].
    pub fn exhausted(&self) -> bool {
        let mut state = self.lock();
        let exhausted = self.budget.is_some_and(|budget| state.spent >= budget);
        state.stopped |= exhausted;
        exhausted
    }

    /// The budget, if any.
    pub fn budget(&self) -> Option<u64> {
        self.budget
    }

    /// Tokens paid in this process.
    pub fn spent(&self) -> u64 {
        self.lock().spent
    }

    /// Whether the budget stopped a generation.
    pub fn stopped(&self) -> bool {
        self.lock().stopped
    }

    /// Tokens of `stage` in this process.
    pub fn stage(&self, stage: &str) -> StageTokens {
        self.lock().stages.get(stage).copied().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Counters stay usable even if a thread died while counting.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn current(&mut self) -> &mut StageTokens {
        self.stages.entry(self.stage.clone()).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_count_for_the_stage_that_is_entered_and_the_budget_ends() {
        let ledger = TokenLedger::new(Some(10));
        ledger.enter("distil");
        ledger.pay(3, 4);
        assert!(!ledger.exhausted() && !ledger.stopped());
        ledger.enter("pairs");
        ledger.reuse(100, 100);
        ledger.pay(1, 2);
        assert!(ledger.exhausted() && ledger.stopped());
        assert_eq!(
            (ledger.spent(), ledger.stage("distil").paid(), ledger.stage("pairs").reused),
            (10, 7, 200)
        );
    }
}
