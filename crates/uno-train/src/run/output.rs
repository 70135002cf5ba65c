//! The directory of a run: its resume point, its event log, its checkpoints.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fs_err as fs;

use super::prepare::Prepared;
use super::stepper::Stepper;
use crate::checkpoint::files::{JsonLog, lock, read_lines};
use crate::checkpoint::{Progress, Saved, load, save};
use crate::error::{TrainError, io};
use crate::event::{EpochResult, TrainEvent, TrainOutcome};
use crate::tensorboard::EventFile;

const OPENING: &str = "opening the training run";
const SAVING: &str = "saving the resume point";
const LOGGING: &str = "writing training.jsonl";
const TENSORBOARD: &str = "writing events for TensorBoard";

/// Where a run writes, and how far it is.
pub(crate) struct Output<'e> {
    dir: PathBuf,
    fingerprint: String,
    pub(crate) progress: Progress,
    log: JsonLog,
    tensorboard: Option<EventFile>,
    events: &'e mut dyn FnMut(&TrainEvent),
    /// Held so that no other process trains into the directory.
    _lock: File,
}

/// Name of an epoch's checkpoint directory.
pub(crate) fn epoch_name(epoch: usize) -> String {
    format!("epoch-{epoch}")
}

impl<'e> Output<'e> {
    /// Finds the resume point, filling weights and moments from it, or begins anew.
    pub(crate) fn open(
        dir: &Path,
        prepared: &Prepared<'_>,
        stepper: &mut Stepper<'_>,
        events: &'e mut dyn FnMut(&TrainEvent),
    ) -> Result<Self, TrainError> {
        fs::create_dir_all(dir).map_err(io(OPENING, dir))?;
        let lock = lock(dir).map_err(io(OPENING, dir))?.ok_or_else(|| TrainError::Busy(dir.to_path_buf()))?;
        let saved =
            load(dir, &prepared.fingerprint, Arc::make_mut(&mut stepper.weights), &mut stepper.optimizer);
        let (progress, news) = match saved.map_err(io(OPENING, dir))? {
            Saved::Nothing => (Progress::default(), vec![started(prepared)]),
            Saved::Found(progress) if progress.finished => (progress, Vec::new()),
            Saved::Found(progress) => {
                let resumed = TrainEvent::Resumed { step: progress.step, epoch: progress.epoch + 1 };
                (progress, vec![resumed])
            }
            Saved::Unusable(reason) => {
                (Progress::default(), vec![TrainEvent::Restarted { reason }, started(prepared)])
            }
        };
        if progress == Progress::default() {
            remove_checkpoints(dir).map_err(io(OPENING, dir))?;
        }
        let path = dir.join("training.jsonl");
        let lines = read_lines(&path).map_err(io(OPENING, dir))?;
        let kept: Vec<String> = lines.into_iter().filter(|line| happened_by(line, &progress)).collect();
        let log = JsonLog::open_with(&path, &kept).map_err(io(OPENING, dir))?;
        let tensorboard = stepper.config.tensorboard.then(|| EventFile::replay(dir, &kept)).transpose();
        let tensorboard = tensorboard.map_err(io(OPENING, dir))?;
        let fingerprint = prepared.fingerprint.clone();
        let dir = dir.to_path_buf();
        let mut output = Self { dir, fingerprint, progress, log, tensorboard, events, _lock: lock };
        news.into_iter().try_for_each(|event| output.tell(event))?;
        Ok(output)
    }

    /// Hands an event to the caller and, apart from the progress of references, to `training.jsonl`.
    pub(crate) fn tell(&mut self, event: TrainEvent) -> Result<(), TrainError> {
        if !matches!(event, TrainEvent::Reference { .. }) {
            self.log.append(&event).map_err(io(LOGGING, &self.dir))?;
        }
        if let Some(file) = &mut self.tensorboard {
            file.append(&event).map_err(io(TENSORBOARD, &self.dir))?;
        }
        let event = match event {
            TrainEvent::Epoch(result) => TrainEvent::Epoch(self.absolute(result)),
            other => other,
        };
        (self.events)(&event);
        Ok(())
    }

    /// Where an epoch's checkpoint goes.
    pub(crate) fn epoch_dir(&self, epoch: usize) -> PathBuf {
        self.dir.join(epoch_name(epoch))
    }

    /// Makes the present moment the resume point.
    pub(crate) fn save(&self, stepper: &Stepper<'_>) -> Result<(), TrainError> {
        save(&self.dir, &self.fingerprint, &self.progress, &stepper.weights, &stepper.optimizer)
            .map_err(io(SAVING, &self.dir))
    }

    /// Ends the run before its last epoch.
    pub(crate) fn stop(&mut self, reason: String, stepper: &Stepper<'_>) -> Result<(), TrainError> {
        self.progress.stopped_early = Some(reason.clone());
        self.progress.finished = true;
        self.tell(TrainEvent::Stopped { reason })?;
        self.save(stepper)
    }

    /// What the run came to.
    pub(crate) fn outcome(&self, prepared: &Prepared<'_>) -> TrainOutcome {
        TrainOutcome {
            epochs: self.progress.epochs.iter().cloned().map(|e| self.absolute(e)).collect(),
            stopped_early: self.progress.stopped_early.clone(),
            refused: prepared.refused.clone(),
            examples: prepared.examples.len(),
            steps: self.progress.step,
        }
    }

    fn absolute(&self, result: EpochResult) -> EpochResult {
        EpochResult { dir: self.dir.join(&result.dir), ..result }
    }
}

/// The first event of a run.
pub(crate) fn started(prepared: &Prepared<'_>) -> TrainEvent {
    TrainEvent::Started {
        examples: prepared.examples.len(),
        validation: prepared.held_out.len(),
        refused: prepared.refused.clone(),
        total_steps: prepared.total_steps,
    }
}

/// Whether a line of the log belongs to the part of the run that the resume point contains.
fn happened_by(line: &str, progress: &Progress) -> bool {
    let begun = *progress != Progress::default();
    match serde_json::from_str::<TrainEvent>(line) {
        Ok(TrainEvent::Step(step)) => step.step <= progress.step,
        Ok(TrainEvent::Epoch(epoch)) => epoch.epoch <= progress.epoch,
        Ok(TrainEvent::Stopped { .. }) => progress.finished,
        Ok(
            TrainEvent::Started { .. }
            | TrainEvent::Resumed { .. }
            | TrainEvent::Restarted { .. }
            | TrainEvent::Reference { .. },
        ) => begun,
        Err(_) => false,
    }
}

/// Removes the checkpoints of a run that cannot be continued, so that none of its epochs passes for one of ours.
pub(crate) fn remove_checkpoints(dir: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let number =
            name.to_str().and_then(|n| n.strip_prefix("epoch-")).and_then(|n| n.parse::<usize>().ok());
        if number.is_some() && entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}
