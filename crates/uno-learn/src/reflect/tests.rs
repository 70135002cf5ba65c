use uno_types::{AdapterRef, Check, ModelError};

use super::*;
use crate::testing::{Scripted, last, record, rule, rules};

fn critic() -> AdapterRef {
    AdapterRef { name: "c00-critic-abc".into(), dir: "d".into() }
}

#[test]
fn three_steps_and_only_the_critic_has_the_adapter() {
    let model = Scripted::new(|r| {
        Ok(match (&r.adapter, last(r)) {
            (Some(_), text) if text.contains("<answer>\nbase answer") => "1. Use a list.".into(),
            (None, text) if text.contains("<suggestions>\n1. Use a list.") => {
                "Here is the improved answer:\n- refined".into()
            }
            (None, "q") => "base answer".into(),
            other => format!("unexpected {other:?}"),
        })
    });
    let prompt = [uno_types::Message::user("q")];
    let critic = critic();
    let out = reflect(
        &[Query { prompt: &prompt, critic: &critic }],
        &model,
        &AnswerOptions::default(),
        &mut |_, _| {},
    )
    .unwrap();
    let want = Reflected {
        base: "base answer".into(),
        suggestions: "1. Use a list.".into(),
        answer: "- refined".into(),
        failed: None,
    };
    assert_eq!(out, [Ok(want)]);
}

#[test]
fn whatever_fails_leaves_the_base_answer() {
    let prompt = [uno_types::Message::user("q")];
    let critic = critic();
    let query = Query { prompt: &prompt, critic: &critic };
    let no_critic = Scripted::new(|r| match r.adapter {
        Some(_) => Err(ModelError::Invalid("no such adapter".into())),
        None => Ok("base".to_owned()),
    });
    let out = reflect(&[query], &no_critic, &AnswerOptions::default(), &mut |_, _| {}).unwrap();
    assert_eq!(out[0].as_ref().unwrap().answer, "base");
    assert_eq!(no_critic.calls(), 2);
    let no_base = Scripted::new(|_| Err(ModelError::Upstream("down".into())));
    let out = reflect(&[query], &no_base, &AnswerOptions::default(), &mut |_, _| {}).unwrap();
    assert_eq!(out, [Err(ModelError::Upstream("down".into()))]);
}

#[test]
fn critics_train_on_what_they_are_asked_in_serving() {
    let r = record("r", &["q", "base answer", "Use a list."]);
    let set = rules(
        "r",
        vec![rule("Use a list.", "Use a list.", Some(Check::BulletList)), rule("Be kind.", "", None)],
    );
    let (prompt, completion) = critic_example(&r, &set).unwrap();
    assert_eq!(prompt, crate::prompts::suggest(uno_types::Lang::En, None, "q", "base answer"));
    assert_eq!(completion, "1. Use a list.\n2. Be kind.");
    assert_eq!(critic_example(&r, &rules("r", vec![])), None);
}
