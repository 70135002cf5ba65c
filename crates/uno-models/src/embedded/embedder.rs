//! An embedding model in this process.

use std::path::Path;

use rayon::prelude::*;
use uno_engine::bert::BertEncoder;
use uno_types::{Embedder, ModelError};

use crate::ModelsError;
use crate::tokenizer::TextTokenizer;

/// sentence-transformers' limit for all-MiniLM-L6-v2, `[CLS]` and `[SEP]` included; what follows is not embedded.
const MAX_TOKENS: usize = 256;

/// A BERT-like sentence encoder with its tokenizer.
pub struct EmbeddedEmbedder {
    name: String,
    encoder: BertEncoder,
    tokenizer: TextTokenizer,
}

impl EmbeddedEmbedder {
    /// Opens a Hugging Face directory (config.json, model.safetensors, tokenizer.json). The name is the directory's.
    ///
    /// # Errors
    /// Files are missing, damaged or of an unknown kind.
    pub fn open(dir: &Path) -> Result<Self, ModelsError> {
        let name = dir.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let mut tokenizer = TextTokenizer::from_dir(dir)?;
        tokenizer.truncate_to(MAX_TOKENS)?;
        Ok(Self { name, encoder: BertEncoder::open(dir)?, tokenizer })
    }

    /// Token ids of `text` with `[CLS]` and `[SEP]`, cut to 256.
    ///
    /// # Errors
    /// The tokenizer refuses the text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, ModelsError> {
        self.tokenizer.encode_document(text)
    }
}

impl Embedder for EmbeddedEmbedder {
    fn id(&self) -> String {
        let hash: String = self.encoder.hash().chars().take(16).collect();
        format!("{}@{hash}", self.name)
    }

    fn dimensions(&self) -> usize {
        self.encoder.dimensions()
    }

    /// Mean-pooled and l2-normalised, as the model's own pipeline gives them.
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        let ids = texts.par_iter().map(|text| self.encode(text)).collect::<Result<Vec<_>, _>>()?;
        self.encoder.encode(&ids).map_err(|error| ModelError::Engine(error.to_string()))
    }
}
