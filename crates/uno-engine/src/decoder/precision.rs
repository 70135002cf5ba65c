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

/// In what the passes of training multiply with frozen weights, by direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Products {
    /// Activations: what log-probabilities come from.
    pub forward: Precision,
    /// Gradients of activations.
    pub backward: Precision,
}

impl Products {
    /// The same in either direction.
    pub fn both(precision: Precision) -> Self {
        Products { forward: precision, backward: precision }
    }

    /// What this machine makes of it.
    pub fn effective(self) -> Self {
        Products { forward: self.forward.effective(), backward: self.backward.effective() }
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
    /// In bf16, when products are to be, by direction.
    forward: Option<&'a Packs>,
    backward: Option<&'a Packs>,
}

impl<'a> Frozen<'a> {
    fn new(weight: &'a [f32], [out, input]: [usize; 2], packs: &'a Packs, products: Products) -> Self {
        let packed = |precision| (precision == Precision::Bf16).then_some(packs);
        let (forward, backward) = (packed(products.forward), packed(products.backward));
        Frozen { weight, out, input, forward, backward }
    }

    fn weight(&self) -> Mat<'_> {
        Mat::dense(self.weight, self.out, self.input)
    }

    /// `y` [n, out] = x Wᵀ.
    pub(crate) fn forward(&self, n: usize, x: &[f32], y: &mut [f32], how: How) {
        let y = MatMut::dense(y, n, self.out);
        match self.forward {
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
        match self.backward {
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
    pub(super) fn frozen(&self, products: Products) -> Frozen<'_> {
        Frozen::new(&self.weight, [self.out, self.input], &self.packs, products)
    }
}

impl Decoder {
    /// The output head [vocab, hidden].
    pub(crate) fn frozen_head(&self, products: Products) -> Frozen<'_> {
        let shape = [self.config.vocab_size, self.config.hidden_size];
        Frozen::new(self.head(), shape, &self.head_packs, products)
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
