//! One verdict: two answers, two scores, the guards.

use uno_types::{Guard, Outcome, ScoredBy, Verdict};

use super::{Checkpoint, HeldOut, VerifyOptions};
use crate::bleu::sentence_bleu;
use crate::check::longest;
use crate::guards::guard;
use crate::judge::Score;

/// Scores nearer than this are level: means of a few integers differ by rounding only.
const LEVEL: f64 = 1e-9;

/// Who wins by score alone.
pub fn by_score(base: Option<Score>, score: Option<Score>) -> Outcome {
    match (base, score) {
        (Some(b), Some(s)) if s.value > b.value + LEVEL => Outcome::Win,
        (Some(b), Some(s)) if s.value < b.value - LEVEL => Outcome::Loss,
        (Some(_), Some(_)) => Outcome::Tie,
        _ => Outcome::Unknown,
    }
}

/// The verdict on a checkpoint's answer. An answer or score that could not be had makes the outcome unknown; a guard
/// turns a win into a loss (METHOD: such an answer never wins) and is noted only then. `relevance` is the cosine between
/// answer and question, where it was measured.
pub fn outcome(
    checkpoint: &Checkpoint,
    held: &HeldOut,
    base: Option<String>,
    answer: Option<String>,
    (base_score, score): (Option<Score>, Option<Score>),
    relevance: Option<f64>,
    options: &VerifyOptions,
) -> Verdict {
    let known = base.is_some() && answer.is_some();
    let (base, answer) = (base.unwrap_or_default(), answer.unwrap_or_default());
    let bleu = if known { sentence_bleu(&base, &answer) } else { 0.0 };
    let by_score = if known { by_score(base_score, score) } else { Outcome::Unknown };
    let turned_down = || {
        // Where relevance was measured it decides instead of BLEU, which calls every short answer collapsed.
        let bleu = relevance.is_none().then_some(bleu);
        let off_topic = relevance.zip(options.min_relevance).is_some_and(|(cosine, least)| cosine < least);
        guard(&base, &answer, bleu, longest(&held.rules), &options.guards)
            .or(off_topic.then_some(Guard::OffTopic))
    };
    let turned_down = if by_score == Outcome::Win { turned_down() } else { None };
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
