//! In what numbers a run trains.

use serde::{Deserialize, Serialize};
use uno_engine::{Precision, Products};

/// Factors of the products with frozen weights and with the adapter. Sums, the weights and gradients that the optimiser sees,
/// norms and attention are f32 in any case, and everything is f32 on machines without AVX512-BF16.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrainPrecision {
    /// Exact f32.
    F32,
    /// The forward in f32, so that losses, margins and references are exact; gradients through bf16.
    #[default]
    Mixed,
    /// Both directions in bf16.
    Bf16,
}

impl TrainPrecision {
    /// Precision of either direction, before the machine is asked.
    pub fn products(self) -> Products {
        match self {
            Self::F32 => Products::both(Precision::F32),
            Self::Mixed => Products { forward: Precision::F32, backward: Precision::Bf16 },
            Self::Bf16 => Products::both(Precision::Bf16),
        }
    }

    /// Bytes of packed weights that the products keep beside the f32 ones, per weight, on this machine.
    pub(crate) fn packed_bytes(self) -> usize {
        let Products { forward, backward } = self.products().effective();
        [forward, backward].into_iter().filter(|p| *p == Precision::Bf16).count() * 2
    }
}
