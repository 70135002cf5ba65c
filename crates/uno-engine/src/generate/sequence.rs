//! One sequence being continued.

use std::sync::Arc;

use super::cache::{Cache, KvBlock, same_adapter};
use crate::config::ModelConfig;
use crate::decoder::Precision;
use crate::error::EngineError;
use crate::lora::LoraWeights;

/// A sequence's own keys and values behind an optional shared prefix. Made by [`crate::Decoder::start`], fed by
/// [`crate::Decoder::advance`].
#[derive(Debug)]
pub struct Sequence {
    pub(super) prefix: Option<Arc<KvBlock>>,
    pub(super) adapter: Option<Arc<LoraWeights>>,
    pub(super) own: Cache,
    max_positions: usize,
    prefix_fits: bool,
}

impl Sequence {
    pub(super) fn new(
        config: &ModelConfig,
        precision: Precision,
        prefix: Option<Arc<KvBlock>>,
        adapter: Option<Arc<LoraWeights>>,
        capacity: usize,
    ) -> Self {
        let prefix_fits = prefix.as_ref().is_none_or(|p| same_adapter(p.adapter.as_ref(), adapter.as_ref()));
        let room = config.max_positions.saturating_sub(prefix.as_ref().map_or(0, |p| p.len()));
        Sequence {
            own: Cache::new(config, precision, capacity.min(room)),
            max_positions: config.max_positions,
            prefix,
            adapter,
            prefix_fits,
        }
    }

    /// A sequence whose own cache begins with a copy of `parent` and has room for `more` positions.
    pub(super) fn extending(
        config: &ModelConfig,
        precision: Precision,
        parent: &Arc<KvBlock>,
        adapter: Option<Arc<LoraWeights>>,
        more: usize,
    ) -> Self {
        let prefix_fits = same_adapter(parent.adapter.as_ref(), adapter.as_ref());
        let mut own = Cache::new(config, precision, (parent.len() + more).min(config.max_positions));
        own.copy_from(config, &parent.cache);
        Sequence { prefix: None, adapter, own, max_positions: config.max_positions, prefix_fits }
    }

    /// Memory reserved for the own positions, in bytes; the shared prefix is not counted.
    pub fn bytes(&self) -> usize {
        self.own.bytes()
    }

    /// Positions seen so far, the shared prefix included.
    pub fn len(&self) -> usize {
        self.prefix_len() + self.own.len
    }

    /// Whether nothing has been seen.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Own tokens that can still be fed.
    pub fn room(&self) -> usize {
        self.own.capacity - self.own.len
    }

    /// The adapter this sequence is generated with.
    pub fn adapter(&self) -> Option<&Arc<LoraWeights>> {
        self.adapter.as_ref()
    }

    /// Forgets the last positions, so that `len` remain; at most the own ones go.
    pub fn truncate(&mut self, len: usize) {
        self.own.len = self.own.len.min(len.saturating_sub(self.prefix_len()));
    }

    pub(super) fn prefix_len(&self) -> usize {
        self.prefix.as_ref().map_or(0, |p| p.len())
    }

    /// Fails unless `n` more tokens can be fed.
    pub(super) fn check(&self, n: usize) -> Result<(), EngineError> {
        if n == 0 {
            return Err(EngineError::Input("a row of the batch has no tokens to feed".into()));
        }
        if !self.prefix_fits {
            return Err(EngineError::Input(
                "the shared prefix was computed with another adapter than the sequence has; compute it per adapter".into(),
            ));
        }
        if n > self.room() {
            let capacity = self.prefix_len() + self.own.capacity;
            return Err(EngineError::ContextOverflow {
                needed: self.len() + n,
                capacity: capacity.min(self.max_positions),
            });
        }
        Ok(())
    }
}
