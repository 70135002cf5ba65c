//! Who trains.

use serde::{Deserialize, Serialize};

/// Who trains an adapter. Data, settings, events and checkpoints are the same for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// This crate's own trainer, on the CPU.
    #[default]
    Native,
    /// TRL in a Python process, on whatever `accelerate launch` finds: module [`crate::trl`].
    Trl,
}
