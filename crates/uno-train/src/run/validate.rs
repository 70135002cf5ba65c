//! Loss on held-out examples, without dropout.

use uno_engine::{Decoder, LoraWeights, Workspace};

use super::stepper::Item;
use crate::config::TrainConfig;
use crate::error::{TrainError, engine};
use crate::loss::{PairMetrics, PreferenceMetrics, dpo_sft};
use crate::pack::{pack_completions, pack_preferences};

/// What validation says about an adapter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Validation {
    /// DPO+SFT: mean over pairs; SFT: mean over completion tokens.
    pub(crate) loss: f64,
    /// None for SFT.
    pub(crate) preferences: Option<PreferenceMetrics>,
}

/// Scores all items; `None` when there are none.
pub(crate) fn validate(
    decoder: &Decoder,
    weights: &LoraWeights,
    items: &[Item<'_>],
    config: &TrainConfig,
    workspace: &mut Workspace,
) -> Result<Option<Validation>, TrainError> {
    let (mut loss, mut weight) = (0.0, 0.0);
    let mut pairs: Vec<PairMetrics> = Vec::new();
    for item in items {
        let doing = || format!("validating on record {}", item.example().id());
        match item {
            Item::Preference(example, reference) => {
                let Some(settings) = config.dpo() else { continue };
                let (packed, ranges) = pack_preferences(&[example]);
                let logps = decoder.score(&packed, Some(weights), workspace).map_err(engine(doing))?;
                let output = dpo_sft(&logps, packed.targets(), &ranges, &[*reference], &settings);
                loss += output.loss;
                weight += 1.0;
                pairs.extend(output.pairs);
            }
            Item::Completion(example) => {
                let (packed, _) = pack_completions(&[example]);
                let logps = decoder.score(&packed, Some(weights), workspace).map_err(engine(doing))?;
                loss -= logps.iter().map(|l| f64::from(*l)).sum::<f64>();
                weight += logps.len() as f64;
            }
        }
    }
    if weight == 0.0 {
        return Ok(None);
    }
    let preferences = (!pairs.is_empty()).then(|| PreferenceMetrics::of(&pairs));
    Ok(Some(Validation { loss: loss / weight, preferences }))
}
