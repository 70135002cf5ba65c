//! The questions that systems are tested on: held-out ones of each domain, and ones of no domain.

use serde::{Deserialize, Serialize};
use uno_types::Check;

use crate::simulate::{Domain, HeldOutQuestion, NEUTRAL, RuleKind};

/// A question and what its answer should look like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestQuestion {
    /// Unique.
    pub id: String,
    /// The domain; `neutral` for none.
    pub domain: String,
    /// Kind of its house rule; none for neutral questions.
    pub kind: Option<RuleKind>,
    /// The question.
    pub question: String,
    /// The house rule; none for neutral questions.
    pub check: Option<Check>,
}

/// The test questions of domains: those held out, then `neutral` of no domain.
pub fn questions(held_out: &[HeldOutQuestion], domains: &[Domain], neutral: usize) -> Vec<TestQuestion> {
    let kind = |name: &str| domains.iter().find(|d| d.name == name).map(|d| d.kind);
    let held_out = held_out.iter().map(|q| TestQuestion {
        id: q.id.clone(),
        domain: q.domain.clone(),
        kind: kind(&q.domain),
        question: q.question.clone(),
        check: Some(q.check.clone()),
    });
    let neutral = NEUTRAL.iter().take(neutral).enumerate().map(|(i, question)| TestQuestion {
        id: format!("neutral-{i:02}"),
        domain: "neutral".into(),
        kind: None,
        question: (*question).to_owned(),
        check: None,
    });
    held_out.chain(neutral).collect()
}
