//! Fresh answers: where a program cannot reshape the first answer, others to the same question are asked for and reshaped.
//!
//! A first answer like "I am only a chatbot" holds no sentence to keep. Without a pair its question would be tested on and never
//! trained on, and an adapter would go on answering such questions as the base model does.

use uno_types::{Candidate, ChatModel, GenerationRequest, Record, RuleSet, Sampling, Style};

use super::repair::can_repair;
use super::{CandidateOptions, checks, obeys, repaired};
use crate::LearnError;
use crate::generate::{OnProgress, request, run};

/// Highest temperature: what is reshaped is to read like an answer.
const MAX_TEMPERATURE: f32 = 0.7;

/// Adds a reshaped fresh answer for each record without a candidate that obeys, where one can be had. Gives the samples that failed: (record,
/// reason).
///
/// # Errors
/// [`LearnError::Model`] when the teacher is lost altogether.
pub(super) fn add(
    records: &[Record],
    rules: &[RuleSet],
    found: &mut [Vec<Candidate>],
    teacher: &dyn ChatModel,
    options: &CandidateOptions,
    on_progress: &mut OnProgress<'_>,
) -> Result<Vec<(String, String)>, LearnError> {
    let mut failed = Vec::new();
    for round in 0..options.fresh {
        let seed = options.seed + round as u64;
        let wanting: Vec<usize> =
            (0..records.len()).filter(|&i| wants(&records[i], &rules[i], &found[i])).collect();
        let requests: Vec<GenerationRequest> =
            wanting.iter().map(|&i| sample(&records[i], seed, options)).collect();
        for (i, result) in wanting.into_iter().zip(run("fresh answers", teacher, &requests, on_progress)?) {
            match result {
                Ok(g) => found[i].extend(
                    repaired(&records[i], &rules[i], &g.text, Style::Fresh, seed)
                        .filter(|candidate| obeys(&records[i], &rules[i], candidate)),
                ),
                Err(e) => failed.push((records[i].id.clone(), e.to_string())),
            }
        }
    }
    Ok(failed)
}

/// Whether a program could help a record and has not yet.
fn wants(record: &Record, set: &RuleSet, found: &[Candidate]) -> bool {
    !set.with_feedback.is_empty()
        && !record.first_answer().trim().is_empty()
        && checks(set).is_some_and(|checks| can_repair(&checks))
        && !found.iter().any(|candidate| obeys(record, set, candidate))
}

fn sample(record: &Record, seed: u64, options: &CandidateOptions) -> GenerationRequest {
    let temperature = options.temperature.min(MAX_TEMPERATURE);
    let sampling = Sampling { temperature, top_p: options.top_p, seed };
    request(record.prompt(), sampling, options.max_tokens)
}
