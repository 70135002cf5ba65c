//! A decoder as an embedding model: the hidden state after the text's last token (Qwen3-Embedding model card).

use std::path::Path;

use uno_engine::weights::GgufFile;
use uno_engine::{Decoder, Precision};

use super::states::last_states;
use crate::ModelsError;
use crate::tokenizer::TextTokenizer;

/// Longest text of the model card, the end token included; what follows is not embedded.
const MAX_TOKENS: usize = 8192;

/// What the model was trained to put after a text, where the tokenizer does not say.
const END: &str = "<|endoftext|>";

/// A decoder, its tokenizer, and what is put after every text.
pub(super) struct LastToken {
    decoder: Decoder,
    tokenizer: TextTokenizer,
    end: Vec<u32>,
}

impl LastToken {
    /// Opens a Hugging Face directory or a GGUF file.
    pub(super) fn open(path: &Path, precision: Precision) -> Result<Self, ModelsError> {
        let tokenizer = if path.is_dir() {
            TextTokenizer::from_dir(path)?
        } else {
            TextTokenizer::from_gguf(&GgufFile::open(path)?)?
        };
        // The tokenizer's own template is what it adds to a text of nothing.
        let mut end = tokenizer.encode_document("")?;
        if end.is_empty() {
            end.extend(tokenizer.token_id(END));
        }
        if end.is_empty() {
            let what =
                format!("neither adds a token after a text nor has {END}: not that of an embedding model");
            return Err(ModelsError::tokenizer(path, what));
        }
        let decoder = Decoder::open(path)?.generating_in(precision);
        tokenizer.check_fits(decoder.config().vocab_size)?;
        Ok(Self { decoder, tokenizer, end })
    }

    pub(super) fn precision(&self) -> Precision {
        self.decoder.generation_precision()
    }

    pub(super) fn hash(&self) -> &str {
        self.decoder.hash()
    }

    pub(super) fn dimensions(&self) -> usize {
        self.decoder.config().hidden_size
    }

    /// Ids of a text, white space around it removed (as sentence-transformers does), with the end token. Markers that
    /// someone wrote into it stay text.
    pub(super) fn encode(&self, text: &str) -> Result<Vec<u32>, ModelsError> {
        let mut ids = self.tokenizer.encode_text(text.trim())?;
        let limit = self.decoder.config().max_positions.min(MAX_TOKENS);
        ids.truncate(limit.saturating_sub(self.end.len()));
        ids.extend(&self.end);
        Ok(ids)
    }

    /// A unit vector per text.
    pub(super) fn embed(&self, texts: &[Vec<u32>]) -> Result<Vec<Vec<f32>>, ModelsError> {
        let mut vectors = last_states(&self.decoder, None, texts)?;
        for vector in &mut vectors {
            let norm = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
            // As torch's normalize: a zero vector stays one.
            let scale = 1.0 / norm.max(1e-12);
            vector.iter_mut().for_each(|x| *x = (f64::from(*x) * scale) as f32);
        }
        Ok(vectors)
    }
}
