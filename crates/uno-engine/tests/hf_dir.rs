//! Hugging Face directories: one file, shards, number formats, and damage.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic is a test's report"
)]

mod common;

use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};
use uno_engine::weights::TensorStore;
use uno_engine::{Arch, EngineError};

const EMBEDDING: &str = "model.embed_tokens.weight";

fn save(path: &Path, tensors: &[(&str, Dtype, Vec<usize>, Vec<u8>)]) {
    let views = tensors.iter().map(|(n, d, s, b)| (*n, TensorView::new(*d, s.clone(), b).unwrap()));
    safetensors::serialize_to_file(views, None, path).unwrap();
}

/// The configuration of the tiny Llama, in a directory of its own.
fn copy_of_config() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(common::fixture("tiny-llama").join("config.json"), dir.path().join("config.json")).unwrap();
    dir
}

#[test]
fn every_tiny_model_opens() {
    for (name, path) in common::tiny_models() {
        let store = TensorStore::open(&path).unwrap();
        let config = store.config();
        let embedding = store.take_f32(EMBEDDING, &[320, 64]).unwrap();
        assert_eq!(embedding.len(), 320 * 64, "{name}");
        assert!(name.starts_with(&format!("tiny-{}", config.arch.name())), "{name} is {:?}", config.arch);
        assert_eq!(config.head_dim, if config.arch == Arch::Qwen3 { 32 } else { 16 }, "{name}");
        assert_eq!(
            (config.bos, &config.eos[..], store.gguf().is_none()),
            (Some(1), &[2][..], true),
            "{name}"
        );
        let head = store.take_f32("lm_head.weight", &[320, 64]);
        assert_eq!(head.is_err(), config.tied_head, "{name}");
    }
}

#[test]
fn shards_and_half_precision_are_read() {
    let dir = copy_of_config();
    let values: Vec<f32> = (0..320 * 64).map(|i| (i % 61) as f32 * 0.25).collect();
    let half = values.iter().flat_map(|v| half::f16::from_f32(*v).to_le_bytes()).collect();
    let brain = values.iter().flat_map(|v| half::bf16::from_f32(*v).to_le_bytes()).collect();
    save(&dir.path().join("a.safetensors"), &[(EMBEDDING, Dtype::F16, vec![320, 64], half)]);
    save(
        &dir.path().join("b.safetensors"),
        &[("lm_head.weight", Dtype::BF16, vec![320, 64], brain), ("odd", Dtype::I64, vec![1], vec![0; 8])],
    );
    let index =
        serde_json::json!({"weight_map": {EMBEDDING: "a.safetensors", "lm_head.weight": "b.safetensors"}});
    std::fs::write(dir.path().join("model.safetensors.index.json"), index.to_string()).unwrap();

    let store = TensorStore::open(dir.path()).unwrap();
    // Quarters below 16 are exact in both formats.
    assert_eq!(store.take_f32(EMBEDDING, &[320, 64]).unwrap(), values);
    assert_eq!(store.take_f32("lm_head.weight", &[320, 64]).unwrap(), values);
    assert!(matches!(store.take_f32("odd", &[1]), Err(EngineError::Unsupported { .. })));
    assert!(matches!(store.take_f32(EMBEDDING, &[64, 320]), Err(EngineError::Shape { .. })));
    assert!(matches!(store.take_f32("none", &[1]), Err(EngineError::MissingTensor { .. })));

    // The hash is of the content, not of the place.
    let again = TensorStore::open(dir.path()).unwrap();
    assert_eq!(store.hash(), again.hash());

    std::fs::remove_file(dir.path().join("b.safetensors")).unwrap();
    let error = TensorStore::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("b.safetensors"), "{error}");
    let index = serde_json::json!({"weight_map": {EMBEDDING: "../a.safetensors"}});
    std::fs::write(dir.path().join("model.safetensors.index.json"), index.to_string()).unwrap();
    assert!(TensorStore::open(dir.path()).unwrap_err().to_string().contains("plain file name"));
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let dir = copy_of_config();
    let whole = std::fs::read(common::fixture("tiny-llama").join("model.safetensors")).unwrap();
    let path = dir.path().join("model.safetensors");
    for step in 0..50 {
        std::fs::write(&path, &whole[..whole.len() * step / 50]).unwrap();
        let error =
            TensorStore::open(dir.path()).err().unwrap_or_else(|| panic!("cut at {step}/50 was accepted"));
        assert!(error.to_string().contains("model.safetensors"), "{error}");
    }
    std::fs::write(&path, &whole).unwrap();
    assert!(TensorStore::open(dir.path()).is_ok());
}

#[test]
fn a_directory_without_a_model_says_so() {
    let dir = tempfile::tempdir().unwrap();
    assert!(TensorStore::open(dir.path()).unwrap_err().to_string().contains("config.json"));
    let dir = copy_of_config();
    assert!(TensorStore::open(dir.path()).unwrap_err().to_string().contains("model.safetensors"));
    std::fs::write(dir.path().join("config.json"), "{").unwrap();
    assert!(matches!(TensorStore::open(dir.path()), Err(EngineError::Format { .. })));
}
