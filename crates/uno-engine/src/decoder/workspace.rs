//! Buffers of a pass, kept between passes: fresh pages cost as much as a layer's arithmetic.

use super::Precision;

/// Scratch memory of training and scoring passes. Grows to the largest pass and stays; use one per thread that trains.
#[derive(Debug, Default)]
pub struct Workspace {
    /// What the backward needs of each block (one entry, reused, in a pass without backward).
    pub(crate) saved: Vec<Saved>,
    pub(crate) scratch: Scratch,
    pub(crate) precision: Precision,
}

impl Workspace {
    /// Buffers of passes that multiply in `precision`, as far as this machine can.
    pub fn new(precision: Precision) -> Self {
        Workspace { precision: precision.effective(), ..Workspace::default() }
    }

    /// In what its passes multiply.
    pub fn precision(&self) -> Precision {
        self.precision
    }
}

/// Activations of one block. Norm outputs and the gated activation are computed again in the backward: they are a third
/// of the memory and a hundredth of the time.
#[derive(Debug, Default)]
pub(crate) struct Saved {
    /// Input of the block [n, hidden] and 1/rms of its rows.
    pub(crate) input: Vec<f32>,
    pub(crate) input_inverse: Vec<f32>,
    /// q | k | v after norm and rotation [n, q + 2 kv].
    pub(crate) qkv: Vec<f32>,
    /// q | k before the head norms [n, q + kv] and the norms' factors (Qwen3 only).
    pub(crate) raw_qk: Vec<f32>,
    pub(crate) qk_inverse: Vec<f32>,
    /// Attention probabilities, per segment and head [rows, keys].
    pub(crate) probabilities: Vec<f32>,
    /// Heads' outputs [n, q].
    pub(crate) heads: Vec<f32>,
    /// Residual stream after attention [n, hidden] and 1/rms of its rows.
    pub(crate) middle: Vec<f32>,
    pub(crate) middle_inverse: Vec<f32>,
    /// gate | up [n, 2 inner].
    pub(crate) gate_up: Vec<f32>,
    /// Inner activations of the LoRA groups [n, slots * rank].
    pub(crate) inner: [Vec<f32>; 4],
}

/// Buffers that live for one block only.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// Residual stream [n, hidden], and its gradient.
    pub(crate) x: Vec<f32>,
    pub(crate) dx: Vec<f32>,
    /// Normalised input of a group, and the gradient of one [n, hidden].
    pub(crate) normed: Vec<f32>,
    pub(crate) d_normed: Vec<f32>,
    /// Output of a projection back to the residual stream [n, hidden].
    pub(crate) projected: Vec<f32>,
    /// Gated activation [n, inner] and gradients.
    pub(crate) activation: Vec<f32>,
    pub(crate) d_activation: Vec<f32>,
    pub(crate) d_gate_up: Vec<f32>,
    pub(crate) d_heads: Vec<f32>,
    pub(crate) d_qkv: Vec<f32>,
    /// Attention: per-head outputs and gradients, and a block of scores' gradients.
    pub(crate) head_major: Vec<f32>,
    pub(crate) d_keys_values: Vec<f32>,
    pub(crate) d_scores: Vec<f32>,
    /// Gradient of a LoRA group's inner activation, and its input under dropout.
    pub(crate) d_inner: Vec<f32>,
    pub(crate) dropped: Vec<f32>,
    /// Head: rows that predict, their norm, logits, and the gradient of each target's log-probability.
    pub(crate) predicting: Vec<f32>,
    pub(crate) predicting_normed: Vec<f32>,
    pub(crate) predicting_inverse: Vec<f32>,
    pub(crate) logits: Vec<f32>,
    pub(crate) slopes: Vec<f32>,
}

/// The first `n` numbers of a buffer, which grows when it must. Their content is whatever was there.
pub(crate) fn sized(buffer: &mut Vec<f32>, n: usize) -> &mut [f32] {
    if buffer.len() < n {
        // Not `resize` alone: copying old content into the larger buffer would be in vain.
        buffer.clear();
        buffer.reserve_exact(n);
        buffer.resize(n, 0.0);
    }
    &mut buffer[..n]
}
