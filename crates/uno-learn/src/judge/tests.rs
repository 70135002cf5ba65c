use uno_types::{Check, ModelError};

use super::*;
use crate::testing::{Scripted, last, rule};

fn checked(text: &str, max: usize) -> Rule {
    rule(text, "", Some(Check::MaxWords { max }))
}

fn score(rules: &[Rule], answer: &str, replies: &'static [&'static str]) -> (Option<Score>, usize) {
    let model = Scripted::new(|r| {
        let k = if r.sampling.temperature == 0.0 { 0 } else { (r.sampling.seed - 41) as usize };
        replies.get(k).map(|s| (*s).to_owned()).ok_or(ModelError::Upstream("no reply".into()))
    });
    let prompt = [Message::user("q")];
    let items = [Item { lang: Lang::En, prompt: &prompt, rules, answer }];
    let scores = judge(&items, &model, &JudgeOptions::default(), &mut |_, _| {}).unwrap();
    (scores[0], model.calls())
}

#[test]
fn programs_score_alone_when_they_can() {
    let rules = [checked("short", 3), checked("shorter", 1)];
    assert_eq!(score(&rules, "two words", &[]), (Some(Score { value: 5.5, by: ScoredBy::Program }), 0));
    assert_eq!(score(&rules, "one", &[]).0.unwrap().value, 10.0);
    assert_eq!(score(&rules, "one two three four", &[]).0.unwrap().value, 1.0);
}

#[test]
fn the_judge_scores_the_rest_and_both_count_by_their_rules() {
    let kind = rule("Be kind.", "", None);
    let replies = &[r#"{"reason":"ok","score":8}"#, r#"{"reason":"so so","score":5}"#, "gibberish"];
    let (both, calls) = score(&[checked("short", 3), kind.clone()], "one", replies);
    // Program 10 for one rule, judge (8 + 5) / 2 for the other; the third reply is unknown, not zero.
    assert_eq!((both, calls), (Some(Score { value: (10.0 + 6.5) / 2.0, by: ScoredBy::Both }), 3));
    let (judged, _) = score(std::slice::from_ref(&kind), "one", replies);
    assert_eq!(judged, Some(Score { value: 6.5, by: ScoredBy::Judge }));
    let (unknown, _) =
        score(&[checked("short", 3), kind], "one", &["?", r#"{"score": 11}"#, r#"{"score": "7"}"#]);
    assert_eq!(unknown, None);
}

#[test]
fn the_judge_sees_only_the_rules_that_programs_cannot_check() {
    let model = Scripted::new(|r| {
        assert!(last(r).contains("1. Be kind.") && !last(r).contains("short"), "{}", last(r));
        Ok(r#"{"reason":"","score":7}"#.into())
    });
    let prompt = [Message::system("s"), Message::user("q")];
    let rules = [checked("short", 3), rule("Be kind.", "", None)];
    let items = [Item { lang: Lang::En, prompt: &prompt, rules: &rules, answer: "a" }];
    judge(&items, &model, &JudgeOptions::default(), &mut |_, _| {}).unwrap();
    let paper = JudgeOptions { programs: false, ..JudgeOptions::default() };
    let model = Scripted::new(|r| {
        assert!(last(r).contains("1. short\n2. Be kind."));
        Ok(r#"{"reason":"","score":7}"#.into())
    });
    let scores = judge(&items, &model, &paper, &mut |_, _| {}).unwrap();
    assert_eq!(scores[0], Some(Score { value: 7.0, by: ScoredBy::Judge }));
}
