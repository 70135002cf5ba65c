//! Trained adapters.

use serde::{Deserialize, Serialize};

/// What an adapter does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AdapterKind {
    /// Answers directly (Primary Experience Module).
    Expert,
    /// Suggests how to improve an answer (Reflective Experience Module).
    Critic,
}

impl AdapterKind {
    /// The word used in names, plans and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            AdapterKind::Expert => "expert",
            AdapterKind::Critic => "critic",
        }
    }
}

/// An adapter as a model is asked to use it: a content-hash name that is never reused, and where its files lie.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AdapterRef {
    /// For example `c07-expert-3fa9c1d2e4b5`.
    pub name: String,
    /// Directory with `adapter_model.safetensors` and `adapter_config.json` (PEFT); the embedded engine reads a `.gguf` file, too.
    pub dir: String,
}
