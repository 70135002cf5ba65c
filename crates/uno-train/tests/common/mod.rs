//! Fixtures and comparisons that several test files share.
#![allow(dead_code, reason = "each test file uses another part")]

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uno_engine::{Decoder, LoraGrads, LoraWeights};
use uno_train::{PreferenceExample, SftExample, TrainConfig, TrainData, TrainPrecision};

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

pub fn decoder(model: &str) -> Decoder {
    Decoder::open(&fixtures().join("models").join(model)).unwrap()
}

pub fn adapter(model: &str, decoder: &Decoder) -> LoraWeights {
    LoraWeights::read_peft(&fixtures().join("models").join(model).join("adapter"), decoder.config()).unwrap()
}

pub fn golden<T: DeserializeOwned>(model: &str, name: &str) -> T {
    let path = fixtures().join("training").join(model).join(name);
    serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap()
}

#[derive(Deserialize)]
pub struct Pair {
    prompt_input_ids: Vec<u32>,
    chosen_input_ids: Vec<u32>,
    rejected_input_ids: Vec<u32>,
}

#[derive(Deserialize)]
pub struct Completion {
    prompt: Vec<u32>,
    completion: Vec<u32>,
}

pub fn preferences(pairs: &[Pair]) -> Vec<PreferenceExample> {
    let convert = |(i, p): (usize, &Pair)| PreferenceExample {
        id: format!("pair-{i}"),
        prompt: p.prompt_input_ids.clone(),
        chosen: p.chosen_input_ids.clone(),
        rejected: p.rejected_input_ids.clone(),
    };
    pairs.iter().enumerate().map(convert).collect()
}

pub fn completions(examples: &[Completion]) -> Vec<SftExample> {
    let convert = |(i, e): (usize, &Completion)| SftExample {
        id: format!("example-{i}"),
        prompt: e.prompt.clone(),
        completion: e.completion.clone(),
    };
    examples.iter().enumerate().map(convert).collect()
}

/// The goldens' settings: the adapter's shape, one batch of three examples per epoch, ten epochs.
pub fn golden_config(adapter: &LoraWeights, base: TrainConfig) -> TrainConfig {
    TrainConfig {
        rank: adapter.config.rank,
        alpha: adapter.config.alpha,
        targets: adapter.config.targets.clone(),
        dropout: 0.0,
        epochs: 10,
        batch: 3,
        micro_batch: 3,
        // The goldens are f32 to the last digit.
        precision: TrainPrecision::F32,
        ..base
    }
}

/// `n` preference pairs of random ids for a vocabulary of 320.
pub fn random_pairs(n: usize, seed: u64) -> TrainData {
    let mut state = seed;
    let mut next = |limit: u64| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) % limit
    };
    let mut ids = |least: u64| -> Vec<u32> {
        let n = least + next(12);
        (0..n).map(|_| 3 + next(317) as u32).collect()
    };
    let pair =
        |i| PreferenceExample { id: format!("r{i}"), prompt: ids(4), chosen: ids(3), rejected: ids(3) };
    TrainData::Preferences((0..n).map(pair).collect())
}

pub fn assert_close(what: &str, got: f64, want: f64, relative: f64) {
    let error = (got - want).abs();
    assert!(error <= relative * want.abs().max(1e-3), "{what}: got {got}, want {want}, off by {error:.3e}");
}

/// Largest relative L2 error over the tensors of a golden file, which must hold exactly the gradients' tensors.
pub fn worst_gradient_error(gradients: &LoraGrads, model: &str, name: &str) -> f64 {
    let bytes = std::fs::read(fixtures().join("training").join(model).join(name)).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut worst: f64 = 0.0;
    let mut tensors = 0;
    for (name, shape, got) in gradients.tensors() {
        let name = LoraWeights::peft_name(name);
        let golden = file.tensor(&name).unwrap();
        assert_eq!(golden.shape(), shape, "{name}");
        let want = floats(golden.data());
        let square = |v: f64| v * v;
        let error: f64 = got.iter().zip(&want).map(|(g, w)| square(f64::from(g - w))).sum();
        let norm: f64 = want.iter().map(|w| square(f64::from(*w))).sum();
        worst = worst.max((error / norm.max(1e-30)).sqrt());
        tensors += 1;
    }
    assert_eq!(tensors, file.len());
    worst
}

/// Largest absolute difference between trained weights and a golden file, and the share of elements beyond `limit`.
pub fn weight_error(dir: &Path, model: &str, name: &str, limit: f32) -> (f32, f64) {
    let bytes = std::fs::read(fixtures().join("training").join(model).join(name)).unwrap();
    let golden = SafeTensors::deserialize(&bytes).unwrap();
    let bytes = std::fs::read(dir.join("adapter_model.safetensors")).unwrap();
    let ours = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(ours.len(), golden.len());
    let (mut worst, mut beyond, mut total) = (0.0f32, 0usize, 0usize);
    for (name, want) in golden.tensors() {
        let got = floats(ours.tensor(&name).unwrap().data());
        for (g, w) in got.iter().zip(floats(want.data())) {
            let error = (g - w).abs();
            worst = worst.max(error);
            beyond += usize::from(error > limit);
            total += 1;
        }
    }
    (worst, beyond as f64 / total as f64)
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

/// File contents of all checkpoints of a run.
pub fn checkpoints(dir: &Path, epochs: usize) -> Vec<Vec<u8>> {
    (1..=epochs)
        .map(|e| std::fs::read(dir.join(format!("epoch-{e}/adapter_model.safetensors"))).unwrap())
        .collect()
}
