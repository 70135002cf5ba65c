//! Byte-level BPE from GGUF metadata.
//!
//! llama.cpp's converter keeps the vocabulary and the merges but only a name for how text is cut before merging
//! (`tokenizer.ggml.pre`); each name stands for the pre-tokenizer of the original `tokenizer.json`, written out here.

use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::NFC;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, SplitDelimiterBehavior, Tokenizer};
use uno_engine::weights::GgufFile;
use uno_engine::weights::gguf::{TokenKind, TokenizerMetadata};

use super::SpecialIds;
use crate::ModelsError;

/// Llama 3's and cl100k's pattern: digits in groups of three.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Qwen 2's: every digit alone.
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// How a name in `tokenizer.ggml.pre` cuts.
struct Cutting {
    pre: PreTokenizerWrapper,
    /// A word that is in the vocabulary is one token, whatever the merges say.
    whole_words: bool,
    /// Unicode NFC first.
    nfc: bool,
}

pub(super) fn build(file: &GgufFile) -> Result<(Tokenizer, SpecialIds), ModelsError> {
    let metadata = file.tokenizer()?;
    let error = |what: String| ModelsError::tokenizer(file.path(), what);
    if metadata.model != "gpt2" {
        return Err(error(format!(
            "kind {} cannot be rebuilt from GGUF metadata; use the Hugging Face directory with its tokenizer.json",
            metadata.model
        )));
    }
    let cutting = cutting(metadata.pre).map_err(error)?;
    let mut tokenizer = Tokenizer::new(bpe(&metadata, cutting.whole_words).map_err(error)?);
    if cutting.nfc {
        tokenizer.with_normalizer(Some(NFC)).map_err(|e| error(e.to_string()))?;
    }
    tokenizer.with_pre_tokenizer(Some(cutting.pre));
    tokenizer.with_decoder(Some(ByteLevel::new(true, true, true)));
    // An id from the metadata is special, however the token is marked.
    let named = [metadata.bos, metadata.eos, metadata.eot, metadata.pad];
    let added =
        metadata.tokens.iter().zip(&metadata.kinds).enumerate().filter_map(|(id, (text, kind))| match kind {
            TokenKind::Control => Some(AddedToken::from(text.as_str(), true)),
            TokenKind::Unknown | TokenKind::UserDefined if named.contains(&Some(id as u32)) => {
                Some(AddedToken::from(text.as_str(), true))
            }
            TokenKind::UserDefined => Some(AddedToken::from(text.as_str(), false).normalized(false)),
            TokenKind::Normal | TokenKind::Unknown | TokenKind::Unused | TokenKind::Byte => None,
        });
    tokenizer.add_tokens(added).map_err(|e| error(e.to_string()))?;
    if let Some(bos) = metadata.bos.filter(|_| metadata.add_bos == Some(true)) {
        let text = &metadata.tokens[bos as usize];
        let process = document_with_bos(text, bos).map_err(error)?;
        tokenizer.with_post_processor(Some(process));
    }
    let eos = [metadata.eos, metadata.eot].into_iter().flatten().collect();
    Ok((tokenizer, SpecialIds { bos: metadata.bos, eos, pad: metadata.pad }))
}

fn bpe(metadata: &TokenizerMetadata<'_>, whole_words: bool) -> Result<BPE, String> {
    let vocab: Vocab =
        metadata.tokens.iter().enumerate().map(|(id, text)| (text.clone(), id as u32)).collect();
    if vocab.len() != metadata.tokens.len() {
        return Err(format!("{} of its tokens are there twice", metadata.tokens.len() - vocab.len()));
    }
    let merges = metadata.merges.iter().map(|merge| {
        let (left, right) =
            merge.split_once(' ').ok_or_else(|| format!("merge {merge:?} is not two tokens"))?;
        Ok((left.to_owned(), right.to_owned()))
    });
    let merges = merges.collect::<Result<Vec<_>, String>>()?;
    let builder = BPE::builder().vocab_and_merges(vocab, merges).ignore_merges(whole_words);
    builder.build().map_err(|e| e.to_string())
}

fn cutting(pre: Option<&str>) -> Result<Cutting, String> {
    let bytes = |use_regex| PreTokenizerWrapper::from(ByteLevel::new(false, true, use_regex));
    let in_turn =
        |first: PreTokenizerWrapper, then| PreTokenizerWrapper::from(Sequence::new(vec![first, then]));
    let pattern = |regex: &str| {
        let split =
            Split::new(SplitPattern::Regex(regex.to_owned()), SplitDelimiterBehavior::Isolated, false);
        split.map(PreTokenizerWrapper::from).map_err(|e| e.to_string())
    };
    let plain = |pre| Cutting { pre, whole_words: false, nfc: false };
    Ok(match pre {
        // Files from before the key existed are GPT-2's.
        None | Some("gpt-2") => plain(bytes(true)),
        Some("smollm") => plain(in_turn(Digits::new(true).into(), bytes(true))),
        Some("dbrx") => plain(in_turn(pattern(LLAMA3)?, bytes(false))),
        Some("llama-bpe" | "llama3" | "llama-v3") => {
            Cutting { whole_words: true, ..plain(in_turn(pattern(LLAMA3)?, bytes(false))) }
        }
        Some("qwen2") => Cutting { nfc: true, ..plain(in_turn(pattern(QWEN2)?, bytes(false))) },
        Some(other) => {
            return Err(format!(
                "the pre-tokenizer {other} is not known; use the Hugging Face directory with its tokenizer.json"
            ));
        }
    })
}

/// Puts `bos` before every whole text.
fn document_with_bos(text: &str, bos: u32) -> Result<TemplateProcessing, String> {
    // Pieces given as a list, because a token's text may hold the characters of the template language.
    let json = serde_json::json!({
        "single": [{"SpecialToken": {"id": text, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"SpecialToken": {"id": text, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {text: {"id": text, "ids": [bos], "tokens": [text]}},
    });
    serde_json::from_value(json).map_err(|e| e.to_string())
}
