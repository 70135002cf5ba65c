//! Adapter files: what is written is read back, and what does not fit is refused with a reason.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic in a test is its report"
)]

mod common;

use std::path::{Path, PathBuf};

use common::{Tensors, fixture};
use serde_json::{Value, json};
use uno_engine::{Decoder, LoraConfig, LoraWeights, ModelConfig, Side, Target};

fn model() -> ModelConfig {
    Decoder::open(&fixture("tiny-llama")).unwrap().config().clone()
}

/// A writable copy of the fixture's adapter.
fn copy() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    for file in ["adapter_config.json", "adapter_model.safetensors"] {
        let to = dir.path().join(file);
        std::fs::write(to, std::fs::read(fixture("tiny-llama/adapter").join(file)).unwrap()).unwrap();
    }
    let path = dir.path().to_owned();
    (dir, path)
}

fn edit(dir: &Path, key: &str, value: Value) {
    let path = dir.join("adapter_config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    config[key] = value;
    std::fs::write(path, config.to_string()).unwrap();
}

fn refused(dir: &Path) -> String {
    LoraWeights::read_peft(dir, &model()).unwrap_err().to_string()
}

#[test]
fn reads_what_peft_wrote_and_writes_the_same() {
    let dir = fixture("tiny-llama/adapter");
    let read = LoraWeights::read_peft(&dir, &model()).unwrap();
    assert_eq!((read.config.rank, read.config.alpha, read.config.targets.len()), (8, 16.0, 7));
    let file = Tensors::open(&dir.join("adapter_model.safetensors"));
    for (name, shape, data) in read.tensors() {
        assert_eq!(data.len(), shape[0] * shape[1]);
        assert_eq!(data, file.f32(&LoraWeights::peft_name(name)), "{name:?}");
    }
    let out = tempfile::tempdir().unwrap();
    read.write_peft(out.path(), "tiny-llama").unwrap();
    read.write_peft(out.path(), "tiny-llama").unwrap();
    assert_eq!(LoraWeights::read_peft(out.path(), &model()).unwrap(), read);
    assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 2, "no partial files stay");
}

#[test]
fn a_fresh_adapter_changes_nothing_and_depends_on_its_seed_only() {
    let decoder = Decoder::open(&fixture("tiny-llama")).unwrap();
    let config = |targets| LoraConfig { rank: 4, alpha: 8.0, targets };
    let all = LoraWeights::init(&model(), config(Target::all_linear(&model())), 7).unwrap();
    assert_eq!(decoder.logits(&[5, 6, 7], Some(&all)).unwrap(), decoder.logits(&[5, 6, 7], None).unwrap());
    for (name, [_, input], data) in all.tensors() {
        let bound = 1.0 / (input as f32).sqrt();
        let largest = data.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        match name.side {
            Side::A => assert!(largest <= bound && largest > 0.9 * bound, "{name:?} {largest}"),
            Side::B => assert_eq!(largest, 0.0),
        }
    }
    let few = LoraWeights::init(&model(), config(vec![Target::V, Target::Q, Target::V]), 7).unwrap();
    assert_eq!(few.config.targets, [Target::Q, Target::V]);
    let find =
        |of: &LoraWeights| of.tensors().find(|(n, ..)| n.target == Target::V).map(|(_, _, d)| d.to_vec());
    assert_eq!(find(&few), find(&all));
    assert_ne!(few, LoraWeights::init(&model(), config(vec![Target::Q, Target::V]), 8).unwrap());
    assert!(LoraWeights::init(&model(), config(vec![Target::Qkv]), 7).is_err());
    assert!(LoraWeights::init(&model(), LoraConfig { rank: 0, ..config(vec![Target::Q]) }, 7).is_err());
}

#[test]
fn options_that_would_compute_something_else_are_refused_by_name() {
    for (key, value, message) in [
        ("use_rslora", json!(true), "use_rslora"),
        ("use_dora", json!(true), "use_dora"),
        ("peft_type", json!("IA3"), "peft_type"),
        ("modules_to_save", json!(["lm_head"]), "modules_to_save"),
        ("rank_pattern", json!({"q_proj": 4}), "rank_pattern"),
        ("layers_to_transform", json!([0]), "layers_to_transform"),
        ("bias", json!("all"), "biases"),
        ("target_modules", json!(["q_proj", "c_attn"]), "c_attn"),
        ("target_modules", json!(["qkv_proj"]), "a llama model has no qkv_proj"),
        ("r", json!("eight"), "adapter_config.json"),
    ] {
        let (_guard, dir) = copy();
        edit(&dir, key, value);
        let error = refused(&dir);
        assert!(error.contains(message), "{key}: {error}");
    }
}

#[test]
fn damaged_and_foreign_files_are_refused() {
    let (_guard, dir) = copy();
    edit(&dir, "r", json!(4));
    assert!(refused(&dir).contains("has shape [8, 64], expected [4, 64]"), "{}", refused(&dir));

    let (_guard, dir) = copy();
    edit(&dir, "target_modules", json!(["q_proj"]));
    assert!(refused(&dir).contains("another base model"), "{}", refused(&dir));

    let (_guard, dir) = copy();
    let path = dir.join("adapter_model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 100]).unwrap();
    assert!(refused(&dir).contains("adapter_model.safetensors"));
    let mut damaged = bytes.clone();
    let end = damaged.len();
    damaged[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&path, &damaged).unwrap();
    assert!(refused(&dir).contains("not finite"));
    std::fs::remove_file(&path).unwrap();
    assert!(refused(&dir).contains("cannot read"));

    let other = Decoder::open(&fixture("tiny-qwen3-tied")).unwrap();
    let error = LoraWeights::read_peft(&fixture("tiny-llama/adapter"), other.config()).unwrap_err();
    assert!(error.to_string().contains("shape"), "{error}");

    let mut diverged = LoraWeights::read_peft(&fixture("tiny-llama/adapter"), &model()).unwrap();
    diverged.as_mut_slice()[5] = f32::INFINITY;
    let out = tempfile::tempdir().unwrap();
    assert!(diverged.write_peft(out.path(), "x").is_err(), "an adapter that is not finite is not written");
}
