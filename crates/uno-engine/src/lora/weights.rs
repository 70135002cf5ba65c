//! An adapter's weights.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::grads::LoraGrads;
use super::layout::{Group, GroupShape, Layout};
use super::packed::Packs;
use super::target::{LoraConfig, Side, TensorName};
use super::train_packs::SlotPacks;
use crate::config::ModelConfig;
use crate::error::EngineError;
use crate::kernel::matrix::Mat;

/// The A and B factors of every adapted layer. Cheap to share in an `Arc`; plain data, so a trainer changes it in place.
#[derive(Debug, Clone, PartialEq)]
pub struct LoraWeights {
    /// Rank, strength and adapted layers.
    pub config: LoraConfig,
    pub(crate) layout: Layout,
    pub(crate) data: Vec<f32>,
    pub(super) packs: Packs,
}

impl LoraWeights {
    /// All zero; an adapter that changes nothing and, as both factors are zero, cannot be trained.
    ///
    /// # Errors
    /// [`EngineError::Adapter`] when the rank is 0, no layer is named, or the model lacks one.
    pub fn zeros(model: &ModelConfig, mut config: LoraConfig) -> Result<Self, EngineError> {
        config.targets.sort();
        config.targets.dedup();
        let layout = Layout::new(model, &config)?;
        Ok(LoraWeights { data: vec![0.0; layout.len()], config, layout, packs: Packs::default() })
    }

    /// How many numbers an adapter of this shape has.
    ///
    /// # Errors
    /// As [`LoraWeights::zeros`].
    pub fn numbers(model: &ModelConfig, config: &LoraConfig) -> Result<usize, EngineError> {
        Ok(Layout::new(model, config)?.len())
    }

    /// PEFT's start: A uniform in ±1/sqrt(in) (Kaiming uniform with a = sqrt 5), B zero, so that the adapter changes nothing
    /// yet. Each tensor has a random stream of its own: the same seed gives the same tensor whatever the other targets are.
    ///
    /// # Errors
    /// As [`LoraWeights::zeros`].
    pub fn init(model: &ModelConfig, config: LoraConfig, seed: u64) -> Result<Self, EngineError> {
        let mut weights = LoraWeights::zeros(model, config)?;
        for (name, [_, input], data) in weights.tensors_mut().filter(|(name, ..)| name.side == Side::A) {
            let bound = 1.0 / (input as f32).sqrt();
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream((name.layer * 64 + name.target as usize) as u64);
            data.fill_with(|| rng.random_range(-bound..bound));
        }
        Ok(weights)
    }

    /// Gradients of the same layout, all zero.
    pub fn zeros_like(&self) -> LoraGrads {
        LoraGrads::zeros_like(self)
    }

    /// Name, shape [rows, columns] and row-major data of each tensor, in a fixed order.
    pub fn tensors(&self) -> impl Iterator<Item = (TensorName, [usize; 2], &[f32])> {
        self.layout.cut(&self.data)
    }

    /// [`LoraWeights::tensors`] for changing them.
    pub fn tensors_mut(&mut self) -> impl Iterator<Item = (TensorName, [usize; 2], &mut [f32])> {
        self.packs = Packs::default();
        self.layout.cut_mut(&mut self.data)
    }

    /// All numbers, tensor after tensor in the order of [`LoraWeights::tensors`]; [`LoraGrads::as_slice`] lines up with it.
    pub fn as_slice(&self) -> &[f32] {
        &self.data
    }

    /// [`LoraWeights::as_slice`] for changing them.
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        self.packs = Packs::default();
        &mut self.data
    }

    /// Fails unless the adapter was made for a model of this shape.
    pub(crate) fn check_model(&self, model: &ModelConfig) -> Result<(), EngineError> {
        if Layout::new(model, &self.config)? == self.layout {
            Ok(())
        } else {
            Err(EngineError::adapter("in memory", "its shapes are those of another base model"))
        }
    }

    /// The part of one group in one layer, or `None` when the adapter leaves the group alone.
    pub(crate) fn group(&self, layer: usize, group: Group) -> Option<GroupWeights<'_>> {
        let shape = self.layout.group(group);
        let data = &self.data[layer * self.layout.per_layer..(layer + 1) * self.layout.per_layer];
        (!shape.slots.is_empty()).then(|| GroupWeights {
            shape,
            data,
            rank: self.layout.rank,
            scale: self.config.scale(),
            forward: None,
            backward: None,
        })
    }
}

/// The factors of the layers of one group.
#[derive(Clone, Copy)]
pub(crate) struct GroupWeights<'a> {
    pub(crate) shape: &'a GroupShape,
    pub(super) data: &'a [f32],
    pub(crate) rank: usize,
    pub(crate) scale: f32,
    /// The slots' factors in bf16, where a direction's products are.
    pub(crate) forward: Option<&'a [SlotPacks]>,
    pub(crate) backward: Option<&'a [SlotPacks]>,
}

impl<'a> GroupWeights<'a> {
    /// Columns of the joint inner activation.
    pub(crate) fn width(&self) -> usize {
        self.shape.slots.len() * self.rank
    }

    /// All A factors, one under the other: [slots * rank, in].
    pub(crate) fn a_all(&self) -> Mat<'a> {
        Mat::dense(&self.data[self.shape.slots[0].a..], self.width(), self.shape.input)
    }

    /// A of one slot: [rank, in].
    pub(crate) fn a(&self, slot: usize) -> Mat<'a> {
        Mat::dense(&self.data[self.shape.slots[slot].a..], self.rank, self.shape.input)
    }

    /// B of one slot: [out, rank].
    pub(crate) fn b(&self, slot: usize) -> Mat<'a> {
        Mat::dense(&self.data[self.shape.slots[slot].b..], self.shape.slots[slot].out, self.rank)
    }
}
