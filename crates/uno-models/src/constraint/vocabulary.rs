//! The tokens of a model as `llguidance` wants them: a trie of byte strings.

use std::sync::Arc;

use toktrie::{TokEnv, TokRxInfo, TokTrie, TokenId, TokenizerEnv};

use crate::ModelsError;

/// Text to tokens.
pub type Encode = Box<dyn Fn(&str) -> Vec<u32> + Send + Sync>;

/// What a grammar must know of a tokenizer.
pub struct Vocabulary {
    /// The bytes each token stands for, by id; `None` for special tokens, which no text may contain.
    pub bytes: Vec<Option<Vec<u8>>>,
    /// Tokens that end a turn, at least one.
    pub ends: Vec<u32>,
    /// Text to tokens, as the model was trained on it: forced text is fed in this form.
    pub encode: Encode,
}

impl Vocabulary {
    pub(super) fn into_env(self) -> Result<TokEnv, ModelsError> {
        let Some(&first_end) = self.ends.first() else {
            return Err(ModelsError::Schema("the model names no token that ends a turn".to_owned()));
        };
        let words: Vec<Vec<u8>> = self
            .bytes
            .iter()
            .enumerate()
            .map(|(id, bytes)| match bytes {
                Some(bytes) => bytes.clone(),
                // The marker byte occurs in no UTF-8 text, so no grammar over text reaches these.
                None => {
                    format!("<|{id}|>").bytes().fold(vec![TokTrie::SPECIAL_TOKEN_MARKER], |mut word, byte| {
                        word.push(byte);
                        word
                    })
                }
            })
            .collect();
        if let Some(&end) = self.ends.iter().find(|&&end| end as usize >= words.len()) {
            return Err(ModelsError::Schema(format!(
                "end token {end} is outside the vocabulary of {}",
                words.len()
            )));
        }
        let info = TokRxInfo::new(words.len() as u32, first_end);
        let trie = TokTrie::from(&info, &words).with_eos_tokens(&self.ends);
        Ok(Arc::new(Env { trie, encode: self.encode }))
    }
}

struct Env {
    trie: TokTrie,
    encode: Encode,
}

impl TokenizerEnv for Env {
    fn tok_trie(&self) -> &TokTrie {
        &self.trie
    }

    fn tokenize_bytes(&self, bytes: &[u8]) -> Vec<TokenId> {
        self.trie.tokenize_with_greedy_fallback(bytes, |text| (self.encode)(text))
    }
}
