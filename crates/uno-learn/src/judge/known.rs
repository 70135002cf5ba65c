//! Questions whose better answer is known: what the judge is measured on.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};
use uno_types::{Candidate, Lang, Message, Record, Rule, RuleSet, Style};

use super::program_score;
use crate::stats::below;

/// Who knows which answer is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KnownBy {
    /// The user complained about the one and let the other stand.
    User,
    /// The one breaks a rule that a program can check, the other keeps all of them.
    Program,
}

/// Two answers to a question, of which one is better.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// The record it comes from.
    pub record: String,
    /// Language of the prompts.
    pub lang: Lang,
    /// System turn, if any, and question.
    pub prompt: Vec<Message>,
    /// What the answers are judged by.
    pub rules: Vec<Rule>,
    /// The better answer.
    pub better: String,
    /// The worse one: the first answer of the log.
    pub worse: String,
    /// Who knows.
    pub by: KnownBy,
}

/// At most `most` of them, one per record, as even a share of users' and programs' as there are, drawn with `seed`.
/// `rules[i]` belongs to `records[i]`.
pub fn known_answers(
    records: &[Record],
    rules: &[RuleSet],
    candidates: &[Candidate],
    most: usize,
    seed: u64,
) -> Vec<Known> {
    let mut of: BTreeMap<&str, Vec<&Candidate>> = BTreeMap::new();
    for candidate in candidates {
        of.entry(&candidate.record).or_default().push(candidate);
    }
    let (mut by_user, mut by_program) = (Vec::new(), Vec::new());
    for (record, set) in records.iter().zip(rules) {
        let own = of.get(record.id.as_str()).map_or(&[][..], Vec::as_slice);
        if let Some(known) = let_stand(record, set, own) {
            by_user.push(known);
        } else if let Some(known) = checked(record, set, own) {
            by_program.push(known);
        }
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for list in [&mut by_user, &mut by_program] {
        for i in (1..list.len()).rev() {
            list.swap(i, below(&mut rng, i + 1));
        }
    }
    let half = most / 2;
    let users = by_user.len().min(most - by_program.len().min(half));
    by_user.truncate(users);
    by_program.truncate(most - users);
    by_user.extend(by_program);
    by_user.sort_by(|a, b| a.record.cmp(&b.record));
    by_user
}

/// The log's own: the last answer that the user let stand after complaining about the first one.
fn let_stand(record: &Record, set: &RuleSet, candidates: &[&Candidate]) -> Option<Known> {
    let better = candidates.iter().rev().find(|c| c.style == Style::InLog)?;
    known(record, set.with_feedback.clone(), &better.text, KnownBy::User)
}

/// A candidate that keeps every rule which a program can check, where the first answer breaks one.
fn checked(record: &Record, set: &RuleSet, candidates: &[&Candidate]) -> Option<Known> {
    let rules: Vec<Rule> = set.with_feedback.iter().filter(|r| r.check.is_some()).cloned().collect();
    let obeys = |answer: &str| program_score(&rules, answer).is_some_and(|s| s.obeys_all());
    if rules.is_empty() || obeys(record.first_answer()) {
        return None;
    }
    let better = candidates.iter().find(|c| obeys(&c.text))?;
    known(record, rules, &better.text, KnownBy::Program)
}

fn known(record: &Record, rules: Vec<Rule>, better: &str, by: KnownBy) -> Option<Known> {
    let worse = record.first_answer();
    let differ = !better.trim().is_empty() && !worse.trim().is_empty() && better.trim() != worse.trim();
    (differ && !rules.is_empty()).then(|| Known {
        record: record.id.clone(),
        lang: record.lang,
        prompt: record.prompt(),
        rules,
        better: better.trim().to_owned(),
        worse: worse.trim().to_owned(),
        by,
    })
}
