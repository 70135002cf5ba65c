//! The bytes that each token stands for.

use std::collections::HashMap;

use tokenizers::Tokenizer;

/// How a vocabulary writes bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// GPT-2: every byte is a printable character; a space is `Ġ`.
    ByteLevel,
    /// Sentencepiece: text as it is, a space is `▁`, rare bytes are `<0xAB>`.
    SentencePiece,
    /// WordPiece (BERT): words as they are, `##` continues one. Never decoded token by token in earnest.
    WordPiece,
}

/// All tokens' bytes, one after the other.
pub(super) struct TokenBytes {
    alphabet: Alphabet,
    data: Vec<u8>,
    /// Token `id` is `data[starts[id]..starts[id + 1]]`.
    starts: Vec<u32>,
    special: Vec<bool>,
}

impl TokenBytes {
    pub(super) fn new(tokenizer: &Tokenizer, alphabet: Alphabet) -> Self {
        let by_id: HashMap<u32, String> =
            tokenizer.get_vocab(true).into_iter().map(|(t, id)| (id, t)).collect();
        let added = tokenizer.get_added_tokens_decoder();
        let size = by_id.keys().max().map_or(0, |&id| id + 1);
        let (mut data, mut starts) = (Vec::new(), vec![0]);
        let mut special = vec![false; size as usize];
        let characters = byte_level_characters();
        for id in 0..size {
            let added = added.get(&id);
            if added.is_some_and(|token| token.special) {
                special[id as usize] = true;
            } else if let Some(text) = by_id.get(&id) {
                match alphabet {
                    Alphabet::ByteLevel => push_byte_level(text, &characters, &mut data),
                    // An added token is plain text, also where it holds `▁`.
                    Alphabet::SentencePiece if added.is_none() => push_sentence_piece(text, &mut data),
                    Alphabet::SentencePiece => data.extend_from_slice(text.as_bytes()),
                    Alphabet::WordPiece => push_word_piece(text, &mut data),
                }
            }
            starts.push(data.len() as u32);
        }
        Self { alphabet, data, starts, special }
    }

    pub(super) fn len(&self) -> usize {
        self.special.len()
    }

    pub(super) fn get(&self, id: u32) -> &[u8] {
        match (self.starts.get(id as usize), self.starts.get(id as usize + 1)) {
            (Some(&start), Some(&end)) => &self.data[start as usize..end as usize],
            _ => &[],
        }
    }

    pub(super) fn is_special(&self, id: u32) -> bool {
        self.special.get(id as usize).copied().unwrap_or(false)
    }

    /// Whether the first token's leading space is an artefact of the vocabulary and not text.
    pub(super) fn strips_first_space(&self) -> bool {
        self.alphabet != Alphabet::ByteLevel
    }
}

/// GPT-2's printable stand-ins (`bytes_to_unicode` in its encoder.py): printable Latin-1 stands for itself, the rest is
/// numbered from U+0100.
fn byte_level_characters() -> HashMap<char, u8> {
    let mut next = 0x100u32;
    let mut characters = HashMap::with_capacity(256);
    for byte in 0..=255u8 {
        let printable = matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
        let character = if printable {
            Some(char::from(byte))
        } else {
            next += 1;
            char::from_u32(next - 1)
        };
        characters.extend(character.map(|c| (c, byte)));
    }
    characters
}

/// As `tokenizers`' ByteLevel decoder: a token with a character outside the alphabet is plain text as a whole.
fn push_byte_level(text: &str, characters: &HashMap<char, u8>, data: &mut Vec<u8>) {
    match text.chars().map(|c| characters.get(&c).copied()).collect::<Option<Vec<u8>>>() {
        Some(bytes) => data.extend(bytes),
        None => data.extend_from_slice(text.as_bytes()),
    }
}

fn push_sentence_piece(text: &str, data: &mut Vec<u8>) {
    let byte = text.strip_prefix("<0x").and_then(|t| t.strip_suffix('>')).filter(|hex| hex.len() == 2);
    match byte.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
        Some(byte) => data.push(byte),
        None => data.extend_from_slice(text.replace('▁', " ").as_bytes()),
    }
}

fn push_word_piece(text: &str, data: &mut Vec<u8>) {
    match text.strip_prefix("##") {
        Some(rest) => data.extend_from_slice(rest.as_bytes()),
        None => {
            data.push(b' ');
            data.extend_from_slice(text.as_bytes());
        }
    }
}
