//! Conversations that were read before.
//!
//! Exact copies (blind to white space and letter case) are found by hash. Near copies, when asked for, by MinHash: 64
//! minima over the hashes of all runs of five words, in 16 bands of four; two conversations that share a band are
//! compared by the share of equal minima, an estimate (standard error about 0.06) of the Jaccard similarity of their
//! word runs. With that banding, pairs of similarity 0.8 meet in a band with probability above 0.999, and pairs of 0.5
//! with 0.64; lower thresholds than 0.5 therefore miss many.

use std::collections::{HashMap, HashSet};

use uno_types::Message;

use crate::ids::content_hash;

const BANDS: usize = 16;
const ROWS: usize = 4;
const HASHES: usize = BANDS * ROWS;
const SHINGLE: usize = 5;

type Signature = [u64; HASHES];

/// Remembers the conversations it was shown.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    exact: HashSet<[u8; 32]>,
    threshold: Option<f64>,
    signatures: Vec<Signature>,
    bands: HashMap<(usize, [u64; ROWS]), Vec<usize>>,
}

impl Seen {
    /// `threshold`: similarity, 0 to 1, at which a conversation counts as a near copy; `None` for exact copies only.
    pub fn new(threshold: Option<f64>) -> Self {
        Self { threshold, ..Self::default() }
    }

    /// Whether the conversation is a copy of one shown before. It is remembered unless it is.
    pub fn is_copy(&mut self, messages: &[Message]) -> bool {
        if !self.exact.insert(*content_hash(messages).as_bytes()) {
            return true;
        }
        let Some(threshold) = self.threshold else { return false };
        let signature = signature(messages);
        let band = |b: usize| {
            let mut key = [0; ROWS];
            key.copy_from_slice(&signature[b * ROWS..][..ROWS]);
            (b, key)
        };
        let alike = (0..BANDS).filter_map(|b| self.bands.get(&band(b))).flatten().any(|i| {
            let equal = self.signatures[*i].iter().zip(&signature).filter(|(a, b)| a == b).count();
            equal as f64 / HASHES as f64 >= threshold
        });
        if !alike {
            for b in 0..BANDS {
                self.bands.entry(band(b)).or_default().push(self.signatures.len());
            }
            self.signatures.push(signature);
        }
        alike
    }
}

fn signature(messages: &[Message]) -> Signature {
    let text: Vec<String> = messages.iter().map(|m| m.content.to_lowercase()).collect();
    let words: Vec<&str> = text.iter().flat_map(|t| tokens(t)).collect();
    let mut minima = [u64::MAX; HASHES];
    let size = SHINGLE.min(words.len().max(1));
    for run in words.windows(size) {
        let mut hasher = blake3::Hasher::new();
        for word in run {
            hasher.update(word.as_bytes());
            hasher.update(&[0]);
        }
        let mut values = [0u8; HASHES * 8];
        hasher.finalize_xof().fill(&mut values);
        for (least, bytes) in minima.iter_mut().zip(values.chunks_exact(8)) {
            let mut value = [0; 8];
            value.copy_from_slice(bytes);
            *least = (*least).min(u64::from_le_bytes(value));
        }
    }
    minima
}

/// Runs of letters and digits; CJK characters one by one.
fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let cjk = |c: char| ('\u{3040}'..='\u{9FFF}').contains(&c);
    text.split_inclusive(move |c: char| !c.is_alphanumeric() || cjk(c))
        .flat_map(move |part| match part.char_indices().next_back() {
            Some((at, last)) if cjk(last) => [&part[..at], &part[at..]],
            Some((at, last)) if !last.is_alphanumeric() => [&part[..at], ""],
            _ => [part, ""],
        })
        .filter(|t| !t.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talk(text: &str) -> Vec<Message> {
        vec![Message::user("How do I bake bread?"), Message::assistant(text)]
    }

    #[test]
    fn near_copies_are_found_only_when_asked_for() {
        let text = "Mix flour, water, salt and yeast, knead the dough for ten minutes, let it rise for two hours in a warm \
                    place, form a loaf and bake it at two hundred and twenty degrees for forty minutes until it sounds hollow.";
        let near = text.replace("hollow", "done");
        let other = "Buy it at the bakery round the corner, it is open until six and far better than what I could make myself.";
        let mut exact = Seen::new(None);
        assert!(!exact.is_copy(&talk(text)) && !exact.is_copy(&talk(&near)) && exact.is_copy(&talk(text)));
        let mut near_too = Seen::new(Some(0.7));
        assert!(!near_too.is_copy(&talk(text)));
        assert!(near_too.is_copy(&talk(&near)));
        assert!(!near_too.is_copy(&talk(other)));
    }

    #[test]
    fn words_of_all_scripts() {
        assert_eq!(tokens("ab, c1 你好x").collect::<Vec<_>>(), ["ab", "c1", "你", "好", "x"]);
        let mut seen = Seen::new(Some(0.8));
        assert!(!seen.is_copy(&[]) && !seen.is_copy(&[Message::user("hi")]));
    }
}
