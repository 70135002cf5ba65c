//! What is worth watching while preferences are learned.

use serde::{Deserialize, Serialize};

/// One pair under the current policy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairMetrics {
    /// Sum of the chosen completion's log-probabilities.
    pub chosen_logp: f64,
    /// Sum of the rejected completion's log-probabilities.
    pub rejected_logp: f64,
    /// β · (policy − reference) of the chosen completion.
    pub chosen_reward: f64,
    /// β · (policy − reference) of the rejected completion.
    pub rejected_reward: f64,
    /// −log σ(chosen reward − rejected reward).
    pub sigmoid_loss: f64,
    /// Tokens of the chosen completion.
    pub chosen_tokens: usize,
    /// Tokens of the rejected completion.
    pub rejected_tokens: usize,
}

impl PairMetrics {
    /// Chosen reward − rejected reward.
    pub fn margin(&self) -> f64 {
        self.chosen_reward - self.rejected_reward
    }
}

/// Means over many pairs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PreferenceMetrics {
    /// Pairs behind the means.
    pub pairs: usize,
    /// Mean chosen reward.
    pub chosen_reward: f64,
    /// Mean rejected reward.
    pub rejected_reward: f64,
    /// Mean of chosen − rejected reward.
    pub margin: f64,
    /// Share of pairs with a positive margin, 0–1.
    pub accuracy: f64,
    /// Mean sum of the chosen completions' log-probabilities.
    pub chosen_logp: f64,
    /// Mean sum of the rejected completions' log-probabilities.
    pub rejected_logp: f64,
    /// Mean length of the chosen completions, in tokens.
    #[serde(default)]
    pub chosen_tokens: f64,
    /// Mean length of the rejected completions, in tokens.
    #[serde(default)]
    pub rejected_tokens: f64,
}

impl PreferenceMetrics {
    /// The means of `pairs`; all zero for none.
    pub fn of(pairs: &[PairMetrics]) -> Self {
        let mut all = Self::default();
        for pair in pairs {
            all.merge(&Self {
                pairs: 1,
                chosen_reward: pair.chosen_reward,
                rejected_reward: pair.rejected_reward,
                margin: pair.margin(),
                accuracy: f64::from(u8::from(pair.margin() > 0.0)),
                chosen_logp: pair.chosen_logp,
                rejected_logp: pair.rejected_logp,
                chosen_tokens: pair.chosen_tokens as f64,
                rejected_tokens: pair.rejected_tokens as f64,
            });
        }
        all
    }

    /// Takes other pairs into the means.
    pub fn merge(&mut self, other: &Self) {
        let total = self.pairs + other.pairs;
        if total == 0 {
            return;
        }
        let (a, b) = (self.pairs as f64 / total as f64, other.pairs as f64 / total as f64);
        let mix = |x: f64, y: f64| a * x + b * y;
        *self = Self {
            pairs: total,
            chosen_reward: mix(self.chosen_reward, other.chosen_reward),
            rejected_reward: mix(self.rejected_reward, other.rejected_reward),
            margin: mix(self.margin, other.margin),
            accuracy: mix(self.accuracy, other.accuracy),
            chosen_logp: mix(self.chosen_logp, other.chosen_logp),
            rejected_logp: mix(self.rejected_logp, other.rejected_logp),
            chosen_tokens: mix(self.chosen_tokens, other.chosen_tokens),
            rejected_tokens: mix(self.rejected_tokens, other.rejected_tokens),
        };
    }

    /// How much less likely a token of the chosen completions is than under the base, in nats; `beta` is the one that the
    /// rewards were computed with.
    pub fn chosen_drop(&self, beta: f64) -> f64 {
        -self.chosen_reward / (beta * self.chosen_tokens.max(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_do_not_depend_on_how_pairs_were_grouped() {
        let pair = |c: f64, r: f64| PairMetrics {
            chosen_logp: c * 10.0,
            rejected_logp: r * 10.0,
            chosen_reward: c,
            rejected_reward: r,
            sigmoid_loss: 0.0,
            chosen_tokens: 2,
            rejected_tokens: 4,
        };
        let pairs = [pair(1.0, 0.5), pair(-1.0, 0.25), pair(2.0, 4.0)];
        let whole = PreferenceMetrics::of(&pairs);
        let mut grouped = PreferenceMetrics::of(&pairs[..1]);
        grouped.merge(&PreferenceMetrics::of(&pairs[1..]));
        assert_eq!(whole.pairs, 3);
        assert!((whole.accuracy - 1.0 / 3.0).abs() < 1e-12);
        assert!((whole.margin - (0.5 - 1.25 - 2.0) / 3.0).abs() < 1e-12);
        assert!((whole.margin - grouped.margin).abs() < 1e-12);
        // Rewards of 1, −1 and 2 at β 0.5 are a sum of 2, −2 and 4 nats over two tokens each.
        assert!((whole.chosen_drop(0.5) + 2.0 / 3.0).abs() < 1e-12);
        assert!((whole.chosen_logp - grouped.chosen_logp).abs() < 1e-12);
    }
}
