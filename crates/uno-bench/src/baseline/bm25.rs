//! BM25 as whoosh scores it by default (K1 = 1.2, B = 0.75).
//!
//! Unlike the published baseline, a query is cut into words like a document (whoosh's query parser loses an English
//! question's last word to the question mark), Chinese is cut by jieba (whoosh takes a whole clause for one word), and
//! lengths are not rounded.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use regex::Regex;
use uno_learn::bleu::jieba;
use uno_types::{Lang, Record};

use super::unit::{Entry, Unit};
use super::{BaselineError, Memory, Question, RECALLED, Tools};

const K1: f64 = 1.2;
const B: f64 = 0.75;

/// An index over texts.
pub struct Bm25 {
    unit: Unit,
    entries: Vec<Entry>,
    /// Of each entry: its words with their counts, and how many they are.
    words: Vec<(HashMap<String, usize>, usize)>,
    /// In how many entries a word is.
    spread: HashMap<String, usize>,
}

impl Bm25 {
    /// An empty index.
    pub fn new(unit: Unit) -> Self {
        Self { unit, entries: Vec::new(), words: Vec::new(), spread: HashMap::new() }
    }

    /// The best entries for a query; those that share no word with it are not among them.
    fn search(&self, query: &str, k: usize) -> Vec<usize> {
        let n = self.entries.len() as f64;
        let total: usize = self.words.iter().map(|(_, length)| length).sum();
        let average = total as f64 / n.max(1.0);
        let words: BTreeSet<String> = analyse(query).into_iter().collect();
        let score = |(counts, length): &(HashMap<String, usize>, usize)| -> f64 {
            let norm = K1 * (1.0 - B + B * *length as f64 / average.max(1e-9));
            let of_word = |word: &String| {
                let count = *counts.get(word)? as f64;
                let spread = self.spread.get(word).copied().unwrap_or(0) as f64;
                let idf = (n / (spread + 1.0)).ln() + 1.0;
                Some(idf * count * (K1 + 1.0) / (count + norm))
            };
            words.iter().filter_map(of_word).sum()
        };
        let mut scored: Vec<(f64, usize)> =
            self.words.iter().enumerate().map(|(i, w)| (score(w), i)).filter(|(s, _)| *s > 0.0).collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        scored.into_iter().take(k).map(|(_, i)| i).collect()
    }
}

impl Memory for Bm25 {
    fn name(&self) -> &'static str {
        match self.unit {
            Unit::Message => "bm25_message",
            Unit::Dialog => "bm25_dialog",
        }
    }

    fn simplified(&self) -> &'static str {
        "queries are cut like documents, Chinese by jieba; document lengths are exact"
    }

    fn add(&mut self, logs: &[Record], _: &Tools<'_>) -> Result<(), BaselineError> {
        for entry in self.unit.entries(logs) {
            let mut counts: HashMap<String, usize> = HashMap::new();
            let words = analyse(&entry.key);
            let length = words.len();
            for word in words {
                *counts.entry(word).or_default() += 1;
            }
            for word in counts.keys() {
                *self.spread.entry(word.clone()).or_default() += 1;
            }
            self.words.push((counts, length));
            self.entries.push(entry);
        }
        Ok(())
    }

    fn recall(&self, questions: &[Question], _: &Tools<'_>) -> Result<Vec<Vec<String>>, BaselineError> {
        let texts = |q: &Question| {
            let found = self.search(q.text(), RECALLED);
            found.into_iter().map(|i| self.entries[i].text.clone()).collect()
        };
        Ok(questions.iter().map(texts).collect())
    }
}

static WORD: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\w+(\.?\w+)*").ok());

const STOP_WORDS: &[&str] = &[
    "a", "an", "and", "are", "as", "at", "be", "by", "can", "for", "from", "have", "if", "in", "is", "it",
    "may", "not", "of", "on", "or", "tbd", "that", "the", "this", "to", "us", "we", "when", "will", "with",
    "yet", "you", "your",
];

/// Words in lower case, of two letters or more, without stop words.
fn analyse(text: &str) -> Vec<String> {
    let text = text.to_lowercase();
    if Lang::detect(&text) == Lang::Zh {
        return jieba(&text).into_iter().filter(|w| w.chars().any(char::is_alphanumeric)).collect();
    }
    let Some(word) = WORD.as_ref() else { return Vec::new() };
    let words = word.find_iter(&text).map(|m| m.as_str());
    let kept = words.filter(|w| w.chars().count() > 1 && !STOP_WORDS.contains(w));
    kept.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(texts: &[&str]) -> Bm25 {
        let mut index = Bm25::new(Unit::Dialog);
        for text in texts {
            let record: Record = serde_json::from_value(serde_json::json!({
                "id": text, "lang": "en", "messages": [{"role": "user", "content": text}],
            }))
            .unwrap();
            let words = index.unit.entries(&[record]);
            for entry in words {
                let found = analyse(&entry.key);
                let mut counts = HashMap::new();
                found.iter().for_each(|w| *counts.entry(w.clone()).or_default() += 1);
                counts.keys().for_each(|w| *index.spread.entry(w.clone()).or_default() += 1);
                index.words.push((counts, found.len()));
                index.entries.push(entry);
            }
        }
        index
    }

    #[test]
    fn words_are_those_of_whoosh() {
        assert_eq!(analyse("The sky is BLUE, v1.2 a I?"), ["sky", "blue", "v1.2"]);
        assert_eq!(analyse("请分析案件。"), ["请", "分析", "案件"]);
    }

    #[test]
    fn rare_words_and_short_texts_weigh_more() {
        let index = index(&["red apple tree", "red pear", "red plum plum and many more words here"]);
        assert_eq!(index.search("a red pear?", 5), [1, 0, 2]);
        assert_eq!(index.search("plum", 5), [2]);
        assert!(index.search("nothing shared", 5).is_empty());
    }

    #[test]
    fn the_formula_by_hand() {
        // One of two texts of length 1 holds the word: idf = ln(2/2) + 1 = 1, so the score is 2.2/2.2.
        let index = index(&["pear", "plum"]);
        let (counts, length) = &index.words[0];
        assert_eq!((counts["pear"], *length, index.spread["pear"]), (1, 1, 1));
        assert_eq!(index.search("pear", 1), [0]);
    }
}
