//! What can go wrong when a model is opened, found or asked: what, where, and what to do.

use std::path::PathBuf;

use uno_engine::EngineError;
use uno_types::ModelError;

/// Errors of this crate outside of a running generation (those are [`ModelError`]).
#[derive(Debug, thiserror::Error)]
pub enum ModelsError {
    /// Weights or adapter files are missing, damaged or of an unknown kind.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A file could not be read or written.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// "read", "write", "create", ...
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A file is not what its name says.
    #[error("{path}: {what}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it and, where known, what to do.
        what: String,
    },
    /// The tokenizer cannot be built or does not fit the model.
    #[error("tokenizer of {path}: {what}")]
    Tokenizer {
        /// The model's file or directory.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The chat template is missing, not valid or refuses these messages.
    #[error("chat template: {0}")]
    Template(String),
    /// The JSON schema cannot be turned into a grammar.
    #[error("JSON schema: {0}")]
    Schema(String),
    /// A model is unknown, or could not be fetched.
    #[error("{0}")]
    Registry(String),
    /// A reranker scored pairs with a known answer wrongly.
    #[error("{0}")]
    SelfTest(String),
    /// The request itself is wrong.
    #[error("{0}")]
    Invalid(String),
}

impl ModelsError {
    /// A [`ModelsError::Io`], for `map_err`.
    pub fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> ModelsError {
        let path = path.into();
        move |source| ModelsError::Io { action, path, source }
    }

    /// A [`ModelsError::Format`].
    pub fn format(path: impl Into<PathBuf>, what: impl Into<String>) -> ModelsError {
        ModelsError::Format { path: path.into(), what: what.into() }
    }

    /// A [`ModelsError::Tokenizer`].
    pub fn tokenizer(path: impl Into<PathBuf>, what: impl Into<String>) -> ModelsError {
        ModelsError::Tokenizer { path: path.into(), what: what.into() }
    }
}

impl From<ModelsError> for ModelError {
    fn from(error: ModelsError) -> ModelError {
        match error {
            ModelsError::Engine(EngineError::Adapter { .. } | EngineError::TokenOutOfRange { .. })
            | ModelsError::Template(_)
            | ModelsError::Schema(_)
            | ModelsError::Invalid(_) => ModelError::Invalid(error.to_string()),
            ModelsError::Engine(_)
            | ModelsError::Io { .. }
            | ModelsError::Format { .. }
            | ModelsError::Tokenizer { .. }
            | ModelsError::Registry(_)
            | ModelsError::SelfTest(_) => ModelError::Engine(error.to_string()),
        }
    }
}
