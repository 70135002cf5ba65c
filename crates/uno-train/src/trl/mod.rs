//! Training in TRL: the same examples, settings, events and checkpoints, in a Python process on GPUs.
//!
//! A [`TrlTrainer`] writes a job into the training directory (token ids, settings, the adapter to start from, and the
//! launcher that is a file of this crate), runs `accelerate launch launcher.py DIR`, and follows the `training.jsonl` that the
//! launcher appends to. The launcher saves `epoch-N/` as the native trainer does, and goes on from its last whole checkpoint.
//!
//! - `job` what is written, `process` what runs, `history` what comes back, `failure` what it means when it fails;
//! - `launcher.py`, `reporting.py` the Python side, which can be run by hand on the same directory.

mod check;
mod error;
mod failure;
mod history;
mod job;
mod process;
mod settings;

use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err as fs;
use uno_engine::Decoder;

pub use check::Environment;
pub use error::{PACKAGES, TrlError};
pub use settings::TrlSettings;

use self::history::{History, Tail};
use self::job::Job;
use self::process::Process;
use crate::checkpoint::files::{JsonLog, lock};
use crate::config::TrainConfig;
use crate::data::TrainData;
use crate::error::{TrainError, io};
use crate::event::{EpochResult, TrainEvent, TrainOutcome};
use crate::run::initial;
use crate::run::output::{remove_checkpoints, started};
use crate::run::prepare::Prepared;

/// How often the event log is looked at.
const POLL: Duration = Duration::from_millis(100);
const OPENING: &str = "opening the training run";
const FOLLOWING: &str = "following training.jsonl";

/// What stays the same from one training to the next.
#[derive(Clone, Copy, Debug)]
pub struct TrlTrainer<'a> {
    /// How TRL is started.
    pub settings: &'a TrlSettings,
    /// The base model, for its limits and for the adapter's shape.
    pub decoder: &'a Decoder,
    /// The same model as a Hugging Face directory.
    pub base: &'a Path,
}

impl TrlTrainer<'_> {
    /// Trains an adapter from the native trainer's initial weights, in its order of examples.
    ///
    /// `out_dir` receives `epoch-1/` … `epoch-N/` (PEFT), `training.jsonl` (the events), `launcher.log` (all output) and the
    /// job. Called again with the same arguments after a crash of either side, it goes on from the last checkpoint; called
    /// after the end, it returns the outcome at once. With another base, other settings or other data it begins again.
    ///
    /// # Errors
    /// As [`crate::train`], and [`TrlError`] when TRL cannot be started or fails.
    pub fn train(
        &self,
        data: &TrainData,
        validation: Option<&TrainData>,
        config: &TrainConfig,
        out_dir: &Path,
        events: &mut dyn FnMut(&TrainEvent),
    ) -> Result<TrainOutcome, TrainError> {
        config.validate()?;
        job::check_base(self.base, self.decoder.config())?;
        let base = std::path::absolute(self.base).map_err(io(OPENING, self.base))?;
        let dir = std::path::absolute(out_dir).map_err(io(OPENING, out_dir))?;
        fs::create_dir_all(&dir).map_err(io(OPENING, &dir))?;
        let _lock = lock(&dir).map_err(io(OPENING, &dir))?.ok_or_else(|| TrainError::Busy(dir.clone()))?;
        let initial = initial(self.decoder, config)?;
        let prepared = Prepared::new(self.decoder, data, validation, config, &initial)?;
        let job = Job::new(&base, self.settings, config, &prepared).map_err(io(OPENING, &base))?;
        let log = dir.join("training.jsonl");
        let found = job.is_in(&dir).map_err(io(OPENING, &dir))?;
        if found != Some(true) {
            let news = begin(&dir, &log, &prepared, found.is_some()).map_err(io(OPENING, &dir))?;
            Job::write_data(&dir, &prepared, &initial)?;
            news.iter().for_each(&mut *events);
        }
        drop(initial);
        job.write(&dir)?;
        let mut history = History::read(&log).map_err(io(FOLLOWING, &dir))?;
        if !history.is_finished(config.epochs) {
            self.follow(&dir, &log, events)?;
            history = History::read(&log).map_err(io(FOLLOWING, &dir))?;
            if !history.is_finished(config.epochs) {
                let message = format!("it ended after {} of {} epochs", history.epochs.len(), config.epochs);
                let log = dir.join(process::LOG);
                return Err(TrlError::Failed { status: "without an error".into(), message, log }.into());
            }
        }
        // Optimiser states are worth nothing now, and take twice an adapter's room.
        match fs::remove_dir_all(dir.join("checkpoints")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io(OPENING, &dir)(error)),
            _ => Ok(outcome(history, &prepared, &dir)),
        }
    }

    /// Runs the launcher to its end and hands on what it appends.
    fn follow(&self, dir: &Path, log: &Path, events: &mut dyn FnMut(&TrainEvent)) -> Result<(), TrainError> {
        let _ = fs::remove_file(dir.join(failure::FILE));
        let mut tail = Tail::of(log).map_err(io(FOLLOWING, dir))?;
        let mut process = Process::start(self.settings, dir)?;
        let status = loop {
            // Asked before reading, so that nothing written before the end is missed.
            let status = process.ended().map_err(io(FOLLOWING, dir))?;
            for event in tail.events().map_err(io(FOLLOWING, dir))? {
                events(&match event {
                    TrainEvent::Epoch(result) => TrainEvent::Epoch(absolute(dir, result)),
                    other => other,
                });
            }
            match status {
                Some(status) => break status,
                None => std::thread::sleep(POLL),
            }
        };
        if status.success() { Ok(()) } else { Err(failure::explain(status, dir, process.log()).into()) }
    }
}

/// Empties the directory of what another run left and writes the first events.
fn begin(
    dir: &Path,
    log: &Path,
    prepared: &Prepared<'_>,
    restarted: bool,
) -> std::io::Result<Vec<TrainEvent>> {
    let gone = [
        // First, so that no other run's data pass for this one's.
        fs::remove_file(dir.join(job::FILE)),
        fs::remove_dir_all(dir.join("checkpoints")),
        fs::remove_file(log),
    ];
    for gone in gone {
        match gone {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    remove_checkpoints(dir)?;
    let reason = || "the base model, the settings or the data have changed".into();
    let mut news: Vec<TrainEvent> =
        restarted.then(|| TrainEvent::Restarted { reason: reason() }).into_iter().collect();
    news.push(started(prepared));
    let mut file = JsonLog::open_with(log, &[])?;
    news.iter().try_for_each(|event| file.append(event))?;
    Ok(news)
}

fn absolute(dir: &Path, result: EpochResult) -> EpochResult {
    let path: PathBuf = dir.join(&result.dir);
    EpochResult { dir: path, ..result }
}

fn outcome(history: History, prepared: &Prepared<'_>, dir: &Path) -> TrainOutcome {
    TrainOutcome {
        epochs: history.epochs.into_iter().map(|result| absolute(dir, result)).collect(),
        stopped_early: history.stopped,
        refused: prepared.refused.clone(),
        examples: prepared.examples.len(),
        steps: history.step,
    }
}
