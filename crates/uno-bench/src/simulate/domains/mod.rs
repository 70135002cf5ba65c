//! What the simulated users ask about and what each domain's house rule is: hand-written texts only.

mod cooking;
mod finance;
mod health;
mod programming;
mod travel;

use uno_types::Check;

/// (topic, code, one line about it).
pub(super) type Code = (&'static str, &'static str, &'static str);

/// A domain of the example logs.
pub struct Domain {
    /// Its name; beginning of its records' ids.
    pub name: &'static str,
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

/// All five domains.
pub fn domains() -> Vec<Domain> {
    vec![cooking::domain(), travel::domain(), programming::domain(), finance::domain(), health::domain()]
}
