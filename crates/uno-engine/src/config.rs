//! What a decoder looks like: the facts of `config.json` (or of GGUF metadata) that the forward pass depends on.

/// The decoder families that the engine runs. Every other architecture is refused by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arch {
    /// Llama 2/3, SmolLM2 and everything else with `model_type` `llama`.
    Llama,
    /// Mistral: Llama with another default configuration.
    Mistral,
    /// Qwen2 / Qwen2.5: bias on the q, k and v projections.
    Qwen2,
    /// Qwen3: RMS norm of each q and k head before the rotation; `head_dim` is independent of `hidden_size`.
    Qwen3,
    /// Phi-3 / Phi-4: fused `qkv_proj` and `gate_up_proj`, rotation of a part of each head.
    Phi3,
}

impl Arch {
    /// The `model_type` of `config.json`.
    pub fn name(self) -> &'static str {
        match self {
            Arch::Llama => "llama",
            Arch::Mistral => "mistral",
            Arch::Qwen2 => "qwen2",
            Arch::Qwen3 => "qwen3",
            Arch::Phi3 => "phi3",
        }
    }

    /// The family of a `model_type`, or `None` when the engine cannot run it.
    pub fn from_name(name: &str) -> Option<Arch> {
        match name {
            "llama" => Some(Arch::Llama),
            "mistral" => Some(Arch::Mistral),
            "qwen2" => Some(Arch::Qwen2),
            "qwen3" => Some(Arch::Qwen3),
            "phi3" => Some(Arch::Phi3),
            _ => None,
        }
    }
}

/// Change of the rotary frequencies for long contexts.
#[derive(Debug, Clone, PartialEq)]
pub enum RopeScaling {
    /// All positions divided by the factor.
    Linear {
        /// Stretch of the context.
        factor: f32,
    },
    /// Llama 3.1's scheme: low frequencies divided by `factor`, high ones kept, a smooth ramp between them
    /// (`rope_type` `llama3` in transformers).
    Llama3 {
        /// Stretch of the low frequencies.
        factor: f32,
        /// Below `original_max_positions / low_freq_factor` of wavelength begins the ramp.
        low_freq_factor: f32,
        /// Above this the frequencies are kept.
        high_freq_factor: f32,
        /// Context length that the model was first trained with.
        original_max_positions: usize,
    },
    /// LongRoPE within the context that the model was first trained with (Phi-3.5, phi-4-mini): each frequency has its own
    /// divisor. Beyond that context there are others; the engine ends there.
    LongRope {
        /// `short_factor`, one per rotating pair.
        divisors: Vec<f32>,
        /// Cosines and sines are multiplied by it.
        attention: f32,
    },
}

/// Rotary position embedding (half-rotation layout, as Hugging Face stores q and k).
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// Base of the frequencies.
    pub theta: f32,
    /// Change of the frequencies, when there is one.
    pub scaling: Option<RopeScaling>,
    /// Share of each head that rotates, in (0, 1]; the rest passes through.
    pub partial: f32,
}

/// Shape and constants of a decoder.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// Family.
    pub arch: Arch,
    /// Rows of the embedding.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the gated feed-forward layer.
    pub intermediate_size: usize,
    /// Number of transformer blocks.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key/value heads; divides `heads`.
    pub kv_heads: usize,
    /// Width of one head; not always `hidden_size / heads`.
    pub head_dim: usize,
    /// Rotary embedding.
    pub rope: Rope,
    /// Epsilon of the RMS norms.
    pub norm_eps: f32,
    /// Longest context that the engine computes as the model was made for, in tokens. Where a sliding window or LongRoPE's second
    /// set of divisors would begin, it ends.
    pub max_positions: usize,
    /// The output head is the embedding.
    pub tied_head: bool,
    /// q, k and v have a bias (Qwen2).
    pub qkv_bias: bool,
    /// q and k heads are normalised before the rotation (Qwen3).
    pub qk_norm: bool,
    /// Weights are stored as `qkv_proj` and `gate_up_proj` (Phi-3).
    pub fused: bool,
    /// First token of a text, when the model has one.
    pub bos: Option<u32>,
    /// Tokens that end a generation.
    pub eos: Vec<u32>,
}

impl ModelConfig {
    /// Width of all query heads together.
    pub fn q_dim(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Width of all key heads together (the same for values).
    pub fn kv_dim(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    /// Numbers in the weights.
    pub fn parameters(&self) -> usize {
        let (hidden, q, kv) = (self.hidden_size, self.q_dim(), self.kv_dim());
        let bias = if self.qkv_bias { q + 2 * kv } else { 0 };
        let head_norms = if self.qk_norm { 2 * self.head_dim } else { 0 };
        let attention = hidden * (q + 2 * kv) + bias + head_norms + q * hidden;
        let block = 2 * hidden + attention + 3 * hidden * self.intermediate_size;
        let tables = if self.tied_head { 1 } else { 2 };
        self.layers * block + tables * self.vocab_size * hidden + hidden
    }

    /// Dimensions of a head that rotate (even).
    pub fn rotary_dim(&self) -> usize {
        let dims = (self.head_dim as f32 * self.rope.partial) as usize;
        dims / 2 * 2
    }
}
