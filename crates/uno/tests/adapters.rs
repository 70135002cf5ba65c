//! `uno adapters export` and `uno adapters rollback`: adapters that travel, and plans that come back.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic is a test's report"
)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::{Bench, LEARN, learn_embedded as learn, prepared, server, text};
use uno_engine::weights::TensorStore;
use uno_engine::{LoraWeights, ModelConfig};

/// Names of the adapters of the plan in force.
fn names(bench: &Bench) -> Vec<String> {
    let listed = bench.json(&["adapters", "list", "--run", "run", "--json"]);
    listed.as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap().to_owned()).collect()
}

fn model(bench: &Bench) -> ModelConfig {
    TensorStore::open(&bench.path("tiny")).unwrap().config().clone()
}

fn export(bench: &Bench, format: &str, to: &str) -> Vec<PathBuf> {
    let words = ["adapters", "export", "--run", "run", "--to", to, "--format", format, "--json"];
    let exported = bench.json(&words);
    exported.as_array().unwrap().iter().map(|e| bench.path(e["path"].as_str().unwrap())).collect()
}

#[test]
fn adapters_are_exported_whole_for_peft_and_llama_cpp() {
    let server = server(0);
    let bench = prepared(&server, 16);
    bench.json(&learn(&[]));
    let names = names(&bench);
    assert!(!names.is_empty(), "the published policy uses critics");

    let directories = export(&bench, "peft", "out");
    assert_eq!(export(&bench, "peft", "out"), directories, "what is there already is left");
    let files = export(&bench, "gguf", "out");
    let bytes: Vec<Vec<u8>> = files.iter().map(|f| fs::read(f).unwrap()).collect();
    assert_eq!(export(&bench, "gguf", "out"), files);
    for (i, name) in names.iter().enumerate() {
        let own = bench.path("run/adapters").join(name);
        for part in ["adapter_model.safetensors", "adapter_config.json", "fingerprint.json"] {
            assert_eq!(fs::read(own.join(part)).unwrap(), fs::read(directories[i].join(part)).unwrap());
        }
        assert_eq!(files[i], bench.path("out").join(format!("{name}.gguf")));
        assert_eq!(fs::read(&files[i]).unwrap(), bytes[i], "the same adapter gives the same file");
        let (from_peft, from_gguf) =
            (LoraWeights::read(&own, &model(&bench)), LoraWeights::read(&files[i], &model(&bench)));
        assert_eq!(from_peft.unwrap(), from_gguf.unwrap());
    }
    let all = fs::read_dir(bench.path("out")).unwrap().count();
    assert_eq!(all, 2 * names.len(), "no partial files stay");

    // One by name; an unknown name; a place that is taken; an adapter that is damaged.
    let one = ["adapters", "export", "--run", "run", "--to", "one", "--format", "peft", &names[0], "--json"];
    assert_eq!(bench.json(&one).as_array().unwrap().len(), 1);
    let words = ["adapters", "export", "--run", "run", "--to", "out", "--format", "gguf", "c99-expert-0123"];
    let error = bench.fails(2, &words);
    assert!(error.contains("no adapter c99-expert-0123") && error.contains("adapters list"), "{error}");
    fs::write(bench.path("out").join(&names[0]).join("adapter_model.safetensors"), "other").unwrap();
    let words = ["adapters", "export", "--run", "run", "--to", "out", "--format", "peft"];
    let error = bench.fails(1, &words);
    assert!(error.contains("holds something else"), "{error}");
    fs::write(bench.path("run/adapters").join(&names[0]).join("adapter_model.safetensors"), "x").unwrap();
    let error = bench.fails(1, &words);
    assert!(error.contains("damaged") && error.contains("uno learn"), "{error}");
}

fn rollback(bench: &Bench, more: &[&str]) -> Value {
    bench.json(&[&["adapters", "rollback", "--run", "run", "--json"], more].concat())
}

fn plan(bench: &Bench) -> Vec<u8> {
    fs::read(bench.path("run/plan.json")).unwrap()
}

#[test]
fn a_rollback_is_whole_and_stays_until_something_else_is_learned() {
    let server = server(0);
    let bench = prepared(&server, 16);
    let first = bench.json(&learn(&[]));
    let a = first["plan"].as_str().unwrap().to_owned();
    let plan_a = plan(&bench);
    assert_eq!(fs::read(bench.path("run/plans").join(format!("{a}.json"))).unwrap(), plan_a);
    let error = bench.fails(1, &["adapters", "rollback", "--run", "run"]);
    assert!(error.contains("no plan before") && error.contains(&a), "{error}");

    let second = bench.json(&learn(&["--set", "cluster.max_distance=9"]));
    let b = second["plan"].as_str().unwrap().to_owned();
    assert_eq!((second["stages_run"].clone(), a == b), (json!(["plan"]), false));

    // A lock on the run, as a `learn` at work holds it, does not keep an operator from going back.
    let lock = fs::File::options().write(true).open(bench.path("run/.lock")).unwrap();
    lock.lock().unwrap();
    let back = rollback(&bench, &["--why", "users complained"]);
    drop(lock);
    assert_eq!((back["plan"].as_str(), back["from"].as_str()), (Some(a.as_str()), Some(b.as_str())));
    assert_eq!(plan(&bench), plan_a);

    // The same logs give the same plan, which stays withdrawn, and `learn` says so.
    let output = bench.uno(&learn(&["--set", "cluster.max_distance=9"]));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (told["plan"].as_str(), told["held_back"].as_str()),
        (Some(a.as_str()), Some(b.as_str())),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(told["stages_run"], json!([]));
    assert!(text(&output.stderr).contains("stays in force"), "{}", text(&output.stderr));
    assert_eq!(plan(&bench), plan_a);
    bench.json(&["report", "--run", "run", "--json"]);
    assert!(fs::read_to_string(bench.path("run/report.html")).unwrap().contains("Rolled back"));

    // A plan.json that was lost comes back as it was, not as it was learned.
    fs::remove_file(bench.path("run/plan.json")).unwrap();
    bench.json(&learn(&["--set", "cluster.max_distance=9"]));
    assert_eq!(plan(&bench), plan_a);

    // Forth again by the beginning of its id; then something else is learned.
    assert_eq!(rollback(&bench, &["--to", &b[..6]])["plan"].as_str(), Some(b.as_str()));
    let third = bench.json(&learn(&["--set", "cluster.max_distance=8"]));
    let c = third["plan"].as_str().unwrap().to_owned();
    assert!(third["held_back"].is_null() && c != a && c != b, "{third}");

    let log = fs::read_to_string(bench.path("run/plans/log.jsonl")).unwrap();
    let changes: Vec<Value> = log.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let steps: Vec<Value> = changes.iter().map(|c| json!([c["by"], c["from"], c["to"]])).collect();
    let expected = [
        json!(["learn", null, a]),
        json!(["learn", a, b]),
        json!(["rollback", b, a]),
        json!(["repair", null, a]),
        json!(["rollback", a, b]),
        json!(["learn", b, c]),
    ];
    assert_eq!(steps, expected);
    assert_eq!(changes[2]["why"], "users complained");
    assert!(changes.iter().all(|c| c["time"].as_str().unwrap().ends_with('Z')), "{log}");

    let kept = rollback(&bench, &["--list"]);
    let ids: Vec<&str> = kept.as_array().unwrap().iter().map(|k| k["plan"].as_str().unwrap()).collect();
    assert_eq!(ids, [c.as_str(), &b, &a]);
    assert_eq!(kept[0]["in_force"], true);
}

#[test]
fn a_plan_that_cannot_answer_any_more_is_refused() {
    let server = server(0);
    let bench = prepared(&server, 16);
    bench.json(&learn(&[]));
    bench.json(&learn(&["--set", "cluster.max_distance=9"]));
    let now = plan(&bench);
    let error = bench.fails(2, &["adapters", "rollback", "--run", "run", "--to", "ffffff"]);
    assert!(error.contains("no plan ffffff is kept"), "{error}");

    let adapter = bench.path("run/adapters").join(&names(&bench)[0]);
    let refused = |bench: &Bench, what: &str| {
        let error = bench.fails(1, &["adapters", "rollback", "--run", "run"]);
        assert!(error.contains(what) && error.contains("missing or damaged"), "{error}");
        assert_eq!(plan(bench), now, "nothing was changed");
    };
    fs::rename(&adapter, bench.path("aside")).unwrap();
    refused(&bench, "needs adapter");
    fs::rename(bench.path("aside"), &adapter).unwrap();
    let centroids = kept_centroids(&bench.path("run/plans"));
    let whole = fs::read(&centroids).unwrap();
    fs::write(&centroids, &whole[1..]).unwrap();
    refused(&bench, "centroids");
    fs::write(&centroids, whole).unwrap();
    assert_ne!(rollback(&bench, &[])["plan"], Value::Null);
    assert_ne!(plan(&bench), now);
}

fn kept_centroids(plans: &Path) -> PathBuf {
    let mut files = fs::read_dir(plans).unwrap().map(|f| f.unwrap().path());
    files.find(|f| f.extension().is_some_and(|e| e == "safetensors")).unwrap()
}

#[test]
fn a_plan_comes_back_with_the_centroids_that_it_was_made_with() {
    let server = server(0);
    let bench = prepared(&server, 24);
    let learned = bench.json(LEARN);
    let ask = |bench: &Bench| {
        let asked = bench.json(&["ask", "--run", "run", "--json", "How do I cook rice?"]);
        (asked["cluster"].clone(), asked["distance"].clone())
    };
    let before = ask(&bench);
    let finer = bench.json(&[LEARN, &["--set", "cluster.threshold=0.6"]].concat());
    let clusters = |summary: &Value| summary["clusters"].as_array().unwrap().len();
    assert!(clusters(&finer) > clusters(&learned), "{finer}");
    assert_ne!(ask(&bench), before);
    rollback(&bench, &[]);
    assert_eq!(ask(&bench), before);
}
