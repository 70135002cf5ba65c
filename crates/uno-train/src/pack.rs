//! Which examples go through the model together, and how they are packed: a pair's prompt stands once before both
//! completions.

use std::ops::Range;

use uno_engine::Packed;

use crate::config::TrainConfig;
use crate::data::{Example, PreferenceExample, SftExample};
use crate::loss::PairRange;
use crate::order::permutation;

/// Packs pairs; the ranges say where their completions lie among the targets.
pub(crate) fn pack_preferences(examples: &[&PreferenceExample]) -> (Packed, Vec<PairRange>) {
    let mut packed = Packed::new();
    let ranges = examples.iter().map(|example| push_preference(&mut packed, example)).collect();
    (packed, ranges)
}

fn push_preference(packed: &mut Packed, example: &PreferenceExample) -> PairRange {
    let prompt = packed.push_prompt(&example.prompt);
    let chosen = packed.push_completion(prompt, &example.chosen);
    let rejected = packed.push_completion(prompt, &example.rejected);
    PairRange { chosen, rejected }
}

/// Packs completions, each after its own prompt.
pub(crate) fn pack_completions(examples: &[&SftExample]) -> (Packed, Vec<Range<usize>>) {
    let mut packed = Packed::new();
    let ranges = examples.iter().map(|example| push_completion(&mut packed, example)).collect();
    (packed, ranges)
}

fn push_completion(packed: &mut Packed, example: &SftExample) -> Range<usize> {
    let prompt = packed.push_prompt(&example.prompt);
    packed.push_completion(prompt, &example.completion)
}

impl Example<'_> {
    /// Adds the example to a pass.
    pub(crate) fn push_to(&self, packed: &mut Packed) {
        match self {
            Example::Preference(example) => {
                push_preference(packed, example);
            }
            Example::Completion(example) => {
                push_completion(packed, example);
            }
        }
    }
}

/// Cuts the micro-batches of a step, given as the tokens of each, into passes: neighbours share one while they have no more
/// than `limit` tokens together.
pub(crate) fn passes(tokens: &[usize], limit: usize) -> Vec<Range<usize>> {
    let mut passes: Vec<Range<usize>> = Vec::new();
    let mut held = 0;
    for (i, tokens) in tokens.iter().enumerate() {
        match passes.last_mut() {
            Some(pass) if held + tokens <= limit => {
                pass.end = i + 1;
                held += tokens;
            }
            _ => {
                passes.push(i..i + 1);
                held = *tokens;
            }
        }
    }
    passes
}

/// The examples of every pass of a run. Epochs shuffle, so each may bring a larger pass.
pub(crate) fn passes_of_run<'e, 'a>(
    examples: &'e [Example<'a>],
    config: &'e TrainConfig,
) -> impl Iterator<Item = Vec<Example<'a>>> + use<'e, 'a> {
    (0..config.epochs).flat_map(move |epoch| {
        let order = permutation(examples.len(), config.seed, epoch);
        let steps: Vec<Vec<usize>> = order.chunks(config.batch).map(<[usize]>::to_vec).collect();
        steps.into_iter().flat_map(move |step| {
            let groups: Vec<&[usize]> = step.chunks(config.micro_batch).collect();
            let tokens: Vec<usize> =
                groups.iter().map(|g| g.iter().map(|i| examples[*i].packed_tokens()).sum()).collect();
            let of_pass = |pass: Range<usize>| {
                groups[pass].iter().flat_map(|g| g.iter().map(|i| examples[*i])).collect()
            };
            passes(&tokens, config.pack_tokens).into_iter().map(of_pass).collect::<Vec<Vec<_>>>()
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::passes;

    proptest! {
        /// Every micro-batch is in one pass, in order; none could join the pass before it.
        #[test]
        fn passes_are_in_order_and_full(tokens in prop::collection::vec(1usize..300, 0..30), limit in 0usize..1000) {
            let passes = passes(&tokens, limit);
            let flat: Vec<usize> = passes.iter().cloned().flatten().collect();
            prop_assert_eq!(flat, (0..tokens.len()).collect::<Vec<_>>());
            let sum = |pass: &std::ops::Range<usize>| tokens[pass.clone()].iter().sum::<usize>();
            for pair in passes.windows(2) {
                prop_assert!(pair[0].len() == 1 || sum(&pair[0]) <= limit);
                prop_assert!(sum(&pair[0]) + tokens[pair[1].start] > limit);
            }
        }
    }
}
