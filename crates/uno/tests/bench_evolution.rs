//! `uno bench evolution` against the mock server: all steps, resumed, and with wrong arguments.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic is a test's report"
)]

mod support;

use support::{Bench, server, settings};

#[test]
fn every_step_is_tested_on_the_same_questions_and_kept() {
    let (bench, server) = (Bench::new(), server(0));
    settings(&bench, &server);
    for system in ["bm25_message", "uno_single"] {
        let words = [
            "bench",
            "evolution",
            "--quick",
            "--first",
            "4",
            "--per-step",
            "4",
            "--system",
            system,
            "--run",
            system,
            "--json",
        ];
        let told = bench.json(&words);
        let steps = told["steps"].as_array().unwrap();
        let events: Vec<&str> = steps.iter().map(|s| s["event"].as_str().unwrap()).collect();
        assert_eq!(events, ["", "finance appears", "", "new rule in cooking", "", "50 % noise"]);
        let logs: Vec<u64> = steps.iter().map(|s| s["logs"].as_u64().unwrap()).collect();
        // Two domains of four conversations, from the second step on three.
        assert_eq!(logs, [8, 20, 32, 44, 56, 68]);
        let asked: Vec<u64> = steps.iter().map(|s| s["score"]["obedience"]["n"].as_u64().unwrap()).collect();
        assert_eq!(asked, [12, 18, 18, 18, 18, 18]);
        assert!(bench.path(system).join("evolution.svg").exists());
        let sent = server.count("/chat/completions");
        assert_eq!(bench.json(&words)["steps"], told["steps"]);
        assert_eq!(server.count("/chat/completions"), sent, "{system} paid twice");
    }
}

#[test]
fn wrong_arguments_are_named() {
    let bench = Bench::new();
    for (words, part) in [
        (["--domains", "cooking,moon"], "moon"),
        (["--steps", "3"], "six"),
        (["--per-step", "40"], "topics"),
        (["--system", "brain"], "brain"),
    ] {
        let error = bench.fails(2, &[&["bench", "evolution"], &words[..]].concat());
        assert!(error.contains(part), "{words:?}: {error}");
    }
}
