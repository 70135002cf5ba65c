//! What the launcher finds in the training directory: its script, the examples as token ids, the adapter to start from.

use std::io;
use std::path::Path;

use fs_err as fs;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uno_engine::{LoraWeights, ModelConfig};

use super::error::TrlError;
use super::settings::TrlSettings;
use crate::checkpoint::files::write_atomically;
use crate::config::TrainConfig;
use crate::data::Example;
use crate::error::{TrainError, engine, io as io_error};
use crate::order::permutation;
use crate::run::prepare::Prepared;

/// The script that `accelerate launch` runs, and the module beside it.
const SCRIPTS: [(&str, &str); 2] =
    [("launcher.py", include_str!("launcher.py")), ("reporting.py", include_str!("reporting.py"))];
/// The job's settings; there when everything else is.
pub(super) const FILE: &str = "job.json";
const WRITING: &str = "writing TRL's job";

/// `job.json`. The other files are named by convention, so the directory can be moved to a machine with GPUs.
#[derive(Serialize)]
pub(super) struct Job<'a> {
    /// Tells one run from another.
    fingerprint: String,
    /// Absolute path of the base model.
    base: &'a Path,
    config: &'a TrainConfig,
    gradient_checkpointing: bool,
    examples: usize,
    validation: usize,
    steps_per_epoch: u64,
    /// The order of the examples in each epoch: the native trainer's.
    orders: Vec<Vec<usize>>,
}

/// What an earlier process left of `job.json`.
#[derive(Deserialize)]
struct Earlier {
    fingerprint: String,
}

impl<'a> Job<'a> {
    pub(super) fn new(
        base: &'a Path,
        settings: &TrlSettings,
        config: &'a TrainConfig,
        prepared: &Prepared<'_>,
    ) -> io::Result<Self> {
        let examples = prepared.examples.len();
        Ok(Self {
            fingerprint: format!("{}-{}", prepared.fingerprint, stamp(base)?),
            base,
            config,
            gradient_checkpointing: settings.gradient_checkpointing,
            examples,
            validation: prepared.held_out.len(),
            steps_per_epoch: config.steps_per_epoch(examples),
            orders: (0..config.epochs).map(|epoch| permutation(examples, config.seed, epoch)).collect(),
        })
    }

    /// Whether `dir` holds another job, this one (`Some(true)`), or none.
    pub(super) fn is_in(&self, dir: &Path) -> io::Result<Option<bool>> {
        match fs::read(dir.join(FILE)) {
            Ok(bytes) => {
                let earlier = serde_json::from_slice::<Earlier>(&bytes);
                Ok(Some(earlier.is_ok_and(|e| e.fingerprint == self.fingerprint)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes the examples and the adapter to start from.
    pub(super) fn write_data(
        dir: &Path,
        prepared: &Prepared<'_>,
        initial: &LoraWeights,
    ) -> Result<(), TrainError> {
        let written = write_examples(&dir.join("train.jsonl"), &prepared.examples)
            .and_then(|()| write_examples(&dir.join("validation.jsonl"), &prepared.held_out));
        written.map_err(io_error(WRITING, dir))?;
        initial
            .write_peft(&dir.join("initial"), "base")
            .map_err(engine(|| "writing the adapter to start from".into()))
    }

    /// Writes the scripts and `job.json`, which makes the job whole.
    pub(super) fn write(&self, dir: &Path) -> Result<(), TrainError> {
        let write = || {
            write_scripts(dir)?;
            write_atomically(&dir.join(FILE), &serde_json::to_vec(self)?)
        };
        write().map_err(io_error(WRITING, dir))
    }
}

/// Writes the launcher.
pub(super) fn write_scripts(dir: &Path) -> io::Result<()> {
    SCRIPTS.iter().try_for_each(|(name, text)| write_atomically(&dir.join(name), text.as_bytes()))
}

fn write_examples(path: &Path, examples: &[Example<'_>]) -> io::Result<()> {
    let mut bytes = Vec::new();
    for example in examples {
        match example {
            Example::Preference(pair) => serde_json::to_writer(&mut bytes, pair)?,
            Example::Completion(completion) => serde_json::to_writer(&mut bytes, completion)?,
        }
        bytes.push(b'\n');
    }
    write_atomically(path, &bytes)
}

/// Refuses a base that TRL cannot read, or that is no copy of the model the adapter is for.
pub(super) fn check_base(base: &Path, model: &ModelConfig) -> Result<(), TrlError> {
    let refuse = |what: String| TrlError::Base { path: base.to_path_buf(), what };
    if base.is_file() {
        return Err(refuse("it is a file, probably a GGUF".into()));
    }
    let text = fs::read(base.join("config.json")).map_err(|error| refuse(error.to_string()))?;
    let config: Value = serde_json::from_slice(&text).map_err(|e| refuse(format!("config.json: {e}")))?;
    let facts = [
        ("model_type", Value::from(model.arch.name())),
        ("hidden_size", model.hidden_size.into()),
        ("num_hidden_layers", model.layers.into()),
        ("vocab_size", model.vocab_size.into()),
    ];
    for (key, ours) in facts {
        if config[key] != ours {
            return Err(refuse(format!("its {key} is {}, the target's is {ours}", config[key])));
        }
    }
    let weights = safetensors(base).map_err(|error| refuse(error.to_string()))?;
    if weights.is_empty() { Err(refuse("it holds no *.safetensors".into())) } else { Ok(()) }
}

/// Names and sizes of the weight files.
fn safetensors(base: &Path) -> io::Result<Vec<(String, u64)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(base)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".safetensors") {
            files.push((name, fs::metadata(entry.path())?.len()));
        }
    }
    files.sort();
    Ok(files)
}

/// Changes when the base model changes, without reading gigabytes and whatever directory it lies in.
fn stamp(base: &Path) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&fs::read(base.join("config.json"))?);
    hasher.update(format!("{:?}", safetensors(base)?).as_bytes());
    Ok(hasher.finalize().to_hex().chars().take(16).collect())
}
