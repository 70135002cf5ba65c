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
    /// At least `min` sentences.
    MinSentences {
        /// Inclusive bound.
        min: usize,
    },
    /// At most `max` paragraphs.
    MaxParagraphs {
        /// Inclusive bound.
        max: usize,
    },
    /// At least `min` paragraphs.
    MinParagraphs {
        /// Inclusive bound.
        min: usize,
    },
    /// At most `max` characters, white space included.
    MaxChars {
        /// Inclusive bound.
        max: usize,
    },
    /// At least `min` characters, white space included.
    MinChars {
        /// Inclusive bound.
        min: usize,
    },
    /// A list of at most `max` items.
    MaxListItems {
        /// Inclusive bound.
        max: usize,
    },
    /// A list of at least `min` items.
    MinListItems {
        /// Inclusive bound.
        min: usize,
    },
    /// No numbered list; a bullet list is allowed.
    NoNumberedList,
    /// No Markdown table.
    NoTable,
    /// At least `min` Markdown headings.
    Headings {
        /// Inclusive bound.
        min: usize,
    },
    /// No Markdown heading.
    NoHeadings,
    /// No Markdown at all: emphasis, headings, lists, tables, code fences.
    NoMarkdown,
    /// The first line is a title in double angle brackets: `<<title>>`.
    Title,
    /// At least `min` passages in bold or italics.
    Highlights {
        /// Inclusive bound.
        min: usize,
    },
    /// At least `min` placeholders in square brackets, such as `[name]`.
    Placeholders {
        /// Inclusive bound.
        min: usize,
    },
    /// A postscript at the end, begun by `text` ("P.S.").
    Postscript {
        /// Its mark, without regard to case, dots and spaces.
        text: String,
    },
    /// The whole answer stands in double quotation marks.
    Quoted,
    /// Two different answers, parted by a line of six asterisks.
    TwoAnswers,
    /// The answer is one of these and nothing else.
    OneOf {
        /// The choices; compared without case, markup and end marks.
        options: Vec<String>,
    },
    /// This word or phrase occurs `min` times or more.
    MinTimes {
        /// The word or phrase.
        text: String,
        /// Inclusive bound.
        min: usize,
    },
    /// This word or phrase occurs `max` times or fewer.
    MaxTimes {
        /// The word or phrase.
        text: String,
        /// Inclusive bound.
        max: usize,
    },
    /// This letter occurs `min` times or more, without regard to case.
    MinLetter {
        /// The letter.
        text: String,
        /// Inclusive bound.
        min: usize,
    },
    /// Words with all letters upper case (two letters or more) occur `min` times or more.
    MinCapitalWords {
        /// Inclusive bound.
        min: usize,
    },
    /// They occur `max` times or fewer.
    MaxCapitalWords {
        /// Inclusive bound.
        max: usize,
    },
    /// Paragraph `count` (from 1) opens with this word or phrase.
    ParagraphStartsWith {
        /// Which paragraph.
        count: usize,
        /// Compared without case, markup and outer white space.
        text: String,
    },
    /// The answer does not open with this.
    NotStartsWith {
        /// Compared without case, markup and outer white space.
        text: String,
    },
    /// The answer does not close with this.
    NotEndsWith {
        /// Compared without case, markup and outer white space.
        text: String,
    },
    /// No comma, Chinese ones included.
    NoCommas,
    /// No exclamation mark.
    NoExclamation,
    /// No question anywhere.
    NoQuestions,
    /// The answer is in this language.
    Language {
        /// ISO 639-1 code: de, fr, es, it, pt, nl, ru, ja, ko, ar, hi; Chinese and English have checks of their own.
        text: String,
    },
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
