//! What a pass with a backward will need in memory, before it is run.
//!
//! The sizes are those that the pass asks of its [`super::Workspace`]; a test holds the two together.

use super::attention::block_of_scores;
use super::head::chunk;
use super::packed::{Packed, Segment};
use super::saved::{SavedPlan, SavedShape};
use crate::config::ModelConfig;
use crate::error::EngineError;
use crate::lora::{Layout, LoraConfig};

/// Bytes of a pass with a backward.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PassMemory {
    /// What the backward needs of the blocks.
    pub activations: usize,
    /// Buffers of one block at a time.
    pub scratch: usize,
    /// Logits, and the rows that predict a target with their gradients.
    pub head: usize,
    /// Blocks whose forward is computed twice to stay within the limit.
    pub recomputed_blocks: usize,
}

impl PassMemory {
    /// All of it.
    pub fn total(&self) -> usize {
        self.activations + self.scratch + self.head
    }

    /// Of [`crate::Decoder::backward`] on `packed`, with the limit of [`super::Workspace::limit_activations`].
    ///
    /// # Errors
    /// When the model lacks a layer that the adapter names.
    pub fn of(
        config: &ModelConfig,
        adapter: &LoraConfig,
        packed: &Packed,
        dropout: bool,
        limit: Option<usize>,
    ) -> Result<PassMemory, EngineError> {
        let layout = Layout::new(config, adapter)?;
        let (n, targets, size) = (packed.tokens(), packed.targets().len(), size_of::<f32>());
        let plan = SavedPlan::new(SavedShape::new(config, Some(&layout)), n, config.layers, limit);
        let head = targets * (3 * config.hidden_size + 1)
            + chunk(config.vocab_size).min(targets) * config.vocab_size;
        Ok(PassMemory {
            activations: plan.numbers() * size,
            scratch: scratch(config, &layout, &packed.segments, n, dropout) * size,
            head: head * size,
            recomputed_blocks: plan.recomputed(),
        })
    }
}

/// Numbers in the buffers that live for one block.
fn scratch(config: &ModelConfig, layout: &Layout, segments: &[Segment], n: usize, dropout: bool) -> usize {
    let (q, kv, inner) = (config.q_dim(), config.kv_dim(), config.intermediate_size);
    // x, dx, normed, d_normed, projected; activation and its gradient, d_gate_up; d_heads, head_major, d_qkv.
    let rows = 5 * config.hidden_size + 4 * inner + 2 * q + (q + 2 * kv);
    let widest = layout.groups.iter().map(|g| g.slots.len() * layout.rank).max().unwrap_or(0);
    let dropped = if dropout {
        layout.groups.iter().filter(|g| !g.slots.is_empty()).map(|g| g.input).max()
    } else {
        None
    };
    let forward: usize = segments.iter().map(block_of_scores).sum();
    let backward = 2 * segments.iter().map(block_of_scores).max().unwrap_or(0);
    n * (rows + 3 * q + widest + dropped.unwrap_or(0)) + config.heads * forward.max(backward)
}
