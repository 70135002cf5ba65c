//! Pairs: the best candidate becomes *chosen*, the first answer *rejected* (METHOD §2).
//!
//! A pair teaches only if chosen is better than rejected, so both are scored, and every pair that cannot be is counted
//! under its reason: the funnel of the report.

use std::collections::BTreeMap;

use uno_types::{Candidate, ChatModel, Pair, Record, RuleSet, Style};

use crate::LearnError;
use crate::candidates::{Defect, unsound};
use crate::generate::OnProgress;
use crate::judge::{Item, JudgeOptions, Score, judge};

/// When a pair is kept.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PairOptions {
    /// Least score of a chosen answer. Off the scale's floor of 1 by default: an answer that obeys nothing teaches nothing.
    pub min_score: f64,
    /// Chosen must score more than this above the first answer's own score; absent: the first answer is not scored and
    /// any best candidate is taken (the method).
    pub min_gain: Option<f64>,
    /// How candidates are judged.
    pub judge: JudgeOptions,
}

impl Default for PairOptions {
    fn default() -> Self {
        Self {
            min_score: 4.0,
            min_gain: Some(0.0),
            judge: JudgeOptions { samples: 0, ..JudgeOptions::default() },
        }
    }
}

/// Why a record gave no pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoPair {
    /// No rule was kept.
    NoRules,
    /// No first answer to reject.
    NoAnswer,
    /// No candidate was generated or found.
    NoCandidates,
    /// Every candidate is empty.
    Empty,
    /// Every candidate is the first answer again.
    Unchanged,
    /// Every candidate copies the prompt, repeats itself, or is otherwise unsound.
    Degenerate,
    /// No candidate's score, or not the first answer's, could be had.
    Unknown,
    /// The best candidate scores below the least score.
    Poor,
    /// The best candidate is not better than the first answer.
    NotBetter,
}

/// The pairs, the candidates with their scores, and the records without a pair by reason.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Pairs {
    /// One pair per record at most, in the order of the records.
    pub pairs: Vec<Pair>,
    /// All candidates, with the scores of those that are sound.
    pub candidates: Vec<Candidate>,
    /// Records without a pair, by reason.
    pub dropped: BTreeMap<NoPair, usize>,
    /// Candidates that were unsound, by defect.
    pub defects: BTreeMap<Defect, usize>,
}

/// Scores `candidates` and builds at most one pair per record. `rules[i]` belongs to `records[i]`.
///
/// # Errors
/// [`LearnError::Model`] when the judge is lost altogether.
pub fn pairs(
    records: &[Record],
    rules: &[RuleSet],
    mut candidates: Vec<Candidate>,
    model: &dyn ChatModel,
    options: &PairOptions,
    on_progress: &mut OnProgress<'_>,
) -> Result<Pairs, LearnError> {
    let index: BTreeMap<&str, usize> = records.iter().enumerate().map(|(i, r)| (r.id.as_str(), i)).collect();
    let prompts: Vec<Vec<uno_types::Message>> = records.iter().map(Record::prompt).collect();
    let owner: Vec<Option<usize>> =
        candidates.iter().map(|c| index.get(c.record.as_str()).copied()).collect();
    let defects: Vec<Option<Defect>> =
        candidates.iter().zip(&owner).map(|(c, o)| o.and_then(|i| unsound(&records[i], c))).collect();

    // Score all sound candidates and, once per record that has one, the first answer.
    let scored: Vec<(usize, Option<usize>)> = owner
        .iter()
        .enumerate()
        .filter(|(c, _)| defects[*c].is_none())
        .filter_map(|(c, o)| o.filter(|&i| !rules[i].with_feedback.is_empty()).map(|i| (i, Some(c))))
        .collect();
    let mut firsts: Vec<usize> = scored.iter().map(|s| s.0).collect();
    firsts.sort_unstable();
    firsts.dedup();
    let mut all = scored;
    if options.min_gain.is_some() {
        all.extend(firsts.into_iter().map(|i| (i, None)));
    }
    let items: Vec<Item<'_>> = all
        .iter()
        .map(|&(i, c)| Item {
            lang: records[i].lang,
            prompt: &prompts[i],
            rules: &rules[i].with_feedback,
            answer: c.map_or(records[i].first_answer(), |c| candidates[c].text.as_str()),
        })
        .collect();
    let scores = judge(&items, model, &options.judge, on_progress)?;
    let mut first_scores: Vec<Option<Score>> = vec![None; records.len()];
    for (&(i, c), score) in all.iter().zip(scores) {
        match c {
            None => first_scores[i] = score,
            Some(c) => {
                candidates[c].score = score.map(|s| s.value);
                candidates[c].scored_by = score.map(|s| s.by);
            }
        }
    }

    let mut own: Vec<Vec<usize>> = vec![Vec::new(); records.len()];
    for (c, o) in owner.iter().enumerate() {
        if let Some(i) = o {
            own[*i].push(c);
        }
    }
    let mut out = Pairs::default();
    for (i, record) in records.iter().enumerate() {
        let mine = &own[i];
        match choose(record, &rules[i], mine, &candidates, &defects, first_scores[i], options) {
            Ok(pair) => out.pairs.push(pair),
            Err(why) => *out.dropped.entry(why).or_default() += 1,
        }
    }
    for defect in defects.into_iter().flatten() {
        *out.defects.entry(defect).or_default() += 1;
    }
    out.candidates = candidates;
    Ok(out)
}

fn choose(
    record: &Record,
    rules: &RuleSet,
    mine: &[usize],
    candidates: &[Candidate],
    defects: &[Option<Defect>],
    first: Option<Score>,
    options: &PairOptions,
) -> Result<Pair, NoPair> {
    if rules.with_feedback.is_empty() {
        return Err(NoPair::NoRules);
    }
    if record.first_answer().trim().is_empty() {
        return Err(NoPair::NoAnswer);
    }
    if mine.is_empty() {
        return Err(NoPair::NoCandidates);
    }
    let all = |d: Defect| mine.iter().all(|&c| defects[c] == Some(d));
    if all(Defect::Empty) {
        return Err(NoPair::Empty);
    }
    if all(Defect::Unchanged) {
        return Err(NoPair::Unchanged);
    }
    if mine.iter().all(|&c| defects[c].is_some()) {
        return Err(NoPair::Degenerate);
    }
    let known = mine
        .iter()
        .filter(|&&c| defects[c].is_none())
        .filter_map(|&c| Some((candidates[c].score?, &candidates[c])));
    let (score, best) = known
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| rank(a.1).cmp(&rank(b.1))))
        .ok_or(NoPair::Unknown)?;
    if score < options.min_score {
        return Err(NoPair::Poor);
    }
    if let Some(gain) = options.min_gain {
        let first = first.ok_or(NoPair::Unknown)?;
        if score - first.value <= gain {
            return Err(NoPair::NotBetter);
        }
    }
    Ok(Pair {
        record: record.id.clone(),
        prompt: record.prompt(),
        chosen: best.text.clone(),
        rejected: record.first_answer().to_owned(),
        style: best.style,
        score,
    })
}

/// Which of two equally good candidates is taken: the log's own (the user saw it and let it stand; the last one), then a
/// program's revision of the first answer, then of another one, then the teacher's, then a new answer; then the earlier seed.
fn rank(c: &Candidate) -> (u8, std::cmp::Reverse<u64>) {
    let style = match c.style {
        Style::InLog => 4,
        Style::Program => 3,
        Style::Fresh => 2,
        Style::FromRules => 1,
        Style::FromFeedback => 0,
    };
    (style, std::cmp::Reverse(c.seed))
}

#[cfg(test)]
mod tests;
