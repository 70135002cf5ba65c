//! In what numbers training and scoring multiply with the frozen weights, and those products in both directions.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::{Decoder, Linear};
use crate::kernel::bf16::{Packed, available, product};
use crate::kernel::matrix::{Mat, MatMut};
use crate::kernel::product::{How, Into, Threads, linear, matmul};

/// Factors of the products with frozen weights. Sums, adapters, norms, attention and all gradients of the adapter are f32
/// in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// Exact f32.
    #[default]
    F32,
    /// Weights and activations rounded to bf16, on machines with AVX512-BF16; f32 elsewhere.
    Bf16,
}

impl Precision {
    /// What this machine makes of it.
    pub fn effective(self) -> Self {
        if available() { self } else { Precision::F32 }
    }
}

/// A frozen matrix packed for either direction, two bytes a weight each, once a product has asked for it.
#[derive(Debug, Default)]
pub(crate) struct Packs {
    /// [in, out]: y = x Wᵀ.
    forward: OnceLock<Packed>,
    /// [out, in]: dx = dy W.
    backward: OnceLock<Packed>,
}

/// A frozen weight [out, in] in the forms that a product may read.
#[derive(Clone, Copy)]
pub(crate) struct Frozen<'a> {
    pub(super) weight: &'a [f32],
    pub(super) out: usize,
    pub(super) input: usize,
    /// In bf16, when products are to be.
    pub(super) packs: Option<&'a Packs>,
}

impl Frozen<'_> {
    fn weight(&self) -> Mat<'_> {
        Mat::dense(self.weight, self.out, self.input)
    }

    /// `y` [n, out] = x Wᵀ.
    pub(crate) fn forward(&self, n: usize, x: &[f32], y: &mut [f32], how: How) {
        let y = MatMut::dense(y, n, self.out);
        match self.packs {
            Some(packs) => {
                let pack = || Packed::new(self.input, self.out, |k, n| self.weight[n * self.input + k]);
                product(y, x, packs.forward.get_or_init(pack), 1.0);
            }
            None => linear(y, Into::Set, Mat::dense(x, n, self.input), self.weight(), 1.0, how),
        }
    }

    /// `dx` [n, in] = scale · dy W.
    pub(super) fn backward(&self, n: usize, dy: &[f32], dx: &mut [f32], scale: f32) {
        let dx = MatMut::dense(dx, n, self.input);
        match self.packs {
            Some(packs) => {
                let pack = || Packed::new(self.out, self.input, |k, n| self.weight[k * self.input + n]);
                product(dx, dy, packs.backward.get_or_init(pack), scale);
            }
            None => {
                matmul(dx, Into::Set, Mat::dense(dy, n, self.out), self.weight(), scale, Threads::All);
            }
        }
    }
}

impl Linear {
    pub(super) fn frozen(&self, precision: Precision) -> Frozen<'_> {
        Frozen {
            weight: &self.weight,
            out: self.out,
            input: self.input,
            packs: (precision == Precision::Bf16).then_some(&self.packs),
        }
    }
}

impl Decoder {
    /// The output head [vocab, hidden].
    pub(crate) fn frozen_head(&self, precision: Precision) -> Frozen<'_> {
        Frozen {
            weight: self.head(),
            out: self.config.vocab_size,
            input: self.config.hidden_size,
            packs: (precision == Precision::Bf16).then_some(&self.head_packs),
        }
    }

    /// Lets generation multiply with the frozen weights in `precision`, where this machine can. What is generated then
    /// differs in the last bits of every log-probability, so callers that keep generations must tell the two apart.
    #[must_use]
    pub fn generating_in(mut self, precision: Precision) -> Self {
        self.generation = precision.effective();
        self
    }

    /// In what generation multiplies.
    pub fn generation_precision(&self) -> Precision {
        self.generation
    }
}
