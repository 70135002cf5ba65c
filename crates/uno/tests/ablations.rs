//! Every ablation of docs/ARCHITECTURE.md is a setting of `uno learn`, run here as users run it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is a test's report")]

mod support;

use serde_json::Value;
use support::{Bench, LEARN, prepared, server};

fn learn(bench: &Bench, settings: &[&str]) -> Value {
    let sets = settings.iter().flat_map(|s| ["--set", s]);
    let words: Vec<&str> = LEARN.iter().copied().chain(sets).collect();
    bench.json(&words)
}

fn lines(bench: &Bench, file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(bench.path("run").join(file)).unwrap();
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

/// Kinds of the modules that were trained, first round then second.
fn trained(bench: &Bench) -> Vec<String> {
    ["training/modules-1.jsonl", "training/modules-2.jsonl"]
        .iter()
        .flat_map(|file| lines(bench, file))
        .map(|m| m["kind"].as_str().unwrap().to_owned())
        .collect()
}

/// Kinds that the gap asked for in the first place.
fn first_choice(bench: &Bench) -> Vec<String> {
    lines(bench, "training/modules-1.jsonl").iter().map(|m| m["kind"].as_str().unwrap().to_owned()).collect()
}

fn paths(summary: &Value) -> Vec<&str> {
    summary["clusters"].as_array().unwrap().iter().map(|c| c["path"].as_str().unwrap()).collect()
}

#[test]
fn clusters_by_questions_rules_both_or_not_at_all() {
    let server = server(0);
    let bench = prepared(&server, 24);
    // Nothing is trained: only the clusters matter here.
    let few = "cluster.min_pairs=1000";
    let count = |by: &str| {
        let by = format!("cluster.by={by}");
        learn(&bench, &[few, &by])["clusters"].as_array().unwrap().len()
    };
    assert_eq!(count("none"), 1);
    // Two complaints, so two clusters by rules; the mock's embeddings of different questions are far apart.
    assert_eq!(count("rules"), 2);
    assert!(count("query") > 2);
    let clusters = std::fs::read_to_string(bench.path("run/clusters.json")).unwrap();
    learn(&bench, &[few, "cluster.by=dual"]);
    assert_ne!(clusters, std::fs::read_to_string(bench.path("run/clusters.json")).unwrap());
    let error = bench.fails(2, &[LEARN, &["--set", "cluster.by=moon"]].concat());
    assert!(error.contains("cluster.by") && error.contains("moon"), "{error}");
}

#[test]
fn gates_and_policies_decide_what_is_trained_verified_and_promoted() {
    let server = server(0);
    let bench = prepared(&server, 24);
    let rules = "cluster.by=rules";
    let summary = learn(&bench, &[rules, "plan.gate=expert", "plan.policy=unverified"]);
    assert_eq!((trained(&bench), paths(&summary)), (vec!["expert".to_owned(); 2], vec!["expert"; 2]));
    assert_eq!(lines(&bench, "verdicts.jsonl").len(), 0, "nothing is verified");
    assert!(summary["clusters"][0]["reason"].as_str().unwrap().contains("was not verified"), "{summary}");

    let summary = learn(&bench, &[rules, "plan.gate=critic", "plan.policy=unverified"]);
    assert_eq!((trained(&bench), paths(&summary)), (vec!["critic".to_owned(); 2], vec!["critic"; 2]));

    // Verified: the mock's words obey no rule, so nothing is promoted, and no critic is tried where all are experts.
    let summary = learn(&bench, &[rules, "plan.gate=expert"]);
    assert!(trained(&bench).iter().all(|kind| kind == "expert"), "{:?}", trained(&bench));
    assert!(!lines(&bench, "verdicts.jsonl").is_empty());
    assert!(paths(&summary).iter().all(|path| *path != "critic"), "{summary}");

    // The gap decides: at a threshold of 0 every gap is high, at 1 hardly any.
    learn(&bench, &[rules, "plan.policy=paper", "plan.gap_threshold=0"]);
    assert_eq!(first_choice(&bench), ["critic", "critic"]);
    learn(&bench, &[rules, "plan.policy=paper", "plan.gap_threshold=1"]);
    assert_eq!(first_choice(&bench), ["expert", "expert"]);
}

#[test]
fn candidates_come_from_the_log_or_from_the_teacher_alone() {
    let server = server(0);
    let bench = prepared(&server, 24);
    let few = "cluster.min_pairs=1000";
    let styles = |settings: &[&str]| {
        let all: Vec<&str> = settings.iter().copied().chain([few]).collect();
        learn(&bench, &all);
        let mut styles: Vec<String> = lines(&bench, "candidates.jsonl")
            .iter()
            .map(|c| c["style"].as_str().unwrap().to_owned())
            .collect();
        styles.sort();
        styles.dedup();
        styles
    };
    let only_log = ["candidates.from_feedback=0", "candidates.from_rules=0", "candidates.repair=false"];
    assert_eq!(styles(&only_log), ["in_log"]);
    let sampled = ["candidates.in_log=false", "candidates.repair=false"];
    assert_eq!(styles(&sampled), ["from_feedback", "from_rules"]);
}

#[test]
fn the_judge_is_measured_before_its_verdicts_count() {
    let server = server(0);
    let bench = prepared(&server, 24);
    let summary = learn(&bench, &["cluster.min_pairs=1000"]);
    let judge = &summary["judge"];
    // The mock gives every answer the same score and always prefers the first: no better than chance.
    assert_eq!(
        (judge["trusted"].as_bool(), judge["scoring"]["rate"].as_f64()),
        (Some(false), Some(0.5)),
        "{judge}"
    );
    assert_eq!(judge["first_chosen"]["rate"].as_f64(), Some(1.0), "{judge}");
    let words = judge["words"].as_str().unwrap();
    assert!(words.contains("may not promote anything"), "{words}");
    let report = std::fs::read_to_string(bench.path("run/report.html")).unwrap();
    assert!(report.contains("The judge, judged") && report.contains("may not promote anything"));
    let file: Value = serde_json::from_slice(&std::fs::read(bench.path("run/judge.json")).unwrap()).unwrap();
    assert_eq!(&file, judge);
    // Not asked: not trusted.
    let unasked = learn(&bench, &["cluster.min_pairs=1000", "judge_check.max_items=0"]);
    assert_eq!(unasked["judge"]["trusted"].as_bool(), Some(false));
    assert!(unasked["judge"]["words"].as_str().unwrap().contains("could not be measured"));
}
