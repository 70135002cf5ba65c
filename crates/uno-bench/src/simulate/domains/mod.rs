//! What the simulated users ask about and what each domain's house rule is: hand-written texts only.

mod chinese;
mod cooking;
mod finance;
mod gardening;
mod health;
mod neutral;
mod office;
mod programming;
mod travel;

pub use neutral::NEUTRAL;
use serde::{Deserialize, Serialize};

use uno_types::Check;

/// (topic, code, one line about it).
pub(super) type Code = (&'static str, &'static str, &'static str);

/// How a house rule looks to a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleKind {
    /// A model would often do so by itself: clear, step by step.
    Known,
    /// Sensible, but nothing a model does unasked: length, structure.
    Unusual,
    /// Nothing but a wish: a fixed closing line.
    Arbitrary,
}

/// A domain of simulated logs.
#[derive(Clone, Debug)]
pub struct Domain {
    /// Its name; beginning of its records' ids.
    pub name: &'static str,
    /// How its house rule looks to a model.
    pub kind: RuleKind,
    /// The house rule.
    pub check: Check,
    /// The people who ask.
    pub users: &'static [&'static str],
    /// Question frames; `{}` is the topic.
    pub frames: &'static [&'static str],
    /// Topics that logs may ask about; each is used once.
    pub topics: &'static [&'static str],
    /// Topics that only held-out questions ask about.
    pub held_out: &'static [&'static str],
    /// Ways in which users voice the house rule; the last few of each are indirect.
    pub complaints: &'static [&'static str],
    /// Feedback that asks for the opposite.
    pub contradictions: &'static [&'static str],
    /// What users ask instead of saying anything about the answer.
    pub new_questions: &'static [&'static str],
    /// Hand-written code for corrected answers; programming only.
    pub(super) code: &'static [Code],
}

impl Domain {
    /// The question about `topic` in frame `frame` (any number).
    pub fn question(&self, topic: &str, frame: usize) -> String {
        self.frames[frame % self.frames.len()].replacen("{}", topic, 1)
    }
}

/// The five domains of the example logs.
pub fn domains() -> Vec<Domain> {
    vec![cooking::domain(), travel::domain(), programming::domain(), finance::domain(), health::domain()]
}

/// All English domains: those of the example logs and two more.
pub fn all_domains() -> Vec<Domain> {
    domains().into_iter().chain([gardening::domain(), office::domain()]).collect()
}

/// The Chinese domains.
pub fn chinese_domains() -> Vec<Domain> {
    chinese::domains()
}
