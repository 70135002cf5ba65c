//! In what numbers training and scoring multiply with the frozen weights.

use serde::{Deserialize, Serialize};

use super::{Decoder, Linear};
use crate::kernel::bf16::{Packed, available};

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

impl Linear {
    /// The packs, made when they are first asked for; `None` in f32.
    pub(super) fn packs(&self, precision: Precision) -> Option<&Packs> {
        (precision == Precision::Bf16)
            .then(|| self.packs.get_or_init(|| Packs::of(&self.weight, self.out, self.input)))
    }
}

impl Decoder {
    /// The head's packs.
    pub(super) fn head_packs(&self, precision: Precision) -> Option<&Packs> {
        let (vocab, hidden) = (self.config.vocab_size, self.config.hidden_size);
        (precision == Precision::Bf16)
            .then(|| self.head_packs.get_or_init(|| Packs::of(self.head(), vocab, hidden)))
    }
}
