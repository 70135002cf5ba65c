//! Which linear layers an adapter changes, and the names of its tensors.

/// A linear layer of a transformer block, by PEFT's `target_modules`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// `q_proj`
    Q,
    /// `k_proj`
    K,
    /// `v_proj`
    V,
    /// `qkv_proj` (Phi-3)
    Qkv,
    /// `o_proj`
    O,
    /// `gate_proj`
    Gate,
    /// `up_proj`
    Up,
    /// `gate_up_proj` (Phi-3)
    GateUp,
    /// `down_proj`
    Down,
}

impl Target {
    /// Every target, in the order in which tensors are stored.
    pub const ALL: [Target; 9] = [
        Target::Q,
        Target::K,
        Target::V,
        Target::Qkv,
        Target::O,
        Target::Gate,
        Target::Up,
        Target::GateUp,
        Target::Down,
    ];

    /// All linear layers of a block of the model: seven, or four where projections are fused.
    pub fn all_linear(model: &crate::ModelConfig) -> Vec<Target> {
        Target::ALL.into_iter().filter(|t| t.exists_in(model)).collect()
    }

    /// The module's name in PEFT and Hugging Face files.
    pub fn module(self) -> &'static str {
        match self {
            Target::Q => "q_proj",
            Target::K => "k_proj",
            Target::V => "v_proj",
            Target::Qkv => "qkv_proj",
            Target::O => "o_proj",
            Target::Gate => "gate_proj",
            Target::Up => "up_proj",
            Target::GateUp => "gate_up_proj",
            Target::Down => "down_proj",
        }
    }

    /// The module with its parent, as in `model.layers.N.self_attn.q_proj`.
    pub(crate) fn path(self) -> String {
        let parent = match self {
            Target::Q | Target::K | Target::V | Target::Qkv | Target::O => "self_attn",
            Target::Gate | Target::Up | Target::GateUp | Target::Down => "mlp",
        };
        format!("{parent}.{}", self.module())
    }

    /// The target of a module name.
    pub fn from_module(name: &str) -> Option<Target> {
        Target::ALL.into_iter().find(|t| t.module() == name)
    }

    /// Whether the model has such a layer.
    pub(crate) fn exists_in(self, model: &crate::ModelConfig) -> bool {
        match self {
            Target::Q | Target::K | Target::V | Target::Gate | Target::Up => !model.fused,
            Target::Qkv | Target::GateUp => model.fused,
            Target::O | Target::Down => true,
        }
    }
}

/// Shape and strength of an adapter.
#[derive(Debug, Clone, PartialEq)]
pub struct LoraConfig {
    /// Inner width.
    pub rank: usize,
    /// The product is scaled by `alpha / rank` (rank-stabilised scaling is refused when an adapter is read).
    pub alpha: f32,
    /// Adapted layers; order and repetitions do not matter.
    pub targets: Vec<Target>,
}

impl LoraConfig {
    /// `alpha / rank`.
    pub fn scale(&self) -> f32 {
        self.alpha / self.rank as f32
    }
}

/// The two factors of an adapted layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// `lora_A` [rank, in]
    A,
    /// `lora_B` [out, rank]
    B,
}

/// One tensor of an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TensorName {
    /// Block of the model, from 0.
    pub layer: usize,
    /// Layer in the block.
    pub target: Target,
    /// Factor.
    pub side: Side,
}
