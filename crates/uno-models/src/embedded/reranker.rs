//! A yes/no reranker in this process: Qwen3-Reranker on the decoder.

use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use uno_engine::weights::GgufFile;
use uno_engine::{Decoder, KvBlock};
use uno_types::{ModelError, Reranker};

use super::states::last_states;
use crate::tokenizer::TextTokenizer;
use crate::{ModelsError, qwen3};

/// Longest prompt of the model card.
const MAX_TOKENS: usize = 8192;

/// A decoder that answers yes or no, self-tested. The prompt's beginning is computed once and shared by all pairs.
pub struct EmbeddedReranker {
    name: String,
    decoder: Decoder,
    tokenizer: TextTokenizer,
    instruction: String,
    beginning: Arc<KvBlock>,
    ending: Vec<u32>,
    /// Ids of "yes" and "no".
    answers: [u32; 2],
}

impl EmbeddedReranker {
    /// Opens a Hugging Face directory or a GGUF file and runs the self-test, with the model card's instruction;
    /// `instruction` is for everything after. The name is the path's last part without `.gguf`.
    ///
    /// # Errors
    /// Files are missing, damaged or of an unknown kind, the tokenizer lacks the template's tokens, or the model scores the
    /// golden pairs wrongly ([`ModelsError::SelfTest`]).
    pub fn open(path: &Path, instruction: &str) -> Result<Self, ModelsError> {
        let reranker = Self::open_untested(path, instruction)?;
        let scores = reranker.score_with(qwen3::RERANK_INSTRUCTION, &qwen3::golden_pairs())?;
        qwen3::verdict(&scores).map_err(|what| {
            ModelsError::SelfTest(format!(
                "{}: no reranker that can be trusted: it {what}; set reranker.model to a Qwen3-Reranker, or leave it empty \
                 to measure the gap by embedding coverage",
                path.display()
            ))
        })?;
        Ok(reranker)
    }

    /// [`EmbeddedReranker::open`] without the self-test, to look at a model's raw scores.
    ///
    /// # Errors
    /// As [`EmbeddedReranker::open`], but for the self-test.
    pub fn open_untested(path: &Path, instruction: &str) -> Result<Self, ModelsError> {
        let file_name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let name = file_name.strip_suffix(".gguf").unwrap_or(&file_name).to_owned();
        let tokenizer = if path.is_dir() {
            TextTokenizer::from_dir(path)?
        } else {
            TextTokenizer::from_gguf(&GgufFile::open(path)?)?
        };
        let token = |text: &str| {
            let what = || format!("has no token {text}: not that of a Qwen3-Reranker");
            tokenizer.token_id(text).ok_or_else(|| ModelsError::tokenizer(path, what()))
        };
        for marker in ["<|im_start|>", "<|im_end|>"] {
            token(marker)?;
        }
        let answers = [token("yes")?, token("no")?];
        let decoder = Decoder::open(path)?;
        tokenizer.check_fits(decoder.config().vocab_size)?;
        let beginning = decoder.prefill_prefix(&tokenizer.encode(qwen3::RERANK_PREFIX)?, None)?;
        let ending = tokenizer.encode(qwen3::RERANK_SUFFIX)?;
        Ok(Self { name, decoder, tokenizer, instruction: instruction.to_owned(), beginning, ending, answers })
    }

    /// The tokens after the shared beginning. Markers that someone wrote into query or document stay text; of a pair that
    /// is too long the end is cut, never the template.
    fn tail(&self, instruction: &str, query: &str, document: &str) -> Result<Vec<u32>, ModelsError> {
        let mut ids = self.tokenizer.encode_text(&qwen3::rerank_body(instruction, query, document))?;
        let limit = self.decoder.config().max_positions.min(MAX_TOKENS);
        let room = limit.saturating_sub(self.beginning.len() + self.ending.len());
        if ids.len() > room {
            tracing::warn!(tokens = ids.len(), room, "the end of a document is cut to fit the reranker");
            ids.truncate(room);
        }
        ids.extend(&self.ending);
        Ok(ids)
    }

    fn score_with(&self, instruction: &str, pairs: &[(&str, &str)]) -> Result<Vec<f32>, ModelsError> {
        let tails = pairs
            .par_iter()
            .map(|(query, document)| self.tail(instruction, query, document))
            .collect::<Result<Vec<_>, _>>()?;
        let states = last_states(&self.decoder, Some(&self.beginning), &tails)?;
        let probability = |state: &Vec<f32>| {
            let logits = self.decoder.logits_of(state, &self.answers)?;
            Ok(qwen3::probability(f64::from(logits[0]), f64::from(logits[1])))
        };
        states.iter().map(probability).collect()
    }
}

impl Reranker for EmbeddedReranker {
    fn id(&self) -> String {
        format!("{}@{}", self.name, self.decoder.hash().chars().take(16).collect::<String>())
    }

    fn score(&self, pairs: &[(&str, &str)]) -> Result<Vec<f32>, ModelError> {
        Ok(self.score_with(&self.instruction, pairs)?)
    }
}
