//! Rules that a program can check. Compiling a rule's text to a [`Check`] and running it is uno-learn's work; this is
//! only the closed set of what can be checked (after IFEval's verifiable instructions).

use serde::{Deserialize, Serialize};

/// A verifiable property of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Check {
    /// At most `max` words.
    MaxWords {
        /// Inclusive bound.
        max: usize,
    },
    /// At least `min` words.
    MinWords {
        /// Inclusive bound.
        min: usize,
    },
    /// At most `max` sentences.
    MaxSentences {
        /// Inclusive bound.
        max: usize,
    },
    /// Exactly `count` sentences.
    Sentences {
        /// The count.
        count: usize,
    },
    /// Exactly one paragraph for 1, and so on.
    Paragraphs {
        /// The count.
        count: usize,
    },
    /// A numbered list of at least two items.
    NumberedList,
    /// A bullet list of at least two items.
    BulletList,
    /// Exactly `count` items of a numbered or bullet list.
    ListItems {
        /// The count.
        count: usize,
    },
    /// No list of any kind.
    NoList,
    /// No bullet list; a numbered one is allowed.
    NoBulletList,
    /// A Markdown table.
    Table,
    /// A fenced code block somewhere.
    Code,
    /// The answer opens with a fenced code block.
    CodeFirst,
    /// No code at all.
    NoCode,
    /// The whole answer is JSON.
    Json,
    /// The answer opens with this line or phrase.
    StartsWith {
        /// Compared without case, markup and outer white space.
        text: String,
    },
    /// The answer closes with this line or phrase.
    EndsWith {
        /// Compared without case, markup and outer white space.
        text: String,
    },
    /// This word or phrase occurs (without regard to case).
    Contains {
        /// The word or phrase.
        text: String,
    },
    /// This word or phrase does not occur.
    Excludes {
        /// The word or phrase.
        text: String,
    },
    /// No letter is upper case.
    LowerCase,
    /// Every letter is upper case.
    UpperCase,
    /// The closing sentence is a question.
    EndsWithQuestion,
    /// The answer is in Chinese.
    Chinese,
    /// The answer is in English.
    English,
    /// No emoji.
    NoEmoji,
    /// All of these hold: a rule that asks for several things at once.
    All {
        /// The parts; two or more.
        checks: Vec<Check>,
    },
}

impl Check {
    /// The checks that this one combines; itself when it combines none.
    pub fn parts(&self) -> Vec<&Check> {
        match self {
            Check::All { checks } => checks.iter().flat_map(Check::parts).collect(),
            one => vec![one],
        }
    }
}
