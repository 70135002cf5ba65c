//! Preference pairs (METHOD §2).

use serde::{Deserialize, Serialize};

use crate::{Message, ScoredBy};

/// How a candidate answer came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// The query answered again, given only the feedback.
    FromFeedback,
    /// The first answer revised, given rules and feedback.
    FromRules,
    /// An answer of the log itself, given after the feedback and accepted or not complained about.
    InLog,
    /// The first answer reshaped by a program until it obeys rules that a program can check.
    Program,
    /// Another answer to the query, reshaped by a program in the same way.
    Fresh,
}

/// A possible better answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// The record it answers.
    pub record: String,
    /// How it came about.
    pub style: Style,
    /// Seed of the sample; 0 for answers of the log.
    pub seed: u64,
    /// The answer.
    pub text: String,
    /// 1 to 10; absent while unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// Who gave the score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scored_by: Option<ScoredBy>,
}

/// A preference: for `prompt`, `chosen` is better than `rejected`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// The record it comes from; also the id that the train/validation split shuffles.
    pub record: String,
    /// System turn, if any, and query.
    pub prompt: Vec<Message>,
    /// The best candidate.
    pub chosen: String,
    /// The first answer a0.
    pub rejected: String,
    /// How the chosen answer came about.
    pub style: Style,
    /// The chosen answer's score, 1 to 10.
    pub score: f64,
}
