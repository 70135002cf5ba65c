//! Backward of [`super::block`]: gradients of the adapter's factors and of the block's input. Frozen weights get none.

use super::adapted::LoraBackward;
use super::attention::Columns;
use super::block::Pass;
use super::saved::Saved;
use super::workspace::{Scratch, sized};
use super::{Block, attention_backward};
use crate::kernel::activation::{swiglu, swiglu_backward};
use crate::kernel::norm;
use crate::kernel::rope::rotate;
use crate::lora::{Group, LoraGrads};

/// Gradient through the adapter beside one group.
struct Adapter<'a, 'p> {
    pass: &'a Pass<'p>,
    layer: usize,
    grads: &'a mut LoraGrads,
    d_inner: &'a mut Vec<f32>,
    dropped: &'a mut Vec<f32>,
}

impl Adapter<'_, '_> {
    fn backward(&mut self, group: Group, saved: &Saved<'_>, x: &[f32], dy: &[f32], dx: Option<&mut [f32]>) {
        let Some(weights) = self.pass.adapter.and_then(|a| a.group_in(self.layer, group, self.pass.products))
        else {
            return;
        };
        let dropout = self.pass.dropout(self.layer);
        LoraBackward {
            group: weights,
            n: self.pass.n,
            x,
            inner: &*saved.inner[group as usize],
            dy,
            d_inner: self.d_inner,
            dropout: dropout.map(|d| (d, &mut *self.dropped)),
        }
        .run(&mut self.grads.group(self.layer, group), dx);
    }
}

impl Block {
    /// `scratch.dx` holds the gradient of the block's output and gets that of its input, unless this is the first block,
    /// whose input needs none.
    pub(super) fn backward(
        &self,
        pass: &Pass<'_>,
        layer: usize,
        saved: &Saved<'_>,
        scratch: &mut Scratch,
        grads: &mut LoraGrads,
    ) {
        let (config, n, products) = (pass.config, pass.n, pass.products);
        let (hidden, inner_size) = (config.hidden_size, config.intermediate_size);
        let columns = Columns::new(config);
        let Scratch { dx, normed, d_normed, activation, d_activation, d_gate_up, d_heads, d_qkv, .. } =
            scratch;
        let mut adapter =
            Adapter { pass, layer, grads, d_inner: &mut scratch.d_inner, dropped: &mut scratch.dropped };
        let dx = &mut dx[..n * hidden];
        let (normed, d_normed) = (sized(normed, n * hidden), sized(d_normed, n * hidden));
        let middle = &*saved.middle;

        let gate_up = &*saved.gate_up;
        let (activation, d_activation) =
            (sized(activation, n * inner_size), sized(d_activation, n * inner_size));
        swiglu(gate_up, inner_size, activation);
        self.down.backward(n, dx, d_activation, products);
        adapter.backward(Group::MlpOut, saved, activation, dx, Some(d_activation));
        let d_gate_up = sized(d_gate_up, n * 2 * inner_size);
        swiglu_backward(gate_up, inner_size, d_activation, d_gate_up);
        self.gate_up.backward(n, d_gate_up, d_normed, products);
        norm::again(middle, &self.mlp_norm, saved.middle_inverse, normed);
        adapter.backward(Group::MlpIn, saved, normed, d_gate_up, Some(d_normed));
        norm::backward(middle, &self.mlp_norm, saved.middle_inverse, d_normed, dx);

        let heads = &*saved.heads;
        let d_heads = sized(d_heads, n * columns.q_dim);
        self.out.backward(n, dx, d_heads, products);
        adapter.backward(Group::AttentionOut, saved, heads, dx, Some(d_heads));
        let d_qkv = sized(d_qkv, n * columns.stride);
        attention_backward::backward(
            &columns,
            pass.segments,
            (saved.qkv, d_heads),
            (&mut scratch.d_keys_values, &mut scratch.scores),
            d_qkv,
        );
        rotate(d_qkv, columns.stride, columns.q_dim + columns.kv_dim, columns.head_dim, &pass.angles, -1.0);
        self.head_norms_backward(pass, saved, d_qkv);
        norm::again(saved.input, &self.attention_norm, saved.input_inverse, normed);
        if layer == 0 {
            adapter.backward(Group::AttentionIn, saved, normed, d_qkv, None);
            return;
        }
        self.qkv.backward(n, d_qkv, d_normed, products);
        adapter.backward(Group::AttentionIn, saved, normed, d_qkv, Some(d_normed));
        norm::backward(saved.input, &self.attention_norm, saved.input_inverse, d_normed, dx);
    }

    fn head_norms_backward(&self, pass: &Pass<'_>, saved: &Saved<'_>, d_qkv: &mut [f32]) {
        let Some(norms) = &self.head_norms else { return };
        let config = pass.config;
        let (q, kv) = (config.q_dim(), config.kv_dim());
        let heads = config.heads + config.kv_heads;
        let rows = d_qkv.chunks_exact_mut(q + 2 * kv).zip(saved.raw_qk.chunks_exact(q + kv));
        for ((d, raw), inverse) in rows.zip(saved.qk_inverse.chunks_exact(heads)) {
            let (q_inverse, k_inverse) = inverse.split_at(config.heads);
            norm::heads_backward(&raw[..q], &norms.q, q_inverse, &mut d[..q]);
            norm::heads_backward(&raw[q..], &norms.k, k_inverse, &mut d[q..q + kv]);
        }
    }
}
