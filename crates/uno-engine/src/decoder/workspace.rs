//! Buffers of a pass, kept between passes: fresh pages cost as much as a layer's arithmetic.

use super::Products;
use super::saved::Activations;

/// Scratch memory of training and scoring passes. Grows to the largest pass and stays; use one per thread that trains.
#[derive(Debug, Default)]
pub struct Workspace {
    /// What the backward needs of each block (room for one, reused, in a pass without backward).
    pub(crate) activations: Activations,
    pub(crate) scratch: Scratch,
    pub(crate) products: Products,
    /// See [`Workspace::limit_activations`].
    pub(crate) limit: Option<usize>,
}

impl Workspace {
    /// Buffers of passes that multiply in `products`, as far as this machine can.
    pub fn new(products: Products) -> Self {
        Workspace { products: products.effective(), ..Workspace::default() }
    }

    /// Lets the backward keep at most so many bytes of blocks' activations, or what one block and the inputs of all need if
    /// that is more; the rest is computed again, which changes no bit of the gradients. `None`: everything is kept.
    pub fn limit_activations(&mut self, bytes: Option<usize>) {
        self.limit = bytes;
    }

    /// Blocks whose forward the last pass with a backward computed twice.
    pub fn recomputed_blocks(&self) -> usize {
        self.activations.plan.recomputed()
    }

    /// Memory that the buffers take, in bytes.
    pub fn bytes(&self) -> usize {
        let scratch: usize = self.scratch.buffers().iter().map(|b| b.capacity() * size_of::<f32>()).sum();
        self.activations.bytes() + scratch
    }

    /// In what its passes multiply.
    pub fn products(&self) -> Products {
        self.products
    }
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
    /// Attention: per-head outputs and gradients, and blocks of scores and of their gradients.
    pub(crate) head_major: Vec<f32>,
    pub(crate) d_keys_values: Vec<f32>,
    pub(crate) scores: Vec<f32>,
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

impl Scratch {
    fn buffers(&self) -> [&Vec<f32>; 20] {
        let Scratch { x, dx, normed, d_normed, projected, activation, d_activation, d_gate_up, .. } = self;
        let Scratch { d_heads, d_qkv, head_major, d_keys_values, scores, d_inner, dropped, .. } = self;
        let Scratch { predicting, predicting_normed, predicting_inverse, logits, slopes, .. } = self;
        [
            x,
            dx,
            normed,
            d_normed,
            projected,
            activation,
            d_activation,
            d_gate_up,
            d_heads,
            d_qkv,
            head_major,
            d_keys_values,
            scores,
            d_inner,
            dropped,
            predicting,
            predicting_normed,
            predicting_inverse,
            logits,
            slopes,
        ]
    }
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
