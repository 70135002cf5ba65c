//! The reflective path: base answer, the Critic's suggestions, refined answer (METHOD §7).
//!
//! Three generations per query; the Critic only suggests, the base model writes both answers. Whatever fails on the way
//! leaves the base answer standing.

use uno_types::{
    AdapterRef, ChatModel, GenerationRequest, Lang, Message, ModelError, Role, RuleSet, Sampling,
};

use crate::generate::{OnProgress, request, run};
use crate::{LearnError, candidates, prompts};

/// How answers are generated, the same on every path (METHOD: their comparison must be like with like).
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AnswerOptions {
    /// Most tokens of an answer.
    pub max_tokens: usize,
    /// Temperature (the method: 0.1).
    pub temperature: f32,
    /// Nucleus.
    pub top_p: f32,
    /// Seed of the draws.
    pub seed: u64,
    /// Most tokens of the Critic's suggestions.
    pub max_suggestion_tokens: usize,
}

impl Default for AnswerOptions {
    fn default() -> Self {
        Self { max_tokens: 200, temperature: 0.1, top_p: 1.0, seed: 42, max_suggestion_tokens: 96 }
    }
}

impl AnswerOptions {
    pub(crate) fn sampling(&self) -> Sampling {
        Sampling { temperature: self.temperature, top_p: self.top_p, seed: self.seed }
    }

    /// The request for an answer to `prompt`, by the base model or with an adapter.
    pub fn answer_request(&self, prompt: &[Message], adapter: Option<&AdapterRef>) -> GenerationRequest {
        GenerationRequest {
            adapter: adapter.cloned(),
            ..request(prompt.to_vec(), self.sampling(), self.max_tokens)
        }
    }
}

/// An answer of the reflective path.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Reflected {
    /// The base model's answer.
    pub base: String,
    /// What the Critic suggested; empty when it failed.
    pub suggestions: String,
    /// The refined answer; the base answer when a step failed.
    pub answer: String,
    /// Why a step failed, if one did.
    pub failed: Option<String>,
}

impl Reflected {
    /// A base answer that nothing was done to yet.
    fn of(base: String) -> Self {
        Self { answer: base.clone(), suggestions: String::new(), base, failed: None }
    }
}

/// A query of the reflective path.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// System turn, if any, and question.
    pub prompt: &'a [Message],
    /// The cluster's Critic.
    pub critic: &'a AdapterRef,
}

/// Base answers, suggestions and refined answers of all queries, in three batches.
///
/// # Errors
/// [`LearnError::Model`] when the model is lost altogether. A query whose base answer failed has its error in place.
pub fn reflect(
    queries: &[Query<'_>],
    model: &dyn ChatModel,
    options: &AnswerOptions,
    on_progress: &mut OnProgress<'_>,
) -> Result<Vec<Result<Reflected, ModelError>>, LearnError> {
    let requests: Vec<GenerationRequest> =
        queries.iter().map(|q| options.answer_request(q.prompt, None)).collect();
    let base = run("reflect", model, &requests, on_progress)?;
    let base: Vec<Result<String, ModelError>> = base.into_iter().map(|r| r.map(|g| g.text)).collect();
    improve(queries, base, model, options, on_progress)
}

/// As [`reflect`], from base answers that exist already.
///
/// # Errors
/// As [`reflect`].
pub fn improve(
    queries: &[Query<'_>],
    base: Vec<Result<String, ModelError>>,
    model: &dyn ChatModel,
    options: &AnswerOptions,
    on_progress: &mut OnProgress<'_>,
) -> Result<Vec<Result<Reflected, ModelError>>, LearnError> {
    let mut out: Vec<Result<Reflected, ModelError>> =
        base.into_iter().map(|r| r.map(Reflected::of)).collect();
    // Suggestions, for every query that has an answer to improve.
    let (mut requests, mut targets) = (Vec::new(), Vec::new());
    for (i, (query, reflected)) in queries.iter().zip(&out).enumerate() {
        let Ok(r) = reflected else { continue };
        let (lang, system, q) = parts(query.prompt);
        requests.push(GenerationRequest {
            adapter: Some(query.critic.clone()),
            ..request(
                prompts::suggest(lang, system, q, &r.base),
                options.sampling(),
                options.max_suggestion_tokens,
            )
        });
        targets.push(i);
    }
    for (i, result) in targets.drain(..).zip(run("reflect", model, &requests, on_progress)?) {
        let Ok(r) = &mut out[i] else { continue };
        match result {
            Ok(g) => r.suggestions = g.text.trim().to_owned(),
            Err(error) => r.failed = Some(error.to_string()),
        }
    }
    // Refined answers, for every query that has suggestions.
    requests.clear();
    for (i, (query, reflected)) in queries.iter().zip(&out).enumerate() {
        let Some(r) = reflected.as_ref().ok().filter(|r| !r.suggestions.is_empty()) else { continue };
        let (lang, system, q) = parts(query.prompt);
        let messages = prompts::refine(lang, system, q, &r.base, &r.suggestions);
        requests.push(request(messages, options.sampling(), options.max_tokens));
        targets.push(i);
    }
    for (i, result) in targets.into_iter().zip(run("reflect", model, &requests, on_progress)?) {
        let Ok(r) = &mut out[i] else { continue };
        match result.map(|g| candidates::clean(&g.text)) {
            Ok(refined) if refined.is_empty() => {}
            Ok(refined) => r.answer = refined,
            Err(error) => r.failed = Some(error.to_string()),
        }
    }
    Ok(out)
}

/// Language, system turn and question of a prompt.
pub(crate) fn parts(prompt: &[Message]) -> (Lang, Option<&str>, &str) {
    let find = |role| prompt.iter().find(|m| m.role == role).map(|m| m.content.as_str());
    let q = find(Role::User).unwrap_or("");
    (Lang::detect(q), find(Role::System), q)
}

/// A Critic's training example: what it is asked in serving, and the record's numbered with-feedback rules. `None`
/// without rules or without a first answer.
pub fn critic_example(record: &uno_types::Record, rules: &RuleSet) -> Option<(Vec<Message>, String)> {
    let answer = record.first_answer();
    (!rules.with_feedback.is_empty() && !answer.trim().is_empty()).then(|| {
        let prompt = record.prompt();
        let (lang, system, q) = parts(&prompt);
        (prompts::suggest(lang, system, q, answer), rules.numbered())
    })
}

#[cfg(test)]
mod tests;
