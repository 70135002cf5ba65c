//! The formats that are read: what tells each apart, and how a row of it becomes a conversation.

mod chat;
mod pairs;
mod transcript;

use std::fmt;
use std::str::FromStr;

use serde_json::Value;
use uno_types::{Message, Record};

/// A log format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Our own records.
    Uno,
    /// RealHumanEval: `{messages, copy_events_per_reply}`; a copied reply is an accepted one.
    RealHumanEval,
    /// OpenAI preference fine-tuning: `{input: {messages}, preferred_output, non_preferred_output}`.
    OpenAiPreference,
    /// OpenAI chat fine-tuning: `{messages: [{role, content}]}`.
    OpenAi,
    /// ShareGPT: `{conversations: [{from, value}]}`.
    ShareGpt,
    /// WildChat and LMSYS-Chat: `{conversation: [{role, content}]}`.
    WildChat,
    /// Anthropic's hh-rlhf: `{chosen, rejected}` with `\n\nHuman:` and `\n\nAssistant:` in the text.
    HhRlhf,
    /// TRL's preference data: `{prompt, chosen, rejected}` or `{prompt, completion, label}`.
    Trl,
    /// Questions alone: `{turns: [text]}`.
    Questions,
}

/// One row, understood.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Conversation {
    pub id: Option<String>,
    pub user: Option<String>,
    pub messages: Vec<Message>,
    /// Positions of accepted answers.
    pub accepted: Vec<usize>,
}

/// What a row of some format holds.
pub(crate) enum Parsed {
    Conversation(Conversation),
    /// A record of our own, kept as it is.
    Record(Box<Record>),
}

impl Format {
    /// All formats, the more special ones first: the order in which `auto` tries them.
    pub const ALL: [Format; 9] = [
        Format::Uno,
        Format::RealHumanEval,
        Format::OpenAiPreference,
        Format::OpenAi,
        Format::ShareGpt,
        Format::WildChat,
        Format::HhRlhf,
        Format::Trl,
        Format::Questions,
    ];

    /// The name that commands use.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Uno => "uno",
            Format::RealHumanEval => "realhumaneval",
            Format::OpenAiPreference => "openai-preference",
            Format::OpenAi => "openai",
            Format::ShareGpt => "sharegpt",
            Format::WildChat => "wildchat",
            Format::HhRlhf => "hh-rlhf",
            Format::Trl => "trl",
            Format::Questions => "questions",
        }
    }

    /// All names, for messages.
    pub fn known() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }

    /// The first format whose marks `row` has.
    pub(crate) fn detect(row: &Value) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.fits(row))
    }

    /// Whether a row has the marks of this format. Its details may still be wrong.
    pub(crate) fn fits(self, row: &Value) -> bool {
        let list = |key: &str| row.get(key).is_some_and(Value::is_array);
        let text = |key: &str| row.get(key).is_some_and(Value::is_string);
        match self {
            Format::Uno => {
                list("messages") && text("lang") && row.get("source").is_some_and(Value::is_object)
            }
            Format::RealHumanEval => list("messages") && list("copy_events_per_reply"),
            Format::OpenAiPreference => {
                row.pointer("/input/messages").is_some() && row.get("preferred_output").is_some()
            }
            Format::OpenAi => list("messages"),
            Format::ShareGpt => {
                let turn = row.pointer("/conversations/0").or_else(|| row.pointer("/conversation/0"));
                list("conversations") || turn.is_some_and(|t| t.get("from").is_some())
            }
            Format::WildChat => list("conversation"),
            Format::HhRlhf => {
                let marked =
                    |key: &str| row.get(key).and_then(Value::as_str).is_some_and(transcript::is_marked);
                marked("chosen") || (!text("prompt") && text("chosen") && marked("rejected"))
            }
            Format::Trl => {
                let prompt = text("prompt") || list("prompt");
                let either = |key: &str| text(key) || list(key);
                (either("chosen") && either("rejected")) || (prompt && either("completion"))
            }
            Format::Questions => {
                list("turns") && row["turns"].as_array().is_some_and(|t| t.iter().all(Value::is_string))
            }
        }
    }

    /// Reads one row.
    ///
    /// # Errors
    /// What is wrong with the row, in words.
    pub(crate) fn parse(self, row: Value) -> Result<Parsed, String> {
        if !row.is_object() {
            return Err(format!("expected a JSON object, found {}", kind(&row)));
        }
        if !self.fits(&row) {
            return Err(format!("not a {self} row: {}", keys(&row)));
        }
        let conversation = match self {
            Format::Uno => {
                let record: Record = serde_json::from_value(row).map_err(|e| format!("not a record: {e}"))?;
                return Ok(Parsed::Record(Box::new(record)));
            }
            Format::RealHumanEval => chat::real_human_eval(&row),
            Format::OpenAiPreference => pairs::openai(&row),
            Format::OpenAi => chat::openai(&row),
            Format::ShareGpt => chat::share_gpt(&row),
            Format::WildChat => chat::wild_chat(&row),
            Format::HhRlhf => transcript::hh_rlhf(&row),
            Format::Trl => pairs::trl(&row),
            Format::Questions => chat::questions(&row),
        }?;
        Ok(Parsed::Conversation(Conversation { id: id(&row), user: user(&row), ..conversation }))
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let wanted = name.to_lowercase().replace('_', "-");
        let found = Self::ALL
            .into_iter()
            .find(|f| f.as_str() == wanted || (wanted == "lmsys" && *f == Self::WildChat));
        found.ok_or_else(|| format!("unknown format {name:?}; known formats are {}", Self::known()))
    }
}

/// What kind of JSON value this is.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// The names of an object's fields, for messages.
pub(crate) fn keys(value: &Value) -> String {
    match value.as_object() {
        Some(object) if object.is_empty() => "an object without fields".to_owned(),
        Some(object) => {
            let names: Vec<&str> = object.keys().take(8).map(String::as_str).collect();
            let more = if object.len() > names.len() { ", …" } else { "" };
            format!("its fields are {}{more}", names.join(", "))
        }
        None => kind(value).to_owned(),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(s) if !s.trim().is_empty() => Some(s.trim().to_owned()),
        Value::Number(n) => Some(n.to_string()),
        _ => None,
    }
}

fn id(row: &Value) -> Option<String> {
    let keys = ["id", "conversation_id", "conversation_hash", "_id", "question_id", "uuid", "session_id"];
    keys.iter().find_map(|k| scalar(row.get(k)?))
}

fn user(row: &Value) -> Option<String> {
    let keys = ["user", "user_id", "userId", "programmer_id", "hashed_ip"];
    let direct = keys.iter().find_map(|k| scalar(row.get(k)?));
    direct.or_else(|| ["user_id", "user"].iter().find_map(|k| scalar(row.get("metadata")?.get(k)?)))
}
