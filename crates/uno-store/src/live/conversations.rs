//! Conversations from stateless requests: a request repeats all turns before it, so the last request of a conversation
//! holds the whole of it. Which request goes on from which is known by hashes of the turns.

use std::collections::{HashMap, HashSet};

use uno_types::{Lang, Message, Record, Source};

use super::{FeedbackRow, LogStore, RequestRow};
use crate::StoreError;

/// Hands over the conversations that were going on at or after `from` (milliseconds since 1970), with the feedback on their
/// answers: comments and corrections become turns, answers that were liked or corrected are marked as accepted.
///
/// # Errors
/// When the store fails.
pub fn conversations(
    store: &mut dyn LogStore,
    place: &str,
    from: i64,
    each: &mut dyn FnMut(Record),
) -> Result<(), StoreError> {
    let mut index = Index::default();
    for row in store.feedback()? {
        index.feedback.entry(row.decision.clone()).or_default().push(row);
    }
    store.requests(from, &mut |row| index.see(&row))?;
    let mut line = 0;
    store.requests(from, &mut |row| {
        if index.is_last(&row) {
            line += 1;
            each(index.record(row, Source { file: place.to_owned(), line, format: "store".into() }));
        }
    })
}

#[derive(Default)]
struct Index {
    feedback: HashMap<String, Vec<FeedbackRow>>,
    /// Hashes from which some request went on.
    continued: HashSet<String>,
    /// By the hash after its answer: decision, position of the answer, and the hash that it went on from.
    answers: HashMap<String, (String, usize, String)>,
    /// The last decision for the same prompt by the same user.
    latest: HashMap<String, String>,
}

impl Index {
    fn see(&mut self, row: &RequestRow) {
        if !is_usable(row) {
            return;
        }
        if !row.parent.is_empty() {
            self.continued.insert(row.parent.clone());
        }
        let answer = (row.id.clone(), row.messages.len(), row.parent.clone());
        self.answers.insert(row.after.clone(), answer);
        if let Some(same) = again(row) {
            self.latest.insert(same, row.id.clone());
        }
    }

    fn is_last(&self, row: &RequestRow) -> bool {
        let replaced =
            || again(row).is_some_and(|same| self.latest.get(&same).is_some_and(|id| *id != row.id));
        is_usable(row) && !self.continued.contains(&row.after) && !replaced()
    }

    fn record(&self, row: RequestRow, source: Source) -> Record {
        // What was said about the answers, by their position.
        let mut said: HashMap<usize, &[FeedbackRow]> = HashMap::new();
        let mut hash = row.after.clone();
        while let Some((decision, position, parent)) = self.answers.get(&hash) {
            if let Some(rows) = self.feedback.get(decision) {
                said.insert(*position, rows);
            }
            if *parent == hash {
                break;
            }
            hash.clone_from(parent);
        }
        let (mut messages, mut accepted) = (Vec::new(), Vec::new());
        let turns = row.messages.into_iter().chain([Message::assistant(row.answer)]);
        for (i, turn) in turns.enumerate() {
            messages.push(turn);
            for f in said.get(&i).copied().into_iter().flatten() {
                add_feedback(f, &mut messages, &mut accepted);
            }
        }
        let mut record = Record {
            id: row.id,
            lang: Lang::En,
            user: Some(row.user).filter(|u| !u.is_empty()),
            messages,
            accepted,
            source,
        };
        record.lang = Lang::detect(record.query());
        record
    }
}

/// The turns that feedback on the last of `messages` amounts to.
fn add_feedback(f: &FeedbackRow, messages: &mut Vec<Message>, accepted: &mut Vec<usize>) {
    let liked = f.thumbs == Some(1) || f.rating.is_some_and(|r| r > 0.5);
    if liked && !messages.is_empty() {
        accepted.push(messages.len() - 1);
    }
    if let Some(comment) = f.comment.as_ref().filter(|c| !c.trim().is_empty()) {
        messages.push(Message::user(comment.clone()));
    }
    if let Some(corrected) = f.corrected.as_ref().filter(|c| !c.trim().is_empty()) {
        if f.comment.as_ref().is_none_or(|c| c.trim().is_empty()) {
            messages.push(Message::user("That is not what I need. It should be like this:"));
        }
        accepted.push(messages.len());
        messages.push(Message::assistant(corrected.clone()));
    }
}

/// A conversation with an answer whose text was kept.
fn is_usable(row: &RequestRow) -> bool {
    !row.messages.is_empty() && !row.answer.trim().is_empty() && row.outcome == "ok"
}

/// What two requests share when one is the other asked again. A first question without a named user may be anybody's.
fn again(row: &RequestRow) -> Option<String> {
    let known = !row.parent.is_empty() || !row.user.is_empty();
    known.then(|| format!("{}\u{1}{}\u{1}{}", row.prompt, row.key, row.user))
}
