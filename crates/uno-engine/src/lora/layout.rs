//! Where each tensor of an adapter lies in one flat buffer.
//!
//! Layers that share an input (q, k, v; gate, up) keep their A factors next to each other, so that one product serves all.

use super::target::{LoraConfig, Side, Target, TensorName};
use crate::config::ModelConfig;
use crate::error::EngineError;

/// Far above any use; keeps sizes that a damaged file claims within what can be counted.
const MAX_RANK: usize = 1 << 16;

/// Layers of a block that read the same input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// q, k, v: the normalised residual stream.
    AttentionIn,
    /// o: the heads' outputs.
    AttentionOut,
    /// gate, up: the normalised residual stream.
    MlpIn,
    /// down: the activation.
    MlpOut,
}

impl Group {
    pub(crate) const ALL: [Group; 4] = [Group::AttentionIn, Group::AttentionOut, Group::MlpIn, Group::MlpOut];
}

/// One adapted layer within its group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Slot {
    pub(crate) target: Target,
    /// First column of this layer in the group's joint output (q | k | v, gate | up).
    pub(crate) column: usize,
    pub(crate) out: usize,
    /// Offset of A [rank, in] and of B [out, rank] in a layer's part of the buffer.
    pub(crate) a: usize,
    pub(crate) b: usize,
}

/// The adapted layers of one group; empty when the adapter leaves the group alone.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GroupShape {
    pub(crate) input: usize,
    /// Width of the group's joint output.
    pub(crate) output: usize,
    pub(crate) slots: Vec<Slot>,
}

/// The whole adapter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layout {
    pub(crate) layers: usize,
    pub(crate) rank: usize,
    pub(crate) groups: [GroupShape; 4],
    /// Numbers per layer.
    pub(crate) per_layer: usize,
}

fn column_and_out(model: &ModelConfig, target: Target) -> (usize, usize) {
    let (q, kv, inner) = (model.q_dim(), model.kv_dim(), model.intermediate_size);
    match target {
        Target::Q => (0, q),
        Target::K => (q, kv),
        Target::V => (q + kv, kv),
        Target::Qkv => (0, q + 2 * kv),
        Target::O | Target::Down => (0, model.hidden_size),
        Target::Gate => (0, inner),
        Target::Up => (inner, inner),
        Target::GateUp => (0, 2 * inner),
    }
}

fn group_of(target: Target) -> Group {
    match target {
        Target::Q | Target::K | Target::V | Target::Qkv => Group::AttentionIn,
        Target::O => Group::AttentionOut,
        Target::Gate | Target::Up | Target::GateUp => Group::MlpIn,
        Target::Down => Group::MlpOut,
    }
}

impl Layout {
    /// Fails when the rank is 0, there is no target, or the model has no such layer.
    pub(crate) fn new(model: &ModelConfig, config: &LoraConfig) -> Result<Layout, EngineError> {
        let fault = |what: String| EngineError::adapter("in memory", what);
        if config.rank == 0 || config.targets.is_empty() {
            return Err(fault("rank and the list of target modules must not be zero or empty".into()));
        }
        if config.rank > MAX_RANK {
            return Err(fault(format!("rank {} is more than {MAX_RANK}", config.rank)));
        }
        if let Some(target) = config.targets.iter().find(|t| !t.exists_in(model)) {
            return Err(fault(format!("a {} model has no {}", model.arch.name(), target.module())));
        }
        let mut offset = 0;
        let groups = Group::ALL.map(|group| {
            let (input, output) = match group {
                Group::AttentionIn => (model.hidden_size, model.q_dim() + 2 * model.kv_dim()),
                Group::AttentionOut => (model.q_dim(), model.hidden_size),
                Group::MlpIn => (model.hidden_size, 2 * model.intermediate_size),
                Group::MlpOut => (model.intermediate_size, model.hidden_size),
            };
            let chosen =
                Target::ALL.into_iter().filter(|t| group_of(*t) == group && config.targets.contains(t));
            let mut slots: Vec<Slot> = chosen
                .map(|target| {
                    let (column, out) = column_and_out(model, target);
                    Slot { target, column, out, a: 0, b: 0 }
                })
                .collect();
            for slot in &mut slots {
                slot.a = offset;
                offset += config.rank * input;
            }
            for slot in &mut slots {
                slot.b = offset;
                offset += slot.out * config.rank;
            }
            GroupShape { input, output, slots }
        });
        Ok(Layout { layers: model.layers, rank: config.rank, groups, per_layer: offset })
    }

    /// Numbers in the buffer.
    pub(crate) fn len(&self) -> usize {
        self.layers * self.per_layer
    }

    pub(crate) fn group(&self, group: Group) -> &GroupShape {
        &self.groups[group as usize]
    }

    /// Name and shape of each tensor, in the order of the buffer and without gaps.
    pub(crate) fn tensors(&self) -> Vec<(TensorName, [usize; 2])> {
        let mut all = Vec::new();
        for layer in 0..self.layers {
            for group in &self.groups {
                for slot in &group.slots {
                    let name = TensorName { layer, target: slot.target, side: Side::A };
                    all.push((name, [self.rank, group.input]));
                }
                for slot in &group.slots {
                    let name = TensorName { layer, target: slot.target, side: Side::B };
                    all.push((name, [slot.out, self.rank]));
                }
            }
        }
        all
    }

    /// Cuts a buffer of this layout into its tensors.
    pub(crate) fn cut<'a>(
        &self,
        mut data: &'a [f32],
    ) -> impl Iterator<Item = (TensorName, [usize; 2], &'a [f32])> + use<'a> {
        self.tensors().into_iter().map(move |(name, shape)| {
            let (tensor, rest) = data.split_at(shape[0] * shape[1]);
            data = rest;
            (name, shape, tensor)
        })
    }

    /// [`Layout::cut`] for writing.
    pub(crate) fn cut_mut<'a>(
        &self,
        mut data: &'a mut [f32],
    ) -> impl Iterator<Item = (TensorName, [usize; 2], &'a mut [f32])> + use<'a> {
        self.tensors().into_iter().map(move |(name, shape)| {
            let (tensor, rest) = std::mem::take(&mut data).split_at_mut(shape[0] * shape[1]);
            data = rest;
            (name, shape, tensor)
        })
    }
}
