//! Readability of English as the Python package `textstat` (0.7.7 and later) computes it: Coleman-Liau and Dale-Chall.
//!
//! Flesch-Kincaid is left out: it needs the syllables of CMUdict and, for other words, of a hyphenation dictionary; only a
//! third of the published figures can be had again that way.

use std::collections::HashSet;

/// The Dale-Chall list of easy words, one a line (textstat's `resources/en/easy_words.txt`).
#[derive(Clone, Debug, Default)]
pub struct EasyWords(HashSet<String>);

impl EasyWords {
    /// From the file's text.
    pub fn read(text: &str) -> Self {
        Self(text.lines().map(|l| l.trim().to_owned()).filter(|l| !l.is_empty()).collect())
    }
}

/// Coleman-Liau index: about the school year that can read the text; 0 without words.
pub fn coleman_liau(text: &str) -> f64 {
    let words = words(text).len() as f64;
    if words == 0.0 {
        return 0.0;
    }
    let letters = text.chars().filter(|c| is_word(*c)).count() as f64 / words * 100.0;
    let sentences = sentences(text) as f64 / words * 100.0;
    if letters == 0.0 || sentences == 0.0 {
        return 0.0;
    }
    0.058 * letters - 0.296 * sentences - 15.8
}

/// Dale-Chall readability score; every word that is not in the list is difficult, inflected forms too. 0 without words.
pub fn dale_chall(text: &str, easy: &EasyWords) -> f64 {
    let words = words(text);
    if words.is_empty() {
        return 0.0;
    }
    let hard = words.iter().filter(|w| !easy.0.contains(&w.to_lowercase())).count();
    let percent = 100.0 * hard as f64 / words.len() as f64;
    let score = 0.1579 * percent + 0.0496 * (words.len() as f64 / sentences(text) as f64);
    if percent > 5.0 { score + 3.6365 } else { score }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_stop(c: char) -> bool {
    matches!(c, '.' | '!' | '?')
}

/// Words without marks; apostrophes stay only before t, s, d, ve, ll, re.
fn words(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let contraction = |i: usize| {
        let next: String = chars[i + 1..].iter().take(2).collect();
        next.starts_with(['t', 's', 'd']) || ["ve", "ll", "re"].contains(&next.as_str())
    };
    let kept = |(i, c): (usize, &char)| {
        (is_word(*c) || c.is_whitespace() || (*c == '\'' && contraction(i))).then_some(*c)
    };
    let text: String = chars.iter().enumerate().filter_map(kept).collect();
    text.split_whitespace().map(str::to_owned).collect()
}

/// Stretches up to a full stop, question or exclamation mark that hold at least three words; at least one.
fn sentences(text: &str) -> usize {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().is_some_and(is_word);
    let boundary = |i: usize| at(i) != (i > 0 && at(i - 1));
    let (mut i, mut count) = (0, 0);
    while i < chars.len() {
        if !boundary(i) || is_stop(chars[i]) {
            i += 1;
            continue;
        }
        let start = i;
        while i < chars.len() && !is_stop(chars[i]) {
            i += 1;
        }
        while i < chars.len() && is_stop(chars[i]) {
            i += 1;
        }
        let sentence: String = chars[start..i].iter().collect();
        count += usize::from(words(&sentence).len() > 2);
    }
    count.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_sentences() {
        assert_eq!(
            words("Don't 'quote' well-known e-mail's, we've"),
            ["Don't", "quote", "wellknown", "email's", "we've"]
        );
        assert_eq!(sentences("One two three. Four five six! Yes. Really?"), 2);
        assert_eq!((sentences(""), sentences("Hm.")), (1, 1));
    }

    #[test]
    fn by_hand() {
        // 6 words, 27 letters, 1 sentence.
        let text = "Easy words make reading rather pleasant.";
        assert!((coleman_liau(text) - (0.058 * 3400.0 / 6.0 - 0.296 * 100.0 / 6.0 - 15.8)).abs() < 1e-12);
        let easy = EasyWords::read("easy\nwords\nmake\nreading\n");
        let expected = 0.1579 * (200.0 / 6.0) + 0.0496 * 6.0 + 3.6365;
        assert!((dale_chall(text, &easy) - expected).abs() < 1e-12);
        assert_eq!((coleman_liau("—"), dale_chall("", &easy)), (0.0, 0.0));
    }
}
