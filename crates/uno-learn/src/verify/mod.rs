//! Verify: does an adapter answer held-out queries better than the base model? (METHOD §6)
//!
//! The base and every checkpoint of every cluster answer in *one* batch, with the same limits, so that their comparison
//! is like with like and per-row adapters fill the engine; then all answers are judged in one batch. An answer that a
//! guard turns down never wins. The best of many checkpoints is chosen on other records than it is tested on ([`confirmed`]).

mod choose;
mod outcome;

pub use choose::{Judged, confirmed, highest};
pub use outcome::{by_score, outcome};

use std::collections::BTreeMap;

use uno_types::{
    AdapterRef, ChatModel, Embedder, GenerationRequest, Message, ModelError, Outcome, Path, Rule, Verdict,
    WinRate,
};

use crate::generate::{OnProgress, run};
use crate::guards::GuardOptions;
use crate::judge::{Item, JudgeOptions, judge};
use crate::reflect::{AnswerOptions, Query, improve, parts};
use crate::stats::win_rate;
use crate::{LearnError, features};

/// How to verify.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VerifyOptions {
    /// How base and adapters answer.
    pub answer: AnswerOptions,
    /// How answers are judged.
    pub judge: JudgeOptions,
    /// Which answers never win.
    pub guards: GuardOptions,
    /// Least cosine between the embeddings of answer and question for the answer to win; it then decides in place of
    /// BLEU. Absent: BLEU alone decides (the method).
    ///
    /// BLEU against a long base answer is near zero for *every* short answer (its brevity penalty alone is e⁻³ at a
    /// quarter of the length), so under a rule like "at most 40 words" it would turn down exactly the answers that obey;
    /// and an answer about something else in the base answer's wording passes it. With MiniLM, answers to their own
    /// question lie at 0.5 to 0.8, to other questions at 0.1, refusals and copied examples below 0.2.
    pub min_relevance: Option<f64>,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self {
            answer: AnswerOptions::default(),
            judge: JudgeOptions::default(),
            guards: GuardOptions::default(),
            min_relevance: Some(0.3),
        }
    }
}

/// A held-out record.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldOut {
    /// The record.
    pub record: String,
    /// Its cluster.
    pub cluster: usize,
    /// System turn, if any, and question.
    pub prompt: Vec<Message>,
    /// What its answers are judged against.
    pub rules: Vec<Rule>,
}

/// An adapter to be verified on its cluster's held-out records.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The cluster.
    pub cluster: usize,
    /// Epoch, from 1; for a Critic its best one.
    pub epoch: usize,
    /// The adapter.
    pub adapter: AdapterRef,
}

/// A checkpoint's result.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CheckpointRate {
    /// The cluster.
    pub cluster: usize,
    /// Epoch, from 1.
    pub epoch: usize,
    /// The adapter.
    pub adapter: AdapterRef,
    /// Its wins against the base.
    pub win_rate: WinRate,
}

/// What verification found.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Verification {
    /// One per checkpoint and held-out record of its cluster.
    pub verdicts: Vec<Verdict>,
    /// One per checkpoint, in the order given.
    pub rates: Vec<CheckpointRate>,
}

/// Who answers, who judges, who measures relevance.
#[derive(Clone, Copy)]
pub struct Models<'a> {
    /// The model being improved, with and without adapters.
    pub target: &'a dyn ChatModel,
    /// Scores what no program can check.
    pub judge: &'a dyn ChatModel,
    /// Embeds questions and answers.
    pub embedder: &'a dyn Embedder,
}

/// Who answers for a cluster now: its path and adapter. A cluster that is not named is answered by the base model.
pub type InService = BTreeMap<usize, (Path, AdapterRef)>;

/// The answers that those in service give, where the base model alone gave `base`.
fn service(
    held_out: &[HeldOut],
    mut base: Answers,
    in_service: &InService,
    models: Models<'_>,
    options: &VerifyOptions,
    on_progress: &mut OnProgress<'_>,
) -> Result<Answers, LearnError> {
    let of = |path: Path| -> Vec<(usize, &AdapterRef)> {
        let serving = base.keys().filter_map(|h| Some((*h, in_service.get(&held_out[*h].cluster)?)));
        serving.filter(|(_, (p, _))| *p == path).map(|(h, (_, adapter))| (h, adapter)).collect()
    };
    let (experts, critics) = (of(Path::Expert), of(Path::Critic));
    let requests: Vec<GenerationRequest> = experts
        .iter()
        .map(|(h, adapter)| options.answer.answer_request(&held_out[*h].prompt, Some(adapter)))
        .collect();
    let by_expert = run("verify", models.target, &requests, on_progress)?;
    let queries: Vec<Query<'_>> =
        critics.iter().map(|(h, critic)| Query { prompt: &held_out[*h].prompt, critic }).collect();
    let missing = || Err(ModelError::Engine("no base answer".into()));
    let own = critics.iter().map(|(h, _)| base.get(h).cloned().unwrap_or_else(missing)).collect();
    let by_critic = improve(&queries, own, models.target, &options.answer, on_progress)?;
    let answered: Vec<(usize, Result<String, ModelError>)> = experts
        .iter()
        .map(|(h, _)| *h)
        .zip(by_expert.into_iter().map(|r| r.map(|g| g.text)))
        .chain(critics.iter().map(|(h, _)| *h).zip(by_critic.into_iter().map(|r| r.map(|r| r.answer))))
        .collect();
    base.extend(answered);
    Ok(base)
}

type Answers = BTreeMap<usize, Result<String, ModelError>>;

/// The held-out records that some checkpoint is compared on, and the requests for their base answers.
fn base_requests(
    held_out: &[HeldOut],
    checkpoints: &[Checkpoint],
    options: &VerifyOptions,
) -> (Vec<usize>, Vec<GenerationRequest>) {
    let used: Vec<usize> = (0..held_out.len())
        .filter(|&h| checkpoints.iter().any(|c| c.cluster == held_out[h].cluster))
        .collect();
    let requests = used.iter().map(|&h| options.answer.answer_request(&held_out[h].prompt, None)).collect();
    (used, requests)
}

/// Expert checkpoints against those in service: the base, where nobody is.
///
/// # Errors
/// [`LearnError::Model`] when the model or the judge is lost altogether.
pub fn experts(
    held_out: &[HeldOut],
    checkpoints: &[Checkpoint],
    in_service: &InService,
    models: Models<'_>,
    options: &VerifyOptions,
    on_progress: &mut OnProgress<'_>,
) -> Result<Verification, LearnError> {
    let jobs = jobs(held_out, checkpoints);
    let (used, mut requests) = base_requests(held_out, checkpoints, options);
    requests
        .extend(jobs.iter().map(|&(c, h)| {
            options.answer.answer_request(&held_out[h].prompt, Some(&checkpoints[c].adapter))
        }));
    let mut answers =
        run("verify", models.target, &requests, on_progress)?.into_iter().map(|r| r.map(|g| g.text));
    let base: Answers = used.into_iter().zip(answers.by_ref()).collect();
    let answers: Vec<Result<String, ModelError>> = answers.collect();
    let base = service(held_out, base, in_service, models, options, on_progress)?;
    compare(held_out, checkpoints, &jobs, &base, answers, models, options, on_progress)
}

/// The reflective path (base answer → Critic's suggestions → refined answer) against those in service:
/// the base, where nobody is.
///
/// # Errors
/// [`LearnError::Model`] when the model or the judge is lost altogether.
pub fn critics(
    held_out: &[HeldOut],
    checkpoints: &[Checkpoint],
    in_service: &InService,
    models: Models<'_>,
    options: &VerifyOptions,
    on_progress: &mut OnProgress<'_>,
) -> Result<Verification, LearnError> {
    let (used, requests) = base_requests(held_out, checkpoints, options);
    let base = run("verify", models.target, &requests, on_progress)?.into_iter().map(|r| r.map(|g| g.text));
    let base: Answers = used.into_iter().zip(base).collect();
    let jobs = jobs(held_out, checkpoints);
    let queries: Vec<Query<'_>> = jobs
        .iter()
        .map(|&(c, h)| Query { prompt: &held_out[h].prompt, critic: &checkpoints[c].adapter })
        .collect();
    let missing = || Err(ModelError::Engine("no base answer".into()));
    let own_base = jobs.iter().map(|(_, h)| base.get(h).cloned().unwrap_or_else(missing)).collect();
    let reflected = improve(&queries, own_base, models.target, &options.answer, on_progress)?;
    let answers = reflected.into_iter().map(|r| r.map(|r| r.answer)).collect();
    let base = service(held_out, base, in_service, models, options, on_progress)?;
    compare(held_out, checkpoints, &jobs, &base, answers, models, options, on_progress)
}

/// (checkpoint, held-out record) for every record of every checkpoint's cluster.
fn jobs(held_out: &[HeldOut], checkpoints: &[Checkpoint]) -> Vec<(usize, usize)> {
    let mut out = Vec::new();
    for (c, checkpoint) in checkpoints.iter().enumerate() {
        out.extend(
            (0..held_out.len()).filter(|&h| held_out[h].cluster == checkpoint.cluster).map(|h| (c, h)),
        );
    }
    out
}

#[expect(
    clippy::too_many_arguments,
    reason = "the two callers share exactly these; a struct would only rename them"
)]
fn compare(
    held_out: &[HeldOut],
    checkpoints: &[Checkpoint],
    jobs: &[(usize, usize)],
    base: &Answers,
    answers: Vec<Result<String, ModelError>>,
    models: Models<'_>,
    options: &VerifyOptions,
    on_progress: &mut OnProgress<'_>,
) -> Result<Verification, LearnError> {
    fn item<'a>(h: &'a HeldOut, answer: &'a str) -> Item<'a> {
        Item { lang: parts(&h.prompt).0, prompt: &h.prompt, rules: &h.rules, answer }
    }
    // One judging batch: base answers first, then the checkpoints'.
    let texts = |r: &'_ Result<String, ModelError>| r.as_ref().ok().cloned();
    let base_texts: Vec<(usize, String)> =
        base.iter().filter_map(|(&h, r)| texts(r).map(|t| (h, t))).collect();
    let answer_texts: Vec<(usize, usize, String)> = jobs
        .iter()
        .zip(&answers)
        .enumerate()
        .filter_map(|(j, (&(_, h), r))| texts(r).map(|t| (j, h, t)))
        .collect();
    let mut items: Vec<Item<'_>> = base_texts.iter().map(|(h, t)| item(&held_out[*h], t)).collect();
    items.extend(answer_texts.iter().map(|(_, h, t)| item(&held_out[*h], t)));
    let mut scores = judge(&items, models.judge, &options.judge, on_progress)?.into_iter();
    let base_scores: BTreeMap<usize, _> =
        base_texts.iter().map(|(h, _)| *h).zip(scores.by_ref()).filter_map(|(h, s)| Some((h, s?))).collect();
    let answer_scores: BTreeMap<usize, _> =
        answer_texts.iter().map(|(j, ..)| *j).zip(scores).filter_map(|(j, s)| Some((j, s?))).collect();

    let scores = |j: usize, h: usize| (base_scores.get(&h).copied(), answer_scores.get(&j).copied());
    let winners = answer_texts.iter().filter(|(j, h, _)| {
        let (base, answer) = scores(*j, *h);
        by_score(base, answer) == Outcome::Win
    });
    let relevance = match options.min_relevance {
        None => BTreeMap::new(),
        Some(_) => relevance(held_out, &winners.collect::<Vec<_>>(), models.embedder)?,
    };
    let mut out = Verification::default();
    for (j, (&(c, h), answer)) in jobs.iter().zip(answers).enumerate() {
        let (base, scored, near) = (base.get(&h).and_then(texts), scores(j, h), relevance.get(&j).copied());
        let (checkpoint, held) = (&checkpoints[c], &held_out[h]);
        out.verdicts.push(outcome(checkpoint, held, base, answer.ok(), scored, near, options));
    }
    for (c, checkpoint) in checkpoints.iter().enumerate() {
        let own: Vec<_> =
            jobs.iter().zip(&out.verdicts).filter(|((k, _), _)| *k == c).map(|(_, v)| v.outcome).collect();
        out.rates.push(CheckpointRate {
            cluster: checkpoint.cluster,
            epoch: checkpoint.epoch,
            adapter: checkpoint.adapter.clone(),
            win_rate: win_rate(&own),
        });
    }
    Ok(out)
}

/// Cosine between answer and question, by job.
fn relevance(
    held_out: &[HeldOut],
    winners: &[&(usize, usize, String)],
    embedder: &dyn Embedder,
) -> Result<BTreeMap<usize, f64>, LearnError> {
    let questions: Vec<&str> = winners.iter().map(|(_, h, _)| parts(&held_out[*h].prompt).2).collect();
    let answers: Vec<&str> = winners.iter().map(|(.., answer)| answer.as_str()).collect();
    if answers.is_empty() {
        return Ok(BTreeMap::new());
    }
    let lost = |source| LearnError::Model { stage: "verify", source };
    let questions = embedder.embed_questions(&questions).map_err(lost)?;
    let answers = embedder.embed(&answers).map_err(lost)?;
    let cosines = questions.iter().zip(&answers).map(|(q, a)| features::cosine(q, a));
    Ok(winners.iter().map(|(j, ..)| *j).zip(cosines).collect())
}

#[cfg(test)]
mod tests;
