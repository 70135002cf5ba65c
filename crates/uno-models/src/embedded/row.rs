//! One request in flight.

use std::sync::Arc;

use uno_engine::{KvBlock, Sequence};
use uno_types::{FinishReason, Generation, ModelError};

use super::prompt::Job;
use crate::constraint::Grammar;
use crate::sampling;
use crate::tokenizer::TextTokenizer;

/// A sequence with what decides its next token.
pub(super) struct Row<'a> {
    pub(super) job: Job<'a>,
    pub(super) sequence: Sequence,
    /// Kept here too so that memory in use can be counted.
    pub(super) beginning: Option<Arc<KvBlock>>,
    /// Bytes that the sequence's own keys and values take when all of its tokens were fed.
    pub(super) bytes: usize,
    grammar: Option<Grammar>,
    /// Tokens not yet fed: of the prompt, then drawn and forced ones.
    pending: Vec<u32>,
    fed: usize,
    generated: Vec<u32>,
    /// Of these, told about.
    told: usize,
    logprobs: Vec<f32>,
    draws: u64,
}

/// Whether a row goes on.
pub(super) enum Progress {
    /// There are tokens to feed.
    More,
    /// The text is complete.
    Done(FinishReason),
    /// The row cannot go on.
    Failed(ModelError),
}

impl<'a> Row<'a> {
    pub(super) fn new(
        job: Job<'a>,
        sequence: Sequence,
        beginning: Option<Arc<KvBlock>>,
        bytes: usize,
        grammar: Option<Grammar>,
    ) -> Self {
        let pending = job.prompt[beginning.as_ref().map_or(0, |b| b.len())..].to_vec();
        Self {
            job,
            sequence,
            beginning,
            bytes,
            grammar,
            pending,
            fed: 0,
            generated: Vec::new(),
            told: 0,
            logprobs: Vec::new(),
            draws: 0,
        }
    }

    /// Takes what the grammar forces at the very start, so that it is fed together with the prompt. Call once, before the
    /// first token is fed.
    pub(super) fn begin(&mut self) -> Progress {
        self.after_draw()
    }

    /// How many tokens wait to be fed.
    pub(super) fn waiting(&self) -> usize {
        self.pending.len() - self.fed
    }

    /// The sequence and the next `n` waiting tokens, for one engine call.
    pub(super) fn feed(&mut self, n: usize) -> (&mut Sequence, &[u32]) {
        let tokens = &self.pending[self.fed..self.fed + n];
        self.fed += n;
        (&mut self.sequence, tokens)
    }

    /// Draws the next token from `logits` `[vocab]`, which follow the last waiting token.
    pub(super) fn draw(&mut self, logits: &[f32], ends: &[u32]) -> Progress {
        match self.try_draw(logits, ends) {
            Ok(progress) => progress,
            Err(error) => Progress::Failed(error),
        }
    }

    fn try_draw(&mut self, logits: &[f32], ends: &[u32]) -> Result<Progress, ModelError> {
        self.pending.clear();
        self.fed = 0;
        let request = &self.job.request;
        let mask = self.grammar.as_mut().map(Grammar::mask).transpose()?;
        let drawn = sampling::draw(logits, mask.as_ref(), &request.sampling, self.draws, request.logprobs)
            .map_err(|e| ModelError::Engine(e.to_string()))?;
        self.draws += 1;
        self.generated.push(drawn.token);
        self.logprobs.extend(drawn.logprob);
        if ends.contains(&drawn.token) {
            return Ok(Progress::Done(FinishReason::Stop));
        }
        self.pending.push(drawn.token);
        if let Some(grammar) = &mut self.grammar {
            grammar.accept(drawn.token)?;
        }
        Ok(self.after_draw())
    }

    /// Adds forced tokens and decides whether the row goes on.
    fn after_draw(&mut self) -> Progress {
        let room = self.job.limit.saturating_sub(self.generated.len());
        if let Some(grammar) = &mut self.grammar {
            // Log-probs need the logits before every token: then forced ones are drawn too, from a mask of one.
            if !self.job.request.logprobs {
                match grammar.forced() {
                    Ok(forced) => {
                        let fitting = &forced[..forced.len().min(room)];
                        self.generated.extend_from_slice(fitting);
                        self.pending.extend_from_slice(fitting);
                        if fitting.len() < forced.len() {
                            return Progress::Done(FinishReason::Length);
                        }
                    }
                    Err(error) => return Progress::Failed(error.into()),
                }
            }
            if grammar.is_finished() {
                return Progress::Done(FinishReason::Stop);
            }
        }
        if self.generated.len() >= self.job.limit {
            Progress::Done(FinishReason::Length)
        } else {
            Progress::More
        }
    }

    /// The tokens that came since this was asked last.
    pub(super) fn news(&mut self) -> &[u32] {
        let from = std::mem::replace(&mut self.told, self.generated.len());
        &self.generated[from..]
    }

    /// The row's result.
    pub(super) fn finish(&mut self, finish: FinishReason, tokenizer: &TextTokenizer) -> Generation {
        Generation {
            text: tokenizer.decode(&self.generated),
            finish,
            prompt_tokens: self.job.prompt.len(),
            completion_tokens: self.generated.len(),
            logprobs: self.job.request.logprobs.then(|| std::mem::take(&mut self.logprobs)),
        }
    }
}
