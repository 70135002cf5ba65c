//! `uno learn` against a server: the whole pipeline, its freshness, its budget, and kill -9 at random moments.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic is a test's report"
)]

mod support;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use support::{LEARN, artefacts, prepared, server};
use uno_mock::MockServer;

#[test]
fn learns_from_start_to_end_and_a_second_time_does_nothing() {
    let server = server(0);
    let bench = prepared(&server, 24);
    let summary = bench.json(LEARN);
    assert_eq!(
        (summary["records"].as_u64(), summary["clusters"].as_array().unwrap().len()),
        (Some(24), 2),
        "{summary}"
    );
    assert!(summary["pairs"].as_u64().unwrap() >= 20, "{summary}");
    let (kept, by_program) = (&summary["rules"]["kept"], &summary["rules"]["by_program"]);
    assert!(by_program.as_u64() >= Some(24) && by_program.as_u64() <= kept.as_u64(), "{summary}");
    for file in [
        "run.json",
        "records.jsonl",
        "rules.jsonl",
        "candidates.jsonl",
        "pairs.jsonl",
        "clusters.json",
        "gaps.jsonl",
        "verdicts.jsonl",
        "plan.json",
        "centroids.safetensors",
        "report.html",
        "training/modules-1.jsonl",
    ] {
        assert!(bench.path("run").join(file).is_file(), "{file} is missing");
    }
    let asked = server.seen().len();
    let started = Instant::now();
    let again = bench.json(LEARN);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(again["stages_run"], serde_json::json!([]));
    assert_eq!(server.seen().len(), asked, "nothing is asked again");
    assert_eq!(server.adapters(), Vec::<String>::new(), "adapters are unloaded when done");

    // Another threshold: clusters and what follows run again, rules and pairs do not.
    let changed = bench.json(&[LEARN, &["--set", "cluster.threshold=2.1"]].concat());
    let ran: Vec<&str> =
        changed["stages_run"].as_array().unwrap().iter().filter_map(|s| s.as_str()).collect();
    assert!(ran.contains(&"cluster") && !ran.contains(&"distil") && !ran.contains(&"pairs"), "{ran:?}");
}

#[test]
fn the_same_input_gives_the_same_artefacts() {
    let server = server(0);
    let (a, b) = (prepared(&server, 24), prepared(&server, 24));
    a.json(LEARN);
    b.json(LEARN);
    same(&artefacts(&a.path("run")), &artefacts(&b.path("run")));
}

#[test]
fn a_budget_stops_cleanly_and_more_budget_goes_on() {
    let server = server(0);
    let bench = prepared(&server, 24);
    let error = bench.fails(1, &[LEARN, &["--budget-tokens", "500"]].concat());
    assert!(error.contains("budget of 500 tokens") && error.contains("--budget-tokens"), "{error}");
    bench.json(LEARN);
    pays_once(&server, 0);
}

/// Requests in flight at once: what a blow may cost.
const CONCURRENCY: usize = 1;

/// Kills `learn` at ten moments and more, spread over all its stages, then lets it finish.
#[cfg(unix)]
#[test]
fn killed_at_random_moments_it_ends_with_the_same_artefacts_and_pays_once() {
    let one_at_a_time = format!("remote.concurrency={CONCURRENCY}");
    let words = [LEARN, &["--set", &one_at_a_time]].concat();
    let whole_server = server(5);
    let whole = prepared(&whole_server, 40);
    let started = Instant::now();
    whole.json(&words);
    let whole_time = started.elapsed();

    let server = server(5);
    let bench = prepared(&server, 40);
    let mut kills = 0;
    // A fixed sequence that looks random: moments of 3 % to 40 % of a whole run after each start.
    let mut state = 12_345_u64;
    while kills < 14 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let share = 0.03 + 0.37 * ((state >> 33) as f64 / f64::from(1u32 << 31));
        let mut child = bench
            .command(&words)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole_time.mul_f64(share));
        if child.try_wait().unwrap().is_some_and(|status| status.success()) {
            // It was done before the blow: begin the last stages anew.
            std::fs::remove_file(bench.path("run").join("plan.json")).unwrap();
            std::fs::remove_dir_all(bench.path("run").join("plans")).unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    bench.json(&words);
    same(&artefacts(&whole.path("run")), &artefacts(&bench.path("run")));
    pays_once(&server, kills * CONCURRENCY);
}

/// No finished generation is asked for twice. The ones that were in flight when a blow fell may be: at most `in_flight` in
/// all.
fn pays_once(server: &MockServer, in_flight: usize) {
    let mut asked: HashMap<String, usize> = HashMap::new();
    for seen in server.seen().into_iter().filter(|s| s.path.ends_with("/chat/completions")) {
        *asked.entry(seen.body.to_string()).or_default() += 1;
    }
    let again: usize = asked.values().map(|n| n - 1).sum();
    assert!(again <= in_flight, "{again} requests were sent again, of {}", asked.len());
    assert!(asked.len() > 5 * in_flight, "too few requests ({}) to prove anything", asked.len());
}

fn same(a: &[(String, Vec<u8>)], b: &[(String, Vec<u8>)]) {
    let names = |all: &[(String, Vec<u8>)]| all.iter().map(|(n, _)| n.clone()).collect::<Vec<_>>();
    assert_eq!(names(a), names(b));
    for ((name, a), (_, b)) in a.iter().zip(b) {
        assert!(
            a == b,
            "{name} differs:\n{}\n{}",
            support::text(&a[..a.len().min(2000)]),
            support::text(&b[..b.len().min(2000)])
        );
    }
}

#[test]
fn two_processes_do_not_share_a_run() {
    let server = server(50);
    let bench = prepared(&server, 24);
    let mut first = bench.command(LEARN).stdout(std::process::Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    while !bench.path("run").join("run.json").exists() && started.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let error = bench.fails(1, LEARN);
    assert!(error.contains("in use by another uno process"), "{error}");
    first.kill().unwrap();
    first.wait().unwrap();
}

#[test]
fn logs_without_any_feedback_end_with_advice() {
    let server = server(0);
    let bench = prepared(&server, 24);
    let line = r#"{"messages":[{"role":"user","content":"Hi?"},{"role":"assistant","content":"Yes."}]}"#;
    bench.write("chats.jsonl", format!("{line}\n"));
    let error = bench.fails(1, LEARN);
    assert!(error.contains("no record has rules"), "{error}");
}
