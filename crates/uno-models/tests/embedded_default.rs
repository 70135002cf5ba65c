//! Goldens of the real default chat model, where it was pulled. See fixtures/README for how the goldens were made.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic is a test's report, and a skipped test says so"
)]

mod common;

use common::{golden, ids, pulled};
use serde_json::{Value, json};
use uno_models::{EmbeddedChat, EmbeddedOptions};
use uno_types::{ChatModel, Constraint, FinishReason, Generation, GenerationRequest, Message, Sampling};

const SMOLLM: &str = "SmolLM2-135M-Instruct/SmolLM2-135M-Instruct.Q4_1.gguf";

fn smollm() -> Option<EmbeddedChat> {
    let path = pulled(SMOLLM)?;
    Some(EmbeddedChat::open(&path, EmbeddedOptions::default()).unwrap())
}

fn greedy(text: &str, max_tokens: usize) -> GenerationRequest {
    GenerationRequest {
        messages: vec![Message::user(text)],
        adapter: None,
        sampling: Sampling::GREEDY,
        max_tokens,
        constraint: None,
        logprobs: false,
    }
}

fn ask(chat: &EmbeddedChat, requests: &[GenerationRequest]) -> Vec<Generation> {
    let mut answers: Vec<Option<Generation>> = vec![None; requests.len()];
    chat.generate(requests, &mut |index, answer| answers[index] = Some(answer.unwrap())).unwrap();
    answers.into_iter().map(Option::unwrap).collect()
}

#[test]
fn greedy_answers_are_those_of_transformers() {
    let Some(chat) = smollm() else { return };
    let golden = golden("smollm2_golden.json");
    let cases = golden["generate"].as_array().unwrap();
    let requests: Vec<_> = cases.iter().map(|case| greedy(case["prompt"].as_str().unwrap(), 32)).collect();
    for (case, answer) in cases.iter().zip(ask(&chat, &requests)) {
        let expected = case["text"].as_str().unwrap();
        let (text, finish) = match expected.strip_suffix("<|im_end|>") {
            Some(text) => (text, FinishReason::Stop),
            None => (expected, FinishReason::Length),
        };
        assert_eq!((answer.text.as_str(), answer.finish), (text, finish));
        assert_eq!(answer.prompt_tokens, case["input_ids"].as_array().unwrap().len());
        assert_eq!(answer.completion_tokens, case["greedy_32"].as_array().unwrap().len());
    }
}

#[test]
fn log_probs_of_real_pairs_are_those_of_transformers() {
    let Some(chat) = smollm() else { return };
    for pair in golden("smollm2_golden.json")["pairs"].as_array().unwrap() {
        let prompt = ids(&pair["prompt_input_ids"]);
        for (completion, sum) in
            [("chosen_input_ids", "chosen_logps"), ("rejected_input_ids", "rejected_logps")]
        {
            let logprobs = chat.score(&prompt, &ids(&pair[completion]), None).unwrap();
            let found: f64 = logprobs.iter().map(|&l| f64::from(l)).sum();
            let expected = pair[sum].as_f64().unwrap();
            assert!(((found - expected) / expected).abs() < 1e-3, "{found} {expected}");
        }
    }
}

#[test]
fn batch_mates_change_no_bit_of_an_answer() {
    let Some(chat) = smollm() else { return };
    let sampled = |text: &str, seed| GenerationRequest {
        sampling: Sampling { temperature: 1.0, top_p: 0.9, seed },
        logprobs: true,
        ..greedy(text, 8)
    };
    let requests = [
        sampled("Name a fruit.", 1),
        sampled("Name a fruit.", 2),
        GenerationRequest { logprobs: true, ..greedy("Name a colour that few people know.", 12) },
        sampled(&"Name a country and say why. ".repeat(20), 3),
        sampled("你好", 4),
    ];
    let together = ask(&chat, &requests);
    for (request, together) in requests.iter().zip(together) {
        let chat = EmbeddedOptions { prefix_bytes: 0, ..EmbeddedOptions::default() };
        let chat = EmbeddedChat::open(&pulled(SMOLLM).unwrap(), chat).unwrap();
        assert_eq!(ask(&chat, std::slice::from_ref(request)), [together]);
    }
}

#[test]
fn constrained_answers_parse_and_keep_their_bounds() {
    let Some(chat) = smollm() else { return };
    let schema = json!({
        "type": "object",
        "properties": {"rules": {"type": "array", "maxItems": 3, "items": {"type": "string", "maxLength": 60}}},
        "required": ["rules"],
    });
    let constrained = |text: &str, seed, temperature| GenerationRequest {
        constraint: Some(Constraint::JsonSchema(schema.clone())),
        sampling: Sampling { temperature, top_p: 0.9, seed },
        ..greedy(text, 200)
    };
    let requests: Vec<_> =
        ["Please always use a numbered list.", "太长了，简短一点。", "Thanks, that was \"great\"!"]
            .iter()
            .flat_map(|text| {
                let text = format!("Write rules as JSON for this feedback: {text}");
                [constrained(&text, 1, 0.0), constrained(&text, 2, 1.0), constrained(&text, 3, 1.0)]
            })
            .collect();
    for answer in ask(&chat, &requests) {
        assert_eq!(answer.finish, FinishReason::Stop, "{}", answer.text);
        let value: Value = serde_json::from_str(&answer.text).unwrap();
        assert!(jsonschema::is_valid(&schema, &value), "{value}");
    }
}
