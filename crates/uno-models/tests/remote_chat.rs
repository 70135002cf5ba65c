//! Chat against the mock server: what arrives, how it is asked, and each way a server can fail.

mod support;

use std::time::{Duration, Instant};

use serde_json::json;
use support::{chat, config, generate, message, one, request, server};
use uno_mock::{Fault, MockConfig, MockServer, Refusal};
use uno_models::remote::{ApiKey, RemoteChat, RemoteError};
use uno_types::{ChatModel, Constraint, FinishReason, ModelError, Sampling};

#[test]
fn answers_depend_on_the_prompt_and_arrive_on_the_callers_thread() {
    let server = server();
    let model = chat(&server);
    assert_eq!((model.id(), model.context_length()), ("remote:mock-model".to_owned(), 4096));
    let caller = std::thread::current().id();
    let mut texts = vec![];
    let requests = [request("one"), request("two"), request("one")];
    model
        .generate(&requests, &mut |i, r| {
            assert_eq!(std::thread::current().id(), caller);
            texts.push((i, r.unwrap().text));
        })
        .unwrap();
    texts.sort();
    assert_eq!(texts[0].1, texts[2].1);
    assert_ne!(texts[0].1, texts[1].1);
}

#[test]
fn parameters_are_passed_on() {
    let server = server();
    let mut ask = request("hello");
    ask.sampling = Sampling { temperature: 0.75, top_p: 0.5, seed: u64::MAX };
    ask.max_tokens = 3;
    ask.logprobs = true;
    let generation = one(&chat(&server), ask).unwrap();
    assert_eq!((generation.completion_tokens, generation.finish), (3, FinishReason::Length));
    assert_eq!(generation.logprobs.unwrap().len(), 3);
    let body = server.seen().pop().unwrap().body;
    assert_eq!(body["temperature"], 0.75);
    assert_eq!(body["top_p"], 0.5);
    assert_eq!(body["seed"], i64::MAX);
    assert_eq!(body["max_tokens"], 3);
    assert_eq!(body["messages"], json!([{"role": "user", "content": "hello"}]));
    assert!(body.get("response_format").is_none());
}

#[test]
fn requests_are_in_flight_together_but_not_more_than_asked() {
    let server = MockServer::start(MockConfig { latency_ms: 30, ..MockConfig::default() }).unwrap();
    let mut config = config(&server);
    config.concurrency = 4;
    let model = RemoteChat::new(config).unwrap();
    let requests: Vec<_> = (0..16).map(|i| request(&i.to_string())).collect();
    assert!(generate(&model, &requests).iter().all(Result::is_ok));
    assert_eq!(server.most_in_flight(), 4);
}

#[test]
fn passing_failures_are_tried_again() {
    for fault in
        [Fault::Status(500), Fault::Status(503), Fault::TooManyRequests { retry_after: None }, Fault::Drop]
    {
        let server = server();
        let model = chat(&server);
        server.fail_next(2, fault.clone());
        assert!(one(&model, request("q")).is_ok(), "{fault:?}");
        assert_eq!(server.count("/chat/completions"), 3, "{fault:?}");
    }
}

#[test]
fn retry_after_is_waited_for() {
    let server = server();
    let model = chat(&server);
    server.fail_next(1, Fault::TooManyRequests { retry_after: Some(1) });
    let start = Instant::now();
    assert!(one(&model, request("q")).is_ok());
    assert!(start.elapsed() >= Duration::from_secs(1));
}

#[test]
fn lasting_failures_are_one_clear_error_for_their_request() {
    let cases = [
        (Fault::Status(500), 3, "answered 500 (3 times): injected fault; see the server's log"),
        (
            Fault::TooManyRequests { retry_after: None },
            3,
            "answered 429 (3 times): slow down; lower `concurrency`",
        ),
        (
            Fault::TooManyRequests { retry_after: Some(9999) },
            1,
            "answered 429: slow down; lower `concurrency`",
        ),
        (Fault::Status(400), 1, "answered 400: injected fault"),
        (Fault::Status(401), 1, "answered 401: injected fault; check the API key"),
        (Fault::Status(404), 1, "answered 404: injected fault; check the base URL and the model's name"),
        (
            Fault::GarbageJson,
            1,
            "is not an OpenAI API answer (expected value at line 1 column 1): \"<html>nginx",
        ),
        (Fault::EmptyBody, 1, "is not an OpenAI API answer (empty body)"),
        (Fault::EmptyChoices, 1, "is not an OpenAI API answer (no choices)"),
    ];
    for (fault, tries, expected) in cases {
        let server = server();
        let model = chat(&server);
        server.fail_next(tries, fault.clone());
        let text = message(one(&model, request("q")));
        let url = format!("{}/chat/completions", server.base_url());
        assert!(text.starts_with(&url) && text.contains(expected), "{fault:?}: {text}");
        assert_eq!(server.count("/chat/completions"), tries, "{fault:?}");
        assert!(one(&model, request("q")).is_ok(), "usable afterwards");
    }
}

#[test]
fn one_bad_answer_does_not_spoil_the_others() {
    let server = server();
    let mut config = config(&server);
    config.concurrency = 1;
    let model = RemoteChat::new(config).unwrap();
    server.fail_next(1, Fault::GarbageJson);
    let results = generate(&model, &[request("a"), request("b"), request("c")]);
    assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true, true]);
}

#[test]
fn a_hanging_server_is_given_up_in_time() {
    let server = server();
    let mut config = config(&server);
    config.timeout = Duration::from_millis(100);
    let model = RemoteChat::new(config).unwrap();
    server.fail_next(2, Fault::Hang);
    // The first attempt and the look whether anybody is there hang as well: gone.
    let start = Instant::now();
    let error = model.generate(&[request("q")], &mut |_, r| assert!(r.is_err())).unwrap_err().to_string();
    assert!(error.contains("no answer within 0.1 s") && error.contains("is the server running"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(15));
}

#[test]
fn a_request_that_hangs_on_a_live_server_fails_alone() {
    let server = server();
    let mut config = config(&server);
    config.timeout = Duration::from_millis(100);
    config.concurrency = 1;
    let model = RemoteChat::new(config).unwrap();
    assert!(one(&model, request("warm up")).is_ok());
    server.fail_next(1, Fault::Hang);
    assert!(one(&model, request("q")).is_ok(), "the second attempt is answered");
}

#[test]
fn a_dead_server_ends_the_whole_batch_quickly() {
    let server = server();
    let model = chat(&server);
    drop(server);
    let start = Instant::now();
    let mut answered = 0;
    let requests: Vec<_> = (0..500).map(|i| request(&i.to_string())).collect();
    let error = model.generate(&requests, &mut |_, _| answered += 1).unwrap_err();
    assert!(
        matches!(&error, ModelError::Upstream(t) if t.contains("cannot connect") && t.contains("base URL")),
        "{error}"
    );
    assert_eq!(answered, 0);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[test]
fn construction_says_what_is_wrong() {
    let server = server();
    let mut wrong = config(&server);
    wrong.model = "gpt-9".into();
    let text = RemoteChat::new(wrong).err().unwrap().to_string();
    assert!(text.contains("no model \"gpt-9\"; the server has: mock-model"), "{text}");

    let mut only = config(&server);
    only.model = String::new();
    assert_eq!(RemoteChat::new(only).unwrap().id(), "remote:mock-model");

    let mut dead = config(&server);
    dead.base_url = "http://127.0.0.1:9/v1".into();
    assert!(matches!(RemoteChat::new(dead).err().unwrap(), RemoteError::Gone { attempts: 3, .. }));
}

#[test]
fn the_key_is_sent_and_never_shown() {
    let server = server();
    let mut config = config(&server);
    config.api_key = Some(ApiKey::new("sk-very-secret"));
    let model = RemoteChat::new(config).unwrap();
    server.fail_next(1, Fault::Status(401));
    let text = message(one(&model, request("q")));
    assert_eq!(server.seen().pop().unwrap().authorization.as_deref(), Some("Bearer sk-very-secret"));
    assert!(!text.contains("secret"), "{text}");
}

#[test]
fn too_long_prompts_are_typed_and_too_long_answers_are_shortened() {
    let server = MockServer::start(MockConfig { context_length: 20, ..MockConfig::default() }).unwrap();
    let model = chat(&server);
    let long = "word ".repeat(30);
    assert!(matches!(
        one(&model, request(&long)),
        Err(ModelError::ContextLength { limit: 20, tokens: 20.. })
    ));
    let mut greedy = request("short");
    greedy.max_tokens = 500;
    assert!(one(&model, greedy).unwrap().completion_tokens <= 20);
}

fn schema() -> Constraint {
    Constraint::JsonSchema(json!({
        "type": "object", "required": ["score"],
        "properties": {"score": {"type": "integer", "minimum": 1, "maximum": 10}},
    }))
}

#[test]
fn json_is_asked_for_in_the_way_the_server_knows() {
    use Refusal::{GuidedJson, JsonObject, JsonSchema};
    let cases: [(Vec<Refusal>, usize); 3] =
        [(vec![], 1), (vec![JsonSchema], 2), (vec![JsonSchema, GuidedJson], 3)];
    for (refuses, tries) in cases {
        let server =
            MockServer::start(MockConfig { refuses: refuses.clone(), ..MockConfig::default() }).unwrap();
        let model = chat(&server);
        let mut ask = request("judge");
        ask.constraint = Some(schema());
        assert_eq!(one(&model, ask.clone()).unwrap().text, r#"{"score":1}"#, "{refuses:?}");
        assert_eq!(server.count("/chat/completions"), tries);
        assert!(one(&model, ask).is_ok());
        assert_eq!(server.count("/chat/completions"), tries + 1, "the way is remembered: {refuses:?}");
    }
    let refuses = vec![JsonSchema, GuidedJson, JsonObject];
    let server = MockServer::start(MockConfig { refuses, ..MockConfig::default() }).unwrap();
    let mut ask = request("judge");
    ask.constraint = Some(schema());
    let text = message(one(&chat(&server), ask));
    assert!(text.contains("instead of JSON of the schema (not JSON"), "{text}");
}

#[test]
fn a_server_that_ignores_the_schema_is_noticed() {
    let server = MockServer::start(MockConfig { ignores_format: true, ..MockConfig::default() }).unwrap();
    let mut ask = request("judge");
    ask.constraint = Some(schema());
    let text = message(one(&chat(&server), ask));
    assert!(text.contains("use a server with structured output"), "{text}");
}
