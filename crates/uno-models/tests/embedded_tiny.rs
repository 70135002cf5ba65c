//! The embedded chat model on a tiny random Llama with a byte tokenizer: what the batch promises.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    dead_code,
    reason = "a panic is a test's report; other tests use the rest of the fixture"
)]

#[path = "common/tiny.rs"]
mod tiny;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use proptest::prelude::*;
use serde_json::{Value, json};
use uno_models::{EmbeddedChat, EmbeddedOptions};
use uno_types::{
    AdapterRef, ChatModel, Constraint, FinishReason, Generation, GenerationRequest, Message, ModelError,
    Sampling,
};

fn open(options: EmbeddedOptions) -> EmbeddedChat {
    static DIR: OnceLock<tempfile::TempDir> = OnceLock::new();
    let dir = DIR.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        tiny::write(&dir.path().join("tiny"));
        dir
    });
    EmbeddedChat::open(&dir.path().join("tiny"), options).unwrap()
}

fn adapter() -> AdapterRef {
    AdapterRef { name: "fixture".into(), dir: tiny::fixture().join("adapter").display().to_string() }
}

fn request(text: &str) -> GenerationRequest {
    GenerationRequest {
        messages: vec![Message::user(text)],
        adapter: None,
        sampling: Sampling::GREEDY,
        max_tokens: 12,
        constraint: None,
        logprobs: true,
    }
}

type Answers = BTreeMap<usize, Result<Generation, ModelError>>;

fn ask(chat: &EmbeddedChat, requests: &[GenerationRequest]) -> Answers {
    let mut answers = Answers::new();
    chat.generate(requests, &mut |index, answer| {
        assert!(answers.insert(index, answer).is_none(), "answer {index} came twice");
    })
    .unwrap();
    assert_eq!(answers.len(), requests.len());
    answers
}

/// Requests of every kind, several with a beginning in common.
fn mixed() -> Vec<GenerationRequest> {
    let shots = "Answer like the examples do. Q: 1+1? A: 2. Q: the sky? A: blue.";
    let sampled = |seed| Sampling { temperature: 1.0, top_p: 0.9, seed };
    let schema = json!({"type": "object", "required": ["rules"], "properties": {"rules":
        {"type": "array", "maxItems": 2, "items": {"type": "string", "maxLength": 5}}}});
    let mut requests = Vec::new();
    for i in 0..4 {
        let text = format!("{shots} Q: number {i}?");
        requests.push(GenerationRequest { max_tokens: 5 + 7 * i, ..request(&text) });
        requests.push(GenerationRequest { adapter: Some(adapter()), ..request(&text) });
        requests.push(GenerationRequest { sampling: sampled(i as u64), logprobs: false, ..request(&text) });
        requests.push(GenerationRequest {
            sampling: sampled(42),
            adapter: Some(adapter()),
            ..request("hello")
        });
        requests.push(GenerationRequest {
            sampling: sampled(i as u64 + 9),
            constraint: Some(Constraint::JsonSchema(schema.clone())),
            max_tokens: 60,
            logprobs: i == 2,
            ..request(&text)
        });
    }
    requests.push(request(&"long ".repeat(60)));
    requests
}

#[test]
fn answers_depend_on_their_request_alone_to_the_last_bit() {
    let requests = mixed();
    let alone: Answers = requests
        .iter()
        .enumerate()
        .map(|(i, r)| {
            (i, ask(&open(EmbeddedOptions::default()), std::slice::from_ref(r)).remove(&0).unwrap())
        })
        .collect();
    assert!(alone.values().all(Result::is_ok), "{alone:?}");
    let defaults = EmbeddedOptions::default();
    let variants = [
        defaults.clone(),
        EmbeddedOptions { max_batch: 3, ..defaults.clone() },
        EmbeddedOptions { max_batch: 1, ..defaults.clone() },
        EmbeddedOptions { kv_bytes: 1, ..defaults.clone() },
        EmbeddedOptions { kv_bytes: 400_000, prefix_bytes: 0, ..defaults.clone() },
        EmbeddedOptions { threads: Some(1), adapter_bytes: 0, ..defaults },
    ];
    for options in variants {
        let label = format!("{options:?}");
        let chat = open(options);
        assert_eq!(ask(&chat, &requests), alone, "{label}");
        // Again, with beginnings and adapters at hand, and in reverse.
        let reversed: Vec<_> = requests.iter().rev().cloned().collect();
        let again: Answers =
            ask(&chat, &reversed).into_iter().map(|(i, answer)| (requests.len() - 1 - i, answer)).collect();
        assert_eq!(again, alone, "{label}, reversed");
    }
}

#[test]
fn each_row_uses_its_own_adapter() {
    let chat = open(EmbeddedOptions::default());
    let adapted = GenerationRequest { adapter: Some(adapter()), ..request("who are you?") };
    let answers = ask(&chat, &[request("who are you?"), adapted.clone(), request("who are you?")]);
    let first = |i: usize| answers[&i].as_ref().unwrap().logprobs.as_ref().unwrap()[0];
    let ids = chat.tokenizer().encode(&chat.template().render(&adapted.messages, true).unwrap()).unwrap();
    let weights =
        uno_engine::LoraWeights::read_peft(Path::new(&adapter().dir), chat.decoder().config()).unwrap();
    for (index, weights) in [(0, None), (1, Some(&weights)), (2, None)] {
        let logits = chat.decoder().logits(&ids, weights).unwrap();
        let last = logits.row(ids.len() - 1);
        let sum: f64 = last.iter().map(|&l| f64::from(l).exp()).sum();
        let best = last.iter().copied().fold(f32::MIN, f32::max);
        assert!((f64::from(first(index)) - (f64::from(best) - sum.ln())).abs() < 1e-4);
    }
    assert!((first(0) - first(1)).abs() > 1e-3);
}

#[test]
fn generated_log_probs_agree_with_scoring() {
    let chat = open(EmbeddedOptions::default());
    for adapter in [None, Some(adapter())] {
        let (sum, each) = chat.token_logprobs(&[Message::user("hi")], "abc", adapter.as_ref()).unwrap();
        // "abc" and the template's line end.
        assert_eq!(each.len(), 4);
        assert!((sum - each.iter().map(|&l| f64::from(l)).sum::<f64>()).abs() < 1e-9);
        assert!(each.iter().all(|l| l.is_finite() && *l < 0.0));
    }
}

#[test]
fn a_fingerprint_holds_what_the_adapter_changes() {
    let chat = open(EmbeddedOptions::default());
    let fingerprint = uno_models::embedded::probe(&chat, &adapter(), &["one", "two"]).unwrap();
    assert_eq!(fingerprint.prompts.len(), 2);
    for prompt in &fingerprint.prompts {
        assert_eq!(prompt.base.len(), prompt.tokens.len() - 1);
        assert_eq!(prompt.adapter.len(), prompt.base.len());
        let moved: f32 = prompt.base.iter().zip(&prompt.adapter).map(|(a, b)| (a - b).abs()).sum();
        assert!(moved / prompt.base.len() as f32 > 1e-3);
    }
}

#[test]
fn a_prompt_beyond_the_context_is_refused_and_the_others_are_answered() {
    let chat = open(EmbeddedOptions { context: Some(100), ..EmbeddedOptions::default() });
    let long = request(&"x".repeat(200));
    let nearly = GenerationRequest { max_tokens: 500, ..request(&"x".repeat(70)) };
    let answers = ask(&chat, &[request("a"), long, nearly, request("b")]);
    let Err(ModelError::ContextLength { tokens, limit: 100 }) = answers[&1] else {
        panic!("{:?}", answers[&1])
    };
    assert_eq!(tokens, 200 + "[user] \n[assistant] ".len());
    let nearly = answers[&2].as_ref().unwrap();
    if nearly.finish == FinishReason::Length {
        assert_eq!(nearly.prompt_tokens + nearly.completion_tokens, 100);
    }
    assert!(answers[&0].is_ok() && answers[&3].is_ok());
}

#[test]
fn wrong_requests_fail_alone_and_say_why() {
    let chat = open(EmbeddedOptions::default());
    let missing = AdapterRef { name: "c07-expert-gone".into(), dir: "no/such/dir".into() };
    let requests = [
        request("fine"),
        GenerationRequest { adapter: Some(missing), ..request("no adapter") },
        GenerationRequest {
            constraint: Some(Constraint::JsonSchema(json!({"type": "sculpture"}))),
            ..request("no such type")
        },
        GenerationRequest {
            sampling: Sampling { temperature: -1.0, top_p: 1.0, seed: 0 },
            ..request("cold")
        },
        GenerationRequest { max_tokens: 0, ..request("nothing to say") },
    ];
    let answers = ask(&chat, &requests);
    assert!(answers[&0].is_ok());
    let message = |i: usize| match &answers[&i] {
        Err(ModelError::Invalid(message)) => message.clone(),
        other => panic!("{other:?}"),
    };
    assert!(message(1).contains("c07-expert-gone") && message(1).contains("no/such/dir"), "{}", message(1));
    assert!(message(2).contains("JSON schema"), "{}", message(2));
    assert!(message(3).contains("temperature"), "{}", message(3));
    let nothing = answers[&4].as_ref().unwrap();
    assert_eq!((nothing.completion_tokens, nothing.finish), (0, FinishReason::Length));
}

#[test]
fn an_answer_without_end_token_stops_at_max_tokens() {
    let chat = open(EmbeddedOptions::default());
    let requests: Vec<_> = (0..40)
        .map(|i| GenerationRequest { max_tokens: 1 + i % 7, ..request(&format!("question {i}")) })
        .collect();
    for (i, answer) in ask(&chat, &requests) {
        let answer = answer.unwrap();
        assert!(answer.completion_tokens <= requests[i].max_tokens);
        assert_eq!(answer.logprobs.unwrap().len(), answer.completion_tokens);
        if answer.finish == FinishReason::Length {
            assert_eq!(answer.completion_tokens, requests[i].max_tokens);
        }
    }
}

/// Flat and nested schemas with bounds, as the method's stages use them.
fn schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        (1usize..12).prop_map(|max| json!({"type": "string", "maxLength": max})),
        (1..=10i64).prop_map(|max| json!({"type": "integer", "minimum": 1, "maximum": max})),
        Just(json!({"type": "boolean"})),
        Just(json!({"enum": ["yes", "no"]})),
    ];
    let list = (leaf.clone(), 1usize..4)
        .prop_map(|(items, max)| json!({"type": "array", "items": items, "maxItems": max}));
    prop::collection::btree_map("[a-z]{2,8}", prop_oneof![leaf, list], 1..4).prop_map(|properties| {
        let required: Vec<&String> = properties.keys().collect();
        json!({"type": "object", "properties": properties, "required": required})
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn constrained_answers_are_documents_of_their_schema(
        schemas in prop::collection::vec(schema(), 1..6),
        seed in any::<u64>(),
    ) {
        static CHAT: OnceLock<EmbeddedChat> = OnceLock::new();
        let chat = CHAT.get_or_init(|| open(EmbeddedOptions { max_batch: 4, ..EmbeddedOptions::default() }));
        let requests: Vec<_> = schemas
            .iter()
            .enumerate()
            .map(|(i, schema)| GenerationRequest {
                constraint: Some(Constraint::JsonSchema(schema.clone())),
                sampling: Sampling { temperature: 1.0, top_p: 0.95, seed: seed.wrapping_add(i as u64) },
                max_tokens: 400,
                logprobs: i % 2 == 0,
                adapter: (i % 3 == 0).then(adapter),
                ..request("json please")
            })
            .collect();
        for (i, answer) in ask(chat, &requests) {
            let answer = answer.unwrap();
            prop_assert_eq!(answer.finish, FinishReason::Stop);
            let value: Value = serde_json::from_str(&answer.text)
                .map_err(|e| TestCaseError::fail(format!("{e}: {}", answer.text)))?;
            prop_assert!(jsonschema::is_valid(&schemas[i], &value), "{value} is not {}", schemas[i]);
        }
    }
}
