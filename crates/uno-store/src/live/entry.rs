//! What is logged. Field by field as in the tables (docs/FORMATS.md).

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use uno_ingest::scrub::scrub;
use uno_types::Message;

/// The time as rows have it: milliseconds since 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A request that was answered, or not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RequestRow {
    /// The decision's id, which the client was told.
    pub id: String,
    /// When it came, milliseconds since 1970.
    pub time: i64,
    /// The name of the API key.
    pub key: String,
    /// The user that the application named.
    pub user: String,
    /// Hash of the conversation's beginning up to the first user turn.
    pub conversation: String,
    /// Hash of the turns up to the last answer in the request: the [`Self::after`] of the request that gave that answer.
    pub parent: String,
    /// Hash of all turns of the request.
    pub prompt: String,
    /// Hash of all turns and the answer.
    pub after: String,
    /// Who answered: expert, critic, base, direct.
    pub path: String,
    /// Why this path, in a word.
    pub reason: String,
    /// The nearest cluster.
    pub cluster: Option<i64>,
    /// The adapter that answered.
    pub adapter: String,
    /// The plan that was asked.
    pub plan: String,
    /// `plan` or `canary`: whose plan it was.
    pub arm: String,
    /// The model's name that the client sent.
    pub model: String,
    /// The HTTP status that the client got.
    pub status: i64,
    /// `ok`, `error`, `broken` (the server broke off), `abandoned` (the client left).
    pub outcome: String,
    /// Whether it was streamed.
    pub stream: bool,
    /// Tokens of the prompt, as the server says.
    pub prompt_tokens: Option<i64>,
    /// Tokens of the answer, as the server says.
    pub completion_tokens: Option<i64>,
    /// Microseconds that the gateway itself took before the server was asked.
    pub overhead_us: i64,
    /// Microseconds of that for embedding the question.
    pub embed_us: i64,
    /// Microseconds until the server began to answer.
    pub first_byte_us: i64,
    /// Microseconds from request to the answer's end.
    pub total_us: i64,
    /// The turns' texts; empty when texts are not kept, or too long.
    pub messages: Vec<Message>,
    /// The answer's text.
    pub answer: String,
    /// While a plan is on trial: its nearest cluster, whichever plan answered.
    pub stratum: Option<i64>,
}

/// What somebody thinks of an answer. One row per decision and author; a later one replaces an earlier one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FeedbackRow {
    /// The decision's id.
    pub decision: String,
    /// Who says so; empty where the application does not say.
    pub author: String,
    /// When, milliseconds since 1970.
    pub time: i64,
    /// The name of the API key.
    pub key: String,
    /// Taken back: nothing below counts.
    pub deleted: bool,
    /// 1 up, -1 down.
    pub thumbs: Option<i64>,
    /// 0 (bad) to 1 (good).
    pub rating: Option<f64>,
    /// In words.
    pub comment: Option<String>,
    /// The answer as it should have been.
    pub corrected: Option<String>,
}

/// Something to log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// A request.
    Request(Box<RequestRow>),
    /// Feedback, or its withdrawal.
    Feedback(FeedbackRow),
}

impl Entry {
    /// The same without personal data. Names that applications give users are replaced by pseudonyms where they are
    /// personal data themselves.
    #[must_use]
    pub fn scrubbed(mut self, counts: &mut BTreeMap<String, u64>) -> Self {
        let mut clean = |text: &mut String| {
            if let std::borrow::Cow::Owned(new) = scrub(text, counts) {
                *text = new;
            }
        };
        match &mut self {
            Entry::Request(row) => {
                row.messages.iter_mut().for_each(|m| clean(&mut m.content));
                clean(&mut row.answer);
                clean(&mut row.model);
                pseudonym(&mut row.user);
            }
            Entry::Feedback(row) => {
                [&mut row.comment, &mut row.corrected].into_iter().flatten().for_each(clean);
                pseudonym(&mut row.author);
            }
        }
        self
    }

    /// Bytes it takes in memory, about.
    pub fn weight(&self) -> usize {
        match self {
            Entry::Request(row) => {
                512 + row.answer.len() + row.messages.iter().map(|m| m.content.len() + 32).sum::<usize>()
            }
            Entry::Feedback(row) => {
                256 + [&row.comment, &row.corrected].into_iter().flatten().map(String::len).sum::<usize>()
            }
        }
    }
}

/// A name in which personal data is found stands for somebody: the same letters for the same name, always.
fn pseudonym(name: &mut String) {
    if !uno_ingest::scrub::find(name).is_empty() {
        let hash = blake3::hash(name.as_bytes());
        let letters: String = hash.as_bytes()[..16].iter().map(|b| char::from(b'a' + b % 26)).collect();
        *name = format!("user-{letters}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_keeps_personal_data() {
        let dirty = "write to ana@example.org or +44 20 7946 0958";
        let request = Entry::Request(Box::new(RequestRow {
            messages: vec![Message::user(dirty)],
            answer: dirty.into(),
            model: dirty.into(),
            user: "ana@example.org".into(),
            ..RequestRow::default()
        }));
        let feedback = Entry::Feedback(FeedbackRow {
            comment: Some(dirty.into()),
            corrected: Some(dirty.into()),
            author: "ana@example.org".into(),
            ..FeedbackRow::default()
        });
        let mut counts = BTreeMap::new();
        for entry in [request, feedback] {
            let text = serde_json::to_string(&entry.scrubbed(&mut counts)).unwrap();
            assert_eq!(uno_ingest::scrub::find(&text), [], "{text}");
        }
        assert_eq!(counts["email"], 5);
    }
}
