//! Logits and greedy tokens of the tiny models against transformers 4.57 (float32, eager attention), base and with an
//! unmerged PEFT adapter. Tolerance 2e-4 + 1e-4 |x|: float32 itself is up to 2.3e-5 off float64 here.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic in a test is its report"
)]

mod common;

use std::path::Path;

use common::{Tensors, argmax, assert_close, fixture, tiny_models};
use uno_engine::{Decoder, LoraWeights};

const LENGTHS: [usize; 2] = [24, 15];

/// The two sequences of a golden file and the logits at their real positions.
fn goldens(path: &Path) -> Vec<(Vec<u32>, Vec<f32>)> {
    let file = Tensors::open(path);
    let (ids, logits) = (file.ids("input_ids_right"), file.f32("logits_right"));
    let vocab = logits.len() / ids.len();
    let row = |i: usize| {
        let (from, n) = (i * 24, LENGTHS[i]);
        (ids[from..from + n].to_vec(), logits[from * vocab..(from + n) * vocab].to_vec())
    };
    let mut all = vec![row(0), row(1)];
    // The same sequence alone and left-padded must have the same logits.
    all.push((all[1].0.clone(), file.f32("logits_single")));
    let left = file.f32("logits_left");
    all.push((all[1].0.clone(), left[(24 + 9) * vocab..].to_vec()));
    all
}

#[test]
fn logits_agree_with_transformers() {
    for (name, dir) in tiny_models() {
        let decoder = Decoder::open(&dir).unwrap();
        for (ids, expected) in goldens(&dir.join("golden_logits.safetensors")) {
            assert_close(&name, &decoder.logits(&ids, None).unwrap().data, &expected, 2e-4, 1e-4);
        }
        let adapter = LoraWeights::read_peft(&dir.join("adapter"), decoder.config()).unwrap();
        for (ids, expected) in goldens(&dir.join("adapter/golden_logits.safetensors")) {
            let got = decoder.logits(&ids, Some(&adapter)).unwrap();
            assert_close(&format!("{name} with adapter"), &got.data, &expected, 2e-4, 1e-4);
        }
    }
}

#[test]
fn generated_tokens_agree_with_transformers() {
    let text = std::fs::read(fixture("greedy.json")).unwrap();
    let greedy: serde_json::Value = serde_json::from_slice(&text).unwrap();
    for (name, dir) in tiny_models() {
        let expected: Vec<Vec<u32>> =
            serde_json::from_value(greedy[&name]["greedy_left_padded_16"].clone()).unwrap();
        let decoder = Decoder::open(&dir).unwrap();
        let prompts = goldens(&dir.join("golden_logits.safetensors"));
        let mut sequences = [decoder.start(None, None, 64), decoder.start(None, None, 64)];
        let mut feed: Vec<Vec<u32>> = vec![prompts[0].0.clone(), prompts[1].0.clone()];
        let mut got = vec![Vec::new(); 2];
        for _ in 0..16 {
            let mut rows: Vec<_> = sequences.iter_mut().zip(feed.iter().map(Vec::as_slice)).collect();
            let logits = decoder.advance(&mut rows).unwrap();
            for (i, got) in got.iter_mut().enumerate() {
                got.push(argmax(logits.row(i)));
                feed[i] = vec![got[got.len() - 1]];
            }
        }
        assert_eq!(got, expected, "{name}");
    }
}

#[test]
fn generation_with_an_adapter_agrees_with_transformers() {
    for (name, dir) in tiny_models() {
        let decoder = Decoder::open(&dir).unwrap();
        let adapter =
            std::sync::Arc::new(LoraWeights::read_peft(&dir.join("adapter"), decoder.config()).unwrap());
        for (ids, expected) in goldens(&dir.join("adapter/golden_logits.safetensors")) {
            let mut sequence = decoder.start(None, Some(adapter.clone()), 32);
            let vocab = decoder.config().vocab_size;
            for (i, chunk) in ids.chunks(4).enumerate() {
                let logits = decoder.advance(&mut [(&mut sequence, chunk)]).unwrap();
                let at = (i * 4 + chunk.len() - 1) * vocab;
                assert_close(&name, &logits.data, &expected[at..at + vocab], 2e-4, 1e-4);
            }
        }
    }
}
