//! The files: conversations as OpenAI-chat JSON lines, held-out questions as JSON lines beside them.

use serde::{Deserialize, Serialize};
use serde_json::json;
use uno_types::{Check, Record};

use super::SimulateError;

/// A question on a topic that no log mentions, and the rule its answer should obey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldOutQuestion {
    /// For example `travel-held-out-03`.
    pub id: String,
    /// The domain's name.
    pub domain: String,
    /// The question.
    pub question: String,
    /// The domain's house rule.
    pub check: Check,
}

/// A record as a line of an OpenAI-chat log: `{"id", "user", "messages": [{"role", "content"}]}`.
pub fn conversation_line(record: &Record) -> String {
    json!({ "id": record.id, "user": record.user, "messages": record.messages }).to_string()
}

/// A held-out question as a line.
pub fn held_out_line(question: &HeldOutQuestion) -> String {
    json!(question).to_string()
}

/// The held-out questions of a file's text; empty lines are skipped.
///
/// # Errors
/// [`SimulateError::HeldOut`] names the first line that cannot be read.
pub fn parse_held_out(text: &str) -> Result<Vec<HeldOutQuestion>, SimulateError> {
    let lines = text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty());
    lines
        .map(|(i, l)| {
            serde_json::from_str(l).map_err(|e| SimulateError::HeldOut { line: i + 1, reason: e.to_string() })
        })
        .collect()
}
