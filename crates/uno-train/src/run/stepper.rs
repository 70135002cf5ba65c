//! One optimiser step: forward and backward over its micro-batches, clipping, AdamW.

use std::ops::Range;
use std::sync::Arc;

use uno_engine::{Decoder, Dropout, LoraGrads, LoraWeights, Workspace};

use crate::config::TrainConfig;
use crate::data::{Example, PreferenceExample, SftExample};
use crate::error::{TrainError, engine};
use crate::loss::{DpoSettings, PairReference, PreferenceMetrics, dpo_sft, sft};
use crate::optim::{AdamW, clip_factor, global_norm};
use crate::order::dropout_seed;
use crate::pack::{pack_completions, pack_preferences, passes};

/// An example that is ready for training: pairs carry their reference.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Item<'a> {
    Preference(&'a PreferenceExample, PairReference),
    Completion(&'a SftExample),
}

impl<'a> Item<'a> {
    pub(crate) fn example(&self) -> Example<'a> {
        match self {
            Item::Preference(example, _) => Example::Preference(example),
            Item::Completion(example) => Example::Completion(example),
        }
    }
}

/// Everything that a step changes, allocated once for the whole run.
pub(crate) struct Stepper<'a> {
    decoder: &'a Decoder,
    pub(crate) config: &'a TrainConfig,
    /// Shared only while the adapter answers a few prompts ([`super::collapse`]).
    pub(crate) weights: Arc<LoraWeights>,
    pub(crate) optimizer: AdamW,
    pub(crate) gradients: LoraGrads,
    pub(crate) workspace: Workspace,
}

/// What a step found before it changed the weights.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StepReport {
    pub(crate) loss: f64,
    pub(crate) grad_norm: f64,
    pub(crate) preferences: PreferenceMetrics,
    pub(crate) tokens: usize,
}

impl StepReport {
    pub(crate) fn is_finite(&self) -> bool {
        self.loss.is_finite() && self.grad_norm.is_finite()
    }
}

impl<'a> Stepper<'a> {
    /// `limit` bounds the bytes of activations that are kept for the backward.
    pub(crate) fn new(
        decoder: &'a Decoder,
        config: &'a TrainConfig,
        weights: LoraWeights,
        limit: Option<usize>,
    ) -> Self {
        let optimizer = AdamW::new(config.adamw(), weights.as_slice().len());
        let gradients = LoraGrads::zeros_like(&weights);
        let mut workspace = Workspace::new(config.precision.products());
        workspace.limit_activations(limit);
        Self { decoder, config, weights: Arc::new(weights), optimizer, gradients, workspace }
    }

    /// Gradient of the batch at the current weights. DPO+SFT takes the mean over micro-batches, SFT the mean over all
    /// completion tokens of the batch, as TRL does. `step` counts from 0.
    pub(crate) fn gradient(&mut self, batch: &[Item<'_>], step: u64) -> Result<StepReport, TrainError> {
        self.gradients.zero();
        let micro_batches = batch.len().div_ceil(self.config.micro_batch);
        let completion_tokens = batch
            .iter()
            .map(|item| match item {
                Item::Preference(..) => 0,
                Item::Completion(example) => example.completion.len(),
            })
            .sum();
        let groups: Vec<&[Item<'_>]> = batch.chunks(self.config.micro_batch).collect();
        let tokens: Vec<usize> =
            groups.iter().map(|g| g.iter().map(|i| i.example().packed_tokens()).sum()).collect();
        let mut report = StepReport::default();
        for pass in passes(&tokens, self.config.pack_tokens) {
            let p = self.config.effective_dropout();
            let dropout =
                (p > 0.0).then(|| Dropout { p, seed: dropout_seed(self.config.seed, step, pass.start) });
            let groups = &groups[pass];
            match self.config.dpo() {
                Some(settings) => self.preferences(groups, &settings, micro_batches, dropout, &mut report)?,
                None => self.completions(groups, completion_tokens, dropout, &mut report)?,
            }
        }
        report.grad_norm = global_norm(self.gradients.as_slice());
        Ok(report)
    }

    /// Moves the weights along the gradient of the last [`Stepper::gradient`]. `step` counts from 0.
    pub(crate) fn update(&mut self, report: &StepReport, lr: f64, step: u64) {
        let scale = clip_factor(report.grad_norm, self.config.max_grad_norm);
        let (weights, gradients) =
            (Arc::make_mut(&mut self.weights).as_mut_slice(), self.gradients.as_slice());
        self.optimizer.update(weights, gradients, scale, lr, step + 1);
    }

    /// A pass over micro-batches of pairs, each with a loss of its own.
    fn preferences(
        &mut self,
        groups: &[&[Item<'_>]],
        settings: &DpoSettings,
        micro_batches: usize,
        dropout: Option<Dropout>,
        report: &mut StepReport,
    ) -> Result<(), TrainError> {
        let (examples, references): (Vec<_>, Vec<_>) = groups
            .iter()
            .copied()
            .flatten()
            .filter_map(|item| match item {
                Item::Preference(example, reference) => Some((*example, *reference)),
                Item::Completion(_) => None,
            })
            .unzip();
        let (packed, ranges) = pack_preferences(&examples);
        let share = 1.0 / micro_batches as f64;
        report.tokens += packed.tokens();
        let mut loss = |logps: &[f32]| {
            let mut slopes = vec![0.0; logps.len()];
            for pairs in in_groups(groups) {
                let (ranges, references) = (&ranges[pairs.clone()], &references[pairs]);
                let output = dpo_sft(logps, packed.targets(), ranges, references, settings);
                report.loss += share * output.loss;
                report.preferences.merge(&PreferenceMetrics::of(&output.pairs));
                slopes.iter_mut().zip(&output.dlogp).for_each(|(s, g)| *s += share as f32 * g);
            }
            slopes
        };
        let gradients = &mut self.gradients;
        self.decoder
            .backward(&packed, &self.weights, dropout, &mut loss, gradients, &mut self.workspace)
            .map_err(engine(|| training(groups)))
    }

    /// A pass over micro-batches of completions, whose loss is a sum over tokens and does not see the groups.
    fn completions(
        &mut self,
        groups: &[&[Item<'_>]],
        completion_tokens: usize,
        dropout: Option<Dropout>,
        report: &mut StepReport,
    ) -> Result<(), TrainError> {
        let examples: Vec<_> = groups
            .iter()
            .copied()
            .flatten()
            .filter_map(|item| match item {
                Item::Preference(..) => None,
                Item::Completion(example) => Some(*example),
            })
            .collect();
        let (packed, _) = pack_completions(&examples);
        report.tokens += packed.tokens();
        let mut loss = |logps: &[f32]| {
            let output = sft(logps, completion_tokens);
            report.loss += output.loss;
            output.dlogp
        };
        let gradients = &mut self.gradients;
        self.decoder
            .backward(&packed, &self.weights, dropout, &mut loss, gradients, &mut self.workspace)
            .map_err(engine(|| training(groups)))
    }
}

/// Which items of all groups one after another belong to each group.
fn in_groups(groups: &[&[Item<'_>]]) -> impl Iterator<Item = Range<usize>> {
    groups.iter().scan(0, |from, group| {
        let first = *from;
        *from += group.len();
        Some(first..*from)
    })
}

fn training(groups: &[&[Item<'_>]]) -> String {
    let ids: Vec<_> = groups.iter().copied().flatten().map(|item| item.example().id()).collect();
    format!("training on record {}", ids.join(", "))
}
