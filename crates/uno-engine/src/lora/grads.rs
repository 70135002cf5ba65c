//! Gradients of an adapter.

use super::layout::{Group, GroupShape, Layout};
use super::target::TensorName;
use super::weights::LoraWeights;
use crate::kernel::matrix::MatMut;

/// A gradient for each number of a [`LoraWeights`], in the same order.
#[derive(Debug, Clone, PartialEq)]
pub struct LoraGrads {
    pub(crate) layout: Layout,
    data: Vec<f32>,
}

impl LoraGrads {
    /// All zero, in the layout of `weights`.
    pub fn zeros_like(weights: &LoraWeights) -> Self {
        LoraGrads { layout: weights.layout.clone(), data: vec![0.0; weights.data.len()] }
    }

    /// Sets all to zero, for the next step.
    pub fn zero(&mut self) {
        self.data.fill(0.0);
    }

    /// Multiplies all, as averaging and clipping do.
    pub fn scale(&mut self, factor: f32) {
        self.data.iter_mut().for_each(|g| *g *= factor);
    }

    /// L2 norm over all tensors together, summed in f64.
    pub fn global_norm(&self) -> f32 {
        let squares = |part: &[f32]| part.iter().map(|g| f64::from(*g) * f64::from(*g)).sum::<f64>();
        // Partial sums of fixed length keep the result independent of the tensors' number and cheap to vectorise.
        self.data.chunks(4096).map(squares).sum::<f64>().sqrt() as f32
    }

    /// Name, shape [rows, columns] and data of each tensor, in the order of [`LoraWeights::tensors`].
    pub fn tensors(&self) -> impl Iterator<Item = (TensorName, [usize; 2], &[f32])> {
        self.layout.cut(&self.data)
    }

    /// [`LoraGrads::tensors`] for changing them.
    pub fn tensors_mut(&mut self) -> impl Iterator<Item = (TensorName, [usize; 2], &mut [f32])> {
        self.layout.cut_mut(&mut self.data)
    }

    /// All numbers; lines up with [`LoraWeights::as_slice`].
    pub fn as_slice(&self) -> &[f32] {
        &self.data
    }

    /// [`LoraGrads::as_slice`] for changing them.
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        &mut self.data
    }

    /// The part of one group in one layer.
    pub(crate) fn group(&mut self, layer: usize, group: Group) -> GroupGrads<'_> {
        let per_layer = self.layout.per_layer;
        GroupGrads {
            shape: self.layout.group(group),
            data: &mut self.data[layer * per_layer..(layer + 1) * per_layer],
            rank: self.layout.rank,
        }
    }
}

/// Gradients of the layers of one group; see [`super::weights::GroupWeights`].
pub(crate) struct GroupGrads<'a> {
    shape: &'a GroupShape,
    data: &'a mut [f32],
    rank: usize,
}

impl GroupGrads<'_> {
    pub(crate) fn a_all(&mut self) -> MatMut<'_> {
        let rows = self.shape.slots.len() * self.rank;
        MatMut::dense(&mut self.data[self.shape.slots[0].a..], rows, self.shape.input)
    }

    pub(crate) fn a(&mut self, slot: usize) -> MatMut<'_> {
        MatMut::dense(&mut self.data[self.shape.slots[slot].a..], self.rank, self.shape.input)
    }

    pub(crate) fn b(&mut self, slot: usize) -> MatMut<'_> {
        let slot = &self.shape.slots[slot];
        MatMut::dense(&mut self.data[slot.b..], slot.out, self.rank)
    }
}
