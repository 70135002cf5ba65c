//! Adapters that were read from disk and are kept for the next request.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use uno_engine::{Decoder, LoraWeights};
use uno_types::{AdapterRef, ModelError};

use super::fingerprint;

/// Recently used adapters, least recently used first, up to a number of bytes.
///
/// One of rank 64 on a 135 M model takes 78 MB, and verification walks through every epoch of every cluster.
pub(super) struct AdapterCache {
    limit: usize,
    kept: Mutex<Vec<Kept>>,
}

struct Kept {
    name: String,
    dir: PathBuf,
    weights: Arc<LoraWeights>,
    bytes: usize,
}

impl AdapterCache {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, kept: Mutex::default() }
    }

    /// The adapter's weights, on first use read and checked: do they fit the base model's shape, and do they do what their
    /// fingerprint says? A single file (GGUF) has none beside it. `forgotten` gets those that had to give way.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] with the adapter's name and what is wrong with its files.
    pub(super) fn get(
        &self,
        adapter: &AdapterRef,
        decoder: &Decoder,
        forgotten: &mut dyn FnMut(&Arc<LoraWeights>),
    ) -> Result<Arc<LoraWeights>, ModelError> {
        let dir = Path::new(&adapter.dir);
        if let Some(weights) = self.find(adapter) {
            return Ok(weights);
        }
        // Read without the lock: other callers need not wait for the disk.
        let refused = |what: &dyn Display| ModelError::Invalid(format!("adapter {}: {what}", adapter.name));
        let weights = LoraWeights::read(dir, decoder.config()).map_err(|error| refused(&error))?;
        if dir.is_dir() {
            fingerprint::check(decoder, &weights, dir).map_err(|error| refused(&error))?;
        }
        let bytes = size_of_val(weights.as_slice());
        let weights = Arc::new(weights);
        tracing::debug!(adapter = adapter.name, mib = bytes >> 20, "adapter read");
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // Another caller may have read it meanwhile; one copy is enough.
        if let Some(at) = kept.iter().position(|k| k.name == adapter.name && k.dir == dir) {
            return Ok(kept[at].weights.clone());
        }
        kept.push(Kept { name: adapter.name.clone(), dir: dir.to_owned(), weights: weights.clone(), bytes });
        while kept.len() > 1 && kept.iter().map(|k| k.bytes).sum::<usize>() > self.limit {
            forgotten(&kept.remove(0).weights);
        }
        Ok(weights)
    }

    fn find(&self, adapter: &AdapterRef) -> Option<Arc<LoraWeights>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|k| k.name == adapter.name && k.dir == Path::new(&adapter.dir))?;
        let found = kept.remove(at);
        let weights = found.weights.clone();
        kept.push(found);
        Some(weights)
    }
}
