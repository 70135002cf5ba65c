//! An adapter in the numbers that generation multiplies with: a decoding step reads all of an adapter for one row, so its
//! size in memory is its cost.

use std::sync::OnceLock;

use super::layout::Group;
use super::train_packs::TrainPacks;
use super::weights::{GroupWeights, LoraWeights};
use crate::decoder::Precision;
use crate::kernel::matrix::{Mat, MatMut};
use crate::kernel::parallel::made_once;
use crate::kernel::product::{How, Into, linear};
use crate::kernel::{bf16, int8};

/// One factor; `F32` is multiplied with as it stands.
#[derive(Debug)]
enum Factor {
    F32,
    Bf16(bf16::Packed),
    Int8(int8::Packed),
}

impl Factor {
    fn new(w: Mat<'_>, precision: Precision) -> Self {
        // Short sums (B of a small rank) would mostly be padding in groups of 64.
        let eight = precision == Precision::Int8 && w.cols.is_multiple_of(int8::GROUP);
        match precision {
            Precision::Int8 if eight && int8::available() => Factor::Int8(int8::Packed::of_transpose(w)),
            Precision::Int8 | Precision::Bf16 if bf16::available() => {
                Factor::Bf16(bf16::Packed::of_transpose(w))
            }
            _ => Factor::F32,
        }
    }

    /// `y (+)= scale · x · wᵀ`, where this was made of `w`.
    fn product(&self, y: MatMut<'_>, into: Into, x: Mat<'_>, w: Mat<'_>, scale: f32, how: How) {
        match self {
            Factor::F32 => linear(y, into, x, w, scale, how),
            Factor::Bf16(packed) => bf16::product(y, into, x, packed, scale, how.threads),
            Factor::Int8(packed) => int8::product(y, into, x, packed, scale, how.threads),
        }
    }
}

/// The factors of one group of one layer.
#[derive(Debug)]
pub(crate) struct PackedGroup {
    a: Factor,
    b: Vec<Factor>,
}

impl PackedGroup {
    fn new(weights: &GroupWeights<'_>, precision: Precision) -> Self {
        let b = (0..weights.shape.slots.len()).map(|slot| Factor::new(weights.b(slot), precision));
        PackedGroup { a: Factor::new(weights.a_all(), precision), b: b.collect() }
    }

    /// Adds the adapter's part to `y` [n, group output]; `inner` is scratch of [n, width].
    pub(crate) fn forward(
        &self,
        weights: &GroupWeights<'_>,
        n: usize,
        x: &[f32],
        y: &mut [f32],
        inner: &mut [f32],
        how: How,
    ) {
        let (shape, width) = (weights.shape, weights.width());
        let x = Mat::dense(x, n, shape.input);
        self.a.product(MatMut::dense(inner, n, width), Into::Set, x, weights.a_all(), 1.0, how);
        for (i, (slot, b)) in shape.slots.iter().zip(&self.b).enumerate() {
            let u = Mat::strided(&inner[i * weights.rank..], n, weights.rank, width);
            let out = MatMut::strided(&mut y[slot.column..], n, slot.out, shape.output);
            b.product(out, Into::Add, u, weights.b(i), weights.scale, how);
        }
    }
}

/// All groups of all layers, in the order of [`Group::ALL`] within a layer.
type Groups = Vec<Option<PackedGroup>>;

/// What an adapter was packed to so far. Not part of its value: copies begin without, and changing the weights drops it.
#[derive(Debug, Default)]
pub(crate) struct Packs {
    bf16: OnceLock<Groups>,
    int8: OnceLock<Groups>,
    pub(super) train: TrainPacks,
}

impl Clone for Packs {
    fn clone(&self) -> Self {
        Packs::default()
    }
}

impl PartialEq for Packs {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl LoraWeights {
    /// The group of a layer in `precision`; `None` when the adapter leaves it alone, or for f32.
    pub(crate) fn packed(&self, layer: usize, group: Group, precision: Precision) -> Option<&PackedGroup> {
        let packs = match precision {
            Precision::F32 => return None,
            Precision::Bf16 => &self.packs.bf16,
            Precision::Int8 => &self.packs.int8,
        };
        let all = made_once(packs, || {
            let each = (0..self.layout.layers).flat_map(|layer| Group::ALL.map(|group| (layer, group)));
            each.map(|(layer, group)| self.group(layer, group).map(|w| PackedGroup::new(&w, precision)))
                .collect()
        });
        all[layer * Group::ALL.len() + group as usize].as_ref()
    }
}
