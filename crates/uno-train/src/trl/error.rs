//! What can go wrong on TRL's side.

use std::path::PathBuf;

/// The packages that the launcher was checked with.
pub const PACKAGES: &str =
    "torch==2.9.0 trl==0.24.0 transformers==4.57.1 peft==0.17.1 accelerate==1.11.0 datasets==4.3.0";

/// Each says what is wrong and what to do.
#[derive(Debug, thiserror::Error)]
pub enum TrlError {
    /// The launch command cannot be started.
    #[error(
        "cannot start `{command}`: {source}; make an environment (pip install {PACKAGES}) and set trl.launcher to its accelerate, for example [\"/opt/trl/bin/accelerate\", \"launch\"]"
    )]
    NotFound {
        /// The command's first word.
        command: String,
        /// The system's words.
        source: std::io::Error,
    },
    /// The command is empty.
    #[error("trl.launcher is empty: set it to [\"accelerate\", \"launch\"]")]
    NoLauncher,
    /// `trl.accelerate_config` is no file.
    #[error(
        "trl.accelerate_config names {}, which is no file: take one of examples/trl, or leave it empty", .0.display()
    )]
    NoAccelerateConfig(PathBuf),
    /// The base model is not in TRL's form.
    #[error(
        "TRL cannot train on {}: {what}; set trl.weights to the Hugging Face directory (config.json, *.safetensors) of the model that target.weights or target.model holds, for example after `hf download Qwen/Qwen3-8B --local-dir DIR`; examples/vllm/gguf_to_hf.py writes one from the default model's GGUF", .path.display()
    )]
    Base {
        /// Where it should be.
        path: PathBuf,
        /// What it is instead.
        what: String,
    },
    /// A Python package is missing or of another version.
    #[error(
        "TRL's environment is not as it should be: {message}; in the environment of trl.launcher: pip install {PACKAGES}"
    )]
    Packages {
        /// Python's words.
        message: String,
    },
    /// The memory of a device or of the machine was not enough.
    #[error(
        "TRL ran out of memory: {message}; set train.precision and critic.precision to bf16, keep trl.gradient_checkpointing, lower train.max_length, or spread the model over GPUs (examples/trl/zero3.yaml, fsdp.yaml); figures are in docs/OPERATIONS.md; all output is in {}", .log.display()
    )]
    Memory {
        /// Python's words.
        message: String,
        /// All output.
        log: PathBuf,
    },
    /// Settings that do not fit the devices.
    #[error("training by TRL: {message}")]
    Settings {
        /// What is wrong and what would be right.
        message: String,
    },
    /// Anything else.
    #[error("TRL failed ({status}): {message}\nall output is in {}; what is finished is kept, so the same command goes on", .log.display())]
    Failed {
        /// How the process ended.
        status: String,
        /// Python's words, or the end of the output.
        message: String,
        /// All output.
        log: PathBuf,
    },
}
