//! hh-rlhf: a whole dialogue in one text, with `\n\nHuman:` and `\n\nAssistant:` before the turns.

use serde_json::Value;
use uno_types::{Message, Role};

use super::Conversation;
use super::chat::last_answer;

const MARKS: [(&str, Role); 2] = [("\n\nHuman:", Role::User), ("\n\nAssistant:", Role::Assistant)];

/// Whether a text is such a dialogue.
pub(super) fn is_marked(text: &str) -> bool {
    let text = text.trim_start();
    ["Human:", "Assistant:"].iter().any(|m| text.starts_with(m))
}

/// `{chosen, rejected}`: the dialogue of `chosen`, whose last answer a person preferred.
pub(super) fn hh_rlhf(row: &Value) -> Result<Conversation, String> {
    let Some(chosen) = row.get("chosen").and_then(Value::as_str) else {
        return Err("chosen is not a text".to_owned());
    };
    if !is_marked(chosen) {
        return Err("chosen does not begin with \"Human:\" or \"Assistant:\"".to_owned());
    }
    let messages = turns(chosen);
    // A dialogue that ends with the user's turn has no preferred answer.
    let ends_with_answer = messages.last().is_some_and(|m| m.role == Role::Assistant);
    let accepted = if ends_with_answer { last_answer(&messages).into_iter().collect() } else { Vec::new() };
    Ok(Conversation { messages, accepted, ..Conversation::default() })
}

/// Cuts a dialogue at its marks. Empty turns are left out.
fn turns(text: &str) -> Vec<Message> {
    // The first mark may stand without its blank line.
    let text = format!("\n\n{}", text.trim_start());
    let mut starts: Vec<(usize, usize, Role)> = Vec::new();
    for (mark, role) in MARKS {
        starts.extend(text.match_indices(mark).map(|(at, found)| (at, at + found.len(), role)));
    }
    starts.sort_by_key(|s| s.0);
    let mut out = Vec::with_capacity(starts.len());
    for (i, (_, start, role)) in starts.iter().enumerate() {
        let end = starts.get(i + 1).map_or(text.len(), |next| next.0);
        let content = text[*start..end].trim();
        if !content.is_empty() {
            out.push(Message::new(*role, content));
        }
    }
    out
}
