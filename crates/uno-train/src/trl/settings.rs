//! Where TRL is and what it trains.

use serde::{Deserialize, Serialize};

/// How TRL is started. Only used where a `backend` is `trl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrlSettings {
    /// Command that runs a Python script on the devices: `accelerate launch` of an environment with TRL 0.24, for example
    /// `["/opt/trl/bin/accelerate", "launch"]`.
    pub launcher: Vec<String>,
    /// File for accelerate's `--config_file`: how many GPUs, DDP, DeepSpeed or FSDP (examples/trl has four); empty:
    /// accelerate's own default.
    pub accelerate_config: String,
    /// The base model as a Hugging Face directory, which is what TRL reads; empty: the target's weights, if they are one.
    pub weights: String,
    /// Whether activations are computed again in the backward pass: a third slower, far less memory.
    pub gradient_checkpointing: bool,
}

impl Default for TrlSettings {
    fn default() -> Self {
        Self {
            launcher: vec!["accelerate".into(), "launch".into()],
            accelerate_config: String::new(),
            weights: String::new(),
            gradient_checkpointing: true,
        }
    }
}
