//! Trains one module of one cluster and describes the outcome (METHOD §5).

use std::path::{Path, PathBuf};

use anyhow::Context;
use uno_models::embedded::probe;
use uno_models::{EmbeddedChat, Fingerprint};
use uno_store::hash;
use uno_train::trl::TrlTrainer;
use uno_train::{Backend, TrainConfig, TrainData, TrainEvent};
use uno_types::{AdapterKind, AdapterRef};

use super::Pipeline;
use super::artefacts::{Checkpoint, CurvePoint, TrainedModule};
use crate::config::Settings;

/// What to train.
pub struct Job {
    pub cluster: usize,
    pub kind: AdapterKind,
    /// The records that are trained on, sorted.
    pub records: Vec<String>,
    pub train: TrainData,
    pub validation: TrainData,
    pub config: TrainConfig,
    /// Questions that the adapter's fingerprint is taken with.
    pub probes: Vec<String>,
}

impl Job {
    /// A module that is not trained, and why.
    pub fn skipped(cluster: usize, kind: AdapterKind, why: String) -> TrainedModule {
        TrainedModule {
            cluster,
            kind,
            examples: 0,
            records: Vec::new(),
            validation: 0,
            note: Some(why),
            refused: Vec::new(),
            checkpoints: Vec::new(),
            curve: Vec::new(),
        }
    }

    /// Where the trainer works, inside the run directory. Each backend has its own, since neither goes on from the other's.
    fn dir(&self) -> String {
        let suffix = match self.config.backend {
            Backend::Native => "",
            Backend::Trl => "-trl",
        };
        format!("training/c{:02}-{}{suffix}", self.cluster, self.kind.as_str())
    }
}

/// Trains a module; goes on where an interrupted training stopped.
///
/// A cluster whose examples cannot be trained on is no error: the module says why, and the plan does without it.
///
/// # Errors
/// When the engine or the file system fail.
pub fn train(pipeline: &Pipeline<'_>, weights: &EmbeddedChat, job: &Job) -> anyhow::Result<TrainedModule> {
    let dir = job.dir();
    let out = pipeline.run.path(&dir);
    fs_err::create_dir_all(&out)?;
    let mut bar = pipeline.console.bar(&format!("train c{:02} {}", job.cluster, job.kind.as_str()), 0);
    let mut curve: Vec<CurvePoint> = Vec::new();
    let validation = (!job.validation.is_empty()).then_some(&job.validation);
    let mut events = |event: &TrainEvent| {
        if let TrainEvent::Step(step) = event {
            bar.at(step.step, step.total_steps);
            bar.say(format!("loss {:.3}, {:.0} tokens/s", step.loss, step.tokens_per_second));
        }
    };
    let decoder = weights.decoder();
    let outcome = match job.config.backend {
        Backend::Native => uno_train::train(decoder, &job.train, validation, &job.config, &out, &mut events),
        Backend::Trl => {
            let base = trl_base(pipeline.settings)?;
            let trainer = TrlTrainer { settings: &pipeline.settings.trl, decoder, base: &base };
            trainer.train(&job.train, validation, &job.config, &out, &mut events)
        }
    };
    drop(bar);
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error @ uno_train::TrainError::NoExamples { .. }) => {
            return Ok(Job::skipped(job.cluster, job.kind, error.to_string()));
        }
        Err(error) => return Err(error).with_context(|| format!("training in {}", out.display())),
    };
    read_curve(&out.join("training.jsonl"), &mut curve)?;
    let mut checkpoints = Vec::new();
    for epoch in &outcome.epochs {
        let content = content_name(&epoch.dir.join(WEIGHTS))?;
        let name = format!("c{:02}-{}-{content}", job.cluster, job.kind.as_str());
        let adapter = AdapterRef { name: name.clone(), dir: epoch.dir.display().to_string() };
        fingerprint(weights, &adapter, &job.probes)?;
        checkpoints.push(Checkpoint {
            epoch: epoch.epoch,
            adapter: name,
            dir: format!("{dir}/epoch-{}", epoch.epoch),
            train_loss: epoch.train_loss,
            validation_loss: epoch.validation_loss,
            margin: epoch.margin(),
        });
    }
    Ok(TrainedModule {
        cluster: job.cluster,
        kind: job.kind,
        examples: outcome.examples,
        records: job.records.clone(),
        validation: job.validation.len(),
        note: outcome.stopped_early,
        refused: outcome.refused,
        checkpoints,
        curve,
    })
}

/// The base model that TRL reads: `trl.weights`, or what the embedded engine trains on.
///
/// # Errors
/// When there is no such model.
pub fn trl_base(settings: &Settings) -> anyhow::Result<PathBuf> {
    let name = match (settings.trl.weights.as_str(), settings.target.is_remote()) {
        ("", true) => &settings.target.weights,
        ("", false) => &settings.target.model,
        (name, _) => name,
    };
    uno_models::registry::resolve(name).context("the base model for TRL (trl.weights)")
}

/// What an adapter's name ends with: the first twelve digits of its weights' hash.
fn content_name(weights: &Path) -> anyhow::Result<String> {
    Ok(hash::of_file(weights)?.chars().take(12).collect())
}

/// An adapter's weights in its directory, as PEFT names them.
pub const WEIGHTS: &str = "adapter_model.safetensors";

/// Whether the directory `dir` holds the weights that an adapter's name stands for.
pub fn is_named_for(name: &str, dir: &Path) -> bool {
    content_name(&dir.join(WEIGHTS)).is_ok_and(|content| name.ends_with(&content))
}

/// The steps of a training without their timings. A step that was repeated after a crash counts once, the last time.
fn read_curve(path: &Path, curve: &mut Vec<CurvePoint>) -> anyhow::Result<()> {
    let events: Vec<TrainEvent> = uno_store::jsonl::read(path)?;
    for event in events {
        match event {
            TrainEvent::Started { .. } | TrainEvent::Restarted { .. } => curve.clear(),
            TrainEvent::Step(step) => {
                curve.retain(|p| p.step < step.step);
                curve.push(CurvePoint { step: step.step, epoch: step.epoch, loss: step.loss });
            }
            TrainEvent::Resumed { .. }
            | TrainEvent::Reference { .. }
            | TrainEvent::Epoch(_)
            | TrainEvent::Stopped { .. } => {}
        }
    }
    Ok(())
}

/// Writes `fingerprint.json` beside the weights: what the adapter does to the log-probabilities of a few texts, so that a
/// server which loaded it can be asked whether it really uses it.
fn fingerprint(weights: &EmbeddedChat, adapter: &AdapterRef, probes: &[String]) -> anyhow::Result<()> {
    let dir = Path::new(&adapter.dir);
    if dir.join(Fingerprint::FILE).exists() {
        return Ok(());
    }
    let probes: Vec<&str> = probes.iter().map(String::as_str).collect();
    Ok(probe(weights, adapter, &probes)?.write(dir)?)
}
