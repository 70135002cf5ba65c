//! An embedding model in this process.

use std::path::Path;

use rayon::prelude::*;
use uno_engine::Precision;
use uno_engine::bert::BertEncoder;
use uno_types::{Embedder, ModelError};

use super::last_token::LastToken;
use super::pooling::{self, Pooling};
use super::precision::suffix;
use crate::ModelsError;
use crate::tokenizer::TextTokenizer;

/// sentence-transformers' limit for all-MiniLM-L6-v2, `[CLS]` and `[SEP]` included; what follows is not embedded.
const MAX_TOKENS: usize = 256;

/// From so many texts on they are cut into tokens on all threads.
const PARALLEL_FROM: usize = 8;

/// An embedding model: a BERT-like sentence encoder, or a Qwen3 decoder pooled by its last token.
pub struct EmbeddedEmbedder {
    name: String,
    encoder: Encoder,
}

enum Encoder {
    Bert { encoder: Box<BertEncoder>, tokenizer: Box<TextTokenizer> },
    LastToken(Box<LastToken>),
}

impl EmbeddedEmbedder {
    /// Opens a Hugging Face directory (config.json, safetensors, tokenizer.json) or, for Qwen3-Embedding, a GGUF file. The
    /// name is the path's last part without `.gguf`.
    ///
    /// # Errors
    /// Files are missing, damaged or of an unknown kind, or it is no embedding model.
    pub fn open(path: &Path) -> Result<Self, ModelsError> {
        Self::open_in(path, Precision::F32)
    }

    /// [`EmbeddedEmbedder::open`], multiplying in `precision` where this machine can.
    ///
    /// # Errors
    /// As [`EmbeddedEmbedder::open`].
    pub fn open_in(path: &Path, precision: Precision) -> Result<Self, ModelsError> {
        let file_name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let name = file_name.strip_suffix(".gguf").unwrap_or(&file_name).to_owned();
        let encoder = match pooling::of(path)? {
            Pooling::LastToken => Encoder::LastToken(Box::new(LastToken::open(path, precision)?)),
            Pooling::Mean => {
                let mut tokenizer = TextTokenizer::from_dir(path)?;
                tokenizer.truncate_to(MAX_TOKENS)?;
                let encoder = BertEncoder::open_in(path, precision)?;
                Encoder::Bert { encoder: Box::new(encoder), tokenizer: Box::new(tokenizer) }
            }
        };
        Ok(Self { name, encoder })
    }

    /// Whether questions may be preceded by an instruction ([`crate::qwen3::embedding_query`]).
    pub fn takes_instructions(&self) -> bool {
        matches!(self.encoder, Encoder::LastToken(_))
    }

    /// Token ids of `text` as they are embedded: with `[CLS]` and `[SEP]`, or with an end token, and cut to the model's
    /// limit (256 for MiniLM, 8192 for Qwen3-Embedding).
    ///
    /// # Errors
    /// The tokenizer refuses the text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, ModelsError> {
        match &self.encoder {
            Encoder::Bert { tokenizer, .. } => tokenizer.encode_document(text),
            Encoder::LastToken(model) => model.encode(text),
        }
    }
}

impl Embedder for EmbeddedEmbedder {
    fn id(&self) -> String {
        let (hash, precision) = match &self.encoder {
            Encoder::Bert { encoder, .. } => (encoder.hash(), encoder.precision()),
            Encoder::LastToken(model) => (model.hash(), model.precision()),
        };
        format!("{}@{}{}", self.name, hash.chars().take(16).collect::<String>(), suffix(precision))
    }

    fn dimensions(&self) -> usize {
        match &self.encoder {
            Encoder::Bert { encoder, .. } => encoder.dimensions(),
            Encoder::LastToken(model) => model.dimensions(),
        }
    }

    /// Pooled and l2-normalised, as the model's own pipeline gives them.
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        let encode = |text: &&str| self.encode(text);
        // Waking other threads takes longer than a few texts.
        let ids = match texts.len() < PARALLEL_FROM {
            true => texts.iter().map(encode).collect::<Result<Vec<_>, _>>()?,
            false => texts.par_iter().map(encode).collect::<Result<Vec<_>, _>>()?,
        };
        match &self.encoder {
            Encoder::Bert { encoder, .. } => {
                encoder.encode(&ids).map_err(|error| ModelError::Engine(error.to_string()))
            }
            Encoder::LastToken(model) => Ok(model.embed(&ids)?),
        }
    }
}
