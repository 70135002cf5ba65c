//! What a record teaches: rules (METHOD §1).

use serde::{Deserialize, Serialize};

use crate::Check;

/// A short, executable, affirmative instruction distilled from feedback.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// The instruction.
    pub text: String,
    /// The sentence of the user's feedback that it goes back to.
    pub evidence: String,
    /// Cosine similarity of the rule to its evidence, 0 to 1.
    pub similarity: f32,
    /// The program that checks it, when the text could be compiled with confidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
    /// True when a program compiled the rule straight from the user's sentence; no model worded it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub verbatim: bool,
}

/// Why a distilled rule was not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// No sentence of the feedback is similar enough: the model invented it.
    Untraceable,
    /// It says what another kept rule of the record says.
    Duplicate,
    /// Empty, or too long to be a rule.
    Malformed,
}

/// A rule that was distilled and not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedRule {
    /// The instruction as the model wrote it.
    pub text: String,
    /// Why.
    pub reason: DropReason,
}

/// All rules of one record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RuleSet {
    /// The record.
    pub record: String,
    /// Distilled from query, first answer and feedback; kept ones only.
    pub with_feedback: Vec<Rule>,
    /// What the model itself thinks matters for the query: its prior.
    pub without_feedback: Vec<String>,
    /// Distilled, but not kept.
    #[serde(default)]
    pub dropped: Vec<DroppedRule>,
    /// Set when a generation could not be parsed or failed; the text says which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl RuleSet {
    /// The kept rules' texts, one a line and numbered: what the Critic learns to say, and what judges read.
    pub fn numbered(&self) -> String {
        let lines: Vec<String> =
            self.with_feedback.iter().enumerate().map(|(i, r)| format!("{}. {}", i + 1, r.text)).collect();
        lines.join("\n")
    }
}
