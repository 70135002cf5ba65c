//! What in a text must not be garbled: numbers and quoted words. And its content words, for lexical overlap.
//!
//! A small model that is asked to keep "at most 40 words" writes "14 words" now and then. A rule whose numbers or quoted
//! words do not occur in its evidence is therefore not traceable to it, however similar it reads.

use std::collections::BTreeSet;

const NUMBER_WORDS: &[(&str, &str)] = &[
    ("single", "1"),
    ("one", "1"),
    ("two", "2"),
    ("couple", "2"),
    ("pair", "2"),
    ("three", "3"),
    ("four", "4"),
    ("five", "5"),
    ("six", "6"),
    ("seven", "7"),
    ("eight", "8"),
    ("nine", "9"),
    ("ten", "10"),
    ("eleven", "11"),
    ("twelve", "12"),
    ("dozen", "12"),
    ("fifteen", "15"),
    ("twenty", "20"),
    ("thirty", "30"),
    ("forty", "40"),
    ("fourty", "40"),
    ("fifty", "50"),
    ("sixty", "60"),
    ("seventy", "70"),
    ("eighty", "80"),
    ("ninety", "90"),
    ("hundred", "100"),
    ("一", "1"),
    ("两", "2"),
    ("二", "2"),
    ("三", "3"),
    ("四", "4"),
    ("五", "5"),
    ("六", "6"),
    ("七", "7"),
    ("八", "8"),
    ("九", "9"),
    ("十", "10"),
    ("二十", "20"),
    ("三十", "30"),
    ("四十", "40"),
    ("五十", "50"),
    ("一百", "100"),
];

/// Numbers as digits, from digits and number words ("two", "forty", 两). "1" is left out: "one" is mostly a pronoun.
pub fn numbers(text: &str) -> BTreeSet<String> {
    let lower = text.to_lowercase();
    let mut found = BTreeSet::new();
    for token in lower.split(|c: char| !c.is_alphanumeric()) {
        let mut rest = token;
        while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
            let tail = &rest[start..];
            let end = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
            found.insert(tail[..end].trim_start_matches('0').to_owned());
            rest = &tail[end..];
        }
        if let Some((_, n)) = NUMBER_WORDS.iter().find(|(w, _)| *w == token) {
            found.insert((*n).to_owned());
        }
        // Chinese has no white space: the longest number word that a measure word or a noun follows.
        let mut skip = 0;
        for (i, _) in token.char_indices().filter(|(_, c)| !c.is_ascii()) {
            if i < skip {
                continue;
            }
            let best = NUMBER_WORDS
                .iter()
                .filter(|(w, _)| !w.is_ascii() && token[i..].starts_with(w))
                .max_by_key(|(w, _)| w.len());
            if let Some((w, n)) = best {
                found.insert((*n).to_owned());
                skip = i + w.len();
            }
        }
    }
    found.remove("1");
    found.remove("");
    found
}

/// Texts between double quotes of any kind, without outer punctuation and case.
pub fn quoted(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut start = None;
    for (i, c) in text.char_indices() {
        match (c, start) {
            ('"' | '“' | '「', None) => start = Some(i + c.len_utf8()),
            ('"' | '”' | '」', Some(s)) => {
                let inner = plain(&text[s..i]);
                if !inner.is_empty() {
                    out.push(inner);
                }
                start = None;
            }
            _ => {}
        }
    }
    out
}

/// Lower case, words separated by single spaces, no punctuation: for "occurs in" tests.
pub fn plain(text: &str) -> String {
    let words: Vec<String> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_lowercase).collect();
    words.join(" ")
}

const STOP: &[&str] = &[
    "a", "an", "the", "to", "of", "in", "on", "at", "as", "and", "or", "it", "is", "be", "do", "does", "not",
    "no", "with", "for", "i", "me", "my", "you", "your", "this", "that", "these", "those", "please",
    "answer", "answers", "should", "must", "always", "use", "make", "keep", "write", "so", "can", "could",
    "would", "just", "by", "from", "than", "more", "most", "user", "if", "when", "them", "they", "are",
    "was", "have", "has", "up", "all", "each", "every", "any", "only", "give", "provide", "include",
    "ensure",
];

/// Content words, roughly stemmed; single ideographs for Chinese.
pub fn content_words(text: &str) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for word in plain(text).split(' ').filter(|w| !w.is_empty()) {
        if word.chars().any(|c| ('\u{4e00}'..='\u{9fa5}').contains(&c)) {
            out.extend(
                word.chars()
                    .filter(|c| !"的了是请我你这那不要用写把在和也都就".contains(*c))
                    .map(String::from),
            );
        } else if !STOP.contains(&word) {
            out.insert(stem(word));
        }
    }
    out
}

fn stem(word: &str) -> String {
    let cut = ["ing", "ed", "es", "s"]
        .iter()
        .find_map(|s| word.strip_suffix(s).filter(|w| w.len() >= 3))
        .unwrap_or(word);
    cut.trim_end_matches('e').to_owned()
}

/// Share of `rule`'s content words that occur in `evidence`; 0 when the rule has none.
pub fn overlap(rule: &str, evidence: &str) -> f32 {
    let (rule, evidence) = (content_words(rule), content_words(evidence));
    if rule.is_empty() {
        return 0.0;
    }
    rule.intersection(&evidence).count() as f32 / rule.len() as f32
}

/// Whether every number and every quoted text of `rule` occurs in `evidence`. What the rule quotes must be quoted there
/// too when anything is: "Start with "Money"" does not follow from `When it is about money, end with "Ask Ann."`.
pub fn faithful(rule: &str, evidence: &str) -> bool {
    let (said, marked) = (plain(evidence), quoted(evidence));
    let occurs = |q: &String| {
        if marked.is_empty() {
            said.contains(q.as_str())
        } else {
            marked.iter().any(|m| m.contains(q.as_str()))
        }
    };
    numbers(rule).is_subset(&numbers(evidence)) && quoted(rule).iter().all(occurs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_quotes_must_be_the_users() {
        assert!(faithful("Use at most 40 words.", "forty words, no more"));
        assert!(!faithful("Use at most 14 words.", "at most 40 words please"));
        assert!(faithful("End with \"Ask your vet.\"", "close with ask your VET, always"));
        assert!(!faithful("End with \"Ask a lawyer\"", "close with \"Ask your vet\""));
        assert!(!faithful("Start with \"Money\"", "when it is about money, close with \"Ask Ann\""));
        assert!(faithful("最多写2段。", "最多两段"));
        assert!(!faithful("最多写3段。", "最多两段"));
        assert!(numbers("this one, 007 and x2y30").iter().eq(["2", "30", "7"]));
        assert!(numbers("四十个字").contains("40"));
    }

    #[test]
    fn overlap_is_the_rules_share() {
        assert_eq!(overlap("Use numbered steps.", "could you number the steps"), 1.0);
        assert_eq!(overlap("Use numbered steps.", "I had a nice day"), 0.0);
        assert_eq!(overlap("", "x"), 0.0);
    }
}
