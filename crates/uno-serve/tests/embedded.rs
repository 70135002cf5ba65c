//! The embedded engine behind the API: joined late, streamed by token, left early, and bounded.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is a test's report")]

mod support;
#[path = "../../uno-models/tests/common/tiny.rs"]
mod tiny;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::StreamExt;
use futures::future::join_all;
use reqwest::{Client, Response};
use serde_json::{Value, json};
use support::{Running, header, http, wait};
use uno_models::{EmbeddedChat, EmbeddedOptions};
use uno_serve::embedded::{self, Embedded};
use uno_types::AdapterRef;

/// The tiny model behind the API, with two adapters.
struct Engine {
    embedded: Embedded,
    adapters: Vec<AdapterRef>,
    client: Client,
    _dir: tempfile::TempDir,
}

impl Engine {
    async fn start(max_batch: usize, queue: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        tiny::write(&dir.path().join("tiny"));
        let adapters = vec![tiny::adapter(dir.path(), 16), tiny::adapter(dir.path(), 64)];
        let options = EmbeddedOptions { max_batch, ..EmbeddedOptions::default() };
        let model = Arc::new(EmbeddedChat::open(&dir.path().join("tiny"), options).unwrap());
        let known = adapters.clone();
        let find = move |name: &str| known.iter().find(|a| a.name == name).cloned();
        let embedded = embedded::start(model, "tiny", queue, Arc::new(find)).await.unwrap();
        Self { embedded, adapters, client: http(), _dir: dir }
    }

    async fn post(&self, path: &str, body: &Value) -> Response {
        let url = format!("http://{}/v1{path}", self.embedded.address);
        self.client.post(url).json(body).send().await.unwrap()
    }

    async fn chat(&self, body: &Value) -> Response {
        self.post("/chat/completions", body).await
    }

    fn now(&self, of: &AtomicU64) -> u64 {
        of.load(Ordering::Relaxed)
    }
}

fn body(model: &str, question: &str, tokens: usize) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": question}], "max_tokens": tokens, "temperature": 0})
}

fn with(mut body: Value, more: &Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

async fn text(response: Response) -> (String, Value) {
    assert_eq!(response.status(), 200);
    let answer: Value = response.json().await.unwrap();
    (answer["choices"][0]["message"]["content"].as_str().unwrap().to_owned(), answer)
}

/// The events of a stream; the last one must be `[DONE]`.
fn events(stream: &str) -> Vec<Value> {
    let (events, end) = stream.split_at(stream.len() - "data: [DONE]\n\n".len());
    assert_eq!(end, "data: [DONE]\n\n");
    events
        .split_terminator("\n\n")
        .map(|e| serde_json::from_str(e.strip_prefix("data: ").unwrap()).unwrap())
        .collect()
}

fn joined(events: &[Value]) -> String {
    events.iter().filter_map(|e| e["choices"][0]["delta"]["content"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn mixed_adapters_at_once_give_the_texts_that_each_gives_alone() {
    let engine = Engine::start(8, 64).await;
    let names = ["tiny", &engine.adapters[0].name, &engine.adapters[1].name];
    let bodies: Vec<Value> =
        (0..24).map(|i| body(names[i % 3], &format!("question {}", i / 3), 40)).collect();
    let mut alone = Vec::new();
    for body in &bodies {
        alone.push(text(engine.chat(body).await).await.0);
    }
    assert!(alone[0] != alone[1] && alone[1] != alone[2] && alone[0] != alone[2], "{alone:?}");
    let together = join_all(bodies.iter().map(|body| async { text(engine.chat(body).await).await.0 })).await;
    assert_eq!(together, alone);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_request_is_answered_before_early_long_ones_end() {
    let engine = Engine::start(16, 64).await;
    let long = with(body("tiny", "a story", 440), &json!({"stream": true, "temperature": 1.5}));
    let mut early = Vec::new();
    for seed in 0..12 {
        early.push(engine.chat(&with(long.clone(), &json!({"seed": seed}))).await.bytes_stream());
    }
    for stream in &mut early {
        assert!(stream.next().await.unwrap().unwrap().starts_with(b"data: "), "its first words are there");
    }
    let late = text(engine.chat(&body("tiny", "hi", 2)).await).await.1;
    assert!(late["usage"]["completion_tokens"].as_u64().unwrap() <= 2);
    assert!(engine.now(&engine.embedded.stats.rows) >= 1, "the early ones are still at it");
    for stream in early {
        let rest: Vec<u8> = stream.map(|piece| piece.unwrap().to_vec()).concat().await;
        assert!(rest.ends_with(b"data: [DONE]\n\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_says_piece_by_piece_what_the_whole_answer_says() {
    let engine = Engine::start(8, 64).await;
    for seed in 0..8 {
        // Random bytes: characters in several tokens, and bytes that are none.
        let plain = with(body("tiny", "say", 120), &json!({"seed": seed, "temperature": 1.2}));
        let (whole, answer) = text(engine.chat(&plain).await).await;
        let stop: String = whole.chars().skip(whole.chars().count() / 2).take(2).collect();
        for more in [json!({}), json!({"stop": stop})] {
            let asked = with(plain.clone(), &more);
            let (whole, answer_too) = text(engine.chat(&asked).await).await;
            let streamed = with(asked, &json!({"stream": true, "stream_options": {"include_usage": true}}));
            let response = engine.chat(&streamed).await;
            assert_eq!(header(&response, "content-type"), "text/event-stream");
            let events = events(&response.text().await.unwrap());
            assert_eq!(joined(&events), whole);
            assert!(events.len() > 4, "{events:?}");
            let (last, before) = (&events[events.len() - 1], &events[events.len() - 2]);
            assert_eq!(last["usage"], answer_too["usage"]);
            assert_eq!(before["choices"][0]["finish_reason"], answer_too["choices"][0]["finish_reason"]);
            if more["stop"].is_string() {
                assert!(!whole.contains(&stop) && answer_too["choices"][0]["finish_reason"] == "stop");
                assert!(
                    answer_too["usage"]["completion_tokens"].as_u64()
                        <= answer["usage"]["completion_tokens"].as_u64()
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_frees_the_row_and_who_finds_no_place_is_told_when_to_come_back() {
    let engine = Engine::start(1, 1).await;
    let stats = Arc::clone(&engine.embedded.stats);
    let endless = with(body("tiny", "a story", 480), &json!({"stream": true, "temperature": 1.5, "seed": 1}));
    // Until one of them is in the batch, one waits, and one is refused: the row may be through in the meantime.
    let refused = loop {
        let (mut first, second) = (engine.chat(&endless).await.bytes_stream(), engine.chat(&endless));
        let _ = first.next().await;
        let (second, third) = futures::join!(second, engine.chat(&endless));
        drop(first);
        if let Some(refused) = [second, third].into_iter().find(|r| r.status() == 429) {
            break refused;
        }
    };
    assert!(header(&refused, "retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(refused.json::<Value>().await.unwrap()["error"]["type"], "rate_limit_error");
    let left = engine.now(&stats.left);
    let mut stream = engine.chat(&endless).await.bytes_stream();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    wait(|| engine.now(&stats.rows) == 0);
    assert!(engine.now(&stats.left) > left, "it was let go before its end");
    assert!(engine.chat(&body("tiny", "hi", 2)).await.status().is_success(), "and the next one is served");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_cannot_do_is_refused_and_plain_completions_work() {
    let engine = Engine::start(4, 8).await;
    for (wrong, status) in [
        (json!({"model": "nobody"}), 404),
        (json!({"n": 2}), 400),
        (json!({"messages": [{"role": "user", "content": "x".repeat(600)}]}), 400),
        (json!({"temperature": -1}), 400),
        (
            json!({"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "sculpture"}}}}),
            400,
        ),
    ] {
        let response = engine.chat(&with(body("tiny", "q", 5), &wrong)).await;
        assert_eq!(response.status(), status, "{wrong}");
        assert!(response.json::<Value>().await.unwrap()["error"]["message"].is_string());
    }
    let prompt = json!({"model": "tiny", "prompt": "once upon", "max_tokens": 6, "temperature": 0});
    let answer: Value = engine.post("/completions", &prompt).await.json().await.unwrap();
    assert_eq!(
        (&answer["object"], &answer["usage"]["prompt_tokens"]),
        (&json!("text_completion"), &json!(9))
    );
    let stream =
        engine.post("/completions", &with(prompt, &json!({"stream": true}))).await.text().await.unwrap();
    let pieces: String = events(&stream).iter().filter_map(|e| e["choices"][0]["text"].as_str()).collect();
    assert_eq!(pieces, answer["choices"][0]["text"]);
    assert_eq!(engine.post("/embeddings", &json!({})).await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_before_it_lets_tokens_through_one_by_one_and_passes_on_that_a_client_left() {
    let engine = Engine::start(4, 8).await;
    let url = format!("http://{}/v1", engine.embedded.address);
    let gateway =
        tokio::task::spawn_blocking(move || Running::start_at(vec![url], false, |_| {})).await.unwrap();
    let asked = with(body("tiny", "a story", 300), &json!({"stream": true, "temperature": 1.5, "seed": 3}));
    let mut stream = gateway.post("/v1/chat/completions", &asked).await.bytes_stream();
    let mut pieces = Vec::new();
    while let Some(piece) = stream.next().await {
        pieces.push(piece.unwrap());
    }
    assert!(pieces.len() > 20, "{} pieces", pieces.len());
    assert!(events(std::str::from_utf8(&pieces.concat()).unwrap()).len() > 100);
    let left = engine.now(&engine.embedded.stats.left);
    let mut stream = gateway.post("/v1/chat/completions", &asked).await.bytes_stream();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    wait(|| engine.now(&engine.embedded.stats.left) > left);
    let rows = tokio::task::spawn_blocking(move || gateway.stop()).await.unwrap();
    assert_eq!(rows.iter().map(|r| r.outcome.as_str()).collect::<Vec<_>>(), ["ok", "abandoned"]);
}
