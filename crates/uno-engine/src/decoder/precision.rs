//! In what numbers training and scoring multiply with the frozen weights, and those products in both directions.

use serde::{Deserialize, Serialize};

use super::{Decoder, Linear};
use crate::kernel::bf16::{Packed, available, product};
use crate::kernel::compact::Compact;
use crate::kernel::matrix::{Mat, MatMut};
use crate::kernel::product::{How, Into, Threads, linear_compact, matmul};

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

/// A frozen matrix packed for both directions: twice two bytes a weight.
#[derive(Debug)]
pub(crate) struct Packs {
    /// [in, out]: y = x Wᵀ.
    pub(crate) forward: Packed,
    /// [out, in]: dx = dy W.
    pub(crate) backward: Packed,
}

impl Packs {
    fn of(weight: &[f32], out: usize, input: usize) -> Self {
        Packs {
            forward: Packed::new(input, out, |k, n| weight[n * input + k]),
            backward: Packed::new(out, input, |k, n| weight[k * input + n]),
        }
    }
}

/// A frozen weight [out, in] in the forms that a product may read.
#[derive(Clone, Copy)]
pub(super) struct Frozen<'a> {
    pub(super) weight: &'a [f32],
    pub(super) out: usize,
    pub(super) input: usize,
    /// In fewer bytes, for generation.
    pub(super) compact: Option<&'a Compact>,
    /// In bf16, when products are to be.
    pub(super) packs: Option<&'a Packs>,
}

impl Frozen<'_> {
    fn weight(&self) -> Mat<'_> {
        Mat::dense(self.weight, self.out, self.input)
    }

    /// `y` [n, out] = x Wᵀ.
    pub(super) fn forward(&self, n: usize, x: &[f32], y: &mut [f32], how: How) {
        let y = MatMut::dense(y, n, self.out);
        match self.packs {
            Some(packs) => product(y, x, &packs.forward, 1.0),
            None => linear_compact(y, Mat::dense(x, n, self.input), self.weight(), self.compact, how),
        }
    }

    /// `dx` [n, in] = scale · dy W.
    pub(super) fn backward(&self, n: usize, dy: &[f32], dx: &mut [f32], scale: f32) {
        let dx = MatMut::dense(dx, n, self.input);
        match self.packs {
            Some(packs) => product(dx, dy, &packs.backward, scale),
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
            compact: self.compact.as_ref(),
            packs: self.packs(precision),
        }
    }

    /// The packs, made when they are first asked for; `None` in f32.
    fn packs(&self, precision: Precision) -> Option<&Packs> {
        (precision == Precision::Bf16)
            .then(|| self.packs.get_or_init(|| Packs::of(&self.weight, self.out, self.input)))
    }
}

impl Decoder {
    /// The output head [vocab, hidden]; scoring reads it in f32 or bf16.
    pub(super) fn frozen_head(&self, precision: Precision) -> Frozen<'_> {
        let (weight, out, input) = (self.head(), self.config.vocab_size, self.config.hidden_size);
        let packs = (precision == Precision::Bf16)
            .then(|| self.head_packs.get_or_init(|| Packs::of(weight, out, input)));
        Frozen { weight, out, input, compact: None, packs }
    }
}
