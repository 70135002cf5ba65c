//! Obedience and damage, by program.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uno_learn::guards::{is_repetitive, is_too_short};
use uno_learn::stats::{Estimate, bootstrap_mean, paired_difference};
use uno_learn::{check, features};
use uno_types::{Check, Embedder, ModelError};

use super::TestQuestion;

pub(super) const RESAMPLES: usize = 10_000;
/// Least cosine between question and answer: below, the answer is about something else.
const MIN_RELEVANCE: f32 = 0.3;

/// A system's answers, with what they took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// One per question.
    pub texts: Vec<String>,
    /// Tokens of prompts.
    pub prompt_tokens: usize,
    /// Tokens generated.
    pub completion_tokens: usize,
    /// Generations.
    pub calls: usize,
    /// Seconds for all of them, answered as one batch.
    pub seconds: f64,
}

/// What was spoiled, as shares of all answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Damage {
    /// Answers with at least one of the damages below.
    pub any: Estimate,
    /// The same minus the base model's, question by question.
    pub beyond_base: Estimate,
    /// Without text.
    pub empty: f64,
    /// Caught in a loop.
    pub repetitive: f64,
    /// About something else than the question.
    pub off_topic: f64,
    /// Of the answers to neutral questions: too short beside the base answer, or obeying a house rule that the base answer does
    /// not obey and nobody asked for here.
    pub worse_elsewhere: f64,
}

/// A system's figures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Share of held-out answers that obey the house rule.
    pub obedience: Estimate,
    /// The same by domain.
    pub by_domain: BTreeMap<String, f64>,
    /// The same by kind of rule: `known`, `unusual`, `arbitrary`.
    pub by_kind: BTreeMap<String, f64>,
    /// What was spoiled.
    pub damage: Damage,
    /// Tokens of prompts and answers, per answer.
    pub tokens_per_answer: f64,
    /// Generations per answer.
    pub calls_per_answer: f64,
    /// Seconds per answer, all answered as one batch.
    pub seconds_per_answer: f64,
}

/// 1 when an answer obeys a rule, otherwise 0.
pub fn obeys(check: &Check, text: &str) -> f64 {
    f64::from(u8::from(check::holds(check, text)))
}

/// Obedience of a system's answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Obeyed {
    /// 1 or 0 for each question that has a house rule, in their order.
    pub each: Vec<f64>,
    /// The share of ones.
    pub all: Estimate,
    /// The same by domain.
    pub by_domain: BTreeMap<String, f64>,
    /// The same by kind of rule: `known`, `unusual`, `arbitrary`.
    pub by_kind: BTreeMap<String, f64>,
}

/// Which of the answers `texts` obey their questions' house rules.
pub fn obeyed(questions: &[TestQuestion], texts: &[String], seed: u64) -> Obeyed {
    type Groups = BTreeMap<String, Vec<f64>>;
    let mut each = Vec::new();
    let (mut by_domain, mut by_kind) = (Groups::new(), Groups::new());
    for (question, text) in questions.iter().zip(texts) {
        let Some(check) = &question.check else { continue };
        let holds = obeys(check, text);
        each.push(holds);
        by_domain.entry(question.domain.clone()).or_default().push(holds);
        if let Some(kind) = question.kind {
            by_kind.entry(format!("{kind:?}").to_lowercase()).or_default().push(holds);
        }
    }
    let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let means = |groups: Groups| groups.into_iter().map(|(name, values)| (name, mean(values))).collect();
    Obeyed {
        all: bootstrap_mean(&each, RESAMPLES, seed),
        each,
        by_domain: means(by_domain),
        by_kind: means(by_kind),
    }
}

/// Scores answers beside the base model's to the same questions.
///
/// # Errors
/// When the embedder is lost.
pub fn score(
    questions: &[TestQuestion],
    answered: &Answered,
    base: &[String],
    embedder: &dyn Embedder,
    seed: u64,
) -> Result<Score, ModelError> {
    let texts = &answered.texts;
    let obeyed = obeyed(questions, texts, seed);
    let n = texts.len().max(1) as f64;
    Ok(Score {
        obedience: obeyed.all,
        by_domain: obeyed.by_domain,
        by_kind: obeyed.by_kind,
        damage: damage(questions, texts, base, embedder, seed)?,
        tokens_per_answer: (answered.prompt_tokens + answered.completion_tokens) as f64 / n,
        calls_per_answer: answered.calls as f64 / n,
        seconds_per_answer: answered.seconds / n,
    })
}

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Harm {
    empty: bool,
    repetitive: bool,
    off_topic: bool,
    worse_elsewhere: bool,
}

impl Harm {
    fn any(self) -> bool {
        self.empty || self.repetitive || self.off_topic || self.worse_elsewhere
    }
}

fn damage(
    questions: &[TestQuestion],
    texts: &[String],
    base: &[String],
    embedder: &dyn Embedder,
    seed: u64,
) -> Result<Damage, ModelError> {
    let rules: Vec<&Check> = questions.iter().filter_map(|q| q.check.as_ref()).collect();
    let mut distinct: Vec<&Check> = Vec::new();
    rules.into_iter().for_each(|rule| {
        if !distinct.contains(&rule) {
            distinct.push(rule);
        }
    });
    let asked: Vec<&str> = questions.iter().map(|q| q.question.as_str()).collect();
    let asked = unit(embedder, &asked)?;
    let harms = |texts: &[String]| -> Result<Vec<Harm>, ModelError> {
        let said = unit(embedder, &texts.iter().map(String::as_str).collect::<Vec<_>>())?;
        let harm = |i: usize| {
            let text = &texts[i];
            let neutral = questions[i].check.is_none();
            let spread = || distinct.iter().any(|r| check::holds(r, text) && !check::holds(r, &base[i]));
            let empty = text.trim().is_empty();
            Harm {
                empty,
                repetitive: is_repetitive(text),
                off_topic: !empty && dot(&asked[i], &said[i]) < MIN_RELEVANCE,
                worse_elsewhere: neutral && (is_too_short(&base[i], text) || spread()),
            }
        };
        Ok((0..texts.len()).map(harm).collect())
    };
    let (own, of_base) = (harms(texts)?, harms(base)?);
    let flags = |all: &[Harm]| all.iter().map(|h| f64::from(u8::from(h.any()))).collect::<Vec<_>>();
    let share = |of: fn(&Harm) -> bool| own.iter().filter(|h| of(h)).count() as f64 / own.len().max(1) as f64;
    let neutral = questions.iter().filter(|q| q.check.is_none()).count();
    let elsewhere = own.iter().filter(|h| h.worse_elsewhere).count();
    Ok(Damage {
        any: bootstrap_mean(&flags(&own), RESAMPLES, seed),
        beyond_base: paired_difference(&flags(&own), &flags(&of_base), RESAMPLES, seed),
        empty: share(|h| h.empty),
        repetitive: share(|h| h.repetitive),
        off_topic: share(|h| h.off_topic),
        worse_elsewhere: elsewhere as f64 / neutral.max(1) as f64,
    })
}

/// Vectors of length 1; of a text without content a vector of zeros.
fn unit(embedder: &dyn Embedder, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
    let some: Vec<&str> = texts.iter().map(|t| if t.trim().is_empty() { "." } else { *t }).collect();
    let mut vectors = embedder.embed(&some)?;
    vectors.iter_mut().for_each(|v| features::normalise(v));
    Ok(vectors)
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Perplexity of texts whose tokens have these log-probabilities: the exponential of the mean loss of a token. `None`
/// without a token.
pub fn perplexity(logprobs: &[Vec<f32>]) -> Option<f64> {
    let n = logprobs.iter().map(Vec::len).sum::<usize>();
    let sum: f64 = logprobs.iter().flatten().map(|l| f64::from(*l)).sum();
    (n > 0).then(|| (-sum / n as f64).exp())
}
