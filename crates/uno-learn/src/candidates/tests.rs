use uno_types::{Check, ModelError};

use super::*;
use crate::testing::{Scripted, record, rule, rules};

const FEEDBACK: &str = "Please use at most 5 words.";

fn set(id: &str) -> RuleSet {
    rules(id, vec![rule("At most 5 words.", FEEDBACK, Some(Check::MaxWords { max: 5 }))])
}

#[test]
fn answers_of_the_log_count_when_the_user_let_them_stand() {
    let texts = |turns: &[&str]| -> Vec<String> {
        in_log(&record("r", turns), &set("r")).into_iter().map(|c| c.text).collect()
    };
    let stood = ["q", "long a0", FEEDBACK, "short a1"];
    assert_eq!(texts(&stood), ["short a1"]);
    assert_eq!(texts(&[&stood[..], &["Thanks, much better!"]].concat()), ["short a1"]);
    assert_eq!(texts(&[&stood[..], &["And how long does it keep?"]].concat()), ["short a1"]);
    assert_eq!(texts(&[&stood[..], &["No, that is still too long."]].concat()), [""; 0]);
    assert_eq!(texts(&[&stood[..], &[FEEDBACK, "shorter"]].concat()), ["shorter"]);
    assert_eq!(
        texts(&["q", "a0", "And how long does it keep?", "Two days."]),
        [""; 0],
        "an answer to a new question"
    );
    assert_eq!(texts(&["q", "a0"]), [""; 0]);
    let mut marked = record("r", &[&stood[..], &["No, that is still too long."]].concat());
    marked.accepted = vec![3];
    assert_eq!(in_log(&marked, &set("r")).len(), 1);
}

#[test]
fn sampling_stops_when_a_candidate_obeys() {
    let records = [
        record("log", &["q", "a much too long first answer", FEEDBACK, "short and sweet"]),
        record("sampled", &["q", "a much too long first answer", FEEDBACK]),
        record("praise", &["q", "a0", "Thanks!"]),
    ];
    let sets = [set("log"), set("sampled"), rules("praise", vec![])];
    let teacher = Scripted::new(|r| {
        Ok(if r.sampling.seed == 42 { "still far too many words in here" } else { "much shorter now" }
            .to_owned())
    });
    let options = CandidateOptions::default();
    let found = candidates(&records, &sets, &teacher, &options, &mut |_, _| {}).unwrap();
    let of = |id: &str| found.candidates.iter().filter(|c| c.record == id).count();
    assert_eq!((of("log"), of("sampled"), of("praise")), (1, 4, 0));
    assert_eq!((teacher.calls(), found.spared), (4, 6 + 2));
    let all = CandidateOptions { stop_when_obeyed: false, ..options };
    let found = candidates(&records, &sets, &teacher, &all, &mut |_, _| {}).unwrap();
    assert_eq!(found.candidates.len(), 1 + 6 + 6);
    assert!(found.candidates.iter().any(|c| c.style == Style::FromRules && c.seed == 44));
}

#[test]
fn failed_samples_are_listed() {
    let records = [record("r", &["q", "a0 is long", FEEDBACK])];
    let teacher = Scripted::new(|_| Err(ModelError::Upstream("busy".into())));
    let options = CandidateOptions { from_feedback: 1, from_rules: 0, ..CandidateOptions::default() };
    let found = candidates(&records, &[set("r")], &teacher, &options, &mut |_, _| {}).unwrap();
    assert_eq!(found.failed, [("r".to_owned(), "busy".to_owned())]);
}

#[test]
fn what_models_say_around_an_answer_is_removed() {
    for (said, want) in [
        ("Sure! Here is the rewritten answer:\n\nBoil it.", "Boil it."),
        ("<answer>\nBoil it.\n</answer>", "Boil it."),
        ("\"Boil it.\"", "Boil it."),
        ("Here are three pans:\n- a\n- b", "Here are three pans:\n- a\n- b"),
        ("\"Yes\" and \"no\"", "\"Yes\" and \"no\""),
        ("以下是改写后的回答：\n煮饭。", "煮饭。"),
    ] {
        assert_eq!(clean(said), want);
    }
}

#[test]
fn worthless_candidates_are_told_apart() {
    let r = record("r", &["How do I cook rice in a pot?", "Boil it.", "Please number all the steps for me."]);
    assert_eq!(defect(&r, " … "), Some(Defect::Empty));
    assert_eq!(defect(&r, "Boil it. "), Some(Defect::Unchanged));
    assert_eq!(defect(&r, "Please number all the steps for me"), Some(Defect::Copied));
    assert_eq!(defect(&r, "How do I cook rice in a pot? Boil it."), Some(Defect::Copied));
    assert_eq!(defect(&r, "1. Boil\n</answer> <feedback>"), Some(Defect::Copied));
    assert_eq!(defect(&r, &"and on it goes ".repeat(30)), Some(Defect::Repetitive));
    assert_eq!(defect(&r, "1. Wash the rice.\n2. Boil it."), None);
    assert_eq!(defect(&r, "One of the best items ever purchased: a limb limbo."), Some(Defect::OffTopic));
}
