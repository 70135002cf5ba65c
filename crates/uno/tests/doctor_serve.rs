//! `uno doctor --serve`: what would keep the gateway from serving well, and what to do about it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is a test's report")]

mod support;

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use support::{Bench, prepared, settings, text};
use uno_mock::{MockConfig, MockServer};

fn server(max_loras: usize) -> MockServer {
    MockServer::start(MockConfig { dimensions: 16, max_loras, ..MockConfig::default() }).unwrap()
}

/// All findings, whatever the exit status.
fn findings(bench: &Bench, more: &[&str]) -> Vec<Value> {
    let words = [&["doctor", "--run", "run", "--serve", "--json"], more].concat();
    let output = bench.uno(&words);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&output.stderr)))
}

/// State, words and advice of the only finding whose check begins so.
fn of<'a>(findings: &'a [Value], check: &str) -> (&'a str, &'a str, &'a str) {
    let mut all = findings.iter().filter(|f| f["check"].as_str().unwrap().starts_with(check));
    let found = all.next().unwrap_or_else(|| panic!("no `{check}` in {findings:#?}"));
    assert!(all.next().is_none(), "`{check}` twice");
    let word = |key: &str| found[key].as_str().unwrap_or_default();
    (word("state"), word("found"), word("advice"))
}

fn every_line_that_complains_says_what_to_do(findings: &[Value]) {
    for finding in findings.iter().filter(|f| f["state"] != "ok") {
        assert!(!finding["advice"].as_str().unwrap_or_default().is_empty(), "{finding}");
    }
}

#[test]
fn a_gateway_that_can_serve_is_told_so() {
    let (server, bench) = (server(8), Bench::new());
    settings(&bench, &server);
    let all = findings(&bench, &["--set", "serve.listen=127.0.0.1:0"]);
    every_line_that_complains_says_what_to_do(&all);
    for check in ["adapters on", "serve.listen", "run directory", "log store", "admin plane"] {
        assert_eq!(of(&all, check).0, "ok", "{check}: {all:#?}");
    }
    assert!(of(&all, "adapters on").1.contains("8 (remote.max_loras; the server does not say)"));
    let (state, found, _) = of(&all, "plan");
    assert!(state == "warning" && found.contains("base model"), "{found}");
    assert!(!bench.path("run").exists(), "nothing was made");
}

#[test]
fn what_is_wrong_is_found_with_what_to_do() {
    let (server, bench) = (server(8), Bench::new());
    settings(&bench, &server);
    std::fs::create_dir_all(bench.path("run")).unwrap();
    let learned = bench.uno(&["keys", "add", "app", "--file", "keys.jsonl"]);
    assert!(learned.status.success());
    std::fs::set_permissions(bench.path("keys.jsonl"), std::fs::Permissions::from_mode(0o666)).unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("serve.listen={}", taken.local_addr().unwrap());
    let all = findings(
        &bench,
        &[
            "--set",
            &listen,
            "--set",
            "serve.admin_listen=0.0.0.0:0",
            "--set",
            "serve.keys=keys.jsonl",
            "--set",
            "serve.log.store=nowhere/live.db",
            "--set",
            "serve.upstreams=[\"http://127.0.0.1:9/v1\"]",
            "--set",
            "serve.rollout.judge_share=0.1",
            "--set",
            "serve.log.text=false",
            "--set",
            "serve.limits.connections=100000000",
        ],
    );
    every_line_that_complains_says_what_to_do(&all);
    let expected = [
        ("serve.listen", "warning", "somebody listens", "another port"),
        ("keys keys.jsonl", "problem", "others may write", "chmod 600"),
        ("admin plane", "warning", "no key has the scope admin", "--scope admin"),
        ("log store", "problem", "no directory", "serve.log.store"),
        ("server http://127.0.0.1:9", "problem", "127.0.0.1:9", "serve.upstreams"),
        ("adapters on http://127.0.0.1:9", "problem", "127.0.0.1:9", "start the server"),
        ("serve.rollout.judge_share", "warning", "not logged", "serve.log.text"),
        ("open files", "warning", "connections take up to", "ulimit -n"),
    ];
    for (check, state, found, advice) in expected {
        let is = of(&all, check);
        assert!(is.0 == state && is.1.contains(found) && is.2.contains(advice), "{check}: {is:?}");
    }
    let open =
        findings(&bench, &["--set", "serve.listen=0.0.0.0:0", "--set", "serve.admin_listen=0.0.0.0:0"]);
    assert_eq!((of(&open, "access").0, of(&open, "admin plane").0), ("warning", "problem"));
    let error =
        bench.fails(1, &["doctor", "--run", "run", "--serve", "--set", "serve.admin_listen=0.0.0.0:0"]);
    assert!(error.contains("problem(s)"), "{error}");
    bench.fails(2, &["doctor", "--serve"]);
}

#[test]
fn adapters_and_their_places_are_looked_at() {
    let server = support::server(0);
    let bench = prepared(&server, 16);
    bench.json(&support::learn_embedded(&[]));
    let url = format!("target.url={}", server.base_url());
    let remote = ["--set", &url, "--set", "target.model=mock-model"];
    let all = findings(&bench, &remote);
    assert_eq!((of(&all, "plan").0, of(&all, "adapters on").0), ("ok", "ok"), "{all:#?}");
    let few = findings(&bench, &[&remote[..], &["--set", "remote.max_loras=1"]].concat());
    let places: Vec<&Value> =
        few.iter().filter(|f| f["advice"].as_str().unwrap_or("").contains("--max-loras")).collect();
    assert_eq!(places.len(), 1, "{few:#?}");
    let plan: Value = serde_json::from_slice(&std::fs::read(bench.path("run/plan.json")).unwrap()).unwrap();
    let adapter =
        plan["clusters"].as_array().unwrap().iter().find_map(|c| c["adapter"]["name"].as_str()).unwrap();
    std::fs::remove_file(bench.path(&format!("run/adapters/{adapter}/adapter_model.safetensors"))).unwrap();
    let broken = findings(&bench, &remote);
    let (state, found, _) = of(&broken, &format!("adapter {adapter}"));
    assert!(state == "problem" && found.contains(adapter), "{found}");
    std::fs::write(bench.path("run/plan.json"), "{").unwrap();
    let torn = findings(&bench, &remote);
    assert!(of(&torn, "plan").0 == "problem" && of(&torn, "plan").2.contains("rollback"));
}
