//! Corrected answers: the model's own first answer, reshaped by a program until it obeys the house rule.
//!
//! The text stays the model's (short sentences of its own answer), so a corrected answer reads like one it could have
//! given; programming answers hold hand-written code, because the small model's code is often wrong.

use std::collections::HashSet;

use uno_learn::distil::sentence::split;
use uno_learn::{check, guards};
use uno_types::Check;

use super::domains::Domain;

/// Longest corrected answer, in words: about 90 tokens.
const MAX_WORDS: usize = 60;

/// An answer to the question about `topic` that obeys the domain's rule, made from `first`; `None` when the first answer
/// gives no usable sentences.
pub fn corrected(domain: &Domain, topic: &str, first: &str) -> Option<String> {
    let sentences = sentences(first);
    let text = match &domain.check {
        Check::NumberedList => numbered(&sentences)?,
        Check::MaxWords { max } => within(&sentences, *max)?,
        Check::CodeFirst => {
            let (_, code, note) = domain.code.iter().find(|(t, ..)| *t == topic)?;
            format!("```python\n{code}\n```\n{note}")
        }
        Check::EndsWith { text } => format!("{}\n{text}", two(&sentences)?),
        Check::MaxSentences { .. } => two(&sentences)?,
        _ => return None,
    };
    let sound = words(&text) <= MAX_WORDS && !guards::is_repetitive(&text);
    (sound && check::holds(&domain.check, &text)).then_some(text)
}

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

/// The usable sentences of an answer: without markup, announcements ("Here are some tips:"), pleasantries, overlong ones
/// and repetitions.
fn sentences(answer: &str) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut out = Vec::new();
    let mut code = false;
    for line in answer.lines() {
        if line.trim_start().starts_with("```") {
            code = !code;
            continue;
        }
        if code {
            continue;
        }
        let line = bare(line);
        for sentence in split(&line) {
            let lower = sentence.to_lowercase();
            let filler = FILLERS.iter().any(|f| lower.contains(f));
            let whole = sentence.ends_with(['.', '!']) && (4..=26).contains(&words(sentence));
            if whole && !filler && sentence.starts_with(char::is_uppercase) && seen.insert(lower) {
                out.push(sentence.trim_end_matches('!').trim_end_matches('.').to_owned() + ".");
            }
        }
    }
    out
}

const FILLERS: &[&str] = &[
    "happy to help",
    "glad to help",
    "great question",
    "here are",
    "here's",
    "here is",
    "as an ai",
    "certainly",
    "let me know",
    "i hope",
    "i'm sorry",
    "feel free",
    "following",
    "step-by-step",
    "below",
    "i can",
    "i'd",
    "i'll",
    "http",
    "[",
    "you asked",
];

/// A line without list marker, heading marks and emphasis; a bold label ("**Soak:** …") keeps only what follows it.
fn bare(line: &str) -> String {
    let line = line.trim().trim_start_matches(['#', '-', '*', '•', '+', '>', ' ']);
    let digits = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let line = if digits > 0 { line[digits..].trim_start_matches(['.', ')', ' ']) } else { line };
    let line = line.replace(['*', '`', '_'], "");
    match line.split_once(": ") {
        Some((label, rest)) if words(label) <= 6 && rest.starts_with(char::is_uppercase) => {
            rest.trim().to_owned()
        }
        _ => line.trim().to_owned(),
    }
}

fn numbered(sentences: &[String]) -> Option<String> {
    let steps: Vec<&String> = sentences.iter().filter(|s| words(s) <= 18).take(4).collect();
    (steps.len() >= 2).then(|| {
        let lines: Vec<String> = steps.iter().enumerate().map(|(i, s)| format!("{}. {s}", i + 1)).collect();
        lines.join("\n")
    })
}

/// As many sentences from the beginning as fit into `max` words.
fn within(sentences: &[String], max: usize) -> Option<String> {
    let mut out: Vec<&str> = Vec::new();
    let mut used = 0;
    for sentence in sentences {
        if used + words(sentence) > max {
            break;
        }
        used += words(sentence);
        out.push(sentence);
    }
    (used >= 12).then(|| out.join(" "))
}

fn two(sentences: &[String]) -> Option<String> {
    (sentences.len() >= 2).then(|| sentences[..2].join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::domains::domains;

    const FIRST: &str = "Sure, I'd be happy to help!\n\nHere are some steps:\n\n1. **Rinse:** Wash the rice until the water \
                         runs clear.\n2. Bring two cups of water to a boil.\n- Cover the pot and wait for fifteen minutes.\n\
                         Wash the rice until the water runs clear.\nThen it is";

    #[test]
    fn corrected_answers_obey_and_are_short() {
        for domain in domains() {
            let topic = if domain.code.is_empty() { domain.topics[0] } else { domain.code[0].0 };
            let text =
                corrected(&domain, topic, FIRST).unwrap_or_else(|| panic!("{} gives none", domain.name));
            assert!(check::holds(&domain.check, &text), "{text}");
            assert!(!text.contains("happy to help") && !text.contains("**"), "{text}");
        }
    }

    #[test]
    fn nothing_usable_gives_nothing() {
        for domain in domains().iter().filter(|d| d.code.is_empty()) {
            assert_eq!(corrected(domain, domain.topics[0], "ok"), None);
        }
    }

    #[test]
    fn all_hand_written_code_belongs_to_a_topic_and_obeys() {
        for domain in domains() {
            for (topic, ..) in domain.code {
                assert!(domain.topics.contains(topic), "{topic}");
                assert!(corrected(&domain, topic, "").is_some(), "{topic}");
            }
        }
    }
}
