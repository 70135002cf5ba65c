//! Forward of one transformer block over the rows of a pass.

use super::adapted::{LayerDropout, lora_inner, lora_outer};
use super::attention::{self, Columns};
use super::packed::Segment;
use super::precision::Products;
use super::saved::Saved;
use super::workspace::{Scratch, sized};
use super::{Block, HeadNorms};
use crate::config::ModelConfig;
use crate::kernel::activation::{add, swiglu};
use crate::kernel::dropout::Dropout;
use crate::kernel::norm;
use crate::kernel::parallel::rows_per_task;
use crate::kernel::product::How;
use crate::kernel::rope::{Angles, rotate};
use crate::kernel::team::each;
use crate::lora::{Group, LoraWeights};

/// What all blocks of a pass share.
pub(super) struct Pass<'a> {
    pub(super) config: &'a ModelConfig,
    pub(super) segments: &'a [Segment],
    pub(super) angles: Angles,
    pub(super) n: usize,
    pub(super) adapter: Option<&'a LoraWeights>,
    pub(super) dropout: Option<Dropout>,
    /// How the forward multiplies.
    pub(super) how: How,
    /// In what frozen weights multiply, by direction.
    pub(super) products: Products,
}

impl Pass<'_> {
    pub(super) fn dropout(&self, layer: usize) -> Option<LayerDropout> {
        self.dropout.map(|dropout| LayerDropout { dropout, layer })
    }

    /// Adds the adapter's part of a group to `y`.
    fn adapt(
        &self,
        layer: usize,
        group: Group,
        x: &[f32],
        y: &mut [f32],
        inner: &mut [&mut [f32]; 4],
        dropped: &mut Vec<f32>,
    ) {
        self.adapt_inner(layer, group, x, inner, dropped);
        if let Some(weights) = self.adapter.and_then(|a| a.group_in(layer, group, self.products)) {
            lora_outer(&weights, self.n, inner[group as usize], y, How::FAST);
        }
    }

    /// The part of [`Pass::adapt`] that the backward needs.
    fn adapt_inner(
        &self,
        layer: usize,
        group: Group,
        x: &[f32],
        inner: &mut [&mut [f32]; 4],
        dropped: &mut Vec<f32>,
    ) {
        if let Some(weights) = self.adapter.and_then(|a| a.group_in(layer, group, self.products)) {
            let dropout = self.dropout(layer).map(|d| (d, dropped));
            lora_inner(&weights, self.n, x, inner[group as usize], dropout, How::FAST);
        }
    }
}

/// Normalises the q and k heads of each row in place (Qwen3), keeping what the backward needs.
pub(crate) fn norm_heads(
    config: &ModelConfig,
    norms: &HeadNorms,
    qkv: &mut [f32],
    raw: &mut [f32],
    inverse: &mut [f32],
) {
    let (q, kv) = (config.q_dim(), config.kv_dim());
    let heads = config.heads + config.kv_heads;
    let rows = qkv
        .chunks_exact_mut(q + 2 * kv)
        .zip(raw.chunks_exact_mut(q + kv))
        .zip(inverse.chunks_exact_mut(heads));
    for ((row, raw), inverse) in rows {
        raw.copy_from_slice(&row[..q + kv]);
        let (q_inverse, k_inverse) = inverse.split_at_mut(config.heads);
        norm::heads_in_place(&mut row[..q], &norms.q, config.norm_eps, q_inverse);
        norm::heads_in_place(&mut row[q..q + kv], &norms.k, config.norm_eps, k_inverse);
    }
}

impl Block {
    /// `scratch.x` [n, hidden] becomes the block's output; `saved` keeps what [`Block::backward`] needs.
    pub(super) fn forward(
        &self,
        pass: &Pass<'_>,
        layer: usize,
        saved: &mut Saved<'_>,
        scratch: &mut Scratch,
    ) {
        let (n, hidden) = (pass.n, pass.config.hidden_size);
        saved.input.copy_from_slice(&scratch.x[..n * hidden]);
        self.until_activation(pass, layer, saved, scratch);
        let Scratch { x, projected, activation, dropped, .. } = scratch;
        let projected = &mut projected[..n * hidden];
        self.down.forward(n, activation, projected, pass.how);
        pass.adapt(layer, Group::MlpOut, activation, projected, &mut saved.inner, dropped);
        add_rows(&mut x[..n * hidden], projected);
    }

    /// Fills `saved` again from its input, with the very numbers of [`Block::forward`]. The block's output is left out: its
    /// product is a quarter of the block's work, and the backward does not need it.
    pub(super) fn recompute(
        &self,
        pass: &Pass<'_>,
        layer: usize,
        saved: &mut Saved<'_>,
        scratch: &mut Scratch,
    ) {
        sized(&mut scratch.x, saved.input.len()).copy_from_slice(saved.input);
        self.until_activation(pass, layer, saved, scratch);
        let Scratch { activation, dropped, .. } = scratch;
        pass.adapt_inner(layer, Group::MlpOut, activation, &mut saved.inner, dropped);
    }

    /// Attention, which is added to `scratch.x`, and the MLP up to `scratch.activation`.
    fn until_activation(&self, pass: &Pass<'_>, layer: usize, saved: &mut Saved<'_>, scratch: &mut Scratch) {
        let (config, n) = (pass.config, pass.n);
        let (hidden, inner_size) = (config.hidden_size, config.intermediate_size);
        let columns = Columns::new(config);
        let x = &mut scratch.x[..n * hidden];
        let Saved { inner, qkv, heads, gate_up, .. } = saved;

        let normed = sized(&mut scratch.normed, n * hidden);
        norm::forward(x, &self.attention_norm, config.norm_eps, normed, saved.input_inverse);
        self.qkv.forward(n, normed, qkv, pass.how);
        pass.adapt(layer, Group::AttentionIn, normed, qkv, inner, &mut scratch.dropped);
        if let Some(norms) = &self.head_norms {
            norm_heads(config, norms, qkv, saved.raw_qk, saved.qk_inverse);
        }
        rotate(qkv, columns.stride, columns.q_dim + columns.kv_dim, columns.head_dim, &pass.angles, 1.0);
        attention::forward(
            &columns,
            pass.segments,
            qkv,
            (&mut scratch.scores, &mut scratch.head_major),
            heads,
        );
        let projected = sized(&mut scratch.projected, n * hidden);
        self.out.forward(n, heads, projected, pass.how);
        pass.adapt(layer, Group::AttentionOut, heads, projected, inner, &mut scratch.dropped);
        add_rows(x, projected);

        saved.middle.copy_from_slice(x);
        norm::forward(x, &self.mlp_norm, config.norm_eps, normed, saved.middle_inverse);
        self.gate_up.forward(n, normed, gate_up, pass.how);
        pass.adapt(layer, Group::MlpIn, normed, gate_up, inner, &mut scratch.dropped);
        swiglu(gate_up, inner_size, sized(&mut scratch.activation, n * inner_size));
    }
}

/// `x += y`, split among threads when it is long.
pub(crate) fn add_rows(x: &mut [f32], y: &[f32]) {
    let task = rows_per_task(x.len() / 4096) * 4096;
    if task >= x.len() {
        add(x, y);
    } else {
        each(x.chunks_mut(task).zip(y.chunks(task)), |(x, y)| add(x, y));
    }
}
