//! How fast training is, and how much memory it takes.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use uno_engine::{Decoder, Workspace, peak_rss_mib};

use crate::config::TrainConfig;
use crate::data::{Example, Limits, TrainData};
use crate::error::TrainError;
use crate::memory::MemoryPlan;
use crate::optim::cosine;
use crate::order::permutation;
use crate::reference::measure;
use crate::run::stepper::{Item, Stepper};
use crate::run::{initial, plan_for};

/// What a measurement of training says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BenchReport {
    /// Time per example over all steps, forward, backward and optimiser. References are apart, see below.
    pub seconds_per_pair: f64,
    /// The same over the quickest step: what the machine does when nothing else runs.
    pub seconds_per_pair_best: f64,
    /// Time per pair of the reference forward pass, which a run pays once and not per epoch; 0 for completions.
    pub reference_seconds_per_pair: f64,
    /// Time per optimiser update, contained in `seconds_per_pair`.
    pub optimizer_seconds_per_step: f64,
    /// Tokens per second as TRL counts them: 2 × prompt + chosen + rejected.
    pub tokens_per_second: f64,
    /// Those tokens per example.
    pub tokens_per_pair: f64,
    /// Tokens per example that really go through the model: the prompt once.
    pub packed_tokens_per_pair: f64,
    /// Examples that were timed.
    pub pairs: usize,
    /// Optimiser steps that were timed.
    pub steps: u64,
    /// Examples that were refused.
    pub refused: usize,
    /// Loss of each step.
    pub losses: Vec<f64>,
    /// Largest resident memory of the process so far, in MiB.
    pub peak_rss_mib: f64,
    /// What was planned for it before the first step, in MiB.
    pub planned_mib: f64,
    /// The parts of `planned_mib`.
    pub plan: MemoryPlan,
}

/// Times `steps` optimiser steps of a real run: same order, same losses, same weights, but no files.
///
/// # Errors
/// As [`crate::train`], apart from files.
pub fn bench_training(
    decoder: &Decoder,
    data: &TrainData,
    config: &TrainConfig,
    steps: u64,
) -> Result<BenchReport, TrainError> {
    config.validate()?;
    let (examples, refused) = data.to_train_on(config, &Limits::of(decoder, config))?;
    let batches = batches(examples.len(), config, steps);
    let mut timing = Timing::default();
    let plan = plan_for(decoder, config, (examples.as_slice(), &[]))?;
    let mut stepper = Stepper::new(decoder, config, initial(decoder, config)?, plan.limit(config));
    let items = timing.references(decoder, &examples, &batches, &mut stepper.workspace)?;

    let total_steps = config.steps_per_epoch(examples.len()) * config.epochs as u64;
    for (step, batch) in (0u64..).zip(&batches) {
        let batch: Vec<Item<'_>> = batch.iter().filter_map(|i| items[*i]).collect();
        let began = Instant::now();
        let report = stepper.gradient(&batch, step)?;
        let gradient = began.elapsed().as_secs_f64();
        stepper.update(&report, cosine(config.lr, step, total_steps), step);
        let seconds = began.elapsed().as_secs_f64();
        timing.seconds.push(seconds / batch.len() as f64);
        timing.total += seconds;
        timing.optimizer += seconds - gradient;
        timing.pairs += batch.len();
        timing.packed_tokens += report.tokens;
        timing.tokens += batch.iter().map(|item| item.example().unpacked_tokens()).sum::<usize>();
        timing.losses.push(report.loss);
    }
    Ok(timing.report(refused.len(), plan))
}

/// The examples of each step: the order of a real run, over as many epochs as the steps need.
fn batches(examples: usize, config: &TrainConfig, steps: u64) -> Vec<Vec<usize>> {
    let mut batches = Vec::new();
    for epoch in 0.. {
        for batch in permutation(examples, config.seed, epoch).chunks(config.batch) {
            if batches.len() as u64 >= steps.max(1) {
                return batches;
            }
            batches.push(batch.to_vec());
        }
    }
    batches
}

#[derive(Default)]
struct Timing {
    seconds: Vec<f64>,
    total: f64,
    optimizer: f64,
    reference: f64,
    references: usize,
    pairs: usize,
    tokens: usize,
    packed_tokens: usize,
    losses: Vec<f64>,
}

impl Timing {
    /// References of the examples that the batches use.
    fn references<'a>(
        &mut self,
        decoder: &Decoder,
        examples: &[Example<'a>],
        batches: &[Vec<usize>],
        workspace: &mut Workspace,
    ) -> Result<Vec<Option<Item<'a>>>, TrainError> {
        let mut items = vec![None; examples.len()];
        for index in batches.iter().flatten() {
            if items[*index].is_some() {
                continue;
            }
            items[*index] = Some(match examples[*index] {
                Example::Completion(example) => Item::Completion(example),
                Example::Preference(example) => {
                    let began = Instant::now();
                    let reference = measure(decoder, example, workspace)?;
                    self.reference += began.elapsed().as_secs_f64();
                    self.references += 1;
                    Item::Preference(example, reference)
                }
            });
        }
        Ok(items)
    }

    fn report(self, refused: usize, plan: MemoryPlan) -> BenchReport {
        let pairs = self.pairs.max(1) as f64;
        BenchReport {
            seconds_per_pair: self.total / pairs,
            seconds_per_pair_best: self.seconds.iter().copied().fold(f64::INFINITY, f64::min),
            reference_seconds_per_pair: self.reference / self.references.max(1) as f64,
            optimizer_seconds_per_step: self.optimizer / self.seconds.len().max(1) as f64,
            tokens_per_second: self.tokens as f64 / self.total.max(1e-9),
            tokens_per_pair: self.tokens as f64 / pairs,
            packed_tokens_per_pair: self.packed_tokens as f64 / pairs,
            pairs: self.pairs,
            steps: self.seconds.len() as u64,
            refused,
            losses: self.losses,
            peak_rss_mib: peak_rss_mib(),
            planned_mib: plan.total(),
            plan,
        }
    }
}
