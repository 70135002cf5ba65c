use uno_types::{Check, ModelError, ScoredBy};

use super::*;
use crate::testing::{Scripted, record, rule, rules};

const FEEDBACK: &str = "Please use at most 5 words.";

fn set(id: &str) -> RuleSet {
    rules(id, vec![rule("At most 5 words.", FEEDBACK, Some(Check::MaxWords { max: 5 }))])
}

fn candidate(style: Style, seed: u64, text: &str) -> Candidate {
    Candidate { record: "r".into(), style, seed, text: text.into(), score: None, scored_by: None }
}

fn build(first: &str, sets: RuleSet, candidates: Vec<Candidate>, options: &PairOptions) -> Pairs {
    let silent = Scripted::new(|_| Err(ModelError::Upstream("down".into())));
    let records = [record("r", &["What is a comet?", first, FEEDBACK])];
    pairs(&records, &[sets], candidates, &silent, options, &mut |_, _| {}).unwrap()
}

const LONG: &str = "a first answer that is much longer than five words";

#[test]
fn the_logs_own_answer_is_preferred_among_equals() {
    let all = vec![
        candidate(Style::FromFeedback, 42, "A ball of ice."),
        candidate(Style::FromRules, 43, "Ice and dust."),
        candidate(Style::FromRules, 42, "Ice, dust, gas."),
        candidate(Style::InLog, 0, "Dirty snow in space."),
        candidate(Style::FromRules, 44, "a first answer that is longer than five words too"),
    ];
    let out = build(LONG, set("r"), all.clone(), &PairOptions::default());
    let pair = &out.pairs[0];
    assert_eq!((pair.chosen.as_str(), pair.style, pair.score), ("Dirty snow in space.", Style::InLog, 10.0));
    assert_eq!((pair.rejected.as_str(), pair.prompt.len()), (LONG, 1));
    assert!(out.candidates.iter().all(|c| c.scored_by == Some(ScoredBy::Program)));
    let sampled = all.into_iter().filter(|c| c.style != Style::InLog).collect();
    assert_eq!(build(LONG, set("r"), sampled, &PairOptions::default()).pairs[0].chosen, "Ice, dust, gas.");
}

#[test]
fn every_missing_pair_has_its_reason() {
    let o = PairOptions::default();
    let reason = |first: &str, sets: RuleSet, texts: &[&str], o: &PairOptions| -> NoPair {
        let all = texts.iter().map(|t| candidate(Style::FromRules, 42, t)).collect();
        let out = build(first, sets, all, o);
        assert!(out.pairs.is_empty());
        *out.dropped.keys().next().unwrap()
    };
    assert_eq!(reason(LONG, rules("r", vec![]), &["ok"], &o), NoPair::NoRules);
    assert_eq!(reason(" ", set("r"), &["ok"], &o), NoPair::NoAnswer);
    assert_eq!(reason(LONG, set("r"), &[], &o), NoPair::NoCandidates);
    assert_eq!(reason(LONG, set("r"), &["", " . "], &o), NoPair::Empty);
    assert_eq!(reason(LONG, set("r"), &[LONG], &o), NoPair::Unchanged);
    assert_eq!(reason(LONG, set("r"), &[LONG, "", FEEDBACK], &o), NoPair::Degenerate);
    assert_eq!(reason(LONG, set("r"), &["again an answer much longer than five words"], &o), NoPair::Poor);
    assert_eq!(reason("short", set("r"), &["short too"], &o), NoPair::NotBetter);
    let judged = rules("r", vec![rule("Be kind.", FEEDBACK, None)]);
    assert_eq!(reason(LONG, judged, &["kind words"], &o), NoPair::Unknown);
    let paper = PairOptions { min_gain: None, ..o };
    let out = build("short", set("r"), vec![candidate(Style::FromRules, 42, "short too")], &paper);
    assert_eq!(out.pairs.len(), 1);
}
