//! The decoder-only transformer: frozen weights, forward for packed sequences, explicit backward for LoRA.
//!
//! The forward computes, per block, `x += o(attention(rope(qkv(norm(x)))))` and `x += down(swiglu(gate_up(norm(x))))`
//! (Touvron et al. 2023); [`crate::config::Arch`] says what differs between families. There is no autograd: [`block`] and
//! [`block_backward`] mirror each other line by line.

mod adapted;
mod adapted_gradient;
mod attention;
mod attention_backward;
mod block;
mod block_backward;
mod head;
mod load;
mod packed;
mod passes;
mod plan;
mod precision;
mod saved;
mod workspace;

use std::path::Path;

use crate::config::ModelConfig;
use crate::error::EngineError;
use crate::kernel::rope::Frequencies;
use crate::weights::TensorStore;

pub use crate::kernel::dropout::Dropout;
pub use packed::Packed;
pub use plan::PassMemory;
pub use precision::{Precision, Products};
pub use workspace::Workspace;

use precision::Packs;

pub(crate) use adapted::lora_forward;
pub(crate) use block::{add_rows, norm_heads};
pub(crate) use workspace::sized;

/// A frozen linear layer, [out, in] row-major as Hugging Face stores it, with an optional bias.
#[derive(Debug)]
pub(crate) struct Linear {
    pub(crate) weight: Vec<f32>,
    pub(crate) out: usize,
    pub(crate) input: usize,
    pub(crate) bias: Option<Vec<f32>>,
    /// The same weight in bf16.
    packs: Packs,
}

/// Weights of q and k norms (Qwen3), [head_dim] each.
#[derive(Debug)]
pub(crate) struct HeadNorms {
    pub(crate) q: Vec<f32>,
    pub(crate) k: Vec<f32>,
}

/// One transformer block. Projections that share an input are one matrix: q | k | v and gate | up.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) attention_norm: Vec<f32>,
    pub(crate) qkv: Linear,
    pub(crate) head_norms: Option<HeadNorms>,
    pub(crate) out: Linear,
    pub(crate) mlp_norm: Vec<f32>,
    pub(crate) gate_up: Linear,
    pub(crate) down: Linear,
}

/// A frozen model. Read-only after opening, so one instance in an `Arc` serves any number of threads.
#[derive(Debug)]
pub struct Decoder {
    pub(crate) config: ModelConfig,
    pub(crate) embedding: Vec<f32>,
    pub(crate) blocks: Vec<Block>,
    pub(crate) norm: Vec<f32>,
    /// The output head [vocab, hidden] when it is not the embedding.
    pub(crate) untied_head: Option<Vec<f32>>,
    /// The weights hold no head at all (an embedding model's).
    headless: bool,
    pub(crate) frequencies: Frequencies,
    head_packs: Packs,
    generation: Precision,
    hash: String,
    bytes: usize,
}

/// Scores of the next token for some rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Logits {
    /// [rows, vocab], row-major.
    pub data: Vec<f32>,
    /// Scores per row.
    pub vocab: usize,
}

impl Logits {
    /// Scores of row `i`.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.data[i * self.vocab..(i + 1) * self.vocab]
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.data.len() / self.vocab
    }
}

impl Decoder {
    /// Opens a GGUF file or a Hugging Face directory (config.json and safetensors, sharded or not) and loads it as f32.
    ///
    /// # Errors
    /// When a file is missing, cut short or contradicts its configuration, and when the architecture or quantisation is not
    /// one that the engine runs (the message names it).
    pub fn open(path: &Path) -> Result<Decoder, EngineError> {
        Decoder::load(&TensorStore::open(path)?)
    }

    /// Loads from a store that is open already, for callers that also need its tokenizer metadata.
    ///
    /// # Errors
    /// As [`Decoder::open`].
    pub fn load(store: &TensorStore) -> Result<Decoder, EngineError> {
        load::load(store)
    }

    /// Shape and constants.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Hex content hash of the weight files as opened; tells base models apart.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Whether the model can predict tokens. Weights of embedding models with an untied head are saved without it.
    pub fn has_head(&self) -> bool {
        !self.headless
    }

    /// Fails for weights without a head.
    pub(crate) fn need_head(&self) -> Result<(), EngineError> {
        if self.headless {
            let what = "these weights are an embedding model's and have no output head; use the model they were made from";
            return Err(EngineError::Input(what.into()));
        }
        Ok(())
    }

    /// Memory that the weights take, in bytes; bf16 packs of training come on top.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The output head, [vocab, hidden].
    pub(crate) fn head(&self) -> &[f32] {
        self.untied_head.as_deref().unwrap_or(&self.embedding)
    }

    /// Rows of the embedding for `ids` one after another into `out`.
    pub(crate) fn embed<'a>(
        &self,
        ids: impl Iterator<Item = &'a u32>,
        out: &mut [f32],
    ) -> Result<(), EngineError> {
        let width = self.config.hidden_size;
        for (id, row) in ids.zip(out.chunks_exact_mut(width)) {
            let from = *id as usize * width;
            let embedded = self
                .embedding
                .get(from..from + width)
                .ok_or(EngineError::TokenOutOfRange { id: *id, vocab: self.config.vocab_size })?;
            row.copy_from_slice(embedded);
        }
        Ok(())
    }

    /// Fails for ids outside the vocabulary.
    pub(crate) fn check_ids(&self, ids: &[u32]) -> Result<(), EngineError> {
        let vocab = self.config.vocab_size;
        match ids.iter().find(|id| **id as usize >= vocab) {
            Some(id) => Err(EngineError::TokenOutOfRange { id: *id, vocab }),
            None => Ok(()),
        }
    }
}
