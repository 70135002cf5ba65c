//! The sentence encoder: against a plain f64 implementation on a tiny random model, and against sentence-transformers on
//! the real one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic is a test's report"
)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;
use uno_engine::bert::BertEncoder;
use uno_engine::{EngineError, Precision};

const HIDDEN: usize = 24;
const WIDE: usize = 40;
const HEADS: usize = 3;
const LAYERS: usize = 2;
const VOCAB: usize = 50;
const POSITIONS: usize = 48;

type Tensors = HashMap<String, (Vec<usize>, Vec<f32>)>;

/// Random tensors of a tiny BERT (a linear congruential generator: the values matter to nobody).
fn tensors() -> Tensors {
    let mut state = 12345u64;
    let mut random = move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1 << 24) as f32 - 0.5
    };
    let mut all = Tensors::new();
    let mut add = |name: String, shape: &[usize], centre: f32, spread: f32| {
        let values = (0..shape.iter().product()).map(|_| centre + spread * random()).collect();
        all.insert(name, (shape.to_vec(), values));
    };
    let mut block = |name: &str, rows: usize, cols: usize| {
        add(format!("{name}.weight"), &[rows, cols], 0.0, 0.8);
        add(format!("{name}.bias"), &[rows], 0.0, 0.5);
    };
    for layer in 0..LAYERS {
        let name = |rest: &str| format!("encoder.layer.{layer}.{rest}");
        for part in
            ["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"]
        {
            block(&name(part), HIDDEN, HIDDEN);
        }
        block(&name("intermediate.dense"), WIDE, HIDDEN);
        block(&name("output.dense"), HIDDEN, WIDE);
    }
    let mut norms = vec!["embeddings".to_owned()];
    for layer in 0..LAYERS {
        norms.push(format!("encoder.layer.{layer}.attention.output"));
        norms.push(format!("encoder.layer.{layer}.output"));
    }
    for name in norms {
        add(format!("{name}.LayerNorm.weight"), &[HIDDEN], 1.0, 0.5);
        add(format!("{name}.LayerNorm.bias"), &[HIDDEN], 0.0, 0.5);
    }
    for (name, rows) in [("word", VOCAB), ("position", POSITIONS), ("token_type", 2)] {
        add(format!("embeddings.{name}_embeddings.weight"), &[rows, HIDDEN], 0.0, 2.0);
    }
    all
}

fn write(dir: &Path, tensors: &Tensors) {
    let config = serde_json::json!({
        "model_type": "bert", "hidden_act": "gelu", "vocab_size": VOCAB, "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "intermediate_size": WIDE,
        "max_position_embeddings": POSITIONS, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
    });
    std::fs::write(dir.join("config.json"), config.to_string()).unwrap();
    let bytes: Vec<(&String, &Vec<usize>, Vec<u8>)> =
        tensors.iter().map(|(n, (s, v))| (n, s, v.iter().flat_map(|x| x.to_le_bytes()).collect())).collect();
    let views =
        bytes.iter().map(|(n, s, b)| (n.as_str(), TensorView::new(Dtype::F32, s.to_vec(), b).unwrap()));
    safetensors::serialize_to_file(views, None, &dir.join("model.safetensors")).unwrap();
}

/// The definition, element by element, in f64.
fn reference(tensors: &Tensors, text: &[u32]) -> Vec<f64> {
    let get = |name: &str| tensors[name].1.iter().map(|&v| f64::from(v)).collect::<Vec<f64>>();
    let norm = |x: &mut Vec<f64>, name: &str| {
        let (gain, offset) = (get(&format!("{name}.weight")), get(&format!("{name}.bias")));
        for row in x.chunks_exact_mut(HIDDEN) {
            let mean = row.iter().sum::<f64>() / HIDDEN as f64;
            let variance = row.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / HIDDEN as f64;
            for i in 0..HIDDEN {
                row[i] = (row[i] - mean) / (variance + 1e-12).sqrt() * gain[i] + offset[i];
            }
        }
    };
    let linear = |x: &[f64], name: &str| -> Vec<f64> {
        let (w, b) = (get(&format!("{name}.weight")), get(&format!("{name}.bias")));
        let cols = w.len() / b.len();
        x.chunks_exact(cols)
            .flat_map(|row| {
                w.chunks_exact(cols)
                    .zip(&b)
                    .map(|(w, b)| b + row.iter().zip(w).map(|(a, c)| a * c).sum::<f64>())
                    .collect::<Vec<_>>()
            })
            .collect()
    };
    let erf = |x: f64| {
        let (mut term, mut sum) = (x, x);
        for n in 1..300 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        if x.abs() > 5.0 { x.signum() } else { sum * std::f64::consts::FRAC_2_SQRT_PI }
    };
    let (words, positions, types) = (
        get("embeddings.word_embeddings.weight"),
        get("embeddings.position_embeddings.weight"),
        get("embeddings.token_type_embeddings.weight"),
    );
    let n = text.len();
    let mut x = Vec::new();
    for (p, &id) in text.iter().enumerate() {
        x.extend((0..HIDDEN).map(|i| words[id as usize * HIDDEN + i] + positions[p * HIDDEN + i] + types[i]));
    }
    norm(&mut x, "embeddings.LayerNorm");
    for layer in 0..LAYERS {
        let name = |rest: &str| format!("encoder.layer.{layer}.{rest}");
        let [q, k, v] = ["query", "key", "value"].map(|p| linear(&x, &name(&format!("attention.self.{p}"))));
        let width = HIDDEN / HEADS;
        let mut attended = vec![0.0; n * HIDDEN];
        for head in 0..HEADS {
            for i in 0..n {
                let dot = |j: usize| {
                    (0..width)
                        .map(|c| q[i * HIDDEN + head * width + c] * k[j * HIDDEN + head * width + c])
                        .sum::<f64>()
                };
                let weights: Vec<f64> = (0..n).map(|j| (dot(j) / (width as f64).sqrt()).exp()).collect();
                let total: f64 = weights.iter().sum();
                for c in 0..width {
                    let at = head * width + c;
                    attended[i * HIDDEN + at] = (0..n).map(|j| weights[j] / total * v[j * HIDDEN + at]).sum();
                }
            }
        }
        let mut y = linear(&attended, &name("attention.output.dense"));
        y.iter_mut().zip(&x).for_each(|(y, x)| *y += x);
        norm(&mut y, &name("attention.output.LayerNorm"));
        let mut wide = linear(&y, &name("intermediate.dense"));
        wide.iter_mut().for_each(|v| *v = 0.5 * *v * (1.0 + erf(*v / 2f64.sqrt())));
        let mut z = linear(&wide, &name("output.dense"));
        z.iter_mut().zip(&y).for_each(|(z, y)| *z += y);
        norm(&mut z, &name("output.LayerNorm"));
        x = z;
    }
    let mut mean: Vec<f64> =
        (0..HIDDEN).map(|i| x.chunks_exact(HIDDEN).map(|r| r[i]).sum::<f64>() / n as f64).collect();
    let length = mean.iter().map(|v| v * v).sum::<f64>().sqrt();
    mean.iter_mut().for_each(|v| *v /= length);
    mean
}

#[test]
fn a_tiny_model_agrees_with_its_definition() {
    let dir = tempfile::tempdir().unwrap();
    let tensors = tensors();
    write(dir.path(), &tensors);
    let encoder = BertEncoder::open(dir.path()).unwrap();
    assert_eq!(encoder.dimensions(), HIDDEN);
    let texts: Vec<Vec<u32>> = [1usize, 2, 7, 33, 48, 3]
        .iter()
        .map(|&n| (0..n as u32).map(|i| (i * 13 + n as u32) % VOCAB as u32).collect())
        .collect();
    for (text, found) in texts.iter().zip(encoder.encode(&texts).unwrap()) {
        let expected = reference(&tensors, text);
        let worst = found.iter().zip(&expected).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
        assert!(worst < 2e-6, "{} tokens: {worst}", text.len());
    }
    assert!(encoder.encode(&[]).unwrap().is_empty());
}

#[test]
fn what_cannot_be_encoded_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &tensors());
    let encoder = BertEncoder::open(dir.path()).unwrap();
    assert!(matches!(encoder.encode(&[vec![]]), Err(EngineError::Input(_))));
    assert!(matches!(encoder.encode(&[vec![VOCAB as u32]]), Err(EngineError::TokenOutOfRange { .. })));
    assert!(matches!(encoder.encode(&[vec![1; POSITIONS + 1]]), Err(EngineError::ContextOverflow { .. })));

    let mut short = tensors();
    short.remove("encoder.layer.1.output.dense.bias");
    write(dir.path(), &short);
    assert!(
        BertEncoder::open(dir.path())
            .err()
            .unwrap()
            .to_string()
            .contains("encoder.layer.1.output.dense.bias")
    );
}

/// The real model's directory, or `None` with a loud note.
fn minilm() -> Option<PathBuf> {
    let home = std::env::var_os("UNO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/uno")))?;
    let dir = home.join("models/all-MiniLM-L6-v2");
    if !dir.join("model.safetensors").is_file() {
        eprintln!("SKIPPED: {} is not there (pull the default models first)", dir.display());
        return None;
    }
    Some(dir)
}

fn golden() -> Vec<(Vec<u32>, Vec<f64>)> {
    let golden: Value = serde_json::from_str(include_str!("fixtures/minilm.json")).unwrap();
    let row = |row: &Value| {
        let ids = row["input_ids"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u32).collect();
        let embedding = row["embedding"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
        (ids, embedding)
    };
    golden["texts"].as_array().unwrap().iter().map(row).collect()
}

/// Tolerance of the fixture: 1e-5 absolute, cosine above 0.99999.
#[test]
fn minilm_agrees_with_sentence_transformers() {
    let Some(dir) = minilm() else { return };
    let encoder = BertEncoder::open(&dir).unwrap();
    let (texts, expected): (Vec<_>, Vec<_>) = golden().into_iter().unzip();
    assert_eq!(texts.len(), 25);
    let mut worst = 0.0f64;
    for (found, expected) in encoder.encode(&texts).unwrap().iter().zip(&expected) {
        let pairs = || found.iter().zip(expected).map(|(a, b)| (f64::from(*a), *b));
        worst = pairs().map(|(a, b)| (a - b).abs()).fold(worst, f64::max);
        assert!(pairs().map(|(a, b)| a * b).sum::<f64>() > 0.99999);
    }
    eprintln!("largest difference {worst:.1e}");
    assert!(worst < 1e-5, "{worst}");
}

/// What rounding of the factors costs, on the same texts.
#[test]
fn minilm_in_fewer_bits_stays_near() {
    let Some(dir) = minilm() else { return };
    let (texts, expected): (Vec<_>, Vec<_>) = golden().into_iter().unzip();
    for (precision, least) in [(Precision::Bf16, 0.9999), (Precision::Int8, 0.996)] {
        let encoder = BertEncoder::open_in(&dir, precision).unwrap();
        let found = encoder.encode(&texts).unwrap();
        let cosines = found
            .iter()
            .zip(&expected)
            .map(|(found, expected)| found.iter().zip(expected).map(|(a, b)| f64::from(*a) * b).sum::<f64>());
        let worst = cosines.fold(1.0, f64::min);
        eprintln!("{:?}: least cosine {worst:.6}", encoder.precision());
        assert!(worst > least, "{precision:?}: {worst}");
        // As in f32: a text's vector does not depend on its batch.
        assert_eq!(encoder.encode(&texts[3..4]).unwrap()[0], found[3]);
    }
}

/// A resumed run embeds other texts together; what depends on a vector must not change with its batch.
#[test]
fn an_embedding_does_not_depend_on_its_batch() {
    let Some(dir) = minilm() else { return };
    let encoder = BertEncoder::open(&dir).unwrap();
    let texts: Vec<Vec<u32>> = golden().into_iter().map(|(ids, _)| ids).collect();
    let together = encoder.encode(&texts).unwrap();
    let mut differing = 0;
    for (text, expected) in texts.iter().zip(&together) {
        let alone = encoder.encode(std::slice::from_ref(text)).unwrap().remove(0);
        differing += usize::from(&alone != expected);
        let pair = encoder.encode(&[text.clone(), texts[3].clone()]).unwrap().remove(0);
        differing += usize::from(&pair != expected);
    }
    assert_eq!(differing, 0);
}

/// `cargo test --release -p uno-engine --test bert -- --ignored --nocapture`: sentence-transformers does 78 texts/s of 65
/// tokens on 2 threads.
#[test]
#[ignore = "a measurement"]
fn speed() {
    let Some(dir) = minilm() else { return };
    let text = |i: u32| {
        (0..65)
            .map(|t| {
                if t == 0 {
                    101
                } else if t == 64 {
                    102
                } else {
                    1000 + (i * 67 + t * 131) % 20000
                }
            })
            .collect()
    };
    let texts: Vec<Vec<u32>> = (0..500).map(text).collect();
    for precision in [Precision::F32, Precision::Bf16, Precision::Int8] {
        let opening = Instant::now();
        let encoder = BertEncoder::open_in(&dir, precision).unwrap();
        let opening = opening.elapsed();
        let start = Instant::now();
        encoder.encode(&texts).unwrap();
        let together = texts.len() as f64 / start.elapsed().as_secs_f64();
        // As a gateway asks: one text, then nothing for a while.
        let mut alone: Vec<Duration> = texts[..60]
            .iter()
            .map(|text| {
                std::thread::sleep(Duration::from_millis(15));
                let start = Instant::now();
                encoder.encode(std::slice::from_ref(text)).unwrap();
                start.elapsed()
            })
            .collect();
        alone.sort_unstable();
        eprintln!(
            "{precision:?}: opened in {opening:.0?}; {together:.1} texts/s together; one after a pause {:.2?}, at best {:.2?}",
            alone[alone.len() / 2],
            alone[0]
        );
    }
}
