//! A frozen linear layer with LoRA beside it: y = x Wᵀ + bias + scale · (mask(x) Aᵀ) Bᵀ, and its backward.

use super::workspace::sized;
use super::{Linear, Products, adapted_gradient};
use crate::kernel::activation::add_bias;
use crate::kernel::bf16;
use crate::kernel::dropout::{Dropout, Mask};
use crate::kernel::matrix::{Mat, MatMut};
use crate::kernel::product::{How, Into, Threads, linear, matmul};
use crate::lora::{GroupGrads, GroupWeights};

/// Dropout of one layer of the model.
#[derive(Clone, Copy)]
pub(crate) struct LayerDropout {
    pub(crate) dropout: Dropout,
    pub(crate) layer: usize,
}

impl LayerDropout {
    fn mask(&self, group: &GroupWeights<'_>, slot: usize) -> Mask {
        self.dropout.mask(self.layer, group.shape.slots[slot].target as usize)
    }
}

impl Linear {
    /// `y` [n, out] = x Wᵀ + bias.
    pub(crate) fn forward(&self, n: usize, x: &[f32], y: &mut [f32], how: How) {
        self.frozen(Products::both(how.precision)).forward(n, x, y, how);
        if let Some(bias) = &self.bias {
            add_bias(&mut y[..n * self.out], self.out, bias);
        }
    }

    /// `dx` [n, in] = dy W.
    pub(crate) fn backward(&self, n: usize, dy: &[f32], dx: &mut [f32], products: Products) {
        self.frozen(products).backward(n, dy, dx, 1.0);
    }
}

/// Adds the LoRA part of a group to `y` [n, group output]; `inner` is scratch.
pub(crate) fn lora_forward(
    group: &GroupWeights<'_>,
    n: usize,
    x: &[f32],
    y: &mut [f32],
    inner: &mut Vec<f32>,
    dropout: Option<(LayerDropout, &mut Vec<f32>)>,
    how: How,
) {
    let inner = sized(inner, n * group.width());
    lora_inner(group, n, x, inner, dropout, how);
    lora_outer(group, n, inner, y, how);
}

/// First half of [`lora_forward`]: `inner` [n, width] = mask(x) Aᵀ of all slots, which the backward needs too.
pub(crate) fn lora_inner(
    group: &GroupWeights<'_>,
    n: usize,
    x: &[f32],
    inner: &mut [f32],
    dropout: Option<(LayerDropout, &mut Vec<f32>)>,
    how: How,
) {
    let (input, width) = (group.shape.input, group.width());
    match dropout {
        None if group.forward.is_none() => {
            let out = MatMut::dense(inner, n, width);
            linear(out, Into::Set, Mat::dense(x, n, input), group.a_all(), 1.0, how);
        }
        None => {
            for slot in 0..group.shape.slots.len() {
                inner_of(group, slot, Mat::dense(x, n, input), inner, how);
            }
        }
        Some((dropout, dropped)) => {
            let dropped = sized(dropped, n * input);
            for slot in 0..group.shape.slots.len() {
                dropout.mask(group, slot).apply(&x[..n * input], dropped);
                inner_of(group, slot, Mat::dense(dropped, n, input), inner, how);
            }
        }
    }
}

/// `inner` of one slot.
fn inner_of(group: &GroupWeights<'_>, slot: usize, x: Mat<'_>, inner: &mut [f32], how: How) {
    let out = MatMut::strided(&mut inner[slot * group.rank..], x.rows, group.rank, group.width());
    match group.forward {
        Some(packs) => bf16::product(out, Into::Set, x, &packs[slot].a, 1.0, how.threads),
        None => linear(out, Into::Set, x, group.a(slot), 1.0, how),
    }
}

/// Second half of [`lora_forward`]: `y` += scale · inner Bᵀ.
pub(crate) fn lora_outer(group: &GroupWeights<'_>, n: usize, inner: &[f32], y: &mut [f32], how: How) {
    let width = group.width();
    for (i, slot) in group.shape.slots.iter().enumerate() {
        let u = Mat::strided(&inner[i * group.rank..], n, group.rank, width);
        let out = MatMut::strided(&mut y[slot.column..], n, slot.out, group.shape.output);
        match group.forward {
            Some(packs) => bf16::product(out, Into::Add, u, &packs[i].b, group.scale, how.threads),
            None => linear(out, Into::Add, u, group.b(i), group.scale, how),
        }
    }
}

/// What the backward of a group reads and the scratch it uses.
pub(crate) struct LoraBackward<'a> {
    pub(crate) group: GroupWeights<'a>,
    pub(crate) n: usize,
    /// The group's input [n, in] and saved inner activation.
    pub(crate) x: &'a [f32],
    pub(crate) inner: &'a [f32],
    /// Gradient of the group's joint output [n, out].
    pub(crate) dy: &'a [f32],
    pub(crate) d_inner: &'a mut Vec<f32>,
    pub(crate) dropout: Option<(LayerDropout, &'a mut Vec<f32>)>,
}

impl LoraBackward<'_> {
    /// Adds to the gradients of A and B, and to `dx` [n, in] when the input's gradient is wanted.
    pub(crate) fn run(self, grads: &mut GroupGrads<'_>, mut dx: Option<&mut [f32]>) {
        let LoraBackward { group, n, x, inner, dy, d_inner, dropout } = self;
        let (input, output, width, rank) = (group.shape.input, group.shape.output, group.width(), group.rank);
        let d_inner = sized(d_inner, n * width);
        for (i, slot) in group.shape.slots.iter().enumerate() {
            let dy = Mat::strided(&dy[slot.column..], n, slot.out, output);
            let u = Mat::strided(&inner[i * rank..], n, rank, width);
            let du = MatMut::strided(&mut d_inner[i * rank..], n, rank, width);
            match group.backward {
                Some(packs) => {
                    bf16::product(du, Into::Set, dy, &packs[i].b, group.scale, Threads::All);
                    adapted_gradient::of_b(grads.b(i), dy, u, group.scale);
                }
                None => {
                    matmul(du, Into::Set, dy, group.b(i), group.scale, Threads::All);
                    matmul(grads.b(i), Into::Add, dy.t(), u, group.scale, Threads::All);
                }
            }
        }
        let Some((dropout, dropped)) = dropout else {
            if let Some(packs) = group.backward {
                for (i, packs) in packs.iter().enumerate() {
                    let du = Mat::strided(&d_inner[i * rank..], n, rank, width);
                    adapted_gradient::of_a(grads.a(i), du, Mat::dense(x, n, input));
                    if let Some(dx) = &mut dx {
                        let dx = MatMut::dense(dx, n, input);
                        bf16::product(dx, Into::Add, du, &packs.a, 1.0, Threads::All);
                    }
                }
                return;
            }
            let du = Mat::dense(d_inner, n, width);
            matmul(grads.a_all(), Into::Add, du.t(), Mat::dense(x, n, input), 1.0, Threads::All);
            if let Some(dx) = dx {
                matmul(MatMut::dense(dx, n, input), Into::Add, du, group.a_all(), 1.0, Threads::All);
            }
            return;
        };
        let dropped = sized(dropped, n * input);
        for i in 0..group.shape.slots.len() {
            let mask = dropout.mask(&group, i);
            let du = Mat::strided(&d_inner[i * rank..], n, rank, width);
            mask.apply(&x[..n * input], dropped);
            let x = Mat::dense(dropped, n, input);
            match group.backward {
                Some(_) => adapted_gradient::of_a(grads.a(i), du, x),
                None => matmul(grads.a(i), Into::Add, du.t(), x, 1.0, Threads::All),
            }
            if let Some(dx) = &mut dx {
                let out = MatMut::dense(dropped, n, input);
                match group.backward {
                    Some(packs) => bf16::product(out, Into::Set, du, &packs[i].a, 1.0, Threads::All),
                    None => matmul(out, Into::Set, du, group.a(i), 1.0, Threads::All),
                }
                mask.apply_add(dropped, &mut dx[..n * input]);
            }
        }
    }
}
