//! DPO-sigmoid plus SFT on the chosen completion (METHOD §5; TRL 0.24 `loss_type=["sigmoid","sft"]`).

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{DpoOutput, PairMetrics};

/// Where the two completions of a pair lie among the targets of a micro-batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairRange {
    /// Targets of the chosen completion.
    pub chosen: Range<usize>,
    /// Targets of the rejected completion.
    pub rejected: Range<usize>,
}

/// Summed log-probabilities of a pair under the reference, which is the base with the adapter off.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairReference {
    /// Of the chosen completion.
    pub chosen: f64,
    /// Of the rejected completion.
    pub rejected: f64,
}

/// The numbers that shape the loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DpoSettings {
    /// Strength of the pull towards the reference.
    pub beta: f64,
    /// Weight of the sigmoid term.
    pub dpo_weight: f64,
    /// Weight of the negative log-likelihood term.
    pub sft_weight: f64,
    /// TRL 0.24 drops chosen targets whose id is 0 from the likelihood term (it takes them for padding), not from the
    /// log-probability sums. On to reproduce it, off for what one would expect.
    pub ignore_id_zero: bool,
}

/// The loss of one micro-batch, as TRL computes it: the sigmoid term is a mean over pairs, the likelihood term a mean
/// over all chosen tokens of the micro-batch (long answers weigh more).
///
/// `logps` and `targets` are [targets]; `ranges` and `references` are [pairs]. A micro-batch whose chosen tokens are all
/// dropped by the id-0 rule has a likelihood term of 0, where TRL gives NaN.
pub fn dpo_sft(
    logps: &[f32],
    targets: &[u32],
    ranges: &[PairRange],
    references: &[PairReference],
    settings: &DpoSettings,
) -> DpoOutput {
    let counts = |target: &u32| !(settings.ignore_id_zero && *target == 0);
    let sum = |range: &Range<usize>| logps[range.clone()].iter().map(|l| f64::from(*l)).sum::<f64>();

    let likelihood_tokens: usize =
        ranges.iter().map(|r| targets[r.chosen.clone()].iter().filter(|t| counts(t)).count()).sum();
    let per_token = if likelihood_tokens == 0 { 0.0 } else { 1.0 / likelihood_tokens as f64 };
    let per_pair = if ranges.is_empty() { 0.0 } else { 1.0 / ranges.len() as f64 };

    let mut dlogp = vec![0.0f32; logps.len()];
    let mut pairs = Vec::with_capacity(ranges.len());
    let (mut sigmoid_mean, mut sft_loss) = (0.0, 0.0);
    for (range, reference) in ranges.iter().zip(references) {
        let (chosen_logp, rejected_logp) = (sum(&range.chosen), sum(&range.rejected));
        let chosen_reward = settings.beta * (chosen_logp - reference.chosen);
        let rejected_reward = settings.beta * (rejected_logp - reference.rejected);
        let margin = chosen_reward - rejected_reward;
        let sigmoid_loss = softplus(-margin);
        sigmoid_mean += sigmoid_loss * per_pair;

        // d(−log σ(m))/dm = −σ(−m), and the margin moves by ±β with each token's log-probability.
        let pull = settings.dpo_weight * per_pair * settings.beta * sigmoid(-margin);
        for i in range.rejected.clone() {
            dlogp[i] += pull as f32;
        }
        for i in range.chosen.clone() {
            let mut gradient = -pull;
            if counts(&targets[i]) {
                sft_loss -= f64::from(logps[i]) * per_token;
                gradient -= settings.sft_weight * per_token;
            }
            dlogp[i] += gradient as f32;
        }
        let (chosen_tokens, rejected_tokens) = (range.chosen.len(), range.rejected.len());
        pairs.push(PairMetrics {
            chosen_logp,
            rejected_logp,
            chosen_reward,
            rejected_reward,
            sigmoid_loss,
            chosen_tokens,
            rejected_tokens,
        });
    }
    let loss = settings.dpo_weight * sigmoid_mean + settings.sft_weight * sft_loss;
    DpoOutput { loss, dlogp, sft_loss, pairs }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// log(1 + eˣ) without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ranges() -> Vec<PairRange> {
        vec![PairRange { chosen: 0..3, rejected: 3..5 }, PairRange { chosen: 5..6, rejected: 6..10 }]
    }

    const REFERENCES: [PairReference; 2] =
        [PairReference { chosen: -5.0, rejected: -3.0 }, PairReference { chosen: -1.5, rejected: -9.0 }];

    proptest! {
        #[test]
        fn gradient_matches_finite_differences(
            logps in prop::collection::vec(-8.0f32..-0.01, 10),
            targets in prop::collection::vec(0u32..3, 10),
            ignore_id_zero: bool,
        ) {
            let settings = DpoSettings { beta: 0.1, dpo_weight: 0.7, sft_weight: 0.3, ignore_id_zero };
            let loss = |l: &[f32]| dpo_sft(l, &targets, &ranges(), &REFERENCES, &settings).loss;
            let output = dpo_sft(&logps, &targets, &ranges(), &REFERENCES, &settings);
            for i in 0..logps.len() {
                let (mut up, mut down) = (logps.clone(), logps.clone());
                up[i] += 0.01;
                down[i] -= 0.01;
                let numeric = (loss(&up) - loss(&down)) / f64::from(up[i] - down[i]);
                prop_assert!((numeric - f64::from(output.dlogp[i])).abs() < 1e-4, "{i}: {numeric} {}", output.dlogp[i]);
            }
        }

        #[test]
        fn loss_is_finite_for_extreme_log_probabilities(scale in 1.0f32..1e6) {
            let settings = DpoSettings { beta: 0.1, dpo_weight: 0.5, sft_weight: 0.5, ignore_id_zero: false };
            let output = dpo_sft(&[-scale; 10], &[1; 10], &ranges(), &REFERENCES, &settings);
            prop_assert!(output.loss.is_finite());
            prop_assert!(output.dlogp.iter().all(|g| g.is_finite()));
        }
    }

    #[test]
    fn at_the_reference_the_sigmoid_term_is_ln_2() {
        let settings = DpoSettings { beta: 0.1, dpo_weight: 1.0, sft_weight: 0.0, ignore_id_zero: false };
        let references = [PairReference { chosen: -3.0, rejected: -2.0 }];
        let range = [PairRange { chosen: 0..3, rejected: 3..5 }];
        let output = dpo_sft(&[-1.0; 5], &[7; 5], &range, &references, &settings);
        assert!((output.loss - std::f64::consts::LN_2).abs() < 1e-12);
        assert_eq!(output.pairs[0].margin(), 0.0);
    }

    #[test]
    fn id_zero_is_dropped_from_the_likelihood_only_when_asked() {
        let range = [PairRange { chosen: 0..2, rejected: 2..3 }];
        let references = [PairReference { chosen: 0.0, rejected: 0.0 }];
        let with = |ignore_id_zero| {
            let settings = DpoSettings { beta: 0.1, dpo_weight: 0.0, sft_weight: 1.0, ignore_id_zero };
            dpo_sft(&[-4.0, -2.0, -1.0], &[0, 5, 0], &range, &references, &settings)
        };
        assert!((with(false).loss - 3.0).abs() < 1e-12);
        assert!((with(true).loss - 2.0).abs() < 1e-12);
        assert_eq!(with(true).pairs[0].chosen_logp, -6.0);
    }
}
