//! Text ↔ token ids, as the model's authors cut it.
//!
//! The tokenizer comes from `tokenizer.json` of a Hugging Face directory or is rebuilt from GGUF metadata. Everything
//! that the crate `tokenizers` does (merging, added tokens) is left to it; the bytes of each token are kept beside it, for
//! decoding piece by piece and for constrained decoding.

mod bytes;
pub(crate) mod dir;
mod gguf;
mod stream;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tokenizers::Tokenizer;
use tokenizers::utils::truncation::TruncationParams;
use uno_engine::weights::GgufFile;

use self::bytes::{Alphabet, TokenBytes};
pub use self::stream::TextStream;
use crate::ModelsError;

/// Texts of tokens that end a turn in common chat formats. A model's metadata often names only the end of a document.
const TURN_ENDS: [&str; 3] = ["<|im_end|>", "<|eot_id|>", "<|end|>"];

/// A tokenizer with the ids that matter to generation.
pub struct TextTokenizer {
    path: PathBuf,
    tokenizer: Tokenizer,
    bytes: TokenBytes,
    bos: Option<u32>,
    eos: Vec<u32>,
    pad: Option<u32>,
    /// The same without added tokens, made when it is first asked for.
    plain: OnceLock<Tokenizer>,
}

/// What a source says about special ids.
#[derive(Debug, Default)]
struct SpecialIds {
    bos: Option<u32>,
    eos: Vec<u32>,
    pad: Option<u32>,
}

impl TextTokenizer {
    /// Rebuilds the tokenizer from GGUF metadata. Byte-level BPE only; other kinds are refused by name.
    pub fn from_gguf(file: &GgufFile) -> Result<Self, ModelsError> {
        let (tokenizer, ids) = gguf::build(file)?;
        Ok(Self::new(file.path(), tokenizer, Alphabet::ByteLevel, ids))
    }

    /// Reads `tokenizer.json`, and the special ids from the JSON files beside it.
    pub fn from_dir(dir: &Path) -> Result<Self, ModelsError> {
        let (tokenizer, alphabet, ids) = dir::read(dir)?;
        Ok(Self::new(dir, tokenizer, alphabet, ids))
    }

    fn new(path: &Path, tokenizer: Tokenizer, alphabet: Alphabet, ids: SpecialIds) -> Self {
        let bytes = TokenBytes::new(&tokenizer, alphabet);
        let mut eos = ids.eos;
        for text in TURN_ENDS {
            if let Some(id) = tokenizer.token_to_id(text)
                && bytes.is_special(id)
                && !eos.contains(&id)
            {
                eos.push(id);
            }
        }
        Self {
            path: path.to_owned(),
            tokenizer,
            bytes,
            bos: ids.bos,
            eos,
            pad: ids.pad,
            plain: OnceLock::new(),
        }
    }

    /// Ids of `text`. Special tokens written out in the text (as a chat template does) become their ids; nothing is
    /// added.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, ModelsError> {
        self.run(text, false)
    }

    /// Ids of `text` with the special tokens that the tokenizer adds around a whole text: `[CLS]` … `[SEP]` for BERT, a
    /// BOS for Llama; none for SmolLM2.
    pub fn encode_document(&self, text: &str) -> Result<Vec<u32>, ModelsError> {
        self.run(text, true)
    }

    /// Ids of `text` in which nothing is structure: `<|im_end|>` written by a user becomes the tokens of its letters. For
    /// text that stands inside a template.
    pub fn encode_text(&self, text: &str) -> Result<Vec<u32>, ModelsError> {
        let plain = self.plain.get_or_init(|| {
            let mut plain = Tokenizer::new(self.tokenizer.get_model().clone());
            plain.with_pre_tokenizer(self.tokenizer.get_pre_tokenizer().cloned());
            // Only added tokens, of which there are none, could make this fail.
            let _ = plain.with_normalizer(self.tokenizer.get_normalizer().cloned());
            plain
        });
        let encoding = plain.encode_fast(text, false).map_err(|e| self.error(e.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Fails when weights with `rows` rows of embedding lack some of the tokens.
    pub fn check_fits(&self, rows: usize) -> Result<(), ModelsError> {
        let tokens = self.vocab_size();
        if tokens > rows {
            return Err(self.error(format!("has {tokens} tokens, the weights only {rows}")));
        }
        Ok(())
    }

    fn run(&self, text: &str, add_special: bool) -> Result<Vec<u32>, ModelsError> {
        let encoding =
            self.tokenizer.encode_fast(text, add_special).map_err(|e| self.error(e.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// From now on [`encode_document`](Self::encode_document) keeps at most `tokens` ids, its special tokens included,
    /// by cutting the end of the text.
    pub fn truncate_to(&mut self, tokens: usize) -> Result<(), ModelsError> {
        let params = TruncationParams { max_length: tokens, ..TruncationParams::default() };
        match self.tokenizer.with_truncation(Some(params)) {
            Ok(_) => Ok(()),
            Err(e) => {
                Err(ModelsError::tokenizer(&self.path, format!("cannot truncate to {tokens} tokens: {e}")))
            }
        }
    }

    /// The text of `ids` without special tokens. Bytes that are not UTF-8 become U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> String {
        let mut stream = self.stream();
        let mut text: String = ids.iter().map(|&id| stream.push(id)).collect();
        text.push_str(&stream.finish());
        text
    }

    /// Decodes ids one at a time.
    pub fn stream(&self) -> TextStream<'_> {
        TextStream::new(&self.bytes)
    }

    /// The bytes that a token stands for; empty for special tokens and holes in the vocabulary.
    pub fn token_bytes(&self, id: u32) -> &[u8] {
        self.bytes.get(id)
    }

    /// Whether the token is structure rather than text.
    pub fn is_special(&self, id: u32) -> bool {
        self.bytes.is_special(id)
    }

    /// The token as the vocabulary writes it: the name of a special token, `Ġthe` for " the".
    pub fn token_text(&self, id: u32) -> Option<String> {
        self.tokenizer.id_to_token(id)
    }

    /// The id of a token as the vocabulary writes it.
    pub fn token_id(&self, text: &str) -> Option<u32> {
        self.tokenizer.token_to_id(text)
    }

    /// Highest id + 1. The model's embedding may have more rows (padding).
    pub fn vocab_size(&self) -> usize {
        self.bytes.len()
    }

    /// First token of a text, when the model has one.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// Tokens that end an answer.
    pub fn eos(&self) -> &[u32] {
        &self.eos
    }

    /// Filler, when the model has one.
    pub fn pad(&self) -> Option<u32> {
        self.pad
    }

    fn error(&self, what: String) -> ModelsError {
        ModelsError::tokenizer(&self.path, what)
    }
}

impl std::fmt::Debug for TextTokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextTokenizer")
            .field("path", &self.path)
            .field("vocab_size", &self.vocab_size())
            .field("eos", &self.eos)
            .finish_non_exhaustive()
    }
}
