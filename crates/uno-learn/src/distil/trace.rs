//! Tracing a rule to the sentence of the user that it goes back to (beyond the method: small models invent).

use super::facts;
use super::sentence::Sentence;

/// When a rule counts as traced.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TraceOptions {
    /// Cosine similarity of rule and sentence that is enough on its own.
    pub min_cosine: f32,
    /// Share of the rule's content words in the sentence that is enough when the cosine is at least half of `min_cosine`.
    pub min_overlap: f32,
}

impl Default for TraceOptions {
    /// Tuned on simulated feedback with all-MiniLM-L6-v2.
    fn default() -> Self {
        Self { min_cosine: 0.45, min_overlap: 0.5 }
    }
}

/// The sentence a rule goes back to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Traced {
    /// Position in the sentences.
    pub sentence: usize,
    /// Cosine similarity, 0 to 1.
    pub similarity: f32,
}

/// The most similar sentence that can be evidence, holds the rule's numbers and quoted words, and is similar enough.
/// `cosines` holds the rule's similarity to each sentence.
pub fn trace(rule: &str, sentences: &[Sentence], cosines: &[f32], options: &TraceOptions) -> Option<Traced> {
    let enough = |s: &Sentence, cosine: f32| {
        cosine >= options.min_cosine
            || (cosine >= options.min_cosine / 2.0 && facts::overlap(rule, &s.text) >= options.min_overlap)
    };
    sentences
        .iter()
        .zip(cosines)
        .enumerate()
        .filter(|(_, (s, c))| s.kind.is_evidence() && enough(s, **c) && facts::faithful(rule, &s.text))
        .max_by(|a, b| a.1.1.total_cmp(b.1.1))
        .map(|(i, (_, c))| Traced { sentence: i, similarity: c.clamp(0.0, 1.0) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distil::sentence::sentences;

    #[test]
    fn a_rule_needs_a_similar_faithful_sentence_that_is_no_praise() {
        let s = sentences(["Too long, 40 words at most. Thanks, great! And how do I store it?"].into_iter());
        let o = TraceOptions::default();
        let hit = trace("Use at most 40 words.", &s, &[0.8, 0.1, 0.1], &o);
        assert_eq!(hit, Some(Traced { sentence: 0, similarity: 0.8 }));
        assert_eq!(trace("Use at most 14 words.", &s, &[0.8, 0.1, 0.1], &o), None);
        assert_eq!(trace("Be great.", &s, &[0.1, 0.9, 0.1], &o), None);
        assert_eq!(trace("Store it well.", &s, &[0.1, 0.1, 0.9], &o), None);
        assert!(
            trace("40 words at most", &s, &[0.3, 0.1, 0.1], &o).is_some(),
            "lexical overlap helps a middling cosine"
        );
        assert_eq!(trace("anything", &[], &[], &o), None);
    }
}
