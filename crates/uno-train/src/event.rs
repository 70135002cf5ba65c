//! What a run tells while it works; the same objects are the lines of `training.jsonl`.

use serde::{Deserialize, Serialize};

use crate::data::Refused;
use crate::loss::PreferenceMetrics;

/// Something that happened in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum TrainEvent {
    /// The run begins from nothing.
    Started {
        /// Examples that are trained on.
        examples: usize,
        /// Examples that are validated on.
        validation: usize,
        /// Examples that were refused, with reasons.
        refused: Vec<Refused>,
        /// Optimiser steps of the whole run.
        total_steps: u64,
    },
    /// The run goes on where an earlier process stopped.
    Resumed {
        /// Optimiser steps that are done.
        step: u64,
        /// The epoch that goes on, from 1.
        epoch: usize,
    },
    /// What an earlier process left cannot be continued; the run begins again.
    Restarted {
        /// Why, in words.
        reason: String,
    },
    /// Reference log-probabilities were computed for one more pair.
    Reference {
        /// Pairs done, those found from earlier runs included.
        done: usize,
        /// Pairs in all.
        total: usize,
    },
    /// One optimiser step.
    Step(StepEvent),
    /// An epoch ended and its checkpoint is on disk.
    Epoch(EpochResult),
    /// The run ended before its last epoch.
    Stopped {
        /// Why, in words.
        reason: String,
    },
}

/// One optimiser step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepEvent {
    /// Number of the step, from 1.
    pub step: u64,
    /// Steps of the whole run.
    pub total_steps: u64,
    /// Epoch, from 1.
    pub epoch: usize,
    /// Loss before the update.
    pub loss: f64,
    /// Learning rate that was used.
    pub lr: f64,
    /// Norm of all gradients before clipping.
    pub grad_norm: f64,
    /// Preference metrics of the step's pairs; none for SFT.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub preferences: Option<PreferenceMetrics>,
    /// Tokens that went through the model; a prompt shared by two completions counts once.
    pub tokens: usize,
    /// Those tokens per second, optimiser included.
    pub tokens_per_second: f64,
    /// Time of the step.
    pub seconds: f64,
}

/// What an epoch came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochResult {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Directory of the epoch's PEFT checkpoint.
    pub dir: std::path::PathBuf,
    /// Mean of the steps' losses.
    pub train_loss: f64,
    /// Preference metrics of the epoch's training pairs, each before the update it took part in.
    pub train_preferences: Option<PreferenceMetrics>,
    /// Loss on the validation examples after the epoch.
    pub validation_loss: Option<f64>,
    /// Preference metrics on the validation pairs after the epoch.
    pub validation_preferences: Option<PreferenceMetrics>,
    /// Optimiser steps done since the beginning of the run.
    pub steps: u64,
}

impl EpochResult {
    /// Mean margin on the training pairs; none for SFT.
    pub fn margin(&self) -> Option<f64> {
        self.train_preferences.map(|p| p.margin)
    }
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainOutcome {
    /// Finished epochs in order.
    pub epochs: Vec<EpochResult>,
    /// Why the run ended early, if it did; the finished epochs remain usable.
    pub stopped_early: Option<String>,
    /// Training and validation examples that were refused, with reasons.
    pub refused: Vec<Refused>,
    /// Examples that were trained on.
    pub examples: usize,
    /// Optimiser steps done.
    pub steps: u64,
}

impl TrainOutcome {
    /// The epoch with the lowest validation loss (the first of equals); without validation, the last one.
    pub fn best_epoch(&self) -> Option<&EpochResult> {
        let mut best: Option<(&EpochResult, f64)> = None;
        for epoch in &self.epochs {
            let Some(loss) = epoch.validation_loss.filter(|l| l.is_finite()) else { continue };
            if best.is_none_or(|(_, lowest)| loss < lowest) {
                best = Some((epoch, loss));
            }
        }
        best.map(|(epoch, _)| epoch).or(self.epochs.last())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(epoch: usize, validation_loss: Option<f64>) -> EpochResult {
        EpochResult {
            epoch,
            dir: format!("epoch-{epoch}").into(),
            train_loss: 1.0,
            train_preferences: None,
            validation_loss,
            validation_preferences: None,
            steps: 1,
        }
    }

    fn best(losses: &[Option<f64>]) -> usize {
        let epochs = losses.iter().enumerate().map(|(i, l)| epoch(i + 1, *l)).collect();
        let outcome =
            TrainOutcome { epochs, stopped_early: None, refused: Vec::new(), examples: 1, steps: 1 };
        outcome.best_epoch().unwrap().epoch
    }

    #[test]
    fn best_epoch_has_the_lowest_validation_loss_or_is_the_last() {
        assert_eq!(best(&[Some(3.0), Some(1.0), Some(1.0), Some(2.0)]), 2);
        assert_eq!(best(&[Some(f64::NAN), Some(5.0)]), 2);
        assert_eq!(best(&[None, None]), 2);
    }

    #[test]
    fn step_lines_are_flat() {
        let step = StepEvent {
            step: 1,
            total_steps: 2,
            epoch: 1,
            loss: 0.5,
            lr: 1e-4,
            grad_norm: 1.0,
            preferences: Some(PreferenceMetrics { pairs: 1, margin: 0.25, ..Default::default() }),
            tokens: 10,
            tokens_per_second: 5.0,
            seconds: 2.0,
        };
        let event = TrainEvent::Step(step);
        let line = serde_json::to_value(&event).unwrap();
        assert_eq!(line["event"], "step");
        assert_eq!(line["margin"], 0.25);
        assert_eq!(serde_json::from_value::<TrainEvent>(line).unwrap(), event);
    }
}
