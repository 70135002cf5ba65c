//! Formats that list the turns of a conversation.

use serde_json::Value;
use uno_types::{Message, Role};

use super::{Conversation, keys, kind};

/// `{messages: [{role, content}]}`; a `label` (KTO) or a `rejected_response` (ms-swift) marks the last answer as accepted.
pub(super) fn openai(row: &Value) -> Result<Conversation, String> {
    let turns = turns(&row["messages"], "messages", "role", "content")?;
    let liked =
        row.get("label").and_then(Value::as_bool) == Some(true) || row.get("rejected_response").is_some();
    let accepted = if liked { last_answer(&turns).into_iter().collect() } else { Vec::new() };
    Ok(Conversation { messages: turns, accepted, ..Conversation::default() })
}

/// `{messages, copy_events_per_reply}`: one count per assistant turn.
pub(super) fn real_human_eval(row: &Value) -> Result<Conversation, String> {
    let all = row["messages"].as_array().map_or(0, Vec::len);
    let turns = turns(&row["messages"], "messages", "role", "content")?;
    let copies: Vec<u64> = row["copy_events_per_reply"]
        .as_array()
        .map(|c| c.iter().map(|n| n.as_u64().unwrap_or(0)).collect())
        .unwrap_or_default();
    let answers: Vec<usize> = (0..turns.len()).filter(|i| turns[*i].role == Role::Assistant).collect();
    // Counts that do not belong to the turns say nothing; empty turns were dropped and shift them.
    let accepted = match answers.len() == copies.len() && all == turns.len() {
        true => answers.into_iter().zip(copies).filter(|(_, n)| *n > 0).map(|(i, _)| i).collect(),
        false => Vec::new(),
    };
    Ok(Conversation { messages: turns, accepted, ..Conversation::default() })
}

/// `{conversations: [{from, value}]}`, also with `role`/`content`, and LLaMA-Factory's `chosen`/`rejected` answers.
pub(super) fn share_gpt(row: &Value) -> Result<Conversation, String> {
    let (name, list) = match row.get("conversations") {
        Some(list) => ("conversations", list),
        None => ("conversation", &row["conversation"]),
    };
    let by_role = list.pointer("/0/from").is_none() && list.pointer("/0/role").is_some();
    let (who, what) = if by_role { ("role", "content") } else { ("from", "value") };
    let mut messages = turns(list, name, who, what)?;
    if let Some(system) = row.get("system").and_then(Value::as_str).filter(|s| !s.trim().is_empty())
        && messages.first().is_none_or(|m| m.role != Role::System)
    {
        messages.insert(0, Message::system(system));
    }
    let mut accepted = Vec::new();
    if let Some(chosen) = row.get("chosen").filter(|c| c.is_object()) {
        let answer = turn(chosen, "chosen", who, what)?;
        accepted.extend(answer.map(|answer| {
            messages.push(answer);
            messages.len() - 1
        }));
    }
    Ok(Conversation { messages, accepted, ..Conversation::default() })
}

/// `{conversation: [{role, content}]}`.
pub(super) fn wild_chat(row: &Value) -> Result<Conversation, String> {
    let messages = turns(&row["conversation"], "conversation", "role", "content")?;
    Ok(Conversation { messages, ..Conversation::default() })
}

/// `{turns: [text]}`: what a user asks, one after the other; there are no answers.
pub(super) fn questions(row: &Value) -> Result<Conversation, String> {
    let texts = row["turns"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let messages = texts.filter(|t| !t.trim().is_empty()).map(Message::user).collect();
    Ok(Conversation { messages, ..Conversation::default() })
}

/// Position of the last answer.
pub(super) fn last_answer(messages: &[Message]) -> Option<usize> {
    messages.iter().rposition(|m| m.role == Role::Assistant)
}

/// Reads a list of turns; those without text (tool calls, images) are left out.
pub(super) fn turns(list: &Value, name: &str, who: &str, what: &str) -> Result<Vec<Message>, String> {
    let Some(list) = list.as_array() else {
        return Err(format!("{name} is {}, expected an array of turns", kind(list)));
    };
    let mut out = Vec::with_capacity(list.len());
    for (i, entry) in list.iter().enumerate() {
        out.extend(turn(entry, &format!("{name}[{i}]"), who, what)?);
    }
    Ok(out)
}

/// Reads a turn; `None` when it holds no text.
fn turn(entry: &Value, place: &str, who: &str, what: &str) -> Result<Option<Message>, String> {
    let Some(speaker) = entry.get(who).and_then(Value::as_str) else {
        return Err(format!("{place} has no {who}: {}", keys(entry)));
    };
    let Some(role) = role(speaker) else {
        return Err(format!("{place} has an unknown {who} {speaker:?}"));
    };
    let text = match entry.get(what) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts_text(parts),
        Some(other) => return Err(format!("{place}.{what} is {}, expected a text", kind(other))),
    };
    Ok((!text.trim().is_empty()).then(|| Message::new(role, text)))
}

/// The text of typed content parts: `[{type: "text", text}]`.
fn parts_text(parts: &[Value]) -> String {
    let texts = parts.iter().filter_map(|p| p.as_str().or_else(|| p.get("text")?.as_str()));
    texts.collect::<Vec<_>>().join("\n")
}

/// Who speaks, in all spellings that were seen.
pub(super) fn role(name: &str) -> Option<Role> {
    Some(match name.trim().to_lowercase().as_str() {
        "user" | "human" | "prompter" => Role::User,
        "assistant" | "gpt" | "chatgpt" | "bing" | "bard" | "model" | "bot" | "ai" | "claude" => {
            Role::Assistant
        }
        "system" | "developer" => Role::System,
        "tool" | "function" | "function_call" | "observation" | "ipython" => Role::Tool,
        _ => return None,
    })
}
