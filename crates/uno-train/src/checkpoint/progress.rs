//! How far a run is, and its place on disk.

use std::io;
use std::path::Path;

use fs_err as fs;
use serde::{Deserialize, Serialize};
use uno_engine::LoraWeights;

use super::files::write_atomically;
use super::tensors;
use crate::event::EpochResult;
use crate::loss::PreferenceMetrics;
use crate::optim::AdamW;

/// Raised when the meaning of the files changes.
const FORMAT: u32 = 2;
const STATE: &str = "state.json";

/// Counters and results of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Optimiser steps done.
    pub(crate) step: u64,
    /// Epoch that is being trained, from 0.
    pub(crate) epoch: usize,
    /// Examples of this epoch's order that are used up.
    pub(crate) position: usize,
    /// Running sums of this epoch.
    pub(crate) sums: EpochSums,
    /// Losses of the last steps, for their median, and the lowest median so far.
    pub(crate) recent_losses: Vec<f64>,
    pub(crate) usual_loss: Option<f64>,
    /// Steps in a row with an exploded loss.
    pub(crate) exploded: u32,
    /// Epochs done; directories are relative to the run's.
    pub(crate) epochs: Vec<EpochResult>,
    /// Why the run ended early.
    pub(crate) stopped_early: Option<String>,
    /// Nothing is left to do.
    pub(crate) finished: bool,
}

/// Sums over the steps of an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct EpochSums {
    pub(crate) loss: f64,
    pub(crate) steps: u64,
    pub(crate) preferences: PreferenceMetrics,
}

/// What was found in a run's directory.
#[derive(Debug)]
pub(crate) enum Saved {
    /// No earlier run.
    Nothing,
    /// A resume point of this very run; weights and moments have been filled in unless the run is finished.
    Found(Progress),
    /// Files that cannot be continued, and why.
    Unusable(String),
}

#[derive(Serialize, Deserialize)]
struct Envelope {
    /// BLAKE3 of `state` as JSON: tells a damaged file from a whole one.
    checksum: String,
    state: State,
}

#[derive(Serialize, Deserialize)]
struct State {
    format: u32,
    /// Hash of base, settings and data.
    fingerprint: String,
    progress: Progress,
    /// File with weights and moments; none once the run is finished.
    tensors: Option<TensorFile>,
}

#[derive(Serialize, Deserialize)]
struct TensorFile {
    name: String,
    /// BLAKE3 of weights and moments.
    hash: String,
}

/// Makes the present moment the resume point.
pub(crate) fn save(
    dir: &Path,
    fingerprint: &str,
    progress: &Progress,
    weights: &LoraWeights,
    optimizer: &AdamW,
) -> io::Result<()> {
    let tensors = if progress.finished {
        None
    } else {
        let name = tensors::file_name(progress.step);
        let hash = tensors::write(&dir.join(&name), weights, optimizer)?;
        Some(TensorFile { name, hash })
    };
    let keep = tensors.as_ref().map(|t| t.name.clone());
    let state =
        State { format: FORMAT, fingerprint: fingerprint.to_owned(), progress: progress.clone(), tensors };
    let checksum = checksum(&state)?;
    let bytes = serde_json::to_vec_pretty(&Envelope { checksum, state })?;
    write_atomically(&dir.join(STATE), &bytes)?;
    tensors::remove_others(dir, keep.as_deref())
}

/// Looks for a resume point of the run with this fingerprint.
pub(crate) fn load(
    dir: &Path,
    fingerprint: &str,
    weights: &mut LoraWeights,
    optimizer: &mut AdamW,
) -> io::Result<Saved> {
    let bytes = match fs::read(dir.join(STATE)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Saved::Nothing),
        Err(error) => return Err(error),
    };
    let Ok(Envelope { checksum: stated, state }) = serde_json::from_slice(&bytes) else {
        return Ok(Saved::Unusable("state.json is damaged".into()));
    };
    if checksum(&state)? != stated {
        return Ok(Saved::Unusable("state.json is damaged".into()));
    }
    if state.format != FORMAT {
        return Ok(Saved::Unusable(format!(
            "state.json has format {}, this version writes {FORMAT}",
            state.format
        )));
    }
    if state.fingerprint != fingerprint {
        return Ok(Saved::Unusable("the base model, the settings or the data have changed".into()));
    }
    if let Some(gone) = missing_epoch(dir, &state.progress) {
        return Ok(Saved::Unusable(format!("the checkpoint of epoch {gone} is gone")));
    }
    match &state.tensors {
        Some(file) => match tensors::read(&dir.join(&file.name), &file.hash, weights, optimizer)? {
            Ok(()) => Ok(Saved::Found(state.progress)),
            Err(reason) => Ok(Saved::Unusable(format!("{} {reason}", file.name))),
        },
        None if state.progress.finished => Ok(Saved::Found(state.progress)),
        None => Ok(Saved::Unusable("state.json names no file of weights".into())),
    }
}

fn missing_epoch(dir: &Path, progress: &Progress) -> Option<usize> {
    let gone = |e: &&EpochResult| !dir.join(&e.dir).join("adapter_model.safetensors").is_file();
    progress.epochs.iter().find(gone).map(|e| e.epoch)
}

fn checksum(state: &State) -> io::Result<String> {
    Ok(blake3::hash(&serde_json::to_vec(state)?).to_hex().to_string())
}
