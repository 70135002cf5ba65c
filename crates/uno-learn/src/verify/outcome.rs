//! One verdict: two answers, two scores, the guards.

use uno_types::{Guard, Outcome, ScoredBy, Verdict};

use super::{Checkpoint, HeldOut, VerifyOptions};
use crate::bleu::sentence_bleu;
use crate::distil::facts;
use crate::guards::{guard, is_repetitive};
use crate::judge::Score;
use crate::reflect::parts;

/// Scores nearer than this are level: means of a few integers differ by rounding only.
const LEVEL: f64 = 1e-9;

/// The verdict on a checkpoint's answer. An answer or score that could not be had makes the outcome unknown; a guard
/// turns a win into a loss (METHOD: such an answer never wins) and is noted only then.
pub fn outcome(
    checkpoint: &Checkpoint,
    held: &HeldOut,
    base: Option<String>,
    answer: Option<String>,
    (base_score, score): (Option<Score>, Option<Score>),
    options: &VerifyOptions,
) -> Verdict {
    let known = base.is_some() && answer.is_some();
    let (base, answer) = (base.unwrap_or_default(), answer.unwrap_or_default());
    let bleu = if known { sentence_bleu(&base, &answer) } else { 0.0 };
    let by_score = match (base_score, score) {
        (Some(b), Some(s)) if known => {
            if s.value > b.value + LEVEL {
                Outcome::Win
            } else if s.value < b.value - LEVEL {
                Outcome::Loss
            } else {
                Outcome::Tie
            }
        }
        _ => Outcome::Unknown,
    };
    let fired = if by_score == Outcome::Win { guard(&base, &answer, bleu, &options.guards) } else { None };
    let turned_down = match (fired, options.min_relevance) {
        (Some(Guard::Collapsed), Some(least)) if relevance(held, &base, &answer) >= least => {
            is_repetitive(&answer).then_some(Guard::Repetitive)
        }
        (fired, _) => fired,
    };
    Verdict {
        cluster: checkpoint.cluster,
        adapter: checkpoint.adapter.name.clone(),
        epoch: checkpoint.epoch,
        record: held.record.clone(),
        outcome: if turned_down.is_some() { Outcome::Loss } else { by_score },
        scored_by: score.or(base_score).map_or(ScoredBy::Judge, |s| s.by),
        guard: turned_down,
        base_score: base_score.map(|s| s.value),
        score: score.map(|s| s.value),
        bleu,
        base_answer: base,
        answer,
    }
}

/// Share of the answer's content words that occur in the question or the base answer: what a collapsed answer lacks.
fn relevance(held: &HeldOut, base: &str, answer: &str) -> f32 {
    facts::overlap(answer, &format!("{} {base}", parts(&held.prompt).2))
}
