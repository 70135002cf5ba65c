//! Sentence-BLEU-4 as NLTK computes it (`sentence_bleu`, weights ¼, smoothing method 1): the guard against answers
//! that have collapsed (METHOD §6).

use std::collections::HashMap;
use std::sync::OnceLock;

use jieba_rs::Jieba;

/// Longest n-gram.
const ORDER: usize = 4;

/// What method 1 puts in place of a numerator of zero.
const EPSILON: f64 = 0.1;

/// BLEU of `output` against `reference`, 0 to 1, after [`tokenize`]. 0 when either side has no tokens.
pub fn sentence_bleu(reference: &str, output: &str) -> f64 {
    bleu_of_tokens(&tokenize(reference), &tokenize(output))
}

/// The words that BLEU counts: cut by jieba when the text holds a CJK ideograph (U+4E00 to U+9FA5), otherwise
/// lower-cased and split at white space.
///
/// On the golden texts (Chinese, mixed, full-width letters, Japanese) jieba-rs cuts exactly as the Python original;
/// its dictionary may still differ for single rare words, which moves BLEU by little.
pub fn tokenize(text: &str) -> Vec<String> {
    if text.chars().any(|c| ('\u{4E00}'..='\u{9FA5}').contains(&c)) {
        return jieba(text);
    }
    // U+001C to U+001F are white space to Python's str.split.
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| c.is_whitespace() || ('\u{1C}'..='\u{1F}').contains(&c));
    words.filter(|w| !w.is_empty()).map(str::to_owned).collect()
}

/// All of `text` cut by jieba (its default dictionary, hidden Markov model on), white space and marks included.
pub fn jieba(text: &str) -> Vec<String> {
    static JIEBA: OnceLock<Jieba> = OnceLock::new();
    let words = JIEBA.get_or_init(Jieba::new).cut(text, true);
    words.into_iter().map(|token| token.word.to_owned()).collect()
}

/// BLEU over tokens that are already cut.
pub fn bleu_of_tokens<S: AsRef<str>>(reference: &[S], output: &[S]) -> f64 {
    if reference.is_empty() || output.is_empty() {
        return 0.0;
    }
    let mut log_sum = 0.0;
    for order in 1..=ORDER {
        let (matched, total) = clipped_matches(reference, output, order);
        if order == 1 && matched == 0 {
            return 0.0;
        }
        let numerator = if matched == 0 { EPSILON } else { matched as f64 };
        log_sum += 0.25 * (numerator / total.max(1) as f64).ln();
    }
    brevity_penalty(reference.len(), output.len()) * log_sum.exp()
}

/// How many n-grams of `output` occur in `reference`, each at most as often as there, and how many there are.
fn clipped_matches<S: AsRef<str>>(reference: &[S], output: &[S], order: usize) -> (usize, usize) {
    let mut available: HashMap<Vec<&str>, usize> = HashMap::new();
    for gram in reference.windows(order) {
        *available.entry(gram.iter().map(AsRef::as_ref).collect()).or_default() += 1;
    }
    let (mut matched, mut total) = (0, 0);
    for gram in output.windows(order) {
        total += 1;
        let key: Vec<&str> = gram.iter().map(AsRef::as_ref).collect();
        if let Some(left) = available.get_mut(&key).filter(|left| **left > 0) {
            *left -= 1;
            matched += 1;
        }
    }
    (matched, total)
}

fn brevity_penalty(reference: usize, output: usize) -> f64 {
    if output > reference { 1.0 } else { (1.0 - reference as f64 / output as f64).exp() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bleu_lies_between_zero_and_one(a in "\\PC{0,60}", b in "\\PC{0,60}") {
            let bleu = sentence_bleu(&a, &b);
            prop_assert!((0.0..=1.0 + 1e-12).contains(&bleu), "{bleu}");
        }

        #[test]
        fn a_text_of_four_words_or_more_equals_itself(words in prop::collection::vec("[a-z]{1,6}", 4..20)) {
            let text = words.join(" ");
            prop_assert!((sentence_bleu(&text, &text) - 1.0).abs() < 1e-12);
        }
    }
}
