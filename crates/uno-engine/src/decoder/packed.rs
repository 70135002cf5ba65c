//! Several sequences in one pass without padding; completions of the same prompt share its rows.

use std::ops::Range;

use crate::config::ModelConfig;
use crate::error::EngineError;
use crate::kernel::rope::{Angles, Frequencies};

/// Sequences packed for one pass. Each row of the pass is one token; a prompt stands once however many completions it has.
///
/// ```
/// # use uno_engine::Packed;
/// let mut packed = Packed::new();
/// let prompt = packed.push_prompt(&[1, 5, 9]);
/// let chosen = packed.push_completion(prompt, &[7, 2]);
/// let rejected = packed.push_completion(prompt, &[8, 8, 2]);
/// assert_eq!((packed.tokens(), chosen, rejected), (8, 0..2, 2..5));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Packed {
    pub(crate) ids: Vec<u32>,
    positions: Vec<usize>,
    pub(crate) segments: Vec<Segment>,
    /// For each target, the row that predicts it.
    pub(crate) rows: Vec<usize>,
    targets: Vec<u32>,
}

/// Consecutive rows that attend to each other causally, and to all rows of `prefix`.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub(crate) rows: Range<usize>,
    pub(crate) prefix: Range<usize>,
}

impl Segment {
    /// Positions that the last row attends to.
    pub(crate) fn keys(&self) -> usize {
        self.prefix.len() + self.rows.len()
    }
}

impl Packed {
    /// Nothing packed yet.
    pub fn new() -> Self {
        Packed::default()
    }

    /// One prompt with one completion.
    pub fn single(prompt: &[u32], completion: &[u32]) -> Self {
        let mut packed = Self::new();
        let segment = packed.push_prompt(prompt);
        packed.push_completion(segment, completion);
        packed
    }

    /// Adds a prompt: context only, none of its tokens is a target. Returns its segment, for [`Packed::push_completion`].
    pub fn push_prompt(&mut self, ids: &[u32]) -> usize {
        self.push(ids, 0..0)
    }

    /// Adds a continuation of a prompt. It attends to the prompt and to itself causally, and every token of `ids` is a
    /// target, the first predicted from the prompt's last token. Returns its range in [`Packed::targets`].
    ///
    /// # Panics
    /// When `prompt` was not returned by [`Packed::push_prompt`] of this value or is empty: nothing would predict the first
    /// token.
    pub fn push_completion(&mut self, prompt: usize, ids: &[u32]) -> Range<usize> {
        let prefix = self.segments[prompt].rows.clone();
        assert!(
            !prefix.is_empty() && self.segments[prompt].prefix.is_empty(),
            "segment {prompt} is empty or no prompt"
        );
        let first = self.targets.len();
        let rows = self.ids.len()..self.ids.len() + ids.len();
        if !ids.is_empty() {
            self.rows.push(prefix.end - 1);
            self.rows.extend(rows.start..rows.end - 1);
        }
        self.targets.extend_from_slice(ids);
        self.push(ids, prefix);
        first..self.targets.len()
    }

    fn push(&mut self, ids: &[u32], prefix: Range<usize>) -> usize {
        let start = self.ids.len();
        self.positions.extend(prefix.len()..prefix.len() + ids.len());
        self.ids.extend_from_slice(ids);
        self.segments.push(Segment { rows: start..self.ids.len(), prefix });
        self.segments.len() - 1
    }

    /// The tokens whose log-probabilities a pass gives, in order.
    pub fn targets(&self) -> &[u32] {
        &self.targets
    }

    /// Rows of the pass: the tokens of all prompts and completions.
    pub fn tokens(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn angles(&self, frequencies: &Frequencies) -> Angles {
        frequencies.angles(&self.positions)
    }

    /// Fails when there is nothing to compute or a sequence is longer than the model's context.
    pub(crate) fn check(&self, config: &ModelConfig) -> Result<(), EngineError> {
        if self.ids.is_empty() {
            return Err(EngineError::Input("the pass has no tokens".into()));
        }
        match self.segments.iter().map(Segment::keys).max() {
            Some(needed) if needed > config.max_positions => {
                Err(EngineError::ContextOverflow { needed, capacity: config.max_positions })
            }
            _ => Ok(()),
        }
    }
}
