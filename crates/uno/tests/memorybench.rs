//! `uno bench memorybench` on small data of the published format.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic is a test's report"
)]

mod support;

use serde_json::{Value, json};
use support::{Bench, server, settings};

fn prepared() -> Bench {
    let bench = Bench::new();
    let norm = json!({"task": {"Short-Short": {"summary": {
        "dataset_min": {"NFCats": 1, "JRE-L": 2, "LexEval-QA": 0.0}, "dataset_max": {"NFCats": 5, "JRE-L": 8, "LexEval-QA": 0.5},
        "dataset_mu": {"NFCats": 4, "JRE-L": 7, "LexEval-QA": 0.1}, "dataset_sigma": {"NFCats": 0.5, "JRE-L": 1, "LexEval-QA": 0.2},
    }}}});
    bench.write("norm.json", norm.to_string());
    let item = |i: usize, set: &str, metrics| json!({"test_idx": i, "metrics": metrics, "dataset": set});
    let details = json!([
        item(0, "NFCats", json!({"score": 5})),
        item(1, "NFCats", json!({"score": 3})),
        item(0, "LexEval-QA", json!({"rougel": 0.25})),
        item(4, "JRE-L", json!({"Rouge-L": 0.1, "CLI": 12.5})),
    ]);
    bench.write("details.json", details.to_string());
    bench
}

const SCORE: &[&str] =
    &["bench", "memorybench", "score", "--details", "details.json", "--norm", "norm.json", "--json", "--set"];

#[test]
fn score_recomputes_a_summary() {
    let bench = prepared();
    bench.write("means.json", json!({"JRE-L": 8.0}).to_string());
    let summary = bench.json(&[SCORE, &["task/Short-Short", "--llm-means", "means.json"]].concat());
    // Min-max: NFCats 1 and 0.5, LexEval-QA 0.5, JRE-L 1.
    assert_eq!(summary["summary"]["average"], (0.75 + 0.5 + 1.0) / 3.0);
    assert_eq!(summary["summary"]["weighted_average"], 0.75);
    assert_eq!(summary["minmax_normalized_average"]["NFCats"], json!([1.5, 2, 0.75]));
    assert_eq!(summary["given"], json!(["JRE-L"]));
    assert_eq!(summary["left_out"], json!({}));
}

#[test]
fn score_says_what_is_missing_or_wrong() {
    let bench = prepared();
    let summary = bench.json(&[SCORE, &["task/Short-Short"]].concat());
    assert_eq!(summary["left_out"].as_object().unwrap().keys().collect::<Vec<_>>(), ["JRE-L"]);
    assert!(bench.fails(2, &[SCORE, &["Short-Short"]].concat()).contains("task/NAME"));
    assert!(bench.fails(1, &[SCORE, &["task/Long-Long"]].concat()).contains("Short-Short"));
    bench.write("means.json", json!({"NFCat": 8.0}).to_string());
    let error = bench.fails(1, &[SCORE, &["task/Short-Short", "--llm-means", "means.json"]].concat());
    assert!(error.contains("NFCat"), "{error}");
    bench.write("details.json", "[{\"test_idx\": 1}]");
    assert!(bench.fails(1, &[SCORE, &["task/Short-Short"]].concat()).contains("details.json"));
}

/// Data of the published format: dialogues as texts of Python, two data sets of Short-Short.
fn data(bench: &Bench) {
    let topics = ["rice", "soup", "eggs", "bread", "beans", "pasta"];
    for (set, lang, info) in [
        ("NFCats", "en", "{'category': 'REASON'}"),
        ("LexEval-QA", "zh", "{'golden_answer': '合同无效，因为违反法律。'}"),
    ] {
        std::fs::create_dir_all(bench.path("data").join(set)).unwrap();
        let row = |i: usize, topic: &str, dialog: Option<String>| json!({"test_idx": i, "dataset_name": set, "lang": lang, "input_prompt": format!("Why {topic}?"), "info": info, "dialog": dialog});
        let dialog = |topic: &str| {
            format!(
                "[{{'role': 'user', 'content': 'Why {topic}?'}}, {{'role': 'assistant', 'content': 'It is {topic}.'}}, \
                 {{'role': 'user', 'content': 'Please keep it to at most 12 words.'}}]"
            )
        };
        let lines = |rows: Vec<Value>| rows.iter().map(|r| format!("{r}\n")).collect::<String>();
        let train = topics.iter().enumerate().map(|(i, t)| row(i, t, Some(dialog(t)))).collect();
        let test = ["cake", "fish"].iter().enumerate().map(|(i, t)| row(100 + i, t, None)).collect();
        bench.write(&format!("data/{set}/train.jsonl"), lines(train));
        bench.write(&format!("data/{set}/test.jsonl"), lines(test));
    }
}

const RUN: &[&str] = &[
    "bench",
    "memorybench",
    "run",
    "task/Short-Short",
    "--data",
    "data",
    "--norm",
    "norm.json",
    "--json",
    "--max-tokens",
    "16",
];

#[test]
fn run_answers_judges_and_sums_up_and_pays_only_once() {
    let (bench, server) = (prepared(), server(0));
    settings(&bench, &server);
    data(&bench);
    for system in ["wo_memory", "bm25_dialog", "mem0"] {
        let out = format!("run-{system}");
        let words = [RUN, &["--system", system, "--out", &out]].concat();
        let steps = bench.json(&words);
        assert_eq!((steps[0]["items"].as_u64(), steps[0]["logs"].as_u64()), (Some(4), Some(12)));
        let details = std::fs::read_to_string(bench.path(&out).join("evaluate_details.json")).unwrap();
        let details: Vec<Value> = serde_json::from_str(&details).unwrap();
        assert_eq!(details.len(), 4);
        // The summary is the one that `score` gives for these very files.
        let file = format!("{out}/evaluate_details.json");
        let scored = bench.json(&[
            "bench",
            "memorybench",
            "score",
            "--set",
            "task/Short-Short",
            "--details",
            &file,
            "--norm",
            "norm.json",
            "--json",
        ]);
        assert_eq!(scored, steps[0]["summary"]);
        let sent = server.count("/chat/completions");
        let again = bench.json(&words);
        assert_eq!(
            (&again[0]["summary"], &again[0]["answered"]),
            (&steps[0]["summary"], &steps[0]["answered"])
        );
        assert_eq!(server.count("/chat/completions"), sent, "{system} paid twice");
    }
}

#[test]
fn stepwise_tests_before_and_after_every_batch() {
    let (bench, server) = (prepared(), server(0));
    settings(&bench, &server);
    data(&bench);
    let steps =
        bench.json(&[RUN, &["--system", "embedder_message", "--stepwise", "--batch-size", "5"]].concat());
    let names: Vec<&str> = steps.as_array().unwrap().iter().map(|s| s["step"].as_str().unwrap()).collect();
    assert_eq!(names, ["begin", "000-005", "005-010", "010-012"]);
    let tokens = |i: usize| steps[i]["answered"]["prompt"].as_u64().unwrap();
    assert!(tokens(0) < tokens(1), "what was retrieved stands in the prompt");
    for name in names {
        assert!(bench.path("run-memorybench").join(name).join("summary.json").exists(), "{name}");
    }
}

#[test]
fn run_refuses_what_it_cannot_do() {
    let (bench, server) = (prepared(), server(0));
    settings(&bench, &server);
    assert!(bench.fails(2, &[RUN, &["--system", "mem7"]].concat()).contains("wo_memory"));
    std::fs::create_dir_all(bench.path("data")).unwrap();
    let error = bench.fails(1, RUN);
    assert!(error.contains("NFCats") && error.contains("train.jsonl"), "{error}");
}
