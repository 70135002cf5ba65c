//! Generations by what they depend on.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use uno_types::{AdapterRef, Generation, GenerationRequest};

use super::append_log::{AppendLog, Recovery};
use crate::{StoreError, hash};

/// What a generation depends on: model, adapter by its content-hash name, and the whole request. Where the adapter
/// lies on disk does not matter, so that a moved run directory keeps its cache.
pub fn generation_key(model: &str, request: &GenerationRequest) -> String {
    let adapter = request.adapter.as_ref().map(|a| AdapterRef { name: a.name.clone(), dir: String::new() });
    let request = GenerationRequest { adapter, ..request.clone() };
    hash::of_value(&(model, &request))
}

/// `RUN/cache/generations.jsonl` and its content in memory. May be shared between threads.
#[derive(Debug, Default)]
pub struct GenerationCache {
    inner: Mutex<Inner>,
    recovery: Recovery,
}

#[derive(Debug, Default)]
struct Inner {
    known: HashMap<String, Generation>,
    /// None: nothing is kept beyond this process.
    log: Option<AppendLog>,
}

impl GenerationCache {
    /// Opens or creates the file; an unfinished last line is cut off, lines with a wrong checksum are ignored.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let mut known = HashMap::new();
        let (log, recovery) = AppendLog::open(path, |key, generation| {
            known.insert(key.to_owned(), generation);
        })?;
        Ok(Self { inner: Mutex::new(Inner { known, log: Some(log) }), recovery })
    }

    /// Looks at the file without changing it, while another process may be writing: generations, and what else is there.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn inspect(path: &Path) -> Result<(usize, Recovery), StoreError> {
        let mut n = 0;
        let recovery = AppendLog::scan(path, |_, _: Generation| n += 1)?;
        Ok((n, recovery))
    }

    /// What opening found besides good lines.
    pub fn recovery(&self) -> Recovery {
        self.recovery
    }

    /// The generation of this key, if it was ever paid for.
    pub fn get(&self, key: &str) -> Option<Generation> {
        self.lock().known.get(key).cloned()
    }

    /// Stores a generation: on the way to the disk when this returns.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`] or [`StoreError::Io`]; the generation is then not in the cache.
    pub fn put(&self, key: &str, generation: &Generation) -> Result<(), StoreError> {
        let mut inner = self.lock();
        if inner.known.contains_key(key) {
            return Ok(());
        }
        if let Some(log) = &mut inner.log {
            log.append(key, generation)?;
        }
        inner.known.insert(key.to_owned(), generation.clone());
        Ok(())
    }

    /// Forces everything to the disk.
    ///
    /// # Errors
    /// When the system says so.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.lock().log.as_ref().map_or(Ok(()), AppendLog::sync)
    }

    /// Number of generations.
    pub fn len(&self) -> usize {
        self.lock().known.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
