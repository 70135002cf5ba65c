//! Candidates: possible better answers for a record (METHOD §2), from the log itself and from the teacher.
//!
//! The log comes first: an answer that followed the feedback and that the user let stand was paid for by nobody and
//! judged by the person who complained ([`in_log`]). Then a program reshapes the first answer where all rules are such
//! that it can ([`repair`]), or else another answer to the same question. The teacher's candidates are sampled in rounds; a record whose
//! best candidate already obeys every checkable rule needs no further round ([`CandidateOptions::stop_when_obeyed`]).

mod clean;
mod fresh;
mod in_log;
mod repair;

pub use clean::{Defect, clean, defect, unsound};
pub use in_log::in_log;
pub use repair::repair;

use uno_types::{Candidate, ChatModel, Check, GenerationRequest, Record, RuleSet, Sampling, Style};

use crate::generate::{OnProgress, request, run};
use crate::{LearnError, judge, prompts};

/// How to sample candidates.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CandidateOptions {
    /// Samples of style (i), the question answered again given only the feedback.
    pub from_feedback: usize,
    /// Samples of style (ii), the first answer revised given rules and feedback.
    pub from_rules: usize,
    /// Temperature (the method: 1.0).
    pub temperature: f32,
    /// Nucleus (the method: 0.9).
    pub top_p: f32,
    /// First seed; sample `k` of a style uses `seed + k`.
    pub seed: u64,
    /// Most tokens of a candidate.
    pub max_tokens: usize,
    /// Take the log's own better answers, too. Off: sampled candidates only (the method).
    pub in_log: bool,
    /// Also let a program revise the first answer where it can bring about all rules. Off: the method.
    pub repair: bool,
    /// Most other answers to the question that are asked for and revised so, where the first one could not be.
    pub fresh: usize,
    /// Take no further samples for a record once a sound candidate obeys all of its rules by program. Off: the method.
    pub stop_when_obeyed: bool,
}

impl Default for CandidateOptions {
    fn default() -> Self {
        Self {
            from_feedback: 3,
            from_rules: 3,
            temperature: 1.0,
            top_p: 0.9,
            seed: 42,
            max_tokens: 200,
            in_log: true,
            repair: true,
            fresh: 3,
            stop_when_obeyed: true,
        }
    }
}

/// What sampling gave.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Candidates {
    /// All candidates, unscored, grouped by record in the order of the records.
    pub candidates: Vec<Candidate>,
    /// Samples that failed: (record, reason).
    pub failed: Vec<(String, String)>,
    /// Samples that were not needed because an earlier candidate obeys.
    pub spared: usize,
}

/// Candidates for every record that has with-feedback rules. `rules[i]` belongs to `records[i]`.
///
/// # Errors
/// [`LearnError::Model`] when the teacher is lost altogether.
pub fn candidates(
    records: &[Record],
    rules: &[RuleSet],
    teacher: &dyn ChatModel,
    options: &CandidateOptions,
    on_progress: &mut OnProgress<'_>,
) -> Result<Candidates, LearnError> {
    let of_log = |(r, set)| if options.in_log { in_log(r, set) } else { Vec::new() };
    let mut found: Vec<Vec<Candidate>> = records.iter().zip(rules).map(of_log).collect();
    if options.repair {
        for ((record, set), found) in records.iter().zip(rules).zip(&mut found) {
            found.extend(repaired(record, set, record.first_answer(), Style::Program, 0));
        }
    }
    let mut out = Candidates::default();
    if options.repair {
        out.failed = fresh::add(records, rules, &mut found, teacher, options, on_progress)?;
    }
    for round in 0..options.from_feedback.max(options.from_rules) {
        let (mut requests, mut targets) = (Vec::new(), Vec::new());
        // One style after the other, so that requests with the same beginning stand together.
        for (style, samples) in
            [(Style::FromFeedback, options.from_feedback), (Style::FromRules, options.from_rules)]
        {
            if round >= samples {
                continue;
            }
            for (i, (record, set)) in records.iter().zip(rules).enumerate() {
                if set.with_feedback.is_empty() || record.first_answer().trim().is_empty() {
                    continue;
                }
                if options.stop_when_obeyed && found[i].iter().any(|c| obeys(record, set, c)) {
                    out.spared += 1;
                    continue;
                }
                let seed = options.seed + round as u64;
                requests.push(sample(record, set, style, seed, options));
                targets.push((i, style, seed));
            }
        }
        for ((i, style, seed), result) in
            targets.into_iter().zip(run("candidates", teacher, &requests, on_progress)?)
        {
            let record = records[i].id.clone();
            match result {
                Ok(g) => found[i].push(Candidate {
                    record,
                    style,
                    seed,
                    text: clean(&g.text),
                    score: None,
                    scored_by: None,
                }),
                Err(e) => out.failed.push((record, e.to_string())),
            }
        }
    }
    out.candidates = found.into_iter().flatten().collect();
    Ok(out)
}

/// An answer revised by a program, when programs can check all rules.
fn repaired(record: &Record, set: &RuleSet, answer: &str, style: Style, seed: u64) -> Option<Candidate> {
    let text = repair(&checks(set)?, answer)?;
    Some(Candidate { record: record.id.clone(), style, seed, text, score: None, scored_by: None })
}

/// What programs check of the rules; none when there is a rule that they cannot check.
fn checks(set: &RuleSet) -> Option<Vec<&Check>> {
    set.with_feedback.iter().map(|r| r.check.as_ref()).collect()
}

fn sample(
    record: &Record,
    set: &RuleSet,
    style: Style,
    seed: u64,
    options: &CandidateOptions,
) -> GenerationRequest {
    let (lang, system, q) = (record.lang, record.system(), record.query());
    let messages = match style {
        Style::FromFeedback | Style::InLog | Style::Program | Style::Fresh => {
            prompts::answer_again(lang, system, q, &record.feedback())
        }
        Style::FromRules => {
            prompts::revise(lang, system, q, record.first_answer(), &record.feedback(), &set.numbered())
        }
    };
    let sampling = Sampling { temperature: options.temperature, top_p: options.top_p, seed };
    request(messages, sampling, options.max_tokens)
}

/// Whether a sound candidate obeys all rules and a program can say so.
fn obeys(record: &Record, set: &RuleSet, candidate: &Candidate) -> bool {
    unsound(record, candidate).is_none()
        && judge::program_score(&set.with_feedback, &candidate.text).is_some_and(|s| s.obeys_all())
}

#[cfg(test)]
mod tests;
