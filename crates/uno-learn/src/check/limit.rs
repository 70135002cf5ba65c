//! How long an answer that holds can be.

use uno_types::{Check, Rule};

/// Characters of a word with its space, and words of a sentence: rough upper figures for English; Chinese has fewer.
const WORD_CHARS: usize = 6;
const SENTENCE_WORDS: usize = 20;

/// About the most characters that an answer may have under `rules`; `None` when none of them limits its length.
pub fn longest(rules: &[Rule]) -> Option<usize> {
    rules.iter().filter_map(|rule| rule.check.as_ref()).flat_map(Check::parts).filter_map(of).min()
}

fn of(check: &Check) -> Option<usize> {
    match check {
        Check::MaxWords { max } => Some(max.saturating_mul(WORD_CHARS)),
        Check::MaxSentences { max } | Check::Sentences { count: max } => {
            Some(max.saturating_mul(SENTENCE_WORDS * WORD_CHARS))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::rule;

    #[test]
    fn the_tightest_limit_counts() {
        let words = rule("At most 40 words.", "", Some(Check::MaxWords { max: 40 }));
        let both = Check::All { checks: vec![Check::MaxSentences { max: 1 }, Check::NoList] };
        let sentence = rule("One sentence, no list.", "", Some(both));
        let open = rule("Be kind.", "", None);
        assert_eq!(longest(&[open.clone(), words.clone()]), Some(240));
        assert_eq!(longest(&[words, sentence]), Some(120));
        assert_eq!(longest(&[open]), None);
        assert_eq!(longest(&[]), None);
    }
}
