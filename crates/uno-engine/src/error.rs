//! What can go wrong in the engine: what, where, and what to do.

use std::path::PathBuf;

/// Errors of the engine. Messages name the file and the tensor, so that they can be shown to a user as they are.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A file could not be read or written.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// "open", "read", "write", ...
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A file is not what its name says, is cut short or contradicts itself.
    #[error("{path}: {what}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it and, where known, what to do.
        what: String,
    },
    /// A model that this engine cannot run.
    #[error("{path}: {what} is not supported by the embedded engine")]
    Unsupported {
        /// The file that says so.
        path: PathBuf,
        /// The architecture, quantisation or option by name.
        what: String,
    },
    /// A tensor is not in the file.
    #[error("{path}: tensor {name} is missing")]
    MissingTensor {
        /// The file.
        path: PathBuf,
        /// The tensor's name as looked for.
        name: String,
    },
    /// A tensor has another shape than the configuration says.
    #[error("{path}: tensor {name} has shape {found:?}, expected {expected:?}")]
    Shape {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Shape by the configuration.
        expected: Vec<usize>,
        /// Shape in the file.
        found: Vec<usize>,
    },
    /// A tensor holds NaN or infinite numbers.
    #[error(
        "{path}: tensor {name} holds a number that is not finite; the file is damaged or its training diverged"
    )]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
    },
    /// An adapter does not belong to this model or asks for something the engine does not do.
    #[error("adapter {path}: {what}")]
    Adapter {
        /// The adapter's directory, or "in memory".
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// More tokens than the sequence or the model can hold.
    #[error(
        "the sequence would have {needed} tokens but can hold {capacity}; shorten the input or open it with more capacity"
    )]
    ContextOverflow {
        /// Tokens after the call.
        needed: usize,
        /// Tokens allowed.
        capacity: usize,
    },
    /// A token id outside the vocabulary.
    #[error("token id {id} is outside the vocabulary of {vocab}; was another model's tokenizer used?")]
    TokenOutOfRange {
        /// The id.
        id: u32,
        /// Size of the vocabulary.
        vocab: usize,
    },
    /// A call that makes no sense, such as an empty batch row.
    #[error("{0}")]
    Input(String),
}

impl EngineError {
    /// An [`EngineError::Io`], for `map_err`.
    pub fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> EngineError {
        let path = path.into();
        move |source| EngineError::Io { action, path, source }
    }

    /// An [`EngineError::Format`].
    pub fn format(path: impl Into<PathBuf>, what: impl Into<String>) -> EngineError {
        EngineError::Format { path: path.into(), what: what.into() }
    }

    /// An [`EngineError::Adapter`].
    pub fn adapter(path: impl Into<PathBuf>, what: impl Into<String>) -> EngineError {
        EngineError::Adapter { path: path.into(), what: what.into() }
    }
}
