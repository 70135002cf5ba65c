//! A whole run: from examples to one PEFT checkpoint per epoch, resumable at any moment.

mod collapse;
mod guard;
pub(crate) mod output;
pub(crate) mod prepare;
pub(crate) mod stepper;
mod validate;

use std::path::Path;
use std::time::Instant;

use uno_engine::{Decoder, LoraWeights};

use self::output::Output;
use self::prepare::Prepared;
use self::stepper::{Item, Stepper};
use crate::checkpoint::{EpochSums, Progress};
use crate::config::TrainConfig;
use crate::data::{Example, TrainData};
use crate::error::{TrainError, engine};
use crate::event::{EpochResult, StepEvent, TrainEvent, TrainOutcome};
use crate::memory::{MemoryPlan, budget_mib};
use crate::optim::cosine;
use crate::order::permutation;

/// Trains an adapter from PEFT's initial weights (A uniform, B zero).
///
/// `out_dir` receives `epoch-1/` … `epoch-N/` (PEFT), `training.jsonl` (the events), `reference.jsonl` (pairs only) and,
/// while the run lasts, the resume point `state.json` + `state-STEP.safetensors`. Called again with the same arguments
/// after a crash, it goes on from the resume point and ends with the very weights of an uninterrupted run; called after
/// the end, it returns the outcome at once. With another base, other settings or other data it begins again.
///
/// # Errors
/// Settings out of range, data that do not fit the loss, no usable example, more memory than there is, a directory in use by
/// another run, and whatever the engine and the file system refuse. A run that goes wrong is no error but
/// ends early, with the finished epochs intact.
pub fn train(
    decoder: &Decoder,
    data: &TrainData,
    validation: Option<&TrainData>,
    config: &TrainConfig,
    out_dir: &Path,
    events: &mut dyn FnMut(&TrainEvent),
) -> Result<TrainOutcome, TrainError> {
    config.validate()?;
    let weights = initial(decoder, config)?;
    run(decoder, data, validation, config, weights, out_dir, events)
}

/// As [`train`], but from a given adapter, whose rank, alpha and targets must be those of `config`.
///
/// # Errors
/// As [`train`], and [`TrainError::Initial`] when adapter and settings differ.
pub fn train_from(
    decoder: &Decoder,
    initial: LoraWeights,
    data: &TrainData,
    validation: Option<&TrainData>,
    config: &TrainConfig,
    out_dir: &Path,
    events: &mut dyn FnMut(&TrainEvent),
) -> Result<TrainOutcome, TrainError> {
    config.validate()?;
    let lora = &initial.config;
    let same_targets = config.targets.iter().all(|t| lora.targets.contains(t))
        && lora.targets.iter().all(|t| config.targets.contains(t));
    if lora.rank != config.rank || lora.alpha != config.alpha || !same_targets {
        let targets = format!("{:?}", lora.targets);
        return Err(TrainError::Initial { rank: lora.rank, alpha: lora.alpha, targets });
    }
    run(decoder, data, validation, config, initial, out_dir, events)
}

/// PEFT's initial weights for these settings.
pub(crate) fn initial(decoder: &Decoder, config: &TrainConfig) -> Result<LoraWeights, TrainError> {
    LoraWeights::init(decoder.config(), config.lora(), config.seed)
        .map_err(engine(|| "making an adapter".into()))
}

/// What the run will take; refuses one that cannot fit.
pub(crate) fn plan_for(
    decoder: &Decoder,
    config: &TrainConfig,
    examples: (&[Example<'_>], &[Example<'_>]),
) -> Result<MemoryPlan, TrainError> {
    let budget = budget_mib(config, decoder.bytes());
    MemoryPlan::of_examples(decoder.config(), decoder.bytes(), config, examples, budget)
}

fn run(
    decoder: &Decoder,
    data: &TrainData,
    validation: Option<&TrainData>,
    config: &TrainConfig,
    initial: LoraWeights,
    out_dir: &Path,
    events: &mut dyn FnMut(&TrainEvent),
) -> Result<TrainOutcome, TrainError> {
    let prepared = Prepared::new(decoder, data, validation, config, &initial)?;
    let plan = plan_for(decoder, config, (prepared.examples.as_slice(), prepared.held_out.as_slice()))?;
    let mut stepper = Stepper::new(decoder, config, initial, plan.limit(config));
    let mut output = Output::open(out_dir, &prepared, &mut stepper, events)?;
    if !output.progress.finished {
        let (items, held_out) =
            prepared.measure_references(decoder, out_dir, &mut output, &mut stepper.workspace)?;
        Trainer { decoder, config, items, held_out, stepper, output: &mut output }.train()?;
    }
    Ok(output.outcome(&prepared))
}

/// The loop and what it needs.
struct Trainer<'a, 'o, 'e> {
    decoder: &'a Decoder,
    config: &'a TrainConfig,
    items: Vec<Item<'a>>,
    held_out: Vec<Item<'a>>,
    stepper: Stepper<'a>,
    output: &'o mut Output<'e>,
}

impl Trainer<'_, '_, '_> {
    fn train(mut self) -> Result<(), TrainError> {
        while self.output.progress.epoch < self.config.epochs {
            let order = permutation(self.items.len(), self.config.seed, self.output.progress.epoch);
            while self.output.progress.position < order.len() {
                if let Some(reason) = self.step(&order)? {
                    return self.output.stop(reason, &self.stepper);
                }
                let progress = &self.output.progress;
                let due = progress.step.is_multiple_of(self.config.checkpoint_every_steps as u64);
                if due && progress.position < order.len() {
                    self.output.save(&self.stepper)?;
                }
            }
            if !self.end_epoch()? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// One optimiser step on the next examples of the order; the reason to stop, if there is one.
    fn step(&mut self, order: &[usize]) -> Result<Option<String>, TrainError> {
        let began = Instant::now();
        let config = self.config;
        let progress: &mut Progress = &mut self.output.progress;
        let total_steps = config.steps_per_epoch(order.len()) * config.epochs as u64;
        let end = (progress.position + config.batch).min(order.len());
        let batch: Vec<Item<'_>> = order[progress.position..end].iter().map(|i| self.items[*i]).collect();

        let report = self.stepper.gradient(&batch, progress.step)?;
        if let Some(reason) = guard::check(&report, progress, config) {
            return Ok(Some(reason));
        }
        let lr = cosine(config.lr, progress.step, total_steps);
        self.stepper.update(&report, lr, progress.step);

        progress.step += 1;
        progress.position = end;
        progress.sums.loss += report.loss;
        progress.sums.steps += 1;
        progress.sums.preferences.merge(&report.preferences);
        let seconds = began.elapsed().as_secs_f64();
        let event = StepEvent {
            step: progress.step,
            total_steps,
            epoch: progress.epoch + 1,
            loss: report.loss,
            lr,
            grad_norm: report.grad_norm,
            preferences: config.dpo().map(|_| report.preferences),
            tokens: report.tokens,
            tokens_per_second: report.tokens as f64 / seconds.max(1e-9),
            seconds,
        };
        self.output.tell(TrainEvent::Step(event))?;
        Ok(None)
    }

    /// Checkpoint, validation, and the resume point after them; false when the run has to stop.
    fn end_epoch(&mut self) -> Result<bool, TrainError> {
        let epoch = self.output.progress.epoch + 1;
        if !self.stepper.weights.as_slice().iter().all(|w| w.is_finite()) {
            let lr = self.config.lr;
            let reason = format!("epoch {epoch}: the weights are not finite; try a lower lr than {lr}");
            return self.output.stop(reason, &self.stepper).map(|()| false);
        }
        let dir = self.output.epoch_dir(epoch);
        self.stepper
            .weights
            .write_peft(&dir, self.decoder.hash())
            .map_err(engine(|| format!("writing the checkpoint of epoch {epoch}")))?;
        let Stepper { weights, workspace, .. } = &mut self.stepper;
        let validation = validate::validate(self.decoder, weights, &self.held_out, self.config, workspace)?;

        let progress = &mut self.output.progress;
        let EpochSums { loss, steps, preferences } = std::mem::take(&mut progress.sums);
        let result = EpochResult {
            epoch,
            dir: output::epoch_name(epoch).into(),
            train_loss: loss / steps.max(1) as f64,
            train_preferences: self.config.dpo().map(|_| preferences),
            validation_loss: validation.map(|v| v.loss),
            validation_preferences: validation.and_then(|v| v.preferences),
            steps: progress.step,
        };
        let reason = match collapse::suspected(progress.epochs.last(), &result, self.config) {
            None => None,
            Some(suspicion) => {
                let watched = if self.held_out.is_empty() { &self.items } else { &self.held_out };
                let (base, adapter) = collapse::answers(self.decoder, &self.stepper.weights, watched)?;
                collapse::verdict(&suspicion, &base, &adapter)
            }
        };
        progress.epochs.push(result.clone());
        progress.epoch = epoch;
        progress.position = 0;
        progress.finished = epoch == self.config.epochs;
        // The log first: lines beyond the resume point are dropped, missing ones would not come back.
        self.output.tell(TrainEvent::Epoch(result))?;
        match reason {
            Some(reason) => {
                self.output.stop(format!("epoch {epoch}: {reason}"), &self.stepper).map(|()| false)
            }
            None => self.output.save(&self.stepper).map(|()| true),
        }
    }
}
