//! Keys and values of the positions a sequence has seen.

use std::ops::Range;
use std::sync::Arc;

use half::bf16;
use half::slice::HalfFloatSliceExt;

use crate::config::ModelConfig;
use crate::decoder::Precision;
use crate::kernel::attend::{Cached, Numbers};
use crate::lora::LoraWeights;

/// Room for `capacity` positions: per block and key/value head, keys [capacity, head_dim] and as many values.
#[derive(Debug)]
pub(super) struct Cache {
    keys: Room,
    values: Room,
    pub(super) len: usize,
    pub(super) capacity: usize,
    kv_heads: usize,
    head_dim: usize,
}

/// Numbers of a cache: attention reads all of them for every token, so it is what long sequences wait for.
#[derive(Debug)]
enum Room {
    F32(Vec<f32>),
    Bf16(Vec<bf16>),
}

impl Room {
    fn new(numbers: usize, precision: Precision) -> Self {
        match precision {
            Precision::F32 => Room::F32(vec![0.0; numbers]),
            Precision::Bf16 | Precision::Int8 => Room::Bf16(vec![bf16::ZERO; numbers]),
        }
    }

    fn store(&mut self, at: usize, numbers: &[f32]) {
        let range = at..at + numbers.len();
        match self {
            Room::F32(room) => room[range].copy_from_slice(numbers),
            Room::Bf16(room) => room[range].convert_from_f32_slice(numbers),
        }
    }

    fn copy(&mut self, at: usize, numbers: Numbers<'_>) {
        match (self, numbers) {
            (Room::F32(room), Numbers::F32(from)) => room[at..at + from.len()].copy_from_slice(from),
            (Room::Bf16(room), Numbers::Bf16(from)) => room[at..at + from.len()].copy_from_slice(from),
            // Caches of one model hold the same kind of numbers.
            (Room::F32(room), Numbers::Bf16(from)) => {
                from.convert_to_f32_slice(&mut room[at..at + from.len()])
            }
            (Room::Bf16(room), Numbers::F32(from)) => room[at..at + from.len()].convert_from_f32_slice(from),
        }
    }

    fn numbers(&self, range: Range<usize>) -> Numbers<'_> {
        match self {
            Room::F32(room) => Numbers::F32(&room[range]),
            Room::Bf16(room) => Numbers::Bf16(&room[range]),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Room::F32(room) => size_of_val(room.as_slice()),
            Room::Bf16(room) => size_of_val(room.as_slice()),
        }
    }
}

impl Cache {
    /// Reserves address space; the system gives pages as positions are written.
    pub(super) fn new(config: &ModelConfig, precision: Precision, capacity: usize) -> Self {
        let numbers = config.layers * config.kv_dim() * capacity;
        Cache {
            keys: Room::new(numbers, precision),
            values: Room::new(numbers, precision),
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
            self.keys.store(at, key);
            self.values.store(at, value);
        }
    }

    /// Begins with the positions of a cache of the same model, for which there must be room.
    pub(super) fn copy_from(&mut self, config: &ModelConfig, parent: &Cache) {
        for layer in 0..config.layers {
            for head in 0..self.kv_heads {
                let from = parent.head(layer, head, parent.len);
                let at = self.start(layer, head);
                self.keys.copy(at, from.keys);
                self.values.copy(at, from.values);
            }
        }
        self.len = parent.len;
    }

    pub(super) fn bytes(&self) -> usize {
        self.keys.bytes() + self.values.bytes()
    }

    /// The first `positions` of one head of one block.
    pub(super) fn head(&self, layer: usize, head: usize, positions: usize) -> Cached<'_> {
        let at = self.start(layer, head);
        let range = at..at + positions * self.head_dim;
        Cached { keys: self.keys.numbers(range.clone()), values: self.values.numbers(range) }
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
