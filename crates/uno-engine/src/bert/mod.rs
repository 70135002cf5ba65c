//! The sentence encoder: BERT with mean pooling and normalisation, as all-MiniLM-L6-v2 is used.

mod attention;
mod config;
mod elementwise;
mod forward;
mod weights;

use std::path::{Path, PathBuf};

pub use self::config::BertConfig;
use self::weights::Weights;
use crate::EngineError;
use crate::decoder::Precision;
use crate::kernel::product::Threads;
use crate::kernel::team::{each, lead_here};

/// Tokens that one thread takes through all layers at a time: enough to pay for reading the weights, few enough for the
/// activations to stay in a core's cache.
const GROUP_TOKENS: usize = 256;

/// An encoder.
pub struct BertEncoder {
    path: PathBuf,
    config: BertConfig,
    weights: Weights,
    precision: Precision,
}

impl BertEncoder {
    /// Opens a sentence-transformers or Hugging Face directory: `config.json` and `model.safetensors`.
    pub fn open(dir: &Path) -> Result<Self, EngineError> {
        Self::open_in(dir, Precision::F32)
    }

    /// [`BertEncoder::open`], multiplying in `precision` where this machine can.
    pub fn open_in(dir: &Path, precision: Precision) -> Result<Self, EngineError> {
        let (config, precision) = (BertConfig::read(dir)?, precision.effective());
        let weights = Weights::read(dir, &config, precision)?;
        Ok(Self { path: dir.to_owned(), config, weights, precision })
    }

    /// In what it multiplies.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The directory it was opened from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Shape and constants.
    pub fn config(&self) -> &BertConfig {
        &self.config
    }

    /// Length of an embedding.
    pub fn dimensions(&self) -> usize {
        self.config.hidden_size
    }

    /// Hex content hash of the weights.
    pub fn hash(&self) -> &str {
        &self.weights.hash
    }

    /// One embedding of length one per text. The ids are whole texts with their special tokens (`[CLS]` … `[SEP]`).
    ///
    /// Texts are packed without padding and computed in groups, one group a thread.
    ///
    /// Fails on an empty text, an id outside the vocabulary, and a text longer than the position embedding.
    pub fn encode(&self, token_ids: &[Vec<u32>]) -> Result<Vec<Vec<f32>>, EngineError> {
        for (index, text) in token_ids.iter().enumerate() {
            if text.is_empty() {
                return Err(EngineError::Input(format!(
                    "text {index} has no tokens, not even [CLS] and [SEP]"
                )));
            }
            if text.len() > self.config.max_positions {
                let capacity = self.config.max_positions;
                return Err(EngineError::ContextOverflow { needed: text.len(), capacity });
            }
            let vocab = self.config.vocab_size;
            if let Some(&id) = text.iter().find(|&&id| id as usize >= vocab) {
                return Err(EngineError::TokenOutOfRange { id, vocab });
            }
        }
        // Texts of like length together: groups then take like time.
        let mut order: Vec<usize> = (0..token_ids.len()).collect();
        order.sort_by_key(|&i| std::cmp::Reverse(token_ids[i].len()));
        let groups = groups(&order, token_ids);
        let threads = if groups.len() < rayon::current_num_threads() { Threads::All } else { Threads::One };
        let embed = |group: &&[usize]| {
            let texts: Vec<&[u32]> = group.iter().map(|&i| token_ids[i].as_slice()).collect();
            forward::embed(&self.config, &self.weights, &texts, threads)
        };
        let mut done = vec![Vec::new(); groups.len()];
        lead_here(|| match threads {
            Threads::All => done.iter_mut().zip(&groups).for_each(|(done, group)| *done = embed(group)),
            Threads::One => each(done.iter_mut().zip(&groups), |(done, group)| *done = embed(group)),
        });
        let mut out = vec![Vec::new(); token_ids.len()];
        for (index, embedding) in order.into_iter().zip(done.into_iter().flatten()) {
            out[index] = embedding;
        }
        Ok(out)
    }
}

/// Cuts `order` into runs of at most [`GROUP_TOKENS`] tokens (or one text).
fn groups<'a>(order: &'a [usize], texts: &[Vec<u32>]) -> Vec<&'a [usize]> {
    let (mut out, mut start, mut tokens) = (Vec::new(), 0, 0);
    for (at, &text) in order.iter().enumerate() {
        let length = texts[text].len();
        if tokens + length > GROUP_TOKENS && at > start {
            out.push(&order[start..at]);
            (start, tokens) = (at, 0);
        }
        tokens += length;
    }
    if start < order.len() {
        out.push(&order[start..]);
    }
    out
}
