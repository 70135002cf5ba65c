//! Metrics that a model judges: what it is asked, and how its answer becomes a number.
//!
//! Scales, parsing and what counts when nothing can be parsed are MemoryBench's; the wording is our own and can be
//! replaced by the published one ([`Prompts`]). Figures of different judges or wordings must not be compared.

mod prompts;

pub use prompts::Prompts;
pub(super) use prompts::fill;

use serde::Deserialize;
use serde_json::json;
use uno_learn::generate::run;
use uno_types::{ChatModel, Constraint, GenerationRequest, Message, Sampling};

use super::MemoryBenchError;

/// How often a judge is asked again when its answer cannot be read.
const TRIES: u64 = 3;

/// What is asked for, and the number that counts when no try can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// One to five; 1 when unreadable (NFCats).
    Five,
    /// One to ten; 0 when unreadable (merged scores, WritingBench).
    Ten,
    /// A share for each of so many checks; their mean; 0 when unreadable (HelloBench).
    Checks(usize),
}

/// One question to the judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The whole prompt.
    pub prompt: String,
    /// What it answers.
    pub scale: Scale,
}

/// One score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// On the task's scale.
    pub value: f64,
    /// Whether the judge's words could be read.
    pub read: bool,
}

/// Scores of all tasks, in as few batches as possible.
///
/// # Errors
/// [`MemoryBenchError::Judge`] when the judge is lost.
pub fn judge(
    tasks: &[Task],
    model: &dyn ChatModel,
    on_progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Score>, MemoryBenchError> {
    let unread = |scale| match scale {
        Scale::Five => 1.0,
        Scale::Ten | Scale::Checks(_) => 0.0,
    };
    let mut scores: Vec<Score> =
        tasks.iter().map(|t| Score { value: unread(t.scale), read: false }).collect();
    for attempt in 0..TRIES {
        let open: Vec<usize> = (0..tasks.len()).filter(|&i| !scores[i].read).collect();
        let requests: Vec<GenerationRequest> = open.iter().map(|&i| request(&tasks[i], attempt)).collect();
        let results = run("judge", model, &requests, on_progress).map_err(MemoryBenchError::Judge)?;
        for (i, result) in open.into_iter().zip(results) {
            let value = result.ok().and_then(|g| parse(&g.text, tasks[i].scale));
            if let Some(value) = value {
                scores[i] = Score { value, read: true };
            }
        }
    }
    Ok(scores)
}

fn request(task: &Task, attempt: u64) -> GenerationRequest {
    let (max_tokens, constraint) = match task.scale {
        Scale::Five | Scale::Ten => (64, None),
        Scale::Checks(n) => (64 * n.max(1), Some(Constraint::JsonSchema(checks_schema(n)))),
    };
    // The first try is greedy; another would give the same again.
    let temperature = if attempt == 0 { 0.0 } else { 0.8 };
    GenerationRequest {
        messages: vec![Message::system("You are a helpful assistant."), Message::user(&task.prompt)],
        adapter: None,
        sampling: Sampling { temperature, top_p: 1.0, seed: 42 + attempt },
        max_tokens,
        constraint,
        logprobs: false,
    }
}

fn checks_schema(n: usize) -> serde_json::Value {
    let check = json!({
        "type": "object",
        "properties": {
            "reason": {"type": "string", "maxLength": 160},
            "evaluation_score": {"type": "number", "enum": [0, 0.25, 0.5, 0.75, 1]},
        },
        "required": ["reason", "evaluation_score"],
        "additionalProperties": false,
    });
    json!({
        "type": "object",
        "properties": {"checks": {"type": "array", "items": check, "minItems": n, "maxItems": n}},
        "required": ["checks"],
        "additionalProperties": false,
    })
}

/// The number that a judge's words stand for.
fn parse(text: &str, scale: Scale) -> Option<f64> {
    match scale {
        Scale::Five => integer(text, 5),
        Scale::Ten => integer(text, 10),
        Scale::Checks(n) => {
            #[derive(Deserialize)]
            struct Reply {
                checks: Vec<Check>,
            }
            #[derive(Deserialize)]
            struct Check {
                evaluation_score: f64,
            }
            let reply: Reply = uno_learn::generate::parse_json(text)?;
            let within = reply.checks.iter().all(|c| (0.0..=1.0).contains(&c.evaluation_score));
            let sum: f64 = reply.checks.iter().map(|c| c.evaluation_score).sum();
            (within && n > 0 && reply.checks.len() == n).then(|| sum / n as f64)
        }
    }
}

/// The first integer from 1 to `most` that stands by itself.
fn integer(text: &str, most: u32) -> Option<f64> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    let mut numbers = words.filter_map(|w| w.parse::<u32>().ok());
    numbers.find(|n| (1..=most).contains(n)).map(f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_in_words() {
        assert_eq!(parse("Score: 4", Scale::Five), Some(4.0));
        assert_eq!(parse("10/10", Scale::Ten), Some(10.0));
        assert_eq!(parse("**7**", Scale::Ten), Some(7.0));
        assert_eq!(parse("12 or 9", Scale::Ten), Some(9.0));
        assert_eq!(parse("7", Scale::Five), None);
        assert_eq!(parse("great, v3x", Scale::Five), None);
    }

    #[test]
    fn checks_must_be_complete_and_in_range() {
        let reply = |scores: &[f64]| {
            let checks: Vec<_> =
                scores.iter().map(|s| json!({"reason": "", "evaluation_score": s})).collect();
            json!({ "checks": checks }).to_string()
        };
        assert_eq!(parse(&reply(&[1.0, 0.5]), Scale::Checks(2)), Some(0.75));
        assert_eq!(parse(&reply(&[1.0]), Scale::Checks(2)), None);
        assert_eq!(parse(&reply(&[1.0, 3.0]), Scale::Checks(2)), None);
        assert_eq!(parse("{}", Scale::Checks(0)), None);
    }
}
