//! `ask`, `report`, `adapters` and `doctor` on runs that are and are not there.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic is a test's report"
)]

mod support;

use support::{Bench, LEARN, logs, prepared, server};

#[test]
fn a_finished_run_can_be_asked_reported_and_checked() {
    let server = server(0);
    let bench = prepared(&server, 24);
    bench.json(LEARN);
    for path in ["auto", "base", "expert", "critic"] {
        let told = bench.json(&["ask", "--run", "run", "--path", path, "--json", "How do I cook rice?"]);
        for key in ["answer", "cluster", "distance", "path", "adapter", "milliseconds"] {
            assert!(told.get(key).is_some(), "{key}: {told}");
        }
        // A cluster without a module of the wanted kind is answered by the base model.
        assert!(path == "auto" || told["path"] == path || told["path"] == "base", "{path}: {told}");
    }
    std::fs::remove_file(bench.path("run").join("report.html")).unwrap();
    bench.json(&["report", "--run", "run", "--json"]);
    let html = std::fs::read_to_string(bench.path("run").join("report.html")).unwrap();
    assert!(
        html.contains("<svg") && !html.contains("<script") && !html.contains("http://www"),
        "self-contained"
    );
    bench.json(&["adapters", "list", "--run", "run", "--json"]);
    bench.json(&["adapters", "verify", "--run", "run", "--json"]);
    let findings = bench.json(&["doctor", "--run", "run", "--json"]);
    assert!(findings.as_array().unwrap().iter().all(|f| f["state"] != "problem"), "{findings}");
    let error = bench.fails(2, &["ask", "--run", "run", " "]);
    assert!(error.contains("empty"), "{error}");
}

#[test]
fn what_is_no_run_is_named_with_what_to_do() {
    let bench = Bench::new();
    for words in
        [&["ask", "--run", "no", "q"][..], &["report", "--run", "no"], &["adapters", "list", "--run", "no"]]
    {
        let error = bench.fails(1, words);
        assert!(error.contains("holds no run") && error.contains("uno learn"), "{error}");
    }
    bench.write("thesis.tex", "x");
    bench.write("chats.jsonl", logs(4));
    let error = bench.fails(1, &["learn", "--logs", "chats.jsonl", "--run", "."]);
    assert!(error.contains("not a run directory"), "{error}");
}

#[test]
fn doctor_names_what_is_missing() {
    let bench = Bench::new();
    let output = bench.uno(&["doctor", "--set", "target.model=no/such/model"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(support::text(&output.stdout).contains("PROBLEM"), "{}", support::text(&output.stdout));
}
