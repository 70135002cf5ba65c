//! What a system that learns from logs is compared with: memories of several kinds behind one trait, a file each.
//!
//! Retrieval units and prompts are those of MemoryBench's baselines. The memories named after A-Mem, Mem0 and MemoryOS
//! are built from their descriptions; each file says what is simplified.

mod a_mem;
mod answer;
mod bm25;
mod dense;
mod mem0;
mod memory_os;
mod meter;
mod none;
mod prompt;
mod rules;
mod system;
mod unit;

pub use answer::answer;
pub(crate) use dense::cosine;
pub use meter::{Metered, Usage};
pub use prompt::Frame;
pub use system::{Answers, Baseline, Remembering};

use serde::Serialize;
use uno_learn::LearnError;
use uno_learn::distil::DistilOptions;
use uno_learn::reflect::AnswerOptions;
use uno_types::{ChatModel, Embedder, Lang, Message, ModelError, Record};

/// Why a baseline gave no answers.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// A model gave up.
    #[error("{baseline}: {source}")]
    Model {
        /// Which baseline.
        baseline: &'static str,
        /// Why.
        source: ModelError,
    },
    /// A stage of the method failed.
    #[error(transparent)]
    Learn(#[from] LearnError),
    /// The wiring behind a trained baseline failed.
    #[error("{0}")]
    Other(String),
}

/// What memories work with.
#[derive(Clone, Copy)]
pub struct Tools<'a> {
    /// Answers, and keeps the memory where that takes a model.
    pub chat: &'a dyn ChatModel,
    /// Embeds what is kept and what is asked.
    pub embedder: &'a dyn Embedder,
    /// How answers are generated.
    pub answer: &'a AnswerOptions,
    /// How rules are distilled.
    pub distil: &'a DistilOptions,
}

/// A question to be answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// System turn, if any, and the user's.
    pub prompt: Vec<Message>,
    /// Language of the prompt around it.
    pub lang: Lang,
}

impl Question {
    /// A user's words without a system turn.
    pub fn of(text: &str) -> Self {
        Self { prompt: vec![Message::user(text)], lang: Lang::detect(text) }
    }

    /// The user's words.
    pub fn text(&self) -> &str {
        self.prompt.last().map_or("", |m| m.content.as_str())
    }
}

/// A memory: what it keeps of logs, and what of that it puts before a question.
pub trait Memory {
    /// Its name in tables.
    fn name(&self) -> &'static str;
    /// What of the original is simplified; empty where there is none.
    fn simplified(&self) -> &'static str {
        ""
    }
    /// How a question is asked with what was recalled.
    fn frame(&self) -> Frame {
        Frame::Context
    }
    /// Takes in logs, after those it has. Failed generations leave things out; a lost model is an error.
    ///
    /// # Errors
    /// When a model is lost.
    fn add(&mut self, logs: &[Record], tools: &Tools<'_>) -> Result<(), BaselineError>;
    /// What it remembers for each question, best first; as many lists as questions.
    ///
    /// # Errors
    /// When a model is lost.
    fn recall(&self, questions: &[Question], tools: &Tools<'_>) -> Result<Vec<Vec<String>>, BaselineError>;
}

/// The memories by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MemoryKind {
    /// The model alone.
    WoMemory,
    /// BM25 over messages.
    Bm25Message,
    /// BM25 over dialogues, by their first question.
    Bm25Dialog,
    /// The embedder over messages.
    EmbedderMessage,
    /// The embedder over dialogues, by their first question.
    EmbedderDialog,
    /// Distilled rules, by the question that they came from.
    Rules,
    /// Linked notes.
    AMem,
    /// Extracted facts that are updated.
    Mem0,
    /// Short, middle and long term.
    MemoryOs,
}

impl MemoryKind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::WoMemory,
        Self::Bm25Message,
        Self::Bm25Dialog,
        Self::EmbedderMessage,
        Self::EmbedderDialog,
        Self::Rules,
        Self::AMem,
        Self::Mem0,
        Self::MemoryOs,
    ];

    /// A new, empty memory.
    pub fn create(self) -> Box<dyn Memory> {
        match self {
            Self::WoMemory => Box::new(none::NoMemory),
            Self::Bm25Message => Box::new(bm25::Bm25::new(unit::Unit::Message)),
            Self::Bm25Dialog => Box::new(bm25::Bm25::new(unit::Unit::Dialog)),
            Self::EmbedderMessage => Box::new(dense::Dense::new(unit::Unit::Message)),
            Self::EmbedderDialog => Box::new(dense::Dense::new(unit::Unit::Dialog)),
            Self::Rules => Box::new(rules::Rules::default()),
            Self::AMem => Box::new(a_mem::AMem::default()),
            Self::Mem0 => Box::new(mem0::Mem0::default()),
            Self::MemoryOs => Box::new(memory_os::MemoryOs::default()),
        }
    }

    /// The name, as in tables and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::WoMemory => "wo_memory",
            Self::Bm25Message => "bm25_message",
            Self::Bm25Dialog => "bm25_dialog",
            Self::EmbedderMessage => "embedder_message",
            Self::EmbedderDialog => "embedder_dialog",
            Self::Rules => "rules",
            Self::AMem => "a_mem",
            Self::Mem0 => "mem0",
            Self::MemoryOs => "memory_os",
        }
    }

    /// The memory of a name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Texts put before a question at most, as published.
pub(crate) const RECALLED: usize = 5;

#[cfg(test)]
mod conformance;
