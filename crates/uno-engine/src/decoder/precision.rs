//! In what numbers training and scoring multiply with the frozen weights, and those products in both directions.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::{Decoder, Linear};
use crate::kernel::matrix::{Mat, MatMut};
use crate::kernel::parallel::made_once;
use crate::kernel::product::{How, Into, Threads, linear, matmul};
use crate::kernel::{bf16, int8};

/// Factors of the products with frozen weights and with adapters. Sums, norms, attention of training, and the weights and
/// gradients that an optimiser sees are f32 in any case. What has fewer bits is greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// Exact f32.
    #[default]
    F32,
    /// Weights and activations rounded to bf16, on machines with AVX512-BF16; f32 elsewhere.
    Bf16,
    /// Weights and activations rounded to 8 bits in groups of 64, on machines with AVX512-VNNI; as bf16 elsewhere. For
    /// generation and scoring; there is no training in it.
    Int8,
}

impl Precision {
    /// What this machine makes of it.
    pub fn effective(self) -> Self {
        match self {
            Precision::Int8 if int8::available() => Precision::Int8,
            Precision::Int8 | Precision::Bf16 if bf16::available() => Precision::Bf16,
            _ => Precision::F32,
        }
    }
}

/// In what the passes of training multiply with frozen weights and with the adapter, by direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Products {
    /// Activations: what log-probabilities come from.
    pub forward: Precision,
    /// Gradients of activations, and of the adapter from them.
    pub backward: Precision,
}

impl Products {
    /// The same in either direction.
    pub fn both(precision: Precision) -> Self {
        Products { forward: precision, backward: precision }
    }

    /// What this machine makes of it.
    pub fn effective(self) -> Self {
        let backward = match self.backward {
            // Gradients do not bear 8 bits.
            Precision::Int8 => Precision::Bf16,
            other => other,
        };
        Products { forward: self.forward.effective(), backward: backward.effective() }
    }
}

/// A frozen matrix in other numbers, made once a product has asked for it.
#[derive(Debug, Default)]
pub(crate) struct Packs {
    /// [in, out]: y = x Wᵀ, two bytes a weight.
    forward: OnceLock<bf16::Packed>,
    /// [out, in]: dx = dy W, two bytes a weight.
    backward: OnceLock<bf16::Packed>,
    /// [in, out]: y = x Wᵀ, one byte a weight.
    eight: OnceLock<int8::Packed>,
}

/// A frozen weight [out, in] in the forms that a product may read.
#[derive(Clone, Copy)]
pub(crate) struct Frozen<'a> {
    pub(super) weight: &'a [f32],
    pub(super) out: usize,
    pub(super) input: usize,
    packs: &'a Packs,
    products: Products,
}

impl<'a> Frozen<'a> {
    fn weight(&self) -> Mat<'a> {
        Mat::dense(self.weight, self.out, self.input)
    }

    /// `y` [n, out] = x Wᵀ.
    pub(crate) fn forward(&self, n: usize, x: &[f32], y: &mut [f32], how: How) {
        let (x, y) = (Mat::dense(x, n, self.input), MatMut::dense(y, n, self.out));
        match self.products.forward {
            Precision::F32 => linear(y, Into::Set, x, self.weight(), 1.0, how),
            Precision::Bf16 => {
                let w = made_once(&self.packs.forward, || bf16::Packed::of_transpose(self.weight()));
                bf16::product(y, Into::Set, x, w, 1.0, how.threads);
            }
            Precision::Int8 => {
                let w = made_once(&self.packs.eight, || int8::Packed::of_transpose(self.weight()));
                int8::product(y, Into::Set, x, w, 1.0, how.threads);
            }
        }
    }

    /// `dx` [n, in] = scale · dy W.
    pub(super) fn backward(&self, n: usize, dy: &[f32], dx: &mut [f32], scale: f32) {
        let (dy, dx) = (Mat::dense(dy, n, self.out), MatMut::dense(dx, n, self.input));
        match self.products.backward {
            Precision::F32 => matmul(dx, Into::Set, dy, self.weight(), scale, Threads::All),
            Precision::Bf16 | Precision::Int8 => {
                let w = made_once(&self.packs.backward, || bf16::Packed::of(self.weight()));
                bf16::product(dx, Into::Set, dy, w, scale, Threads::All);
            }
        }
    }
}

impl Linear {
    pub(super) fn frozen(&self, products: Products) -> Frozen<'_> {
        Frozen { weight: &self.weight, out: self.out, input: self.input, packs: &self.packs, products }
    }
}

impl Decoder {
    /// The output head [vocab, hidden].
    pub(crate) fn frozen_head(&self, products: Products) -> Frozen<'_> {
        let (out, input) = (self.config.vocab_size, self.config.hidden_size);
        Frozen { weight: self.head(), out, input, packs: &self.head_packs, products }
    }

    /// Lets generation multiply with the frozen weights in `precision`, where this machine can. What is generated then
    /// differs in the last bits of every log-probability, so callers that keep generations must tell the two apart.
    #[must_use]
    pub fn generating_in(mut self, precision: Precision) -> Self {
        self.generation = precision.effective();
        self
    }

    /// Memory that a position of a sequence takes in generation, in bytes: keys and values are bf16 unless generation is f32.
    pub fn kv_bytes_per_token(&self) -> usize {
        let each = match self.generation {
            Precision::F32 => size_of::<f32>(),
            Precision::Bf16 | Precision::Int8 => size_of::<half::bf16>(),
        };
        2 * self.config.layers * self.config.kv_dim() * each
    }

    /// In what generation multiplies.
    pub fn generation_precision(&self) -> Precision {
        self.generation
    }
}
