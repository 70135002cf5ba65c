//! What can keep a training run from starting or going on.

use std::path::{Path, PathBuf};

use uno_engine::EngineError;

/// Each variant says what is wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A setting outside its range.
    #[error("training setting `{field}` is {value}, but must be {allowed}")]
    Config {
        /// Name of the setting.
        field: &'static str,
        /// The value that was given.
        value: String,
        /// The range that is allowed.
        allowed: &'static str,
    },
    /// The loss cannot be computed from this kind of examples.
    #[error("the {loss} loss needs {needs}, but the {role} data holds {holds}")]
    DataKind {
        /// `dpo_sft` or `sft`.
        loss: &'static str,
        /// Training or validation.
        role: &'static str,
        /// What the loss needs.
        needs: &'static str,
        /// What was given.
        holds: &'static str,
    },
    /// Nothing is left to train on.
    #[error("no example can be trained on: {refused} refused{}", first_refusal(.first))]
    NoExamples {
        /// How many examples were given and refused.
        refused: usize,
        /// The first refusal in words.
        first: Option<String>,
    },
    /// The run would not fit in memory.
    #[error("training needs {needed:.0} MiB, but may take {budget:.0} MiB: {advice}")]
    Memory {
        /// What it needs at least, in MiB.
        needed: f64,
        /// What it may take, in MiB.
        budget: f64,
        /// What to do.
        advice: String,
    },
    /// The adapter to start from does not fit the settings.
    #[error(
        "the adapter to start from has rank {rank}, alpha {alpha} and targets {targets}, the settings differ: train with its settings or start from none"
    )]
    Initial {
        /// Its rank.
        rank: usize,
        /// Its alpha.
        alpha: f32,
        /// Its targets.
        targets: String,
    },
    /// Another process trains into the same directory.
    #[error("{} is in use by another training run: wait for it or choose another directory", .0.display())]
    Busy(PathBuf),
    /// The engine refused.
    #[error("{doing}: {source}")]
    Engine {
        /// What was being done, with the record id where there is one.
        doing: String,
        /// The engine's words.
        source: EngineError,
    },
    /// TRL's side failed.
    #[error(transparent)]
    Trl(#[from] crate::trl::TrlError),
    /// A file could not be read or written; the message names it.
    #[error("{doing} in {}: {source}", .dir.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The run's directory.
        dir: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
}

fn first_refusal(first: &Option<String>) -> String {
    first.as_ref().map(|f| format!(" (the first: {f})")).unwrap_or_default()
}

/// Adds what was being done to an error of the engine.
pub(crate) fn engine(doing: impl FnOnce() -> String) -> impl FnOnce(EngineError) -> TrainError {
    move |source| TrainError::Engine { doing: doing(), source }
}

/// Adds what was being done to an error of the file system.
pub(crate) fn io(doing: &'static str, dir: &Path) -> impl FnOnce(std::io::Error) -> TrainError {
    move |source| TrainError::Io { doing, dir: dir.to_path_buf(), source }
}
