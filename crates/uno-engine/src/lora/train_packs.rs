//! An adapter's factors in bf16 for the passes of training, packed again after every change of the weights.

use std::sync::OnceLock;

use super::layout::Group;
use super::weights::{GroupWeights, LoraWeights};
use crate::decoder::{Precision, Products};
use crate::kernel::bf16::Packed;
use crate::kernel::parallel::made_once;
use crate::kernel::team::each;

/// Both factors of one adapted layer, as right factors of one direction's products.
#[derive(Debug)]
pub(crate) struct SlotPacks {
    /// Forward: Aᵀ [in, rank]. Backward: A [rank, in].
    pub(crate) a: Packed,
    /// Forward: Bᵀ [rank, out]. Backward: B [out, rank].
    pub(crate) b: Packed,
}

/// Of all groups of all layers, in the order of [`Group::ALL`] within a layer.
type All = Vec<Vec<SlotPacks>>;

/// What was packed so far, by direction. Not part of an adapter's value.
#[derive(Debug, Default)]
pub(crate) struct TrainPacks {
    forward: OnceLock<All>,
    backward: OnceLock<All>,
}

impl LoraWeights {
    /// [`LoraWeights::group`] with the packs that products in `products` need.
    pub(crate) fn group_in(
        &self,
        layer: usize,
        group: Group,
        products: Products,
    ) -> Option<GroupWeights<'_>> {
        let at = layer * Group::ALL.len() + group as usize;
        let train = &self.packs.train;
        let forward = (products.forward == Precision::Bf16)
            .then(|| made_once(&train.forward, || self.pack(true))[at].as_slice());
        let backward = (products.backward == Precision::Bf16)
            .then(|| made_once(&train.backward, || self.pack(false))[at].as_slice());
        self.group(layer, group).map(|weights| GroupWeights { forward, backward, ..weights })
    }

    fn pack(&self, transpose: bool) -> All {
        let mut all: All = (0..self.layout.layers * Group::ALL.len()).map(|_| Vec::new()).collect();
        each(all.iter_mut().enumerate(), |(at, packs)| {
            let group = Group::ALL[at % Group::ALL.len()];
            let Some(weights) = self.group(at / Group::ALL.len(), group) else { return };
            packs.extend((0..weights.shape.slots.len()).map(|slot| {
                let (a, b) = (weights.a(slot), weights.b(slot));
                let [a, b] = if transpose { [a.t(), b.t()] } else { [a, b] }.map(Packed::of);
                SlotPacks { a, b }
            }));
        });
        all
    }
}
