//! Keys and values of the positions a sequence has seen.

use std::sync::Arc;

use crate::config::ModelConfig;
use crate::kernel::attend::Cached;
use crate::lora::LoraWeights;

/// Room for `capacity` positions: per block and key/value head, keys [capacity, head_dim] and as many values.
#[derive(Debug)]
pub(super) struct Cache {
    keys: Vec<f32>,
    values: Vec<f32>,
    pub(super) len: usize,
    pub(super) capacity: usize,
    kv_heads: usize,
    head_dim: usize,
}

impl Cache {
    /// Reserves address space; the system gives pages as positions are written.
    pub(super) fn new(config: &ModelConfig, capacity: usize) -> Self {
        let numbers = config.layers * config.kv_dim() * capacity;
        Cache {
            keys: vec![0.0; numbers],
            values: vec![0.0; numbers],
            len: 0,
            capacity,
            kv_heads: config.kv_heads,
            head_dim: config.head_dim,
        }
    }

    fn start(&self, layer: usize, head: usize) -> usize {
        (layer * self.kv_heads + head) * self.capacity * self.head_dim
    }

    /// Stores the key and value (all heads one after another) of one position of one block.
    pub(super) fn store(&mut self, layer: usize, position: usize, key: &[f32], value: &[f32]) {
        let dim = self.head_dim;
        for (head, (key, value)) in key.chunks_exact(dim).zip(value.chunks_exact(dim)).enumerate() {
            let at = self.start(layer, head) + position * dim;
            self.keys[at..at + dim].copy_from_slice(key);
            self.values[at..at + dim].copy_from_slice(value);
        }
    }

    /// Begins with the positions of a cache of the same model, for which there must be room.
    pub(super) fn copy_from(&mut self, config: &ModelConfig, parent: &Cache) {
        for layer in 0..config.layers {
            for head in 0..self.kv_heads {
                let from = parent.head(layer, head, parent.len);
                let at = self.start(layer, head);
                self.keys[at..at + from.keys.len()].copy_from_slice(from.keys);
                self.values[at..at + from.values.len()].copy_from_slice(from.values);
            }
        }
        self.len = parent.len;
    }

    pub(super) fn bytes(&self) -> usize {
        (self.keys.len() + self.values.len()) * size_of::<f32>()
    }

    /// The first `positions` of one head of one block.
    pub(super) fn head(&self, layer: usize, head: usize, positions: usize) -> Cached<'_> {
        let at = self.start(layer, head);
        let range = at..at + positions * self.head_dim;
        Cached { keys: &self.keys[range.clone()], values: &self.values[range] }
    }
}

/// Keys and values of a prompt prefix, computed once and shared by any number of sequences.
#[derive(Debug)]
pub struct KvBlock {
    pub(super) cache: Cache,
    pub(super) adapter: Option<Arc<LoraWeights>>,
}

impl KvBlock {
    /// Positions in the block.
    pub fn len(&self) -> usize {
        self.cache.len
    }

    /// Memory of the block in bytes.
    pub fn bytes(&self) -> usize {
        self.cache.bytes()
    }

    /// Whether the block has no positions.
    pub fn is_empty(&self) -> bool {
        self.cache.len == 0
    }
}

/// Whether both are the same adapter: the same allocation, or equal in every number.
pub(super) fn same_adapter(a: Option<&Arc<LoraWeights>>, b: Option<&Arc<LoraWeights>>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a == b,
        _ => false,
    }
}
