//! One conversation of a log (METHOD §0).

use serde::{Deserialize, Serialize};

/// Who speaks in a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions of the application.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// Output of a tool that the model called.
    Tool,
}

impl Role {
    /// The name that chat templates and the OpenAI API use.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::Tool => "tool",
        }
    }
}

/// One turn.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// The text, as it was.
    pub content: String,
}

impl Message {
    /// A turn by `role`.
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self { role, content: content.into() }
    }
    /// A system turn.
    pub fn system(content: impl Into<String>) -> Self {
        Self::new(Role::System, content)
    }
    /// A user turn.
    pub fn user(content: impl Into<String>) -> Self {
        Self::new(Role::User, content)
    }
    /// An assistant turn.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self::new(Role::Assistant, content)
    }
}

/// The language that prompts and BLEU's word cutting follow: Chinese, or everything else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    /// English, and whatever is not Chinese.
    #[default]
    En,
    /// Chinese.
    Zh,
}

impl Lang {
    /// Chinese when at least a fifth of the letters are CJK ideographs (U+4E00..U+9FA5).
    pub fn detect(text: &str) -> Self {
        let (mut cjk, mut letters) = (0usize, 0usize);
        for c in text.chars().filter(|c| c.is_alphanumeric()) {
            letters += 1;
            cjk += usize::from(('\u{4e00}'..='\u{9fa5}').contains(&c));
        }
        if cjk > 0 && cjk * 5 >= letters { Lang::Zh } else { Lang::En }
    }
}

/// Where in which file a record was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The file as it was named on the command line.
    pub file: String,
    /// The line (JSON lines, from 1) or the element (JSON arrays, from 1).
    pub line: u64,
    /// The format that was recognised.
    pub format: String,
}

/// One conversation: `messages` holds an optional system turn, the query q (first user turn), the first answer a0,
/// and everything after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Unique within a run; from the log where it has one, otherwise a content hash.
    pub id: String,
    /// The language of the query.
    pub lang: Lang,
    /// The user, when the log says: evidence counts users, not messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The turns in order.
    pub messages: Vec<Message>,
    /// Positions in `messages` of answers that the log marks as accepted (copied, thumbs up, preferred).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<usize>,
    /// Where it came from.
    #[serde(default)]
    pub source: Source,
}

impl Record {
    /// Position of the query: the first user turn.
    pub fn query_index(&self) -> Option<usize> {
        self.messages.iter().position(|m| m.role == Role::User)
    }

    /// The query q; empty when there is no user turn.
    pub fn query(&self) -> &str {
        self.query_index().map_or("", |i| &self.messages[i].content)
    }

    /// The system turn before the query, if any.
    pub fn system(&self) -> Option<&str> {
        let end = self.query_index()?;
        self.messages[..end].iter().find(|m| m.role == Role::System).map(|m| m.content.as_str())
    }

    /// Position of the first answer a0: the first assistant turn after the query.
    pub fn first_answer_index(&self) -> Option<usize> {
        let q = self.query_index()?;
        self.messages[q..].iter().position(|m| m.role == Role::Assistant).map(|i| q + i)
    }

    /// The first answer a0; empty when there is none.
    pub fn first_answer(&self) -> &str {
        self.first_answer_index().map_or("", |i| &self.messages[i].content)
    }

    /// The user's turns after a0, in order: the raw feedback.
    pub fn feedback_turns(&self) -> impl Iterator<Item = &str> {
        let start = self.first_answer_index().map_or(self.messages.len(), |i| i + 1);
        self.messages[start..].iter().filter(|m| m.role == Role::User).map(|m| m.content.as_str())
    }

    /// Whether anything was said after a0.
    pub fn has_feedback(&self) -> bool {
        self.feedback_turns().any(|t| !t.trim().is_empty())
    }

    /// Feedback f: the later user turns, numbered and joined (METHOD §0).
    pub fn feedback(&self) -> String {
        let lines: Vec<String> =
            self.feedback_turns().enumerate().map(|(i, t)| format!("{}. {t}", i + 1)).collect();
        lines.join("\n")
    }

    /// The prompt that q was asked with: system turn, if any, and q.
    pub fn prompt(&self) -> Vec<Message> {
        let system = self.system().map(Message::system);
        system.into_iter().chain(std::iter::once(Message::user(self.query()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(turns: &[(Role, &str)]) -> Record {
        Record {
            id: "r".into(),
            lang: Lang::En,
            user: None,
            messages: turns.iter().map(|(r, t)| Message::new(*r, *t)).collect(),
            accepted: vec![],
            source: Source::default(),
        }
    }

    #[test]
    fn feedback_is_what_the_user_says_after_the_first_answer() {
        let r = record(&[
            (Role::System, "be kind"),
            (Role::User, "q"),
            (Role::Assistant, "a0"),
            (Role::User, "shorter"),
            (Role::Assistant, "a1"),
            (Role::User, "thanks"),
        ]);
        assert_eq!((r.query(), r.first_answer(), r.system()), ("q", "a0", Some("be kind")));
        assert_eq!(r.feedback(), "1. shorter\n2. thanks");
        assert_eq!(r.prompt().len(), 2);
    }

    #[test]
    fn odd_role_orders_do_not_panic() {
        for turns in [&[][..], &[(Role::Assistant, "hello")], &[(Role::System, "s"), (Role::Assistant, "a")]]
        {
            let r = record(turns);
            assert_eq!((r.query(), r.first_answer(), r.has_feedback()), ("", "", false));
        }
        let r = record(&[(Role::Assistant, "hi"), (Role::User, "q"), (Role::User, "q2")]);
        assert_eq!((r.query(), r.first_answer(), r.has_feedback()), ("q", "", false));
    }

    #[test]
    fn language_follows_the_letters() {
        assert_eq!(Lang::detect("请用中文回答 OK"), Lang::Zh);
        assert_eq!(Lang::detect("Explain the word 道 in English, with its history please"), Lang::En);
        assert_eq!(Lang::detect(""), Lang::En);
    }
}
