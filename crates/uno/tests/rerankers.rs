//! The gap by a reranker in this process, and instructions before questions.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic is a test's report"
)]

mod support;

use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{Bench, LEARN, prepared, server, tiny_model};

/// Files of uno-models' tiny models (fixtures/qwen3/make.py there says how they were made).
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../uno-models/tests/fixtures/qwen3").join(name)
}

/// A Qwen3 that knows the self-test's pairs and nothing else.
fn trained(bench: &Bench) -> PathBuf {
    let dir = bench.path("trained");
    std::fs::create_dir_all(&dir).unwrap();
    for (from, to) in [
        ("reranker/config.json", "config.json"),
        ("reranker/model.safetensors", "model.safetensors"),
        ("tiny/tokenizer.json", "tokenizer.json"),
    ] {
        std::fs::copy(fixture(from), dir.join(to)).unwrap();
    }
    dir
}

/// A random model whose tokenizer has all that the template needs.
fn random(bench: &Bench) -> PathBuf {
    let dir = bench.path("random");
    tiny_model::write(&dir, 1);
    let path = dir.join("tokenizer.json");
    let mut tokenizer: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    // Bytes that no text holds.
    let vocabulary = tokenizer["model"]["vocab"].as_object_mut().unwrap();
    for (byte, word) in [("þ", "yes"), ("ÿ", "no")] {
        let id = vocabulary.remove(byte).unwrap();
        vocabulary.insert(word.to_owned(), id);
    }
    std::fs::write(&path, tokenizer.to_string()).unwrap();
    dir
}

fn with(setting: &str) -> Vec<&str> {
    [LEARN, &["--set", setting]].concat()
}

#[test]
fn a_model_that_fails_the_self_test_stops_the_run_before_anything_is_paid_for() {
    let server = server(0);
    let bench = prepared(&server, 8);
    let setting = format!("reranker.model={}", random(&bench).display());
    let error = bench.fails(1, &with(&setting));
    assert!(error.contains("no reranker that can be trusted"), "{error}");
    assert!(error.contains("set reranker.model to a Qwen3-Reranker"), "{error}");
    assert_eq!(server.count("/chat/completions"), 0);
}

#[test]
fn the_gap_is_measured_by_a_reranker_in_this_process() {
    let server = server(0);
    let bench = prepared(&server, 16);
    let setting = format!("reranker.model={}", trained(&bench).display());
    bench.json(&with(&setting));
    let gaps = std::fs::read_to_string(bench.path("run/gaps.jsonl")).unwrap();
    assert!(gaps.contains("\"reranker\"") && !gaps.contains("embedding_coverage"), "{gaps}");
    // The manifest knows the reranker now: a second run opens nothing and does nothing.
    let before = server.count("/chat/completions");
    bench.json(&with(&setting));
    assert_eq!(server.count("/chat/completions"), before);
}

#[test]
fn an_instruction_goes_before_questions_only() {
    let server = server(0);
    let bench = prepared(&server, 8);
    bench.json(&with("embedder.instruction=Find questions of the same kind"));
    let texts: Vec<String> = server
        .seen()
        .iter()
        .filter(|seen| seen.path.ends_with("/embeddings"))
        .flat_map(|seen| seen.body["input"].as_array().cloned().unwrap_or_default())
        .map(|text| text.as_str().unwrap().to_owned())
        .collect();
    let question = "Instruct: Find questions of the same kind\nQuery:How do I cook rice number 0?";
    assert!(texts.iter().any(|text| text == question), "{texts:?}");
    assert!(texts.iter().any(|text| !text.starts_with("Instruct: ")), "rules go as they are: {texts:?}");
    assert!(!texts.iter().any(|text| text.starts_with("How do I")), "{texts:?}");
}

#[test]
fn a_chat_model_takes_no_instruction() {
    let server = server(0);
    let bench = prepared(&server, 8);
    let error = bench.fails(2, &with("judge.instruction=Be strict"));
    assert!(error.contains("judge.instruction") && error.contains("only embedder and reranker"), "{error}");
}
