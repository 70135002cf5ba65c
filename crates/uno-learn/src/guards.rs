//! Answers that never win, whatever the judge says (METHOD §6): too short, collapsed, repeating themselves, or leaking
//! the tags of the prompt.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use uno_types::Guard;

use crate::prompts::quote::escape;

/// Thresholds of the guards.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GuardOptions {
    /// An answer with fewer characters than this share of the base answer's is too short.
    pub min_length_share: f64,
    /// An answer with sentence-BLEU at or below this against the base answer has collapsed.
    pub bleu_floor: f64,
    /// An answer with a larger [`repetition`] is repetitive.
    pub max_repetition: f64,
}

impl Default for GuardOptions {
    /// 10 % and 0.05 as published; 0.5 for repetition, which the published method does not look for.
    fn default() -> Self {
        Self { min_length_share: 0.10, bleu_floor: 0.05, max_repetition: 0.5 }
    }
}

/// Words per n-gram of [`repetition`].
const GRAM: usize = 4;

/// Texts with fewer words than this are never called repetitive: a refrain is not a loop.
const MIN_WORDS: usize = 24;

/// The first guard that turns `answer` down, given the base answer, the BLEU between the two (absent where something
/// better tells whether an answer has collapsed), and about the most characters that an obedient answer has (`limit`, if
/// any): an answer of at most 40 words is not to be measured against a base answer that rambles on over two hundred.
///
/// Length is counted in characters without outer white space. An empty base answer has no length to fall short of
/// and no words to overlap with, so only repetition counts then; an empty answer is always too short.
pub fn guard(
    base: &str,
    answer: &str,
    bleu: Option<f64>,
    limit: Option<usize>,
    options: &GuardOptions,
) -> Option<Guard> {
    if too_short(base, answer, limit, options.min_length_share) {
        return Some(Guard::TooShort);
    }
    if !base.trim().is_empty() && bleu.is_some_and(|bleu| bleu <= options.bleu_floor) {
        return Some(Guard::Collapsed);
    }
    if leaks(answer) && !leaks(base) {
        return Some(Guard::Leaked);
    }
    (repetition(answer) > options.max_repetition).then_some(Guard::Repetitive)
}

/// Whether `answer` is too short beside `base` by the default threshold.
pub fn is_too_short(base: &str, answer: &str) -> bool {
    too_short(base, answer, None, GuardOptions::default().min_length_share)
}

fn too_short(base: &str, answer: &str, limit: Option<usize>, share: f64) -> bool {
    let (base, length) = (base.trim().chars().count(), answer.trim().chars().count());
    let expected = limit.map_or(base, |limit| base.min(limit));
    length == 0 || (length as f64) < share * expected as f64
}

/// Whether `answer` holds a tag that our prompts put around data, such as `</suggestions>`.
fn leaks(answer: &str) -> bool {
    escape(answer) != answer
}

/// Whether `answer` repeats itself beyond the default threshold.
pub fn is_repetitive(answer: &str) -> bool {
    repetition(answer) > GuardOptions::default().max_repetition
}

/// How much of `answer` is a loop, 0 to 1: the share of its word 4-grams that occurred before in it. Words are runs
/// of letters and digits in lower case, and single CJK characters; rules and table borders do not count. 0 below 24
/// words. Plain prose stays below 0.1, step-by-step lists and tables below 0.35; a model caught in a loop soon passes
/// 0.5, as more than half of what it wrote then adds nothing.
pub fn repetition(answer: &str) -> f64 {
    let words = words(answer);
    if words.len() < MIN_WORDS {
        return 0.0;
    }
    let grams = words.windows(GRAM);
    let total = grams.len();
    let distinct = grams.collect::<HashSet<_>>().len();
    1.0 - distinct as f64 / total as f64
}

fn words(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        let cjk = ('\u{3040}'..='\u{9FFF}').contains(&c);
        if c.is_alphanumeric() && !cjk {
            word.extend(c.to_lowercase());
            continue;
        }
        if !word.is_empty() {
            out.push(std::mem::take(&mut word));
        }
        if cjk {
            out.push(c.to_string());
        }
    }
    if !word.is_empty() {
        out.push(word);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_guard_fires_at_its_threshold() {
        let o = GuardOptions::default();
        let base = "x".repeat(100);
        assert_eq!(guard(&base, &"x".repeat(9), Some(1.0), None, &o), Some(Guard::TooShort));
        assert_eq!(guard(&base, &"x".repeat(10), Some(1.0), None, &o), None);
        assert_eq!(guard(&base, &base, Some(0.05), None, &o), Some(Guard::Collapsed));
        assert_eq!(guard(&base, &base, Some(0.0501), None, &o), None);
        assert_eq!(guard("", "", Some(0.0), None, &o), Some(Guard::TooShort));
        assert_eq!(guard("", "fine", Some(0.0), None, &o), None);
        // Nine characters where at most ninety are allowed.
        assert_eq!(guard(&base, &"x".repeat(9), Some(1.0), Some(90), &o), None);
        let leaked = "1. Use a list.\n</suggestions>\nIn short: rice.";
        assert_eq!(guard("Rice.", leaked, Some(1.0), None, &o), Some(Guard::Leaked));
        assert_eq!(guard(leaked, leaked, Some(1.0), None, &o), None);
        assert_eq!(guard("a", &"go on and ".repeat(20), Some(1.0), None, &o), Some(Guard::Repetitive));
    }

    #[test]
    fn loops_are_found_and_prose_is_not() {
        let steps = "1. Preheat the oven to 180 degrees.\n2. Mix flour and sugar.\n3. Add two eggs and mix again.\n\
                     4. Pour the batter into a tin.\n5. Bake for thirty minutes.\n6. Let it cool and serve.";
        assert!(repetition(steps) < 0.1, "{}", repetition(steps));
        let table = "| Day | City | Cost |\n|-----|------|------|\n| 1 | Rome | 100 |\n| 2 | Rome | 120 |\n\
                     | 3 | Pisa | 100 |\n| 4 | Pisa | 90 |\n| 5 | Bari | 80 |\n| 6 | Bari | 80 |\n| 7 | Bari | 80 |";
        assert!(repetition(table) < 0.35, "{}", repetition(table));
        assert!(is_repetitive(&"I am sorry, I cannot help. ".repeat(8)));
        assert!(is_repetitive(&format!("{steps}\n{}", "7. Serve warm. ".repeat(60))));
        assert!(is_repetitive(&"好的".repeat(30)));
        assert!(is_repetitive(&"1. the the the the\n".repeat(20)));
    }

    proptest! {
        #[test]
        fn repetition_is_a_share(text in "\\PC{0,300}") {
            prop_assert!((0.0..=1.0).contains(&repetition(&text)));
        }

        #[test]
        fn repeating_a_text_never_lowers_its_repetition(text in "[a-z ]{60,120}", times in 3usize..6) {
            let once = repetition(&text);
            let more = repetition(&format!("{text} ").repeat(times));
            prop_assert!(more >= once - 1e-9);
        }
    }
}
