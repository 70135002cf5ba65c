//! Formats that hold two answers, one of them preferred. The preferred one becomes the conversation's last, accepted
//! answer; the other one is not kept: what the method rejects is the first answer of the log.

use serde_json::Value;
use uno_types::{Message, Role};

use super::chat::{last_answer, turns};
use super::{Conversation, kind};

/// `{input: {messages}, preferred_output: [turn], non_preferred_output: [turn]}`.
pub(super) fn openai(row: &Value) -> Result<Conversation, String> {
    let mut messages = turns(&row["input"]["messages"], "input.messages", "role", "content")?;
    let preferred = turns(&row["preferred_output"], "preferred_output", "role", "content")?;
    if last_answer(&preferred).is_none() {
        return Err("preferred_output holds no assistant turn".to_owned());
    }
    messages.extend(preferred);
    Ok(with_accepted_end(messages))
}

/// `{prompt, chosen, rejected}`, texts or turns, the prompt possibly inside both; `{prompt, completion, label}`.
pub(super) fn trl(row: &Value) -> Result<Conversation, String> {
    let mut messages = match row.get("prompt") {
        None | Some(Value::Null) => Vec::new(),
        Some(prompt) => side(prompt, "prompt", Role::User)?,
    };
    let unpaired = row.get("chosen").is_none();
    let name = if unpaired { "completion" } else { "chosen" };
    let answer = side(&row[name], name, Role::Assistant)?;
    if last_answer(&answer).is_none() {
        return Err(format!("{name} holds no answer"));
    }
    // LLaMA-Factory and others repeat the prompt inside both sides.
    if !messages.is_empty() && answer.starts_with(&messages) {
        messages.clear();
    }
    messages.extend(answer);
    if unpaired && row.get("label").and_then(Value::as_bool) != Some(true) {
        return Ok(Conversation { messages, ..Conversation::default() });
    }
    Ok(with_accepted_end(messages))
}

fn side(value: &Value, name: &str, speaker: Role) -> Result<Vec<Message>, String> {
    match value {
        Value::String(text) if text.trim().is_empty() => Ok(Vec::new()),
        Value::String(text) => Ok(vec![Message::new(speaker, text.clone())]),
        Value::Array(_) => turns(value, name, "role", "content"),
        other => Err(format!("{name} is {}, expected a text or an array of turns", kind(other))),
    }
}

fn with_accepted_end(messages: Vec<Message>) -> Conversation {
    let accepted = last_answer(&messages).into_iter().collect();
    Conversation { messages, accepted, ..Conversation::default() }
}
