//! What the backward needs of each block, in memory that is laid out before a pass begins.
//!
//! With a limit, only the last blocks keep all their activations; of the others the input alone stays, and their forward is
//! computed again just before their backward (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost"). It is the
//! same arithmetic on the same numbers, so that gradients are equal to the last bit.

use super::workspace::sized;
use crate::config::ModelConfig;
use crate::lora::{Group, Layout};

/// Numbers that a block keeps per token, by part.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SavedShape {
    hidden: usize,
    qkv: usize,
    raw_qk: usize,
    normed_heads: usize,
    heads: usize,
    gate_up: usize,
    inner: [usize; 4],
}

impl SavedShape {
    pub(crate) fn new(config: &ModelConfig, adapter: Option<&Layout>) -> Self {
        let (q, kv) = (config.q_dim(), config.kv_dim());
        let inner = Group::ALL.map(|group| adapter.map_or(0, |a| a.group(group).slots.len() * a.rank));
        SavedShape {
            hidden: config.hidden_size,
            qkv: q + 2 * kv,
            raw_qk: if config.qk_norm { q + kv } else { 0 },
            normed_heads: if config.qk_norm { config.heads + config.kv_heads } else { 0 },
            heads: q,
            gate_up: 2 * config.intermediate_size,
            inner,
        }
    }

    /// Everything but the input.
    fn rest(&self) -> usize {
        let norms = 2;
        let attention = self.qkv + self.raw_qk + self.normed_heads + self.heads;
        norms + attention + self.hidden + self.gate_up + self.inner.iter().sum::<usize>()
    }
}

/// How the activations of a pass are laid out.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SavedPlan {
    shape: SavedShape,
    tokens: usize,
    blocks: usize,
    /// Blocks, from the last, that keep everything.
    kept: usize,
}

impl SavedPlan {
    /// As many blocks keep everything as `limit` bytes allow; one does in any case.
    pub(crate) fn new(shape: SavedShape, tokens: usize, blocks: usize, limit: Option<usize>) -> Self {
        let kept = match limit {
            None => blocks,
            Some(bytes) => {
                let room = (bytes / size_of::<f32>()).saturating_sub(blocks * tokens * shape.hidden);
                (room / (tokens * shape.rest()).max(1)).clamp(1, blocks)
            }
        };
        SavedPlan { shape, tokens, blocks, kept }
    }

    /// Numbers to hold: the inputs of all blocks, then the rest of those that keep it.
    pub(crate) fn numbers(&self) -> usize {
        self.tokens * (self.blocks * self.shape.hidden + self.kept * self.shape.rest())
    }

    /// Whether the backward finds the block's activations as the forward left them.
    pub(crate) fn keeps(&self, block: usize) -> bool {
        block + self.kept >= self.blocks
    }

    /// Blocks whose forward is computed twice.
    pub(crate) fn recomputed(&self) -> usize {
        self.blocks - self.kept
    }
}

/// The activations of a pass.
#[derive(Debug, Default)]
pub(crate) struct Activations {
    pub(crate) plan: SavedPlan,
    memory: Vec<f32>,
}

impl Activations {
    /// Makes room for a pass.
    pub(crate) fn begin(&mut self, plan: SavedPlan) {
        sized(&mut self.memory, plan.numbers());
        self.plan = plan;
    }

    /// Room of one block. Blocks that keep only their input share the room of the last one, which is free before that block's
    /// forward and after its backward.
    pub(crate) fn of(&mut self, block: usize) -> Saved<'_> {
        let SavedPlan { shape, tokens: n, blocks, kept: keeping } = self.plan;
        let (input, rest) = (n * shape.hidden, n * shape.rest());
        let slot = if self.plan.keeps(block) { block + keeping - blocks } else { keeping - 1 };
        let (inputs, kept) = self.memory.split_at_mut(blocks * input);
        let mut left = &mut kept[slot * rest..(slot + 1) * rest];
        let mut take = |width: usize| {
            let (part, more) = std::mem::take(&mut left).split_at_mut(n * width);
            left = more;
            part
        };
        Saved {
            input_inverse: take(1),
            qkv: take(shape.qkv),
            raw_qk: take(shape.raw_qk),
            qk_inverse: take(shape.normed_heads),
            heads: take(shape.heads),
            middle: take(shape.hidden),
            middle_inverse: take(1),
            gate_up: take(shape.gate_up),
            inner: shape.inner.map(take),
            input: &mut inputs[block * input..(block + 1) * input],
        }
    }

    /// Memory in use, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.memory.capacity() * size_of::<f32>()
    }
}

/// Activations of one block. Norm outputs, attention probabilities and the gated activation are not among them: they are
/// large and computed again in the backward at little cost.
#[derive(Debug)]
pub(crate) struct Saved<'a> {
    /// Input of the block [n, hidden] and 1/rms of its rows.
    pub(crate) input: &'a mut [f32],
    pub(crate) input_inverse: &'a mut [f32],
    /// q | k | v after norm and rotation [n, q + 2 kv].
    pub(crate) qkv: &'a mut [f32],
    /// q | k before the head norms [n, q + kv] and the norms' factors (Qwen3 only).
    pub(crate) raw_qk: &'a mut [f32],
    pub(crate) qk_inverse: &'a mut [f32],
    /// Heads' outputs [n, q].
    pub(crate) heads: &'a mut [f32],
    /// Residual stream after attention [n, hidden] and 1/rms of its rows.
    pub(crate) middle: &'a mut [f32],
    pub(crate) middle_inverse: &'a mut [f32],
    /// gate | up [n, 2 inner].
    pub(crate) gate_up: &'a mut [f32],
    /// Inner activations of the LoRA groups [n, slots * rank].
    pub(crate) inner: [&'a mut [f32]; 4],
}
