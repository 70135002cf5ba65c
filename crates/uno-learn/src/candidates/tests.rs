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
    let options = CandidateOptions { fresh: 0, ..CandidateOptions::default() };
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
fn another_answer_is_reshaped_where_the_first_one_cannot_be() {
    const EXCUSE: &str = "I'm only a chatbot. I'm a chatbot that can chat about chats.";
    const ASKED: &str = "How do I sell my old shares?";
    let closing = |id: &str| {
        let check = Check::EndsWith { text: "Not advice.".into() };
        rules(
            id,
            vec![rule("End with \"Not advice.\".", "End it with \"Not advice.\", please.", Some(check))],
        )
    };
    let said = "End it with \"Not advice.\", please.";
    let good = "Shares are sold through the broker that holds them for you. Log in there, choose the shares and say how many \
                of them you sell. The money is in your account two days later.";
    let records = [
        record("excuse", &[ASKED, EXCUSE, said]),
        record("good", &[ASKED, good, said]),
        record("judged", &[ASKED, EXCUSE, "Be nicer."]),
    ];
    let sets =
        [closing("excuse"), closing("good"), rules("judged", vec![rule("Be nicer.", "Be nicer.", None)])];
    let teacher = Scripted::new(|r| {
        assert_eq!((r.messages.len(), r.messages[0].content.as_str()), (1, ASKED));
        Ok(match r.sampling.seed {
            42 => EXCUSE.to_owned(),
            43 => "The moon is made of a soft green cheese that mice of all colours eat on their long way to Mars. \
                   They like it very much and sing about it at night."
                .to_owned(),
            _ => good.to_owned(),
        })
    });
    let only_fresh = CandidateOptions { from_feedback: 0, from_rules: 0, ..CandidateOptions::default() };
    let found = candidates(&records, &sets, &teacher, &only_fresh, &mut |_, _| {}).unwrap().candidates;
    let made: Vec<(&str, Style, u64)> = found.iter().map(|c| (c.record.as_str(), c.style, c.seed)).collect();
    // An excuse again, then something about the moon; the third answer is about shares.
    assert_eq!(made, [("excuse", Style::Fresh, 44), ("good", Style::Program, 0)]);
    assert!(found[0].text.ends_with("\nNot advice.") && teacher.calls() == 3, "{found:?}");
    for options in [
        CandidateOptions { fresh: 2, ..only_fresh.clone() },
        CandidateOptions { repair: false, ..only_fresh },
    ] {
        let found = candidates(&records, &sets, &teacher, &options, &mut |_, _| {}).unwrap().candidates;
        assert!(found.iter().all(|c| c.record != "excuse"), "{found:?}");
    }
}

#[test]
fn failed_samples_are_listed() {
    let records = [record("r", &["q", "a0 is long", FEEDBACK])];
    let teacher = Scripted::new(|_| Err(ModelError::Upstream("busy".into())));
    let options =
        CandidateOptions { fresh: 2, from_feedback: 1, from_rules: 0, ..CandidateOptions::default() };
    let found = candidates(&records, &[set("r")], &teacher, &options, &mut |_, _| {}).unwrap();
    let busy = ("r".to_owned(), "busy".to_owned());
    assert_eq!(found.failed, [busy.clone(), busy.clone(), busy]);
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
