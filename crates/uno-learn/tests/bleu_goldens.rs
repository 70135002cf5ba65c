//! BLEU against NLTK 3.9.2 and jieba 0.42.1: equal to 1e-9 on the golden tokens, and on our own tokens.

#![expect(clippy::unwrap_used, reason = "a panic is a test's report")]

use serde::Deserialize;
use uno_learn::bleu::{bleu_of_tokens, sentence_bleu, tokenize};

#[derive(Deserialize)]
struct Case {
    reference: String,
    output: String,
    tokens_reference: Vec<String>,
    tokens_output: Vec<String>,
    bleu: f64,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("fixtures/bleu.json")).unwrap()
}

#[test]
fn equal_to_nltk_on_the_same_tokens() {
    let cases = cases();
    assert_eq!(cases.len(), 42);
    for c in cases {
        let found = bleu_of_tokens(&c.tokens_reference, &c.tokens_output);
        assert!((found - c.bleu).abs() < 1e-9, "{:?} / {:?}: {found} for {}", c.reference, c.output, c.bleu);
    }
}

#[test]
fn our_tokens_are_those_of_the_reference() {
    let mut different = Vec::new();
    for c in cases() {
        for (text, tokens) in [(&c.reference, &c.tokens_reference), (&c.output, &c.tokens_output)] {
            if tokenize(text) != *tokens {
                different.push(format!("{text:?}: {:?} for {tokens:?}", tokenize(text)));
            }
        }
        if different.is_empty() {
            assert!((sentence_bleu(&c.reference, &c.output) - c.bleu).abs() < 1e-9);
        }
    }
    assert!(different.is_empty(), "{different:#?}");
}
