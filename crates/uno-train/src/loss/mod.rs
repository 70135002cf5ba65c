//! Losses as functions of per-token log-probabilities.
//!
//! The engine gives one log-probability per target token and takes dLoss/dlogp back, so a loss knows neither layers nor
//! logits. Sums run in f64: a completion of 2 000 tokens then loses nothing against the order of the additions.

mod dpo;
mod metrics;
mod sft;

pub use dpo::{DpoSettings, PairRange, PairReference, dpo_sft};
pub use metrics::{PairMetrics, PreferenceMetrics};
pub use sft::{SftOutput, sft};

/// What the DPO+SFT loss of one micro-batch says.
#[derive(Clone, Debug, PartialEq)]
pub struct DpoOutput {
    /// `dpo_weight · mean(sigmoid loss) + sft_weight · sft_loss`.
    pub loss: f64,
    /// dLoss/dlogp, one per target, in the order of the targets.
    pub dlogp: Vec<f32>,
    /// Mean negative log-likelihood of the chosen tokens of the micro-batch.
    pub sft_loss: f64,
    /// One entry per pair.
    pub pairs: Vec<PairMetrics>,
}
