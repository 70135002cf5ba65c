//! Adapters that travel: GGUF LoRA files, and PEFT directories as others write them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic in a test is its report"
)]

mod common;

use std::path::{Path, PathBuf};

use common::{fixture, ids, tiny_models};
use proptest::prelude::*;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use uno_engine::weights::GgufFile;
use uno_engine::{Decoder, LoraConfig, LoraWeights, ModelConfig, Side, Target};

/// An adapter for all linear layers of the model in which every number differs from its neighbours.
fn adapter(model: &ModelConfig) -> LoraWeights {
    let config = LoraConfig { rank: 3, alpha: 12.0, targets: Target::all_linear(model) };
    let mut adapter = LoraWeights::init(model, config, 5).unwrap();
    for (_, _, data) in adapter.tensors_mut().filter(|(name, ..)| name.side == Side::B) {
        data.iter_mut().enumerate().for_each(|(i, v)| *v = ((i * 37 % 101) as f32 - 50.0) * 1e-3);
    }
    adapter
}

#[test]
fn a_gguf_file_holds_the_same_adapter_for_every_architecture() {
    let dir = tempfile::tempdir().unwrap();
    for (name, path) in tiny_models() {
        let decoder = Decoder::open(&path).unwrap();
        let model = decoder.config();
        let adapter = adapter(model);
        let file = dir.path().join(format!("{name}.gguf"));
        adapter.write_gguf(&file, model, &name).unwrap();
        assert_eq!(LoraWeights::read(&file, model).unwrap(), adapter, "{name}");
        let gguf = GgufFile::open(&file).unwrap();
        assert_eq!(gguf.name(), Some(name.as_str()));
        assert_eq!(gguf.tensors().len(), adapter.tensors().count());
    }
    assert!(std::fs::read_dir(dir.path()).unwrap().all(|f| f.unwrap().path().extension().unwrap() == "gguf"));
}

#[test]
fn rows_of_q_and_k_are_interleaved_for_llama_and_no_others() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.gguf");
    for (path, moved) in [("tiny-llama", true), ("tiny-qwen2", false)] {
        let decoder = Decoder::open(&fixture(path)).unwrap();
        let model = decoder.config();
        let adapter = adapter(model);
        adapter.write_gguf(&file, model, "a").unwrap();
        let gguf = GgufFile::open(&file).unwrap();
        for (name, [_, width], data) in adapter.tensors().filter(|(n, ..)| n.layer == 1) {
            let key = match (name.target, name.side) {
                (Target::Q, Side::A) => "blk.1.attn_q.weight.lora_a",
                (Target::Q, Side::B) => "blk.1.attn_q.weight.lora_b",
                (Target::K, Side::B) => "blk.1.attn_k.weight.lora_b",
                (Target::V, Side::B) => "blk.1.attn_v.weight.lora_b",
                _ => continue,
            };
            let stored = gguf.dequantise(key).unwrap();
            let turned = name.side == Side::B && name.target != Target::V;
            assert_eq!(stored != data, moved && turned, "{path} {key}");
            if moved && turned {
                // The second row of the first head is the first one of its second half.
                let half = model.head_dim / 2;
                assert_eq!(stored[width..2 * width], data[half * width..(half + 1) * width], "{key}");
            }
        }
    }
}

#[test]
fn foreign_and_damaged_gguf_files_are_refused_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.gguf");
    let decoder = Decoder::open(&fixture("tiny-llama")).unwrap();
    let model = decoder.config();
    adapter(model).write_gguf(&file, model, "a").unwrap();
    let refused = |model: &ModelConfig| LoraWeights::read(&file, model).unwrap_err().to_string();
    let qwen = Decoder::open(&fixture("tiny-qwen2")).unwrap();
    assert!(refused(qwen.config()).contains("another architecture"), "{}", refused(qwen.config()));
    let deeper = ModelConfig { layers: model.layers + 1, ..model.clone() };
    assert!(refused(&deeper).contains("is missing"), "{}", refused(&deeper));
    let flatter = ModelConfig { layers: model.layers - 1, ..model.clone() };
    assert!(refused(&flatter).contains("another base model"), "{}", refused(&flatter));
    let wider = ModelConfig { intermediate_size: model.intermediate_size + 8, ..model.clone() };
    assert!(refused(&wider).contains("has shape"), "{}", refused(&wider));
    assert!(adapter(model).write_gguf(&file, &wider, "a").is_err(), "another base model's shape");
    let bytes = std::fs::read(&file).unwrap();
    let mut nan = bytes.clone();
    let end = nan.len();
    nan[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&file, nan).unwrap();
    assert!(refused(model).contains("not finite"), "{}", refused(model));
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    assert!(refused(model).contains("cut short"), "{}", refused(model));
    let mut diverged = adapter(model);
    diverged.as_mut_slice()[3] = f32::INFINITY;
    assert!(diverged.write_gguf(&file, model, "a").is_err(), "an adapter that is not finite is not written");
}

/// The fixture's adapter with other keys, another number format and other settings.
fn rewritten(dir: &Path, key: impl Fn(&str) -> String, dtype: Dtype, modules: Value) -> PathBuf {
    let source = fixture("tiny-llama/adapter");
    let mut config: Value =
        serde_json::from_slice(&std::fs::read(source.join("adapter_config.json")).unwrap()).unwrap();
    config["target_modules"] = modules;
    std::fs::write(dir.join("adapter_config.json"), config.to_string()).unwrap();
    let decoder = Decoder::open(&fixture("tiny-llama")).unwrap();
    let whole = LoraWeights::read_peft(&source, decoder.config()).unwrap();
    let bytes: Vec<(String, [usize; 2], Vec<u8>)> = whole
        .tensors()
        .map(|(name, shape, data)| {
            let bytes = data.iter().flat_map(|v| match dtype {
                Dtype::F16 => half::f16::from_f32(*v).to_le_bytes().to_vec(),
                Dtype::BF16 => half::bf16::from_f32(*v).to_le_bytes().to_vec(),
                _ => v.to_le_bytes().to_vec(),
            });
            (key(&LoraWeights::peft_name(name)), shape, bytes.collect())
        })
        .collect();
    let views = bytes
        .iter()
        .map(|(name, shape, bytes)| (name.as_str(), TensorView::new(dtype, shape.to_vec(), bytes).unwrap()));
    std::fs::write(dir.join("adapter_model.safetensors"), safetensors::serialize(views, None).unwrap())
        .unwrap();
    dir.to_owned()
}

#[test]
fn peft_directories_of_every_spelling_and_number_format_are_read() {
    let decoder = Decoder::open(&fixture("tiny-llama")).unwrap();
    let model = decoder.config();
    let source = fixture("tiny-llama/adapter");
    let whole = LoraWeights::read_peft(&source, model).unwrap();
    let names = json!(["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]);
    let paths = json!([
        "self_attn.q_proj",
        "self_attn.k_proj",
        "self_attn.v_proj",
        "model.layers.0.self_attn.o_proj",
        "mlp.gate_proj",
        "mlp.up_proj",
        "mlp.down_proj"
    ]);
    type Key = fn(&str) -> String;
    let spellings: [(Key, Value); 4] = [
        (|key| key.replace("lora_A.weight", "lora_A.default.weight"), names),
        (|key| key.replace("base_model.model.model.", "base_model.model."), paths),
        (|key| key.replace("base_model.model.", ""), json!("all-linear")),
        (str::to_owned, json!(r".*\.(q|k|v|o|gate|up|down)_proj")),
    ];
    for (key, modules) in spellings {
        let dir = tempfile::tempdir().unwrap();
        let dir = rewritten(dir.path(), key, Dtype::F32, modules.clone());
        assert_eq!(LoraWeights::read(&dir, model).unwrap(), whole, "{modules}");
    }
    for (dtype, tolerance) in [(Dtype::F16, 5e-4), (Dtype::BF16, 4e-3)] {
        let dir = tempfile::tempdir().unwrap();
        let dir = rewritten(dir.path(), str::to_owned, dtype, json!("all-linear"));
        let read = LoraWeights::read(&dir, model).unwrap();
        for (a, b) in read.as_slice().iter().zip(whole.as_slice()) {
            assert!((a - b).abs() <= tolerance * b.abs() + 1e-7, "{a} {b}");
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = rewritten(dir.path(), |key| key.replace("lora_A", "lora_C"), Dtype::F32, json!("all-linear"));
    assert!(LoraWeights::read(&dir, model).unwrap_err().to_string().contains("lora_C"));
}

#[test]
fn a_gguf_adapter_moves_the_logits_as_the_directory_does() {
    let decoder = Decoder::open(&fixture("tiny-llama")).unwrap();
    let model = decoder.config();
    let whole = LoraWeights::read_peft(&fixture("tiny-llama/adapter"), model).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.GGUF");
    whole.write_gguf(&file, model, "a").unwrap();
    let read = LoraWeights::read(&file, model).unwrap();
    let tokens = ids(20, 3, model.vocab_size as u32);
    assert_eq!(decoder.logits(&tokens, Some(&read)).unwrap(), decoder.logits(&tokens, Some(&whole)).unwrap());
    assert_ne!(decoder.logits(&tokens, Some(&read)).unwrap(), decoder.logits(&tokens, None).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn a_damaged_byte_is_an_error_or_an_adapter_but_never_a_panic(at in 0.0f64..1.0, value: u8, cut in 0.5f64..1.0) {
        let decoder = Decoder::open(&fixture("tiny-llama")).unwrap();
        let model = decoder.config();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.gguf");
        let config = LoraConfig { rank: 1, alpha: 1.0, targets: vec![Target::Q, Target::Down] };
        LoraWeights::init(model, config, 1).unwrap().write_gguf(&file, model, "a").unwrap();
        let mut bytes = std::fs::read(&file).unwrap();
        // Most of the file is numbers; what is worth damaging is its first part.
        let at = ((at * 1200.0) as usize).min(bytes.len() - 1);
        let whole = std::mem::replace(&mut bytes[at], value);
        std::fs::write(&file, &bytes).unwrap();
        let _ = LoraWeights::read(&file, model);
        bytes[at] = whole;
        bytes.truncate((cut * bytes.len() as f64) as usize);
        std::fs::write(&file, &bytes).unwrap();
        prop_assert!(LoraWeights::read(&file, model).is_err());
    }
}
