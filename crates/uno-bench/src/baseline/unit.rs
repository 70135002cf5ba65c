//! What is retrieved: messages, or whole dialogues by their first question.

use uno_types::Record;

/// A unit of retrieval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Each message by itself.
    Message,
    /// A dialogue, found by its first question.
    Dialog,
}

/// A text that may be retrieved, and the text that it is found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What the search looks at.
    pub key: String,
    /// What goes into the prompt.
    pub text: String,
}

impl Unit {
    /// The entries of logs, in MemoryBench's wording.
    pub fn entries(self, logs: &[Record]) -> Vec<Entry> {
        match self {
            Self::Message => logs.iter().flat_map(messages).collect(),
            Self::Dialog => logs.iter().map(dialog).collect(),
        }
    }
}

fn messages(record: &Record) -> impl Iterator<Item = Entry> {
    record.messages.iter().map(|m| {
        let text = format!("Speaker {} says: {}", m.role.as_str(), m.content);
        Entry { key: text.clone(), text }
    })
}

fn dialog(record: &Record) -> Entry {
    let lines = record.messages.iter().map(|m| format!("{}: {}", m.role.as_str(), m.content));
    Entry { key: record.query().to_owned(), text: lines.collect::<Vec<_>>().join("\n") }
}
