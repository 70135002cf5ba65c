//! Which of the proposed rules of a record are kept.

use uno_types::{Check, DropReason, DroppedRule, Lang, Rule, RuleSet};

use super::sentence::Sentence;
use super::trace::trace;
use super::wording::wording;
use super::{DistilOptions, Vectors, facts};
use crate::check;

/// Fills `set.with_feedback` and `set.dropped`.
pub(super) fn select(
    proposed: &[String],
    sentences: &[Sentence],
    lang: Lang,
    vectors: &Vectors,
    options: &DistilOptions,
    set: &mut RuleSet,
) {
    let compiled: Vec<Option<Check>> = sentences.iter().map(|s| compile_sentence(s, options)).collect();
    if options.verbatim {
        for (sentence, check) in sentences.iter().zip(&compiled) {
            // A sentence that asks for several things gives several rules.
            for check in check.iter().flat_map(Check::parts).cloned() {
                if set.with_feedback.iter().any(|r| r.check.as_ref() == Some(&check)) {
                    continue;
                }
                set.with_feedback.push(Rule {
                    text: wording(&check, lang),
                    evidence: sentence.text.clone(),
                    similarity: 1.0,
                    check: Some(check),
                    verbatim: true,
                });
            }
        }
    }
    for text in proposed {
        let text = text.trim();
        match consider(text, sentences, &compiled, vectors, options, &set.with_feedback) {
            Ok(rule) => set.with_feedback.push(rule),
            Err(reason) => set.dropped.push(DroppedRule { text: text.to_owned(), reason }),
        }
    }
}

/// The check of a sentence that can be evidence, if the compiler is sure enough.
fn compile_sentence(sentence: &Sentence, options: &DistilOptions) -> Option<Check> {
    if !sentence.kind.is_evidence() {
        return None;
    }
    confident(&sentence.text, options)
}

fn confident(text: &str, options: &DistilOptions) -> Option<Check> {
    check::compile(text).filter(|c| c.confidence >= options.min_check_confidence).map(|c| c.check)
}

fn consider(
    text: &str,
    sentences: &[Sentence],
    compiled: &[Option<Check>],
    vectors: &Vectors,
    options: &DistilOptions,
    kept: &[Rule],
) -> Result<Rule, DropReason> {
    let words = facts::plain(text);
    if words.is_empty() || text.chars().count() > options.max_rule_chars || text.ends_with(['?', '？']) {
        return Err(DropReason::Malformed);
    }
    let cosines: Vec<f32> = sentences.iter().map(|s| vectors.cosine(text, &s.text)).collect();
    let traced = trace(text, sentences, &cosines, &options.trace).ok_or(DropReason::Untraceable)?;
    let evidence = &sentences[traced.sentence];
    let check = confident(text, options);
    let has = |c: &Check| kept.iter().any(|r| r.check.as_ref() == Some(c));
    if check.as_ref().is_some_and(|c| c.parts().into_iter().all(has)) {
        return Err(DropReason::Duplicate);
    }
    let says_the_same = |r: &Rule| {
        // Two different checks are two rules, however alike they read: "at most 40 words", "at most 40 sentences".
        (check.is_none() || r.check.is_none())
            && (facts::plain(&r.text) == words || vectors.cosine(&r.text, text) >= options.duplicate_cosine)
    };
    if kept.iter().any(says_the_same) {
        return Err(DropReason::Duplicate);
    }
    if let Some(verbatim) = compiled[traced.sentence].as_ref().filter(|_| options.verbatim) {
        // The sentence already became a check. A rule that compiles to another check misread it; one that compiles to
        // nothing is kept only when it carries something of the sentence that the check does not.
        if check.is_some() {
            return Err(DropReason::Untraceable);
        }
        if extra_words(text, &evidence.text, &wording(verbatim, Lang::detect(text))) < 2 {
            return Err(DropReason::Duplicate);
        }
    }
    Ok(Rule {
        text: text.to_owned(),
        evidence: evidence.text.clone(),
        similarity: traced.similarity,
        check,
        verbatim: false,
    })
}

/// Content words of `rule` that the evidence holds and the check's wording does not.
fn extra_words(rule: &str, evidence: &str, wording: &str) -> usize {
    let (rule, evidence, wording) =
        (facts::content_words(rule), facts::content_words(evidence), facts::content_words(wording));
    rule.iter().filter(|w| evidence.contains(*w) && !wording.contains(*w)).count()
}
