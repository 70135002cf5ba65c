//! Filling up: questions that got no feedback, answered as those who gave feedback in their cluster wished.
//!
//! Most conversations hold no complaint, or none that a rule could be made of, and a cluster of few pairs teaches an adapter
//! little. A rule that most of the cluster's feedback asks for holds for its other questions, too: such a record is taken as
//! if its user had asked for it. It is trained on and never tests anything: what proves an adapter is what users said.

use std::collections::BTreeSet;

use uno_types::{Message, Record, Rule, RuleSet};

use crate::distil::sentence::{Kind, sentences};
use crate::support::Support;

/// The rules that hold for all questions of a cluster: enough users share each (`supported`), and more than half of the
/// records that gave rules on the cluster's questions gave it. `sets` are the rules of all records.
///
/// A cluster of two minds has none: two topics that were merged must not teach each other's rules.
pub fn house_rules(support: &Support, sets: &[RuleSet]) -> Vec<Rule> {
    let ruling = support.rules.iter().filter(|r| r.supported && 2 * r.records > support.records);
    let texts: BTreeSet<&str> = ruling.map(|r| r.rule.as_str()).collect();
    let rules = sets.iter().flat_map(|set| &set.with_feedback);
    let first = |text: &str| rules.clone().find(|rule| rule.text == text).cloned();
    texts.into_iter().filter_map(first).collect()
}

/// Whether a record can be filled up with: it has a question and an answer, it gave no rule, and its user neither praised the
/// answer nor asked for anything: who is content, or wished for something that no rule could be made of, is not overruled.
pub fn is_silent(record: &Record, rules: &RuleSet) -> bool {
    let spoke =
        || sentences(record.feedback_turns()).iter().any(|s| matches!(s.kind, Kind::Praise | Kind::Request));
    rules.with_feedback.is_empty()
        && !record.query().trim().is_empty()
        && !record.first_answer().trim().is_empty()
        && record.accepted.is_empty()
        && !spoke()
}

/// The record as if its user had answered the first answer with what gave `rules`, and nothing else.
pub fn as_if_wished(record: &Record, own: &RuleSet, rules: &[Rule]) -> (Record, RuleSet) {
    let mut wished = record.clone();
    wished.messages.truncate(record.first_answer_index().map_or(0, |i| i + 1));
    let words: Vec<&str> = rules.iter().map(|rule| rule.evidence.as_str()).collect();
    wished.messages.push(Message::user(words.join(" ")));
    let set = RuleSet {
        record: record.id.clone(),
        with_feedback: rules.to_vec(),
        without_feedback: own.without_feedback.clone(),
        ..RuleSet::default()
    };
    (wished, set)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::Shared;
    use crate::testing::{record, rule};

    fn shared(rule: &str, records: usize, supported: bool) -> Shared {
        Shared { rule: rule.into(), users: 3, records, supported }
    }

    fn set(record: &str, texts: &[&str]) -> RuleSet {
        let with_feedback = texts.iter().map(|t| rule(t, t, None)).collect();
        RuleSet { record: record.into(), with_feedback, ..RuleSet::default() }
    }

    #[test]
    fn only_what_most_records_ask_for_holds_for_all() {
        let sets = [set("a", &["Use a list."]), set("b", &["Be brief.", "Use a list."])];
        let of = |records, rules: Vec<Shared>| {
            let support = Support { records, rules, ..Support::default() };
            house_rules(&support, &sets).into_iter().map(|r| r.text).collect::<Vec<_>>()
        };
        let (list, brief) = (|n| shared("Use a list.", n, true), |n| shared("Be brief.", n, true));
        assert_eq!(of(10, vec![list(6), brief(4)]), ["Use a list."]);
        assert_eq!(of(10, vec![list(6), brief(6)]), ["Be brief.", "Use a list."]);
        // Half and half: two topics in one cluster.
        assert!(of(10, vec![list(5), brief(5)]).is_empty());
        assert!(of(10, vec![shared("Use a list.", 9, false)]).is_empty());
        assert!(of(0, vec![]).is_empty());
    }

    #[test]
    fn who_gave_a_rule_or_was_content_is_not_overruled() {
        let none = RuleSet::default();
        let said = |text: &str| record("r", &["How do I bake bread?", "Bake it.", text]);
        assert!(is_silent(&said("What about rye?"), &none));
        assert!(is_silent(&record("r", &["How do I bake bread?", "Bake it."]), &none));
        assert!(!is_silent(&said("Thanks, that is great!"), &none));
        assert!(!is_silent(&said("Please write it as a story."), &none));
        assert!(!is_silent(&said("What about rye?"), &set("r", &["Use a list."])));
        assert!(!is_silent(&record("r", &["How do I bake bread?", " "]), &none));
        let mut accepted = said("What about rye?");
        accepted.accepted.push(1);
        assert!(!is_silent(&accepted, &none));
    }

    #[test]
    fn a_wished_record_holds_the_question_the_answer_and_the_wish() {
        let own = RuleSet { without_feedback: vec!["Be clear.".into()], ..set("r", &[]) };
        let rules = [rule("Use a list.", "A list, please.", None)];
        let (wished, set) = as_if_wished(&record("r", &["Bread?", "Bake it.", "And rye?"]), &own, &rules);
        let texts: Vec<&str> = wished.messages.iter().map(|m| m.content.as_str()).collect();
        assert_eq!(texts, ["Bread?", "Bake it.", "A list, please."]);
        assert_eq!((set.record.as_str(), set.with_feedback.len()), ("r", 1));
        assert_eq!(set.without_feedback, own.without_feedback);
    }
}
