//! Micro-batches as one pass through the model: a pair's prompt stands once before both completions.

use std::ops::Range;

use uno_engine::Packed;

use crate::data::{PreferenceExample, SftExample};
use crate::loss::PairRange;

/// Packs pairs; the ranges say where their completions lie among the targets.
pub(crate) fn pack_preferences(examples: &[&PreferenceExample]) -> (Packed, Vec<PairRange>) {
    let mut packed = Packed::new();
    let ranges = examples
        .iter()
        .map(|example| {
            let prompt = packed.push_prompt(&example.prompt);
            let chosen = packed.push_completion(prompt, &example.chosen);
            let rejected = packed.push_completion(prompt, &example.rejected);
            PairRange { chosen, rejected }
        })
        .collect();
    (packed, ranges)
}

/// Packs completions, each after its own prompt.
pub(crate) fn pack_completions(examples: &[&SftExample]) -> (Packed, Vec<Range<usize>>) {
    let mut packed = Packed::new();
    let ranges = examples
        .iter()
        .map(|example| {
            let prompt = packed.push_prompt(&example.prompt);
            packed.push_completion(prompt, &example.completion)
        })
        .collect();
    (packed, ranges)
}
