//! Distil: what each record teaches (METHOD §1).
//!
//! Two generations per record ask the teacher for rules with and without the feedback. Then programs decide what is
//! kept:
//!
//! 1. *Verbatim rules*: a sentence of the feedback that compiles to a [`Check`](uno_types::Check) is a rule by itself,
//!    worded canonically; its evidence is that sentence, and no model can have garbled it ([`Rule::verbatim`]).
//! 2. Each rule of the teacher must be traced to a sentence of the feedback ([`trace`]): similar, not praise, not a new
//!    question, and holding every number and quoted word of the rule. Otherwise it is dropped as invented.
//! 3. Rules that say what a kept one says are dropped as duplicates; so are vague paraphrases of a sentence that
//!    already compiled to a check ("be brief" beside "at most 40 words").

pub mod facts;
mod injection;
mod select;
pub mod sentence;
pub mod trace;
pub mod wording;

use std::collections::HashMap;

use serde_json::json;
use uno_types::{ChatModel, Embedder, Generation, ModelError, Record, RuleSet, Sampling};

use crate::generate::{OnProgress, json_request, parse_json, run};
use crate::{LearnError, prompts};
use sentence::{Sentence, sentences};
use trace::TraceOptions;

/// How to distil.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DistilOptions {
    /// Most with-feedback rules the teacher may give for a record.
    pub max_rules: usize,
    /// Most without-feedback rules (the method: 5).
    pub max_prior_rules: usize,
    /// Longest rule in characters; longer ones are malformed.
    pub max_rule_chars: usize,
    /// Most tokens of each of the two generations.
    pub max_tokens: usize,
    /// Temperature of the teacher (the method: 0.1).
    pub temperature: f32,
    /// Seed of the draws.
    pub seed: u64,
    /// How many characters of the first answer the teacher sees; all of it when absent. The rules follow from the
    /// feedback: a small teacher is better off without a long answer in between.
    pub answer_chars: Option<usize>,
    /// Also take feedback sentences that compile to a check as rules.
    pub verbatim: bool,
    /// Confidence, 0 to 1, from which a compiled check is believed.
    pub min_check_confidence: f32,
    /// When a rule counts as traced.
    pub trace: TraceOptions,
    /// Cosine from which two rules of a record say the same.
    pub duplicate_cosine: f32,
}

impl Default for DistilOptions {
    fn default() -> Self {
        Self {
            max_rules: 3,
            max_prior_rules: 5,
            max_rule_chars: 160,
            max_tokens: 128,
            temperature: 0.1,
            seed: 42,
            answer_chars: Some(120),
            verbatim: true,
            min_check_confidence: 0.6,
            trace: TraceOptions::default(),
            duplicate_cosine: 0.85,
        }
    }
}

#[derive(serde::Deserialize)]
struct Reply {
    rules: Vec<String>,
}

/// The rules of every record, in the order of the records. Records without feedback cost one generation, the others
/// two. A generation that fails or cannot be parsed leaves its list empty and says so in [`RuleSet::error`]; verbatim
/// rules do not depend on it.
///
/// # Errors
/// [`LearnError::Model`] when the teacher or the embedder is lost altogether.
pub fn distil(
    records: &[Record],
    teacher: &dyn ChatModel,
    embedder: &dyn Embedder,
    options: &DistilOptions,
    on_progress: &mut OnProgress<'_>,
) -> Result<Vec<RuleSet>, LearnError> {
    let feedback: Vec<Vec<Sentence>> = records.iter().map(|r| sentences(r.feedback_turns())).collect();
    let mut requests = Vec::new();
    // First all with-feedback requests, then all without: each kind shares one long prefix.
    let with: Vec<usize> = (0..records.len()).filter(|&i| !feedback[i].is_empty()).collect();
    for &i in &with {
        let r = &records[i];
        let answer = prompts::quote::excerpt(r.first_answer(), options.answer_chars);
        let messages = prompts::distil(r.lang, r.system(), r.query(), &answer, &r.feedback());
        requests.push(rules_request(messages, options.max_rules, options));
    }
    let asked: Vec<usize> = (0..records.len()).filter(|&i| !records[i].query().trim().is_empty()).collect();
    for &i in &asked {
        let messages = prompts::prior(records[i].lang, records[i].system(), records[i].query());
        requests.push(rules_request(messages, options.max_prior_rules, options));
    }
    let mut results = run("distil", teacher, &requests, on_progress)?.into_iter();

    let mut sets: Vec<RuleSet> =
        records.iter().map(|r| RuleSet { record: r.id.clone(), ..RuleSet::default() }).collect();
    let mut proposed: Vec<Vec<String>> = vec![Vec::new(); records.len()];
    for (&i, result) in with.iter().zip(results.by_ref()) {
        match reply(result) {
            Ok(rules) => proposed[i] = rules,
            Err(why) => sets[i].error = Some(format!("with-feedback rules: {why}")),
        }
    }
    for (&i, result) in asked.iter().zip(results) {
        match reply(result) {
            Ok(rules) => sets[i].without_feedback = tidy(rules, options),
            Err(why) => {
                let earlier = sets[i].error.take().map(|e| format!("{e}; ")).unwrap_or_default();
                sets[i].error = Some(format!("{earlier}without-feedback rules: {why}"));
            }
        }
    }
    let vectors = embed_all(&proposed, &feedback, embedder)?;
    for (i, set) in sets.iter_mut().enumerate() {
        select::select(&proposed[i], &feedback[i], records[i].lang, &vectors, options, set);
    }
    Ok(sets)
}

/// The request for a list of at most `max` rules.
fn rules_request(
    messages: Vec<uno_types::Message>,
    max: usize,
    options: &DistilOptions,
) -> uno_types::GenerationRequest {
    let schema = json!({
        "type": "object",
        "properties": {
            "rules": {
                "type": "array",
                "items": { "type": "string", "minLength": 4, "maxLength": options.max_rule_chars },
                "maxItems": max
            }
        },
        "required": ["rules"],
        "additionalProperties": false
    });
    let sampling = Sampling { temperature: options.temperature, top_p: 1.0, seed: options.seed };
    json_request(messages, sampling, options.max_tokens, schema)
}

fn reply(result: Result<Generation, ModelError>) -> Result<Vec<String>, String> {
    let text = result.map_err(|e| e.to_string())?.text;
    parse_json::<Reply>(&text).map(|r| r.rules).ok_or_else(|| {
        format!(
            "the teacher's reply is not the JSON that was asked for: {}",
            prompts::quote::excerpt(&text, Some(80))
        )
    })
}

/// Prior rules: trimmed, without empty, overlong and repeated ones.
fn tidy(rules: Vec<String>, options: &DistilOptions) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for rule in rules {
        let rule = rule.trim();
        let long = rule.chars().count() > options.max_rule_chars;
        if !rule.is_empty() && !long && !kept.iter().any(|k| facts::plain(k) == facts::plain(rule)) {
            kept.push(rule.to_owned());
        }
    }
    kept.truncate(options.max_prior_rules);
    kept
}

/// Normalised vectors of all proposed rules and all sentences, each distinct text embedded once.
fn embed_all(
    proposed: &[Vec<String>],
    feedback: &[Vec<Sentence>],
    embedder: &dyn Embedder,
) -> Result<Vectors, LearnError> {
    let mut texts: Vec<&str> = Vec::new();
    for (rules, sentences) in proposed.iter().zip(feedback).filter(|(rules, _)| !rules.is_empty()) {
        texts.extend(rules.iter().map(|r| r.trim()));
        texts.extend(sentences.iter().map(|s| s.text.as_str()));
    }
    texts.sort_unstable();
    texts.dedup();
    if texts.is_empty() {
        return Ok(Vectors::default());
    }
    let vectors = embedder.embed(&texts).map_err(|source| LearnError::Model { stage: "distil", source })?;
    Ok(Vectors(texts.into_iter().map(str::to_owned).zip(vectors).collect()))
}

/// Embeddings by text.
#[derive(Default)]
pub(crate) struct Vectors(HashMap<String, Vec<f32>>);

impl Vectors {
    /// Cosine similarity of two embedded texts; 0 when one was not embedded or is a zero vector.
    pub(crate) fn cosine(&self, a: &str, b: &str) -> f32 {
        let (Some(a), Some(b)) = (self.0.get(a), self.0.get(b)) else { return 0.0 };
        let dot: f32 = a.iter().zip(b).map(|(x, y)| x * y).sum();
        let norm = |v: &[f32]| v.iter().map(|x| x * x).sum::<f32>().sqrt();
        let scale = norm(a) * norm(b);
        if scale > 0.0 { dot / scale } else { 0.0 }
    }
}

#[cfg(test)]
mod tests;
