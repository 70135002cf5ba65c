//! What small models put around an answer, and what makes a candidate worthless.

use uno_types::{Candidate, Record, Style};

use crate::distil::facts::{self, plain};
use crate::guards;

/// Why a candidate cannot be chosen, whatever its score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Defect {
    /// Nothing, or nothing but punctuation.
    Empty,
    /// The first answer again.
    Unchanged,
    /// It repeats the user's question or feedback, or tags of the prompt, instead of answering.
    Copied,
    /// It shares too few words with question and first answer to be about them.
    OffTopic,
    /// It repeats itself.
    Repetitive,
    /// So much shorter than the first answer that verification would turn such an answer down.
    TooShort,
}

/// Least share of a candidate's content words (code aside) that question and first answer hold. A small model that is
/// sampled at temperature 1 writes "a limb limbo" to a question about cooking; such a text can obey a length limit.
const MIN_TOPIC_SHARE: f32 = 0.25;

/// Least share of the question's content words in a fresh answer.
const MIN_QUESTION_SHARE: f32 = 1.0 / 3.0;

/// The answer without what models say around it: an announcement in the first line ("Here is the rewritten answer:"),
/// tags of the prompt around the whole, quotes around the whole.
pub fn clean(text: &str) -> String {
    let mut text = text.trim();
    for tag in crate::prompts::quote::TAGS {
        let inner =
            text.strip_prefix(&format!("<{tag}>")).map(|t| t.strip_suffix(&format!("</{tag}>")).unwrap_or(t));
        text = inner.unwrap_or(text).trim();
    }
    if let Some((first, rest)) = text.split_once('\n') {
        let said = first.to_lowercase();
        let announces = first.trim_end().ends_with([':', '：'])
            && [
                "here is",
                "here's",
                "here are",
                "sure",
                "rewritten",
                "revised",
                "improved",
                "改写",
                "改进",
                "修改",
            ]
            .iter()
            .any(|p| said.contains(p))
            && ["answer", "version", "response", "rewrit", "revis", "improv", "回答", "答案", "版本"]
                .iter()
                .any(|p| said.contains(p));
        if announces && !rest.trim().is_empty() {
            text = rest.trim();
        }
    }
    let unquoted = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).filter(|t| !t.contains('"'));
    unquoted.unwrap_or(text).trim().to_owned()
}

/// What is wrong with `answer` as an answer to `record`'s question, if anything.
pub fn defect(record: &Record, answer: &str) -> Option<Defect> {
    let said = plain(answer);
    if said.is_empty() {
        return Some(Defect::Empty);
    }
    if answer.trim() == record.first_answer().trim() {
        return Some(Defect::Unchanged);
    }
    if copies(record, answer, &said) {
        return Some(Defect::Copied);
    }
    if guards::is_repetitive(answer) {
        return Some(Defect::Repetitive);
    }
    if off_topic(record, answer) {
        return Some(Defect::OffTopic);
    }
    guards::is_too_short(record.first_answer(), answer).then_some(Defect::TooShort)
}

/// What is wrong with a candidate. An answer that the user let stand is on topic, whatever words it uses, and long enough. A fresh
/// one need not say what the first answer said, only be about the question ([`is_about`]).
pub fn unsound(record: &Record, candidate: &Candidate) -> Option<Defect> {
    let forgiven = |d| match candidate.style {
        Style::InLog => matches!(d, Defect::OffTopic | Defect::TooShort),
        Style::Fresh => d == Defect::OffTopic && is_about(record, &candidate.text),
        Style::FromFeedback | Style::FromRules | Style::Program => false,
    };
    defect(record, &candidate.text).filter(|d| !forgiven(*d))
}

/// Whether an answer takes up a third of the question's content words.
fn is_about(record: &Record, answer: &str) -> bool {
    facts::overlap(record.query(), answer) >= MIN_QUESTION_SHARE
}

fn off_topic(record: &Record, answer: &str) -> bool {
    let prose: String = answer.split("```").step_by(2).collect();
    let topic = format!("{} {}", record.query(), record.first_answer());
    facts::content_words(&prose).len() >= 4 && facts::overlap(&prose, &topic) < MIN_TOPIC_SHARE
}

/// A question or a piece of feedback of at least four words that occurs word for word at the answer's beginning or
/// makes up more than half of it, or a tag of the prompt.
fn copies(record: &Record, answer: &str, said: &str) -> bool {
    let tagged = crate::prompts::quote::escape(answer) != answer;
    let turns = std::iter::once(record.query()).chain(record.feedback_turns());
    tagged
        || turns.map(plain).filter(|t| t.split(' ').count() >= 4 || t.chars().count() >= 24).any(|turn| {
            said.starts_with(&turn) && said.len() < turn.len() * 4
                || said.contains(&turn) && said.len() < turn.len() * 2
        })
}
