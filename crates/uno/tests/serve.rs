//! `uno serve` as a process: before a mock server, routed by a learned plan, killed, and read back.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic is a test's report"
)]

mod support;

use serde_json::{Value, json};
use support::gateway::{Gateway, header};
use support::{Bench, LEARN, prepared, server};

#[tokio::test(flavor = "multi_thread")]
async fn a_learned_plan_is_served_and_its_log_can_be_learned_from() {
    let server = server(0);
    let bench = prepared(&server, 16);
    bench.json(LEARN);
    let plan: Value = serde_json::from_slice(&std::fs::read(bench.path("run/plan.json")).unwrap()).unwrap();
    let mut gateway = Gateway::start(&bench, &[]);
    let answer = gateway.ask("How do I cook rice number 0?").await;
    assert_eq!(answer.status(), 200);
    assert!(!header(&answer, "x-uno-plan").is_empty(), "{answer:?}");
    let cluster: usize = header(&answer, "x-uno-cluster").parse().unwrap();
    assert!(cluster < plan["clusters"].as_array().unwrap().len());
    let decision = header(&answer, "x-uno-decision");
    let feedback = json!({"decision": decision, "comment": "Please give me the steps as a numbered list."});
    let given = gateway.client.post(gateway.url("/v1/feedback")).json(&feedback).send().await.unwrap();
    assert_eq!(given.status(), 200);
    gateway.signal("-TERM");
    assert!(gateway.child.wait().unwrap().success(), "a stop in good order");

    let read = bench.json(&["ingest", "--from", "store", "run/live.db", "--out", "more.jsonl", "--json"]);
    assert_eq!((&read["kept"], &read["with_feedback"]), (&json!(1), &json!(1)), "{read}");
    let record = std::fs::read_to_string(bench.path("more.jsonl")).unwrap();
    assert!(record.contains("numbered list") && record.contains("How do I cook rice"), "{record}");
    let error = bench.fails(2, &["ingest", "--from", "store", "nothing.db", "--out", "x.jsonl"]);
    assert!(error.contains("no such log store"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_engine_answers_along_every_path() {
    let server = server(0);
    let bench = prepared(&server, 16);
    bench.json(&support::learn_embedded(&[]));
    let plan: Value = serde_json::from_slice(&std::fs::read(bench.path("run/plan.json")).unwrap()).unwrap();
    let critics = plan["clusters"].as_array().unwrap().iter().filter(|c| c["path"] == "critic").count();
    assert!(critics > 0, "the published policy uses critics: {plan}");
    let gateway = Gateway::start(&bench, &["--set", "target.url=", "--set", "target.model=tiny"]);
    let answer = gateway.ask("How do I cook rice number 0?").await;
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    let path = header(&answer, "x-uno-path");
    let answer: Value = answer.json().await.unwrap();
    assert!(answer["usage"]["completion_tokens"].as_u64().unwrap() > 0, "{path}: {answer}");
    // Many at once, streamed: each whole.
    let all = (0..12).map(|i| {
        let body = json!({"model": "uno", "messages": [{"role": "user", "content": format!("How do I visit Rome number {i}?")}],
                          "max_tokens": 8, "stream": true});
        gateway.client.post(gateway.url("/v1/chat/completions")).json(&body).send()
    });
    for answer in futures::future::join_all(all).await {
        let answer = answer.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.text().await.unwrap().ends_with("data: [DONE]\n\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_feedback_survives_kill_9() {
    let server = server(0);
    let bench = Bench::new();
    let target = format!("target.url={}", server.base_url());
    let embedder = format!("embedder.url={}", server.base_url());
    let words = [
        "--set",
        &target,
        "--set",
        "target.model=mock-model",
        "--set",
        &embedder,
        "--set",
        "embedder.model=mock-model",
    ];
    let mut acknowledged = Vec::new();
    for _ in 0..5 {
        let started = std::time::Instant::now();
        let gateway = Gateway::start(&bench, &words);
        loop {
            let ready = gateway.client.get(gateway.url("/ready")).send().await;
            if ready.is_ok_and(|r| r.status() == 200) {
                break;
            }
        }
        eprintln!("ready after {:?}", started.elapsed());
        let answer = gateway.ask("anything").await;
        let decision = header(&answer, "x-uno-decision");
        // Many at once, killed in their midst.
        let sending = (0..40).map(|i| {
            let body = json!({"decision": decision, "author": format!("a{i}"), "thumbs": "up"});
            let request = gateway.client.post(gateway.url("/v1/feedback")).json(&body);
            async move { (i, request.send().await.is_ok_and(|r| r.status() == 200)) }
        });
        let mut sending: futures::stream::FuturesUnordered<_> = sending.collect();
        let mut n = 0;
        while let Some((i, ok)) = futures::StreamExt::next(&mut sending).await {
            if ok {
                acknowledged.push((decision.clone(), format!("a{i}")));
            }
            n += 1;
            if n == 15 {
                gateway.signal("-KILL");
            }
        }
    }
    assert!(acknowledged.len() >= 5 * 14, "{}", acknowledged.len());
    // The next start reads what is left; nothing is half.
    drop(Gateway::start(&bench, &words));
    let mut store = uno_store::live::open(&bench.path("run/live.db").display().to_string()).unwrap();
    let kept: Vec<(String, String)> =
        store.feedback().unwrap().into_iter().map(|f| (f.decision, f.author)).collect();
    let lost: Vec<_> = acknowledged.iter().filter(|a| !kept.contains(a)).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn evolution_steps_begin_by_themselves() {
    let server = server(0);
    let bench = Bench::new();
    let target = format!("target.url={}", server.base_url());
    let words = [
        "--evolve",
        "--set",
        &target,
        "--set",
        "target.model=mock-model",
        "--set",
        "serve.evolve.min_evidence=1",
    ];
    let gateway = Gateway::start(&bench, &words);
    let decision = header(&gateway.ask("anything").await, "x-uno-decision");
    let feedback = json!({"decision": decision, "comment": "as a list please"});
    gateway.client.post(gateway.url("/v1/feedback")).json(&feedback).send().await.unwrap();
    let log = bench.path("run/evolve/log");
    let started = std::time::Instant::now();
    while !std::fs::read_to_string(&log).is_ok_and(|log| log.contains("evolve") || log.lines().count() > 1) {
        assert!(started.elapsed() < std::time::Duration::from_secs(60), "no step was taken");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let records = std::fs::read_to_string(bench.path("run/evolve/records.jsonl")).unwrap();
    assert!(records.contains("as a list please"), "{records}");
    assert_eq!(gateway.ask("still there?").await.status(), 200);
}

#[test]
fn wrong_settings_are_named() {
    let bench = Bench::new();
    let error = bench.fails(1, &["serve", "--run", "run", "--set", "target.model=no-such-model"]);
    assert!(error.contains("no-such-model"), "{error}");
    let error = bench.fails(2, &["serve", "--run", "run", "--set", "serve.lisen=x"]);
    assert!(error.contains("did you mean `serve.listen`"), "{error}");
    let target = ["serve", "--run", "run", "--set", "target.url=http://127.0.0.1:9/v1"];
    let error = bench.fails(1, &[&target[..], &["--listen", "256.0.0.1:1"]].concat());
    assert!(error.contains("cannot listen on 256.0.0.1:1"), "{error}");
}

#[test]
fn keys_are_shown_once_and_kept_as_hashes() {
    let bench = Bench::new();
    let made =
        bench.json(&["keys", "add", "app", "--file", "keys.jsonl", "--requests-per-minute", "60", "--json"]);
    let key = made["key"].as_str().unwrap();
    let file = std::fs::read_to_string(bench.path("keys.jsonl")).unwrap();
    assert!(key.starts_with("uno-") && !file.contains(key) && file.contains("\"app\""), "{file}");
    assert!(bench.fails(2, &["keys", "add", "app", "--file", "keys.jsonl"]).contains("already"));
    assert_eq!(
        bench.json(&["keys", "list", "--file", "keys.jsonl", "--json"])[0]["scopes"],
        json!(["chat", "feedback"])
    );
    assert_eq!(bench.json(&["keys", "remove", "app", "--file", "keys.jsonl", "--json"]), json!(0));
    assert!(bench.fails(2, &["keys", "remove", "app", "--file", "keys.jsonl"]).contains("no key"));
}
