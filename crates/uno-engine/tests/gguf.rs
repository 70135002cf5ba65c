//! GGUF files: every number format against a plain reading of its definition, the row order of q and k, and damage of
//! every kind.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic is a test's report"
)]

#[path = "gguf_files/blocks.rs"]
mod blocks;
mod common;
#[path = "gguf_files/writer.rs"]
mod writer;

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use uno_engine::weights::gguf::TokenKind;
use uno_engine::weights::{GgufFile, TensorStore};
use uno_engine::{EngineError, RopeScaling};
use writer::{Meta, Writer, tiny_llama};

struct Dir(tempfile::TempDir);

impl Dir {
    fn new() -> Self {
        Dir(tempfile::tempdir().unwrap())
    }

    fn file(&self, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join("model.gguf");
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn open(&self, bytes: &[u8]) -> Result<GgufFile, EngineError> {
        GgufFile::open(&self.file(bytes))
    }
}

/// Reproducible bytes; the bytes of a block's half-precision scales may come out as any number but NaN or infinity.
fn noise(n: usize, mut state: u64) -> Vec<u8> {
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as u8
    };
    (0..n).map(|_| next()).collect()
}

#[test]
fn every_quantisation_is_what_its_definition_says() {
    let dir = Dir::new();
    for (name, code, length, size, value) in blocks::FORMATS {
        // Large enough for several parallel tasks, in rows of two blocks.
        let rows = 70_000 / (2 * length) + 1;
        let mut bytes = noise(rows * 2 * size, u64::from(code));
        for block in bytes.chunks_exact_mut(size) {
            let halves: &[usize] = match name {
                "Q6_K" => &[208],
                "Q4_0" | "Q5_0" | "Q8_0" => &[0],
                _ => &[0, 2],
            };
            for at in halves {
                // Clears the highest exponent bit: below 2, finite.
                block[at + 1] &= 0xBF;
            }
        }
        let mut file = Writer::default();
        file.tensor("t", &[rows as u64, 2 * length as u64], code, bytes.clone());
        let file = dir.open(&file.bytes()).unwrap();
        assert_eq!(file.tensors()["t"].kind.name(), name);
        let found = file.dequantise("t").unwrap();
        assert_eq!(found.len(), rows * 2 * length);
        for (i, found) in found.iter().enumerate() {
            let expected = value(&bytes[i / length * size..][..size], i % length);
            let same = (found - expected).abs() <= 1e-6 * expected.abs().max(1e-3);
            assert!(same, "{name} number {i}: {found}, expected {expected}");
        }
    }
}

/// Random blocks and their values by gguf-py 0.19 (fixtures/gguf_blocks.py): equal but for the last bit of f32.
#[test]
fn every_quantisation_agrees_with_gguf_py() {
    let golden = common::Tensors::open(&common::fixture("gguf_blocks.safetensors"));
    let dir = Dir::new();
    for (name, code, length, ..) in blocks::FORMATS {
        let expected = golden.f32(&format!("{name}.values"));
        let mut file = Writer::default();
        let rows = (expected.len() / length) as u64;
        file.tensor("t", &[rows, length as u64], code, golden.u8(&format!("{name}.bytes")));
        let found = dir.open(&file.bytes()).unwrap().dequantise("t").unwrap();
        assert!(expected.iter().any(|v| *v != 0.0) && expected.iter().all(|v| v.is_finite()));
        common::assert_close(name, &found, &expected, 1e-6, 1e-6);
    }
}

#[test]
fn plain_floats_are_read() {
    let dir = Dir::new();
    let values = [0.0f32, -1.5, 3.25, 65504.0, 1e-3];
    let half = values.iter().flat_map(|v| half::f16::from_f32(*v).to_le_bytes()).collect();
    let brain = values.iter().flat_map(|v| half::bf16::from_f32(*v).to_le_bytes()).collect();
    let mut file = Writer::default();
    file.f32("f32", &[5], &values).tensor("f16", &[5], 1, half).tensor("bf16", &[5], 30, brain);
    let file = dir.open(&file.bytes()).unwrap();
    assert_eq!(file.dequantise("f32").unwrap(), values);
    for (name, relative) in [("f16", 1e-3), ("bf16", 8e-3)] {
        for (found, expected) in file.dequantise(name).unwrap().iter().zip(values) {
            assert!((found - expected).abs() <= relative * expected.abs(), "{name}: {found} {expected}");
        }
    }
}

#[test]
fn a_tiny_llama_opens_with_its_rows_in_hugging_face_order() {
    let dir = Dir::new();
    dir.file(&tiny_llama().bytes());
    // A directory with exactly one GGUF file is as good as the file.
    let store = TensorStore::open(dir.0.path()).unwrap();
    let config = store.config();
    assert_eq!((config.vocab_size, config.heads, config.kv_heads, config.head_dim), (5, 2, 1, 4));
    assert_eq!((config.rope.theta, config.tied_head, &config.eos[..]), (1e5, true, &[0][..]));
    assert_eq!(store.hash().len(), 64);

    let q = store.take_f32("model.layers.0.self_attn.q_proj.weight", &[8, 8]).unwrap();
    let first_of_row: Vec<f32> = q.chunks_exact(8).map(|row| row[0] / 8.0).collect();
    // llama.cpp interleaves the halves of each head of 4: file row 2i+j is row 2j+i.
    assert_eq!(first_of_row, [0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0]);
    let v = store.take_f32("model.layers.0.self_attn.v_proj.weight", &[4, 8]).unwrap();
    assert_eq!((v[0], v[31]), (2000.0, 2031.0));

    let error = store.take_f32("model.layers.0.self_attn.v_proj.weight", &[8, 4]).unwrap_err();
    assert!(matches!(&error, EngineError::Shape { name, .. } if name == "blk.0.attn_v.weight"), "{error}");
    let error = store.take_f32("model.norm.weight", &[8]).unwrap_err();
    assert!(
        matches!(&error, EngineError::MissingTensor { name, .. } if name == "output_norm.weight"),
        "{error}"
    );

    let tokenizer = store.gguf().unwrap().tokenizer().unwrap();
    assert_eq!((tokenizer.tokens.len(), tokenizer.kinds[0], tokenizer.eos), (5, TokenKind::Control, Some(0)));
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let dir = Dir::new();
    let bytes = tiny_llama().bytes();
    for step in 0..50 {
        let length = bytes.len() * step / 50;
        let error =
            dir.open(&bytes[..length]).err().unwrap_or_else(|| panic!("cut at {length} was accepted"));
        assert!(error.to_string().contains("model.gguf"), "{error}");
    }
    assert!(dir.open(&bytes[..bytes.len() - 1]).is_err());
    assert!(dir.open(&bytes).is_ok());
}

#[test]
fn the_real_file_cut_anywhere_is_refused() {
    let Some(path) = common::smollm2() else { return };
    let dir = Dir::new();
    let bytes = std::fs::read(&path).unwrap();
    let cut = dir.file(&bytes);
    let file = std::fs::OpenOptions::new().write(true).open(&cut).unwrap();
    for step in (0..50).rev() {
        file.set_len((bytes.len() * step / 50) as u64).unwrap();
        assert!(TensorStore::open(&cut).is_err(), "cut at {step}/50 was accepted");
    }
}

#[test]
fn absurd_headers_cost_nothing() {
    let dir = Dir::new();
    let good = tiny_llama().bytes();
    // Tensor count, metadata count, length of the first key, each in turn beyond everything.
    for at in [8usize, 16, 24] {
        for count in [u64::MAX, 1 << 62, 1 << 40, 1 << 32] {
            let mut bytes = good.clone();
            bytes[at..at + 8].copy_from_slice(&count.to_le_bytes());
            assert!(dir.open(&bytes).is_err(), "count {count} at {at} was accepted");
        }
    }
    let mut sizes = Writer::default();
    sizes.tensor("huge", &[u64::MAX / 2, 1 << 20], 0, vec![0; 64]);
    let error = dir.open(&sizes.bytes()).unwrap_err().to_string();
    assert!(error.contains("huge"), "{error}");
}

#[test]
fn what_is_not_read_is_named() {
    let dir = Dir::new();
    let refused = |change: &dyn Fn(&mut Writer), name: &str| {
        let mut file = tiny_llama();
        change(&mut file);
        let error = TensorStore::open(&dir.file(&file.bytes())).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    };
    refused(&|w| w.tensors[1].2 = 10, "Q2_K");
    refused(&|w| w.tensors[1].2 = 9999, "9999");
    refused(&|w| w.metadata[0].1 = Meta::Text("mamba"), "mamba");
    refused(&|w| w.metadata[5].1 = Meta::U32(0), "head_count");
    refused(&|w| w.metadata[6].1 = Meta::U32(3), "3 key heads");
    refused(&|w| w.metadata.push(("llama.rope.scaling.type".into(), Meta::Text("yarn"))), "yarn");
    refused(&|w| w.metadata.push(("llama.expert_count".into(), Meta::U32(8))), "expert");
    refused(&|w| w.tensors.push(w.tensors[0].clone()), "twice");

    let mut old = tiny_llama().bytes();
    old[4] = 1;
    assert!(matches!(dir.open(&old), Err(EngineError::Unsupported { .. })));
    assert!(dir.open(b"{}").unwrap_err().to_string().contains("GGUF"));
    assert!(TensorStore::open(Path::new("/does/not/exist.gguf")).is_err());
    std::fs::write(dir.0.path().join("second.gguf"), b"").unwrap();
    assert!(TensorStore::open(dir.0.path()).unwrap_err().to_string().contains("2 .gguf files"));
}

/// Llama 3's frequency divisors, which GGUF holds as a tensor, become its parameters again (those of Llama 3.2 1B here).
#[test]
fn llama3_rope_scaling_is_recognised() {
    const FACTOR: f64 = 32.0;
    let dir = Dir::new();
    let divisors: Vec<f32> = (0..32)
        .map(|i| {
            // Turns of the original context, as transformers' `_compute_llama3_parameters` has it.
            let turns = 8192.0 * 5e5f64.powf(-2.0 * f64::from(i) / 64.0) / std::f64::consts::TAU;
            let smooth = ((turns - 1.0) / 3.0).clamp(0.0, 1.0);
            (1.0 / ((1.0 - smooth) / FACTOR + smooth)) as f32
        })
        .collect();
    let file = |divisors: &[f32]| {
        let mut file = tiny_llama();
        for (key, value) in &mut file.metadata {
            match key.as_str() {
                "llama.embedding_length" => *value = Meta::U32(64),
                "llama.attention.head_count" => *value = Meta::U32(1),
                "llama.rope.freq_base" => *value = Meta::F32(5e5),
                _ => {}
            }
        }
        file.tensors.clear();
        file.f32("token_embd.weight", &[5, 64], &[0.0; 320]);
        file.f32("rope_freqs.weight", &[32], divisors).bytes()
    };
    let store = TensorStore::open(&dir.file(&file(&divisors))).unwrap();
    let expected = RopeScaling::Llama3 {
        factor: 32.0,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_max_positions: 8192,
    };
    assert_eq!(store.config().rope.scaling, Some(expected));

    let mut other = divisors;
    other[20] *= 1.1;
    let error = TensorStore::open(&dir.file(&file(&other))).unwrap_err();
    assert!(error.to_string().contains("rope_freqs"), "{error}");
}

proptest! {
    #[test]
    fn random_bytes_are_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let dir = Dir::new();
        prop_assert!(dir.open(&bytes).is_err());
        prop_assert!(dir.open(&[b"GGUF\x03\0\0\0", bytes.as_slice()].concat()).is_err());
    }

    #[test]
    fn a_damaged_file_is_never_a_panic(changes in prop::collection::vec((0usize..4096, any::<u8>()), 1..20)) {
        let dir = Dir::new();
        let mut bytes = tiny_llama().bytes();
        for (at, value) in changes {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        if let Ok(store) = TensorStore::open(&dir.file(&bytes)) {
            for name in ["q_proj", "k_proj", "v_proj"] {
                let _ = store.take_f32(&format!("model.layers.0.self_attn.{name}.weight"), &[8, 8]);
                let _ = store.take_f32(&format!("model.layers.0.self_attn.{name}.weight"), &[4, 8]);
            }
            let _ = store.gguf().unwrap().tokenizer();
        }
    }
}

/// `cargo test --release -p uno-engine --test gguf -- --ignored --nocapture`: under 1.5 s on 2 cores is asked.
#[test]
#[ignore = "a measurement"]
fn opening_the_real_file() {
    let Some(path) = common::smollm2() else { return };
    for _ in 0..3 {
        let start = std::time::Instant::now();
        let store = TensorStore::open(&path).unwrap();
        let opened = start.elapsed().as_secs_f64();
        let hash = store.hash().to_owned();
        let hashed = start.elapsed().as_secs_f64() - opened;
        let file = store.gguf().unwrap();
        let names: Vec<&String> = file.tensors().keys().collect();
        let count: usize = names.iter().map(|n| file.dequantise(n).unwrap().len()).sum();
        let all = start.elapsed().as_secs_f64();
        eprintln!("open {opened:.3} s, hash {hashed:.3} s ({}), all {count} numbers {all:.3} s", &hash[..8]);
    }
}
