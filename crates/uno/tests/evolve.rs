//! `uno evolve` as users run it: new logs beside what was learned, nothing new, kill -9 and resume, rollback.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is a test's report")]

mod support;

use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Bench, LEARN, artefacts, learn_embedded, logs, prepared, server};

const EVOLVE: &[&str] = &["evolve", "--run", "run", "--logs", "more.jsonl", "--json"];

/// Conversations `from..to` of the simulated logs.
fn part(from: usize, to: usize) -> String {
    logs(to).lines().skip(from).map(|line| format!("{line}\n")).collect()
}

fn lines(bench: &Bench, file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(bench.path("run").join(file)).unwrap();
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

fn json(bench: &Bench, file: &str) -> Value {
    serde_json::from_slice(&std::fs::read(bench.path("run").join(file)).unwrap()).unwrap()
}

/// Calls that a stage of a step paid for.
fn paid(bench: &Bench, manifest: &str, stage: &str) -> u64 {
    let stages = json(bench, manifest)["stages"].as_array().unwrap().clone();
    let stage = stages.iter().find(|s| s["name"] == stage).unwrap();
    stage["tokens"]["paid_calls"].as_u64().unwrap()
}

#[test]
fn a_step_costs_its_own_logs_retrains_what_changed_and_can_be_rolled_back() {
    let server = server(0);
    let bench = prepared(&server, 24);
    bench.json(&learn_embedded(&["--set", "cluster.by=rules"]));
    let learned = json(&bench, "plan.json");
    let adapters: Vec<&Value> =
        learned["clusters"].as_array().unwrap().iter().map(|c| &c["adapter"]).collect();
    assert!(adapters.iter().all(|a| !a.is_null()), "{learned}");

    // Six new conversations on each of two topics: a quarter of the pairs is new, so both clusters are trained again.
    bench.write("more.jsonl", part(12, 36));
    let step = bench.json(EVOLVE);
    assert_eq!((step["step"].as_u64(), step["new_records"].as_u64()), (Some(1), Some(12)), "{step}");
    assert_eq!(step["changed"], serde_json::json!([0, 1]), "{step}");
    assert_eq!(
        paid(&bench, "steps/001/new/run.json", "distil"),
        24,
        "two generations per new conversation, none for the old"
    );
    assert_eq!(
        (lines(&bench, "steps/001/records.jsonl").len(), lines(&bench, "steps/001/new/records.jsonl").len()),
        (36, 12)
    );
    let evolved = json(&bench, "plan.json");
    let sizes = |plan: &Value| {
        plan["clusters"].as_array().unwrap().iter().map(|c| c["size"].as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!((sizes(&learned), sizes(&evolved)), (24, 36));
    // Nobody is tested on what an adapter in service was trained on.
    let trained: Vec<Value> = lines(&bench, "training/modules-1.jsonl")
        .iter()
        .chain(&lines(&bench, "training/modules-2.jsonl"))
        .flat_map(|m| m["records"].as_array().unwrap().clone())
        .collect();
    assert!(!trained.is_empty());
    let tested = lines(&bench, "steps/001/verdicts.jsonl");
    assert!(!tested.is_empty() && tested.iter().all(|v| !trained.contains(&v["record"])), "{tested:?}");
    // Adapters know where they come from.
    for entry in evolved["clusters"].as_array().unwrap() {
        let name = entry["adapter"]["name"].as_str().unwrap();
        let lineage = json(&bench, &format!("adapters/{name}/lineage.json"));
        let old = adapters.iter().any(|a| a["name"] == name);
        assert_eq!(lineage["step"].as_u64() == Some(0), old, "{lineage}");
        assert!(old || adapters.iter().any(|a| a["name"] == lineage["parent"]), "{lineage}");
    }
    let listed = bench.json(&["adapters", "list", "--run", "run", "--json"]);
    assert!(listed.as_array().unwrap().iter().all(|a| a["intact"] == true), "{listed}");
    assert!(bench.uno(&["ask", "--run", "run", "How do I cook rice?"]).status.success());
    assert!(std::fs::read_to_string(bench.path("run/report.html")).unwrap().contains("UNO report"));

    // The same logs again: nothing happens, and nobody is asked.
    let asked = server.seen().len();
    let again = bench.json(EVOLVE);
    assert_eq!((again["step"].clone(), again["stages_run"].clone()), (Value::Null, serde_json::json!([])));
    assert_eq!((json(&bench, "plan.json"), server.seen().len()), (evolved.clone(), asked));
    assert!(!bench.path("run/steps/002").exists());

    // Two more conversations join, but change too little to train anything.
    bench.write("more.jsonl", part(36, 38));
    let small = bench.json(EVOLVE);
    assert_eq!(
        (small["step"].as_u64(), small["changed"].clone()),
        (Some(2), serde_json::json!([])),
        "{small}"
    );
    let entries = |plan: &Value| -> Vec<Value> {
        plan["clusters"].as_array().unwrap().iter().map(|c| c["adapter"].clone()).collect()
    };
    assert_eq!(entries(&json(&bench, "plan.json")), entries(&evolved));
    assert_eq!(lines(&bench, "steps/002/training/modules-1.jsonl").len(), 0);

    // What was learned first does not undo it; a rollback does, and the next step goes on from there.
    let in_force = small["plan"].clone();
    bench.json(&learn_embedded(&["--set", "cluster.by=rules"]));
    assert_eq!(Some(in_force.as_str().unwrap().to_owned()), current(&bench));
    bench.json(&["adapters", "rollback", "--run", "run", "--json"]);
    assert_eq!(json(&bench, "plan.json"), evolved);
    let third = bench.json(EVOLVE);
    assert_eq!((third["step"].as_u64(), third["new_records"].as_u64()), (Some(3), Some(2)), "{third}");
}

/// The id of the plan in force, as the log of plans has it.
fn current(bench: &Bench) -> Option<String> {
    lines(bench, "plans/log.jsonl").last().map(|change| change["to"].as_str().unwrap().to_owned())
}

#[test]
fn a_run_without_a_plan_is_named() {
    let server = server(0);
    let bench = prepared(&server, 24);
    bench.write("more.jsonl", part(0, 4));
    bench.fails(1, &[LEARN, &["--budget-tokens", "500"]].concat());
    let error = bench.fails(1, EVOLVE);
    assert!(error.contains("has no plan yet") && error.contains("uno learn"), "{error}");
    let error = bench.fails(1, &["evolve", "--run", "nowhere", "--logs", "more.jsonl"]);
    assert!(error.contains("nowhere"), "{error}");
}

/// Kills `evolve` at many moments of its work, then lets it finish: the same artefacts as in one go.
#[cfg(unix)]
#[test]
fn killed_at_random_moments_a_step_ends_with_the_same_artefacts() {
    let learn = [
        LEARN,
        &["--set", "plan.policy=paper", "--set", "cluster.by=rules", "--set", "remote.concurrency=1"],
    ]
    .concat();
    let whole_server = server(5);
    let whole = prepared(&whole_server, 24);
    whole.json(&learn);
    whole.write("more.jsonl", part(24, 44));
    let started = Instant::now();
    whole.json(EVOLVE);
    let whole_time = started.elapsed();

    let server = server(5);
    let bench = prepared(&server, 24);
    bench.json(&learn);
    bench.write("more.jsonl", part(24, 44));
    let mut state = 99_u64;
    for _ in 0..10 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let share = 0.03 + 0.4 * ((state >> 33) as f64 / f64::from(1u32 << 31));
        let mut child = bench
            .command(EVOLVE)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole_time.mul_f64(share).min(Duration::from_secs(5)));
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
        }
        child.wait().unwrap();
    }
    bench.json(EVOLVE);
    assert!(!bench.path("run/steps/002").exists(), "one step, however often it was begun");
    let (a, b) = (artefacts(&whole.path("run")), artefacts(&bench.path("run")));
    let names = |all: &[(String, Vec<u8>)]| all.iter().map(|(n, _)| n.clone()).collect::<Vec<_>>();
    assert_eq!(names(&a), names(&b));
    for ((name, a), (_, b)) in a.iter().zip(&b) {
        assert!(
            a == b,
            "{name} differs:\n{}\n{}",
            support::text(&a[..a.len().min(1500)]),
            support::text(&b[..b.len().min(1500)])
        );
    }
}
