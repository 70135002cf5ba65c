//! Training curves for TensorBoard: what `training.jsonl` says, as scalars of an event file.

mod record;

use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use fs_err as fs;

use crate::event::{EpochResult, StepEvent, TrainEvent};
use crate::loss::PreferenceMetrics;

/// TensorBoard takes every file whose name has `tfevents` in it. One fixed name, so that a resumed run goes on in its file.
pub(crate) const FILE: &str = "events.out.tfevents.uno";

/// An event file that is open for appending.
#[derive(Debug)]
pub(crate) struct EventFile(fs::File);

impl EventFile {
    /// Makes the file in `dir` anew from the kept lines of `training.jsonl`, so that it never holds steps beyond the resume
    /// point, and holds all of them though it was asked for late. They get the present time: the log keeps no other.
    pub(crate) fn replay(dir: &Path, lines: &[String]) -> io::Result<Self> {
        let temporary = dir.join(".events.tmp");
        let mut file = fs::File::create(&temporary)?;
        file.write_all(&record::version(now()))?;
        let mut replayed = Self(file);
        for event in lines.iter().filter_map(|line| serde_json::from_str::<TrainEvent>(line).ok()) {
            replayed.append(&event)?;
        }
        // Renaming takes the open file along.
        fs::rename(&temporary, dir.join(FILE))?;
        Ok(replayed)
    }

    /// Appends what an event has to show, if anything, with one write.
    pub(crate) fn append(&mut self, event: &TrainEvent) -> io::Result<()> {
        let (step, scalars) = match event {
            TrainEvent::Step(step) => (step.step, of_step(step)),
            TrainEvent::Epoch(epoch) => (epoch.steps, of_epoch(epoch)),
            _ => return Ok(()),
        };
        self.0.write_all(&record::scalars(now(), step, &scalars))
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}

type Scalars = Vec<(String, f64)>;

fn of_step(step: &StepEvent) -> Scalars {
    let mut all = vec![
        ("train/loss".to_owned(), step.loss),
        ("train/lr".to_owned(), step.lr),
        ("train/grad_norm".to_owned(), step.grad_norm),
        ("train/epoch".to_owned(), step.epoch as f64),
        ("train/tokens_per_second".to_owned(), step.tokens_per_second),
    ];
    preferences("train", step.preferences.as_ref(), &mut all);
    all
}

fn of_epoch(epoch: &EpochResult) -> Scalars {
    let mut all = vec![("epoch/train_loss".to_owned(), epoch.train_loss)];
    all.extend(epoch.validation_loss.map(|loss| ("validation/loss".to_owned(), loss)));
    preferences("validation", epoch.validation_preferences.as_ref(), &mut all);
    all
}

fn preferences(group: &str, metrics: Option<&PreferenceMetrics>, all: &mut Scalars) {
    let Some(m) = metrics else { return };
    for (name, value) in [
        ("margin", m.margin),
        ("accuracy", m.accuracy),
        ("chosen_reward", m.chosen_reward),
        ("rejected_reward", m.rejected_reward),
        ("chosen_logp", m.chosen_logp),
        ("rejected_logp", m.rejected_logp),
    ] {
        all.push((format!("{group}/{name}"), value));
    }
}
