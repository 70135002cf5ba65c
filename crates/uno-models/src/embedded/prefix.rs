//! Prompt beginnings whose keys and values were computed once.

use std::sync::{Arc, Mutex, PoisonError};

use uno_engine::{Decoder, EngineError, KvBlock, LoraWeights};

/// Most tokens computed in one engine call; bounds its activations (a 135 M model takes about 30 KiB a token).
const CHUNK: usize = 1024;

/// Recently used beginnings, least recently used first, up to a number of bytes. Kept across calls: the same few-shot
/// instructions come again with every stage and every request of a server.
pub(super) struct PrefixCache {
    limit: usize,
    kept: Mutex<Vec<Kept>>,
}

struct Kept {
    ids: Vec<u32>,
    adapter: Option<Arc<LoraWeights>>,
    block: Arc<KvBlock>,
}

impl PrefixCache {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, kept: Mutex::default() }
    }

    /// The longest beginning of `prompt` that is at hand or that `shared` (lengths, shortest first) asks for; `None` when
    /// there is neither. It is shorter than the prompt.
    ///
    /// # Errors
    /// The engine's.
    pub(super) fn beginning(
        &self,
        decoder: &Decoder,
        prompt: &[u32],
        shared: &[usize],
        adapter: Option<&Arc<LoraWeights>>,
    ) -> Result<Option<Arc<KvBlock>>, EngineError> {
        let mut block = self.longest(prompt, adapter);
        for &length in shared {
            let mut at = block.as_ref().map_or(0, |b| b.len());
            if at >= length {
                continue;
            }
            while at < length {
                let to = length.min(at + CHUNK);
                let next = match &block {
                    None => decoder.prefill_prefix(&prompt[..to], adapter)?,
                    Some(parent) => decoder.prefill_extend(parent, &prompt[at..to], adapter)?,
                };
                at = to;
                block = Some(next);
            }
            if let Some(block) = &block {
                self.keep(&prompt[..length], adapter, block);
            }
        }
        Ok(block)
    }

    /// How many tokens of `prompt` are at hand.
    pub(super) fn longest_kept(&self, prompt: &[u32], adapter: Option<&Arc<LoraWeights>>) -> usize {
        self.longest(prompt, adapter).map_or(0, |block| block.len())
    }

    /// Drops the beginnings computed with `adapter`, which would keep its weights in memory.
    pub(super) fn forget(&self, adapter: &Arc<LoraWeights>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|k| !same(k.adapter.as_ref(), Some(adapter)));
    }

    /// The longest kept beginning that leaves at least one token of the prompt.
    fn longest(&self, prompt: &[u32], adapter: Option<&Arc<LoraWeights>>) -> Option<Arc<KvBlock>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |k: &Kept| {
            k.ids.len() < prompt.len() && prompt.starts_with(&k.ids) && same(k.adapter.as_ref(), adapter)
        };
        let (at, _) = kept.iter().enumerate().filter(|(_, k)| fits(k)).max_by_key(|(_, k)| k.ids.len())?;
        let found = kept.remove(at);
        let block = found.block.clone();
        kept.push(found);
        Some(block)
    }

    fn keep(&self, ids: &[u32], adapter: Option<&Arc<LoraWeights>>, block: &Arc<KvBlock>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if block.bytes() > self.limit {
            return;
        }
        kept.push(Kept { ids: ids.to_vec(), adapter: adapter.cloned(), block: block.clone() });
        while kept.iter().map(|k| k.block.bytes()).sum::<usize>() > self.limit {
            kept.remove(0);
        }
    }
}

/// Whether both are the same adapter in memory. One that was read anew is computed anew.
fn same(a: Option<&Arc<LoraWeights>>, b: Option<&Arc<LoraWeights>>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        _ => false,
    }
}
