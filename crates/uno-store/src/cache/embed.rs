//! Embeddings by model and text.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uno_types::{Embedder, ModelError};

use super::append_log::AppendLog;
use crate::{StoreError, hash};

/// Texts per call of the inner embedder: what a crash can lose.
const BATCH: usize = 64;

/// `RUN/cache/embeddings.jsonl` and its content in memory. A vector is stored as the hexadecimal of its little-endian
/// f32 bytes: exact, and a third of the size of decimal numbers.
#[derive(Debug, Default)]
pub struct EmbeddingCache {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    known: HashMap<String, Vec<f32>>,
    /// None: nothing is kept beyond this process.
    log: Option<AppendLog>,
}

impl EmbeddingCache {
    /// Opens or creates the file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let mut known = HashMap::new();
        let (log, _) = AppendLog::open(path, |key, hex: String| {
            if let Some(vector) = from_hex(&hex) {
                known.insert(key.to_owned(), vector);
            }
        })?;
        Ok(Self { inner: Mutex::new(Inner { known, log: Some(log) }) })
    }

    fn get(&self, key: &str) -> Option<Vec<f32>> {
        self.lock().known.get(key).cloned()
    }

    fn put(&self, key: &str, vector: &[f32]) -> Result<(), StoreError> {
        let mut inner = self.lock();
        if let Some(log) = &mut inner.log {
            log.append(key, &to_hex(vector))?;
        }
        inner.known.insert(key.to_owned(), vector.to_vec());
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn to_hex(vector: &[f32]) -> String {
    use std::fmt::Write;
    vector.iter().fold(String::with_capacity(vector.len() * 8), |mut out, x| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{:08x}", u32::from_be_bytes(x.to_le_bytes()));
        out
    })
}

fn from_hex(hex: &str) -> Option<Vec<f32>> {
    let hex = hex.as_bytes();
    if !hex.len().is_multiple_of(8) {
        return None;
    }
    hex.chunks(8)
        .map(|digits| {
            let bits = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
            Some(f32::from_le_bytes(bits.to_be_bytes()))
        })
        .collect()
}

/// An embedder that embeds each text once.
pub struct CachedEmbedder<E> {
    inner: E,
    cache: Arc<EmbeddingCache>,
}

impl<E: Embedder> CachedEmbedder<E> {
    /// The wrapped embedder.
    pub fn inner(&self) -> &E {
        &self.inner
    }

    /// Wraps an embedder.
    pub fn new(inner: E, cache: Arc<EmbeddingCache>) -> Self {
        Self { inner, cache }
    }
}

impl<E: Embedder> Embedder for CachedEmbedder<E> {
    fn id(&self) -> String {
        self.inner.id()
    }

    fn dimensions(&self) -> usize {
        self.inner.dimensions()
    }

    fn question_text<'a>(&self, question: &'a str) -> Cow<'a, str> {
        self.inner.question_text(question)
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        let model = self.inner.id();
        let keys: Vec<String> = texts.iter().map(|text| hash::of_value(&(&model, text))).collect();
        let mut found: HashMap<&str, Vec<f32>> = HashMap::new();
        let mut missing: Vec<(&str, &str)> = Vec::new();
        for (key, text) in keys.iter().zip(texts) {
            if found.contains_key(key.as_str()) {
                continue;
            }
            let known = self.cache.get(key);
            if known.is_none() {
                missing.push((key, text));
            }
            found.insert(key, known.unwrap_or_default());
        }
        for batch in missing.chunks(BATCH) {
            let vectors = self.inner.embed(&batch.iter().map(|(_, text)| *text).collect::<Vec<_>>())?;
            for ((key, _), vector) in batch.iter().zip(vectors) {
                self.cache.put(key, &vector).map_err(|error| ModelError::Stopped(error.to_string()))?;
                found.insert(key, vector);
            }
        }
        Ok(keys.iter().map(|key| found.get(key.as_str()).cloned().unwrap_or_default()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn vectors_are_stored_exactly(bits in proptest::collection::vec(any::<u32>(), 0..50)) {
            let vector: Vec<f32> = bits.iter().map(|&b| f32::from_bits(b)).collect();
            let back = from_hex(&to_hex(&vector)).unwrap();
            prop_assert_eq!(back.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), bits);
        }
    }
}
