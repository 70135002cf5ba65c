//! Judge: how well an answer follows rules, 1 to 10 (METHOD §2, §6).
//!
//! Rules that a program can check are checked by the program: 1 + 9 × the share that holds. The others go to the judge
//! model, once greedily and `samples` times with temperature. When both had a say, each counts with its share of the
//! rules. A reply that cannot be parsed is *unknown*, never a low score.

mod known;
mod measure;
mod program;

pub use known::{Known, KnownBy, known_answers};
pub use measure::{Accuracy, JudgeReport, MeasureOptions, Share, measure};
pub use program::{ProgramScore, program_score};

use serde_json::json;
use uno_types::{ChatModel, GenerationRequest, Lang, Message, Rule, Sampling, ScoredBy};

use crate::generate::{OnProgress, json_request, parse_json, run};
use crate::{LearnError, prompts};

/// How to judge.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JudgeOptions {
    /// Sampled scores besides the greedy one (the method: 2 in verification).
    pub samples: usize,
    /// Temperature of the sampled ones (the method: 1.0).
    pub temperature: f32,
    /// Nucleus of the sampled ones (the method: 0.9).
    pub top_p: f32,
    /// First seed of the sampled ones.
    pub seed: u64,
    /// Longest reason in characters.
    pub max_reason_chars: usize,
    /// Most tokens of a verdict.
    pub max_tokens: usize,
    /// Let programs score the rules they can check. Off: the judge scores all (the method).
    pub programs: bool,
}

impl Default for JudgeOptions {
    fn default() -> Self {
        Self {
            samples: 2,
            temperature: 1.0,
            top_p: 0.9,
            seed: 42,
            max_reason_chars: 120,
            max_tokens: 96,
            programs: true,
        }
    }
}

/// An answer to be judged.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// Language of the prompt.
    pub lang: Lang,
    /// System turn and question.
    pub prompt: &'a [Message],
    /// What it is judged against.
    pub rules: &'a [Rule],
    /// The answer.
    pub answer: &'a str,
}

/// A score.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Score {
    /// 1 to 10.
    pub value: f64,
    /// Who gave it.
    pub by: ScoredBy,
}

#[derive(serde::Deserialize)]
struct Reply {
    score: f64,
}

/// One score per item; `None` is unknown. No model is asked about items whose rules are all checked by programs.
///
/// # Errors
/// [`LearnError::Model`] when the judge is lost altogether.
pub fn judge(
    items: &[Item<'_>],
    model: &dyn ChatModel,
    options: &JudgeOptions,
    on_progress: &mut OnProgress<'_>,
) -> Result<Vec<Option<Score>>, LearnError> {
    let programs: Vec<Option<ProgramScore>> =
        items.iter().map(|i| options.programs.then(|| program_score(i.rules, i.answer)).flatten()).collect();
    let mut requests = Vec::new();
    let mut asked: Vec<usize> = Vec::new();
    for (i, (item, program)) in items.iter().zip(&programs).enumerate() {
        if program.is_some_and(|p| p.open == 0) {
            continue;
        }
        for sample in 0..=options.samples {
            requests.push(score_request(item, sample, options));
            asked.push(i);
        }
    }
    let results = run("judge", model, &requests, on_progress)?;
    let mut heard: Vec<Vec<f64>> = vec![Vec::new(); items.len()];
    for (i, result) in asked.into_iter().zip(results) {
        heard[i].extend(
            result
                .ok()
                .and_then(|g| parse_json::<Reply>(&g.text))
                .map(|r| r.score)
                .filter(|s| (1.0..=10.0).contains(s)),
        );
    }
    Ok(programs.iter().zip(&heard).map(|(program, heard)| combine(*program, heard)).collect())
}

/// The scores of program and judge, each with its share of the rules; unknown when the judge was needed and not heard.
fn combine(program: Option<ProgramScore>, heard: &[f64]) -> Option<Score> {
    let judged = (!heard.is_empty()).then(|| heard.iter().sum::<f64>() / heard.len() as f64);
    match program {
        Some(p) if p.open == 0 => Some(Score { value: p.value(), by: ScoredBy::Program }),
        Some(p) => {
            let (checked, open) = (p.checked as f64, p.open as f64);
            let value = (checked * p.value() + open * judged?) / (checked + open);
            Some(Score { value, by: ScoredBy::Both })
        }
        None => Some(Score { value: judged?, by: ScoredBy::Judge }),
    }
}

/// Sample 0 is greedy.
fn score_request(item: &Item<'_>, sample: usize, options: &JudgeOptions) -> GenerationRequest {
    let open: Vec<&Rule> = item.rules.iter().filter(|r| !options.programs || r.check.is_none()).collect();
    let rules: Vec<String> = open.iter().enumerate().map(|(i, r)| format!("{}. {}", i + 1, r.text)).collect();
    let find = |role| item.prompt.iter().find(|m| m.role == role).map(|m| m.content.as_str());
    let (system, q) = (find(uno_types::Role::System), find(uno_types::Role::User).unwrap_or(""));
    let messages = prompts::judge(item.lang, system, q, &rules.join("\n"), item.answer);
    let schema = json!({
        "type": "object",
        "properties": {
            "reason": { "type": "string", "maxLength": options.max_reason_chars },
            "score": { "type": "integer", "enum": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] }
        },
        "required": ["reason", "score"],
        "additionalProperties": false
    });
    let sampling = match sample {
        0 => Sampling::GREEDY,
        k => Sampling {
            temperature: options.temperature,
            top_p: options.top_p,
            seed: options.seed + k as u64 - 1,
        },
    };
    json_request(messages, sampling, options.max_tokens, schema)
}

#[cfg(test)]
mod tests;
