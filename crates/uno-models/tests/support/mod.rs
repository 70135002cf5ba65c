//! What the tests of remote models share.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "test helpers; each test file uses its own part"
)]

use std::path::Path;
use std::time::Duration;

use safetensors::{Dtype, tensor::TensorView};
use uno_mock::{MockConfig, MockServer};
use uno_models::remote::{RemoteChat, RemoteConfig};
use uno_types::{AdapterRef, ChatModel, Generation, GenerationRequest, Message, ModelError, Sampling};

pub fn server() -> MockServer {
    MockServer::start(MockConfig::default()).unwrap()
}

/// Short pauses and time-outs; otherwise the defaults.
pub fn config(server: &MockServer) -> RemoteConfig {
    let mut config = RemoteConfig::new(server.base_url(), "mock-model");
    config.backoff = Duration::from_millis(5);
    config.timeout = Duration::from_millis(500);
    config.retries = 2;
    config
}

pub fn chat(server: &MockServer) -> RemoteChat {
    RemoteChat::new(config(server)).unwrap()
}

pub fn request(text: &str) -> GenerationRequest {
    GenerationRequest {
        messages: vec![Message::user(text)],
        adapter: None,
        sampling: Sampling::GREEDY,
        max_tokens: 32,
        constraint: None,
        logprobs: false,
    }
}

pub fn with_adapter(text: &str, adapter: &AdapterRef) -> GenerationRequest {
    GenerationRequest { adapter: Some(adapter.clone()), ..request(text) }
}

pub type Outcome = Result<Generation, ModelError>;

/// All results in the order of the requests; panics when one is missing or comes twice.
pub fn generate(model: &dyn ChatModel, requests: &[GenerationRequest]) -> Vec<Outcome> {
    let mut results: Vec<Option<Outcome>> = vec![None; requests.len()];
    let mut twice = false;
    model.generate(requests, &mut |i, r| twice |= results[i].replace(r).is_some()).unwrap();
    assert!(!twice);
    results.into_iter().map(|r| r.expect("every request is answered")).collect()
}

pub fn one(model: &dyn ChatModel, request: GenerationRequest) -> Outcome {
    generate(model, &[request]).remove(0)
}

/// The text of the only error, for asserting what a user reads.
pub fn message(outcome: Outcome) -> String {
    outcome.unwrap_err().to_string()
}

/// Writes a small adapter whose weights depend on `seed`.
pub fn adapter(root: &Path, name: &str, seed: f32) -> AdapterRef {
    let (rank, wide) = (2, 4);
    let a: Vec<u8> = (0..rank * wide).flat_map(|i| (seed + i as f32).to_le_bytes()).collect();
    write_adapter(
        root,
        name,
        &[
            ("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", vec![rank, wide], a.clone()),
            ("base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight", vec![wide, rank], a),
        ],
    )
}

pub fn write_adapter(root: &Path, name: &str, tensors: &[(&str, Vec<usize>, Vec<u8>)]) -> AdapterRef {
    let dir = root.join(name);
    fs_err::create_dir_all(&dir).unwrap();
    let views = tensors
        .iter()
        .map(|(n, shape, data)| (*n, TensorView::new(Dtype::F32, shape.clone(), data).unwrap()));
    fs_err::write(dir.join("adapter_model.safetensors"), safetensors::serialize(views, None).unwrap())
        .unwrap();
    let config = r#"{"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["q_proj"]}"#;
    fs_err::write(dir.join("adapter_config.json"), config).unwrap();
    AdapterRef { name: name.into(), dir: dir.display().to_string() }
}
