//! The tokenizer that a GGUF file carries in its metadata.

use super::{GgufFile, Value};
use crate::EngineError;

/// What a token is, from `tokenizer.ggml.token_type` (llama.cpp's `llama_token_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// Text.
    Normal,
    /// Stands for what the vocabulary cannot say.
    Unknown,
    /// Structure, such as `<|im_start|>`; never made from user text by merging.
    Control,
    /// Text that is always one token.
    UserDefined,
    /// A hole in the vocabulary.
    Unused,
    /// A single byte (sentencepiece models).
    Byte,
}

/// Borrowed view of the tokenizer metadata.
#[derive(Debug, Clone)]
pub struct TokenizerMetadata<'a> {
    /// `tokenizer.ggml.model`: "gpt2" (byte-level BPE), "llama" (sentencepiece), ...
    pub model: &'a str,
    /// `tokenizer.ggml.pre`: how text is cut before merging, such as "smollm" or "llama-bpe".
    pub pre: Option<&'a str>,
    /// Token texts; the position is the id.
    pub tokens: &'a [String],
    /// BPE merges as "left right", best first; empty for models without.
    pub merges: &'a [String],
    /// One per token.
    pub kinds: Vec<TokenKind>,
    /// First token of a text.
    pub bos: Option<u32>,
    /// End of a turn or a text.
    pub eos: Option<u32>,
    /// End of a turn, where it differs from `eos`.
    pub eot: Option<u32>,
    /// Filler.
    pub pad: Option<u32>,
    /// Stands for what the vocabulary cannot say.
    pub unknown: Option<u32>,
    /// Whether `bos` is put before every text; absent when the file does not say.
    pub add_bos: Option<bool>,
    /// Whether `eos` is put after every text; absent when the file does not say.
    pub add_eos: Option<bool>,
}

impl<'a> TokenizerMetadata<'a> {
    pub(super) fn read(file: &'a GgufFile) -> Result<Self, EngineError> {
        let missing =
            |key: &str| EngineError::format(file.path(), format!("metadata {key} is missing: no tokenizer"));
        let key = "tokenizer.ggml.model";
        let model = file.value(key).and_then(Value::as_str).ok_or_else(|| missing(key))?;
        let key = "tokenizer.ggml.tokens";
        let tokens = file.value(key).and_then(Value::as_texts).ok_or_else(|| missing(key))?;
        let merges = file.value("tokenizer.ggml.merges").and_then(Value::as_texts).unwrap_or_default();
        let kinds = match file.value("tokenizer.ggml.token_type").and_then(Value::as_integers) {
            None => vec![TokenKind::Normal; tokens.len()],
            Some(codes) if codes.len() == tokens.len() => codes.iter().map(|&c| kind(c)).collect(),
            Some(codes) => {
                let what = format!("{} token types for {} tokens", codes.len(), tokens.len());
                return Err(EngineError::format(file.path(), what));
            }
        };
        let id = |name: &str| -> Result<Option<u32>, EngineError> {
            let Some(value) = file.value(&format!("tokenizer.ggml.{name}_token_id")) else { return Ok(None) };
            match value.as_u64() {
                Some(id) if id < tokens.len() as u64 => Ok(Some(id as u32)),
                // llama.cpp writes -1 (as u32::MAX) for "none".
                Some(id) if id == u64::from(u32::MAX) => Ok(None),
                _ => Err(EngineError::format(
                    file.path(),
                    format!("{name} token {value:?} is outside the vocabulary of {}", tokens.len()),
                )),
            }
        };
        let flag =
            |name: &str| file.value(&format!("tokenizer.ggml.add_{name}_token")).and_then(Value::as_bool);
        Ok(Self {
            model,
            pre: file.value("tokenizer.ggml.pre").and_then(Value::as_str),
            tokens,
            merges,
            kinds,
            bos: id("bos")?,
            eos: id("eos")?,
            eot: id("eot")?,
            pad: id("padding")?,
            unknown: id("unknown")?,
            add_bos: flag("bos"),
            add_eos: flag("eos"),
        })
    }
}

fn kind(code: i64) -> TokenKind {
    match code {
        2 => TokenKind::Unknown,
        3 => TokenKind::Control,
        4 => TokenKind::UserDefined,
        5 => TokenKind::Unused,
        6 => TokenKind::Byte,
        _ => TokenKind::Normal,
    }
}
