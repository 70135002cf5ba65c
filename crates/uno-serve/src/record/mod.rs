//! What happened with a request, from its answer's end to a row of the log. The row is made on the log's thread: here only
//! what it needs is held.

mod turns;
mod watch;

use std::time::Instant;

use bytes::Bytes;
use uno_store::live::{Entry, RequestRow};

pub use turns::{Chain, conversation_key};
pub use watch::{AnswerWatch, SilentWatch};

use crate::chat::Peek;
use crate::decision::Decision;
use crate::http::tee::End;
use crate::sse::Answer;
use crate::trace::TraceContext;

/// Longest conversation whose text is kept, bytes.
const LONGEST: usize = 1 << 20;

/// A request from its decision on.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The decision.
    pub decision: Decision,
    /// The name of the API key.
    pub key: String,
    /// The body as the client sent it.
    pub body: Bytes,
    /// Whether it is a chat request.
    pub chat: bool,
    /// When it came.
    pub started: Instant,
    /// Microseconds until the server was asked.
    pub overhead_us: u64,
    /// Microseconds until the server began to answer.
    pub first_byte_us: u64,
    /// The status that the client got.
    pub status: u16,
    /// Whether texts are kept.
    pub text: bool,
    /// Its place in its trace, if spans are sent.
    pub trace: Option<TraceContext>,
}

impl Seen {
    /// The row. `total_us`: from the request to the answer's end.
    pub fn row(self, answer: Answer, end: &End, total_us: u64) -> Entry {
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let outcome = match end {
            End::Whole if self.status < 400 => "ok",
            End::Whole => "error",
            End::Broken(_) => "broken",
            End::Abandoned => "abandoned",
        };
        let decision = self.decision;
        let mut row = RequestRow {
            time: decision.time,
            path: decision.served.as_str().into(),
            reason: decision.reason.as_str().into(),
            cluster: decision.cluster.and_then(|c| i64::try_from(c).ok()),
            stratum: decision.stratum.and_then(|c| i64::try_from(c).ok()),
            adapter: decision.adapter.as_deref().unwrap_or_default().into(),
            plan: decision.plan.as_deref().unwrap_or_default().into(),
            arm: decision.arm().into(),
            id: decision.id,
            key: self.key,
            status: i64::from(self.status),
            outcome: outcome.into(),
            prompt_tokens: answer.prompt_tokens.map(signed),
            completion_tokens: answer.completion_tokens.map(signed),
            overhead_us: signed(self.overhead_us),
            embed_us: signed(decision.embed_us),
            first_byte_us: signed(self.first_byte_us),
            total_us: signed(total_us),
            ..RequestRow::default()
        };
        let Ok(peek) = Peek::parse(&self.body) else { return Entry::Request(Box::new(row)) };
        row.model = peek.model.chars().take(200).collect();
        row.user = peek.user.as_deref().unwrap_or_default().chars().take(200).collect();
        row.stream = peek.stream;
        if let Some(talk) = self.chat.then(|| peek.talk().ok()).flatten() {
            let chain = Chain::of(&talk.messages);
            row.conversation = chain.conversation;
            row.parent = chain.parent;
            row.after = chain.prompt.after(&answer.text);
            row.prompt = chain.prompt.to_string();
            if self.text && self.body.len() <= LONGEST {
                row.messages = talk.messages;
                row.answer = answer.text;
            }
        }
        Entry::Request(Box::new(row))
    }
}
