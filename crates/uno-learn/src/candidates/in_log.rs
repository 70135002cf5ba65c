//! Better answers that the log already holds.

use uno_types::{Candidate, Record, Role, RuleSet, Style};

use crate::distil::sentence::{Kind, kind, split};

/// The assistant turns after the first answer that follow feedback which gave a rule, and that the user accepted: marked
/// so by the log, followed by praise, or by nothing that complains.
pub fn in_log(record: &Record, rules: &RuleSet) -> Vec<Candidate> {
    let Some(first) = record.first_answer_index() else { return Vec::new() };
    let messages = &record.messages;
    (first + 1..messages.len())
        .filter(|&i| {
            messages[i].role == Role::Assistant && answers_feedback(record, i, rules) && stands(record, i)
        })
        .map(|i| Candidate {
            record: record.id.clone(),
            style: Style::InLog,
            seed: 0,
            text: messages[i].content.trim().to_owned(),
            score: None,
            scored_by: None,
        })
        .collect()
}

/// The user turn right before turn `i` holds the evidence of a kept rule: the answer reacts to it, and is not the answer
/// to a new question.
fn answers_feedback(record: &Record, i: usize, rules: &RuleSet) -> bool {
    let before = record.messages[..i]
        .iter()
        .rev()
        .take_while(|m| m.role != Role::Assistant)
        .find(|m| m.role == Role::User);
    before.is_some_and(|m| rules.with_feedback.iter().any(|r| m.content.contains(r.evidence.as_str())))
}

/// The user let answer `i` stand.
fn stands(record: &Record, i: usize) -> bool {
    if record.accepted.contains(&i) {
        return true;
    }
    let next = record.messages[i + 1..].iter().find(|m| m.role == Role::User);
    next.is_none_or(|m| {
        let kinds: Vec<Kind> = split(&m.content).into_iter().map(kind).collect();
        kinds.contains(&Kind::Praise) && !kinds.contains(&Kind::Request)
            || kinds.iter().all(|k| !k.is_evidence())
    })
}
