//! What the integration tests share: where fixtures are, and tensors of a safetensors file as f32.
#![allow(dead_code, reason = "each test file uses another part")]

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;

/// A fixture of this crate.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A file of the team's shared fixtures (too large to commit), or `None` with a loud note.
pub fn shared(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("UNO_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let path = root.join("fixtures").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} is not there (set UNO_SHARED)", path.display());
    None
}

/// The default chat model, or `None` with a loud note.
pub fn smollm2() -> Option<PathBuf> {
    let home = std::env::var_os("UNO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/uno")));
    let path = home?.join("models/SmolLM2-135M-Instruct/SmolLM2-135M-Instruct.Q4_1.gguf");
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} is not there (pull the default models first)", path.display());
    None
}

/// The eight tiny models: every family, tied and untied heads, scaled and partial rotation.
pub fn tiny_models() -> Vec<(String, PathBuf)> {
    let names = [
        "tiny-llama",
        "tiny-llama3",
        "tiny-mistral",
        "tiny-qwen2",
        "tiny-qwen3",
        "tiny-qwen3-tied",
        "tiny-phi3",
        "tiny-phi3-partial",
    ];
    names.map(|name| (name.to_owned(), fixture(name))).into()
}

/// A safetensors file.
pub struct Tensors(Vec<u8>);

impl Tensors {
    pub fn open(path: &Path) -> Self {
        Tensors(std::fs::read(path).unwrap())
    }

    pub fn f32(&self, name: &str) -> Vec<f32> {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        let tensor = file.tensor(name).unwrap_or_else(|e| panic!("{name}: {e}"));
        tensor.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
    }

    pub fn u8(&self, name: &str) -> Vec<u8> {
        SafeTensors::deserialize(&self.0).unwrap().tensor(name).unwrap().data().to_vec()
    }

    /// An i64 tensor as token ids or a mask.
    pub fn ids(&self, name: &str) -> Vec<u32> {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        let bytes = file.tensor(name).unwrap().data().to_vec();
        bytes.as_chunks::<8>().0.iter().map(|b| u32::try_from(i64::from_le_bytes(*b)).unwrap()).collect()
    }
}

/// Fails unless all `got` are within `absolute + relative * |expected|`.
pub fn assert_close(what: &str, got: &[f32], expected: &[f32], absolute: f32, relative: f32) {
    assert_eq!(got.len(), expected.len(), "{what}: length");
    for (i, (g, e)) in got.iter().zip(expected).enumerate() {
        assert!((g - e).abs() <= absolute + relative * e.abs(), "{what}: element {i} is {g}, expected {e}");
    }
}

/// Index of the largest.
pub fn argmax(row: &[f32]) -> u32 {
    let best = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    best.unwrap().0 as u32
}

/// Pseudo-random token ids.
pub fn ids(n: usize, seed: u32, vocab: u32) -> Vec<u32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    (0..n)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            3 + (state >> 8) % (vocab - 3)
        })
        .collect()
}
