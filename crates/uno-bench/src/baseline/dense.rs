//! Retrieval by embeddings: nearest texts by cosine.

use uno_learn::features;
use uno_types::Record;

use super::unit::{Entry, Unit};
use super::{BaselineError, Memory, Question, RECALLED, Tools};

/// Texts with their vectors.
pub struct Dense {
    unit: Unit,
    entries: Vec<Entry>,
    vectors: Vec<Vec<f32>>,
}

impl Dense {
    /// An empty memory.
    pub fn new(unit: Unit) -> Self {
        Self { unit, entries: Vec::new(), vectors: Vec::new() }
    }
}

/// Vectors of length 1.
pub(super) fn embed(
    name: &'static str,
    texts: &[&str],
    tools: &Tools<'_>,
) -> Result<Vec<Vec<f32>>, BaselineError> {
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let vectors = tools.embedder.embed(texts);
    let mut vectors = vectors.map_err(|source| BaselineError::Model { baseline: name, source })?;
    vectors.iter_mut().for_each(|v| features::normalise(v));
    Ok(vectors)
}

pub(crate) fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Positions of the `k` nearest vectors, nearest first; the earlier of equals first.
pub(super) fn nearest(query: &[f32], vectors: &[Vec<f32>], k: usize) -> Vec<(usize, f32)> {
    let mut all: Vec<(usize, f32)> = vectors.iter().map(|v| cosine(query, v)).enumerate().collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    all.truncate(k);
    all
}

impl Memory for Dense {
    fn name(&self) -> &'static str {
        match self.unit {
            Unit::Message => "embedder_message",
            Unit::Dialog => "embedder_dialog",
        }
    }

    fn add(&mut self, logs: &[Record], tools: &Tools<'_>) -> Result<(), BaselineError> {
        let entries = self.unit.entries(logs);
        let keys: Vec<&str> = entries.iter().map(|e| e.key.as_str()).collect();
        self.vectors.extend(embed(self.name(), &keys, tools)?);
        self.entries.extend(entries);
        Ok(())
    }

    fn recall(&self, questions: &[Question], tools: &Tools<'_>) -> Result<Vec<Vec<String>>, BaselineError> {
        let texts: Vec<&str> = questions.iter().map(Question::text).collect();
        let recall = |query: &Vec<f32>| {
            let found = nearest(query, &self.vectors, RECALLED);
            found.into_iter().map(|(i, _)| self.entries[i].text.clone()).collect()
        };
        Ok(embed(self.name(), &texts, tools)?.iter().map(recall).collect())
    }
}
