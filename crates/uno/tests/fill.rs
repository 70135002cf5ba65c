//! Clusters of few pairs are filled up with questions that got no feedback, and these never test anything.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is a test's report")]

mod support;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use support::{Bench, LEARN, logs, server, settings};

/// Ids in `at` of every line of an artefact.
fn ids(bench: &Bench, file: &str, at: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(bench.path("run").join(file)).unwrap();
    let of = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap();
        match value.pointer(at) {
            Some(Value::Array(all)) => all.iter().map(|v| v.as_str().unwrap().to_owned()).collect(),
            Some(Value::String(id)) => vec![id.clone()],
            _ => vec![],
        }
    };
    text.lines().flat_map(of).collect()
}

/// A conversation about the first topic of the logs whose user asked for nothing.
fn silent(id: &str, thing: &str, after: &[&str]) -> String {
    let mut messages = vec![
        json!({"role": "user", "content": format!("How do I cook {thing} number 7?")}),
        json!({"role": "assistant", "content": "Wash it well in cold water. Boil it for ten minutes. Leave it covered for a while. Serve it hot."}),
    ];
    messages.extend(after.iter().map(|text| json!({"role": "user", "content": text})));
    json!({"id": id, "user": format!("silent-{id}"), "messages": messages}).to_string() + "\n"
}

#[test]
fn questions_without_feedback_are_trained_on_and_test_nothing() {
    let server = server(0);
    let bench = Bench::new();
    let mut all = logs(24);
    for (i, thing) in ["rice", "soup", "eggs", "bread", "beans", "pasta"].iter().enumerate() {
        all += &silent(&format!("s{i}"), thing, &[]);
    }
    all += &silent("praised", "rice", &["Thanks, that is perfect!"]);
    all += &silent("wished", "soup", &["Please tell it as a story for children."]);
    bench.write("chats.jsonl", all);
    settings(&bench, &server);

    bench.json(LEARN);
    let filled = ids(&bench, "filled.jsonl", "/record/id");
    assert!(filled.len() >= 4, "{filled:?}");
    assert!(filled.iter().all(|id| id.starts_with('s')), "{filled:?}");
    let trained = ids(&bench, "training/modules-1.jsonl", "/records");
    assert!(filled.is_subset(&trained), "{filled:?} of {trained:?}");
    let tested = ids(&bench, "verdicts.jsonl", "/record");
    assert!(!tested.is_empty() && tested.is_disjoint(&trained), "{tested:?}");

    bench.json(&[LEARN, &["--set", "cluster.fill_to=0"]].concat());
    assert!(ids(&bench, "filled.jsonl", "/record/id").is_empty());
    assert!(ids(&bench, "training/modules-1.jsonl", "/records").is_disjoint(&filled));
}
