//! The default model, where it has been pulled, against transformers in float32 (sdpa). Tolerances: logits 2e-3 absolute,
//! summed log-probabilities 1e-3 relative, greedy tokens exact.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic in a test is its report"
)]

mod common;

use std::time::Instant;

use common::{Tensors, argmax, assert_close, shared, smollm2};
use serde_json::Value;
use uno_engine::{Decoder, Packed};

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn the_default_model_agrees_with_transformers() {
    let (Some(model), Some(golden), Some(logits)) =
        (smollm2(), shared("smollm2_golden.json"), shared("smollm2_last_logits.safetensors"))
    else {
        return;
    };
    let started = Instant::now();
    let decoder = Decoder::open(&model).unwrap();
    eprintln!("opened in {:.2} s", started.elapsed().as_secs_f64());
    let golden: Value = serde_json::from_slice(&std::fs::read(golden).unwrap()).unwrap();
    let logits = Tensors::open(&logits);
    for (i, case) in golden["generate"].as_array().unwrap().iter().enumerate() {
        let prompt = ids(&case["input_ids"]);
        let expected = logits.f32(&format!("last_logits_{i}"));
        let all = decoder.logits(&prompt, None).unwrap();
        assert_close("scoring", all.row(prompt.len() - 1), &expected, 2e-3, 0.0);
        let mut sequence = decoder.start(None, None, prompt.len() + 32);
        let mut row = decoder.advance(&mut [(&mut sequence, &prompt)]).unwrap().data;
        assert_close("generation", &row, &expected, 2e-3, 0.0);
        let greedy = ids(&case["greedy_32"]);
        let mut got = vec![argmax(&row)];
        while got.len() < greedy.len() {
            row = decoder.advance(&mut [(&mut sequence, &got[got.len() - 1..])]).unwrap().data;
            got.push(argmax(&row));
        }
        assert_eq!(got, greedy, "prompt {i}");
    }
    for pair in golden["pairs"].as_array().unwrap() {
        let mut packed = Packed::new();
        let prompt = packed.push_prompt(&ids(&pair["prompt_input_ids"]));
        let chosen = packed.push_completion(prompt, &ids(&pair["chosen_input_ids"]));
        let rejected = packed.push_completion(prompt, &ids(&pair["rejected_input_ids"]));
        let got = decoder.token_logprobs(&packed, None).unwrap();
        for (range, key) in [(chosen, "chosen_logps"), (rejected, "rejected_logps")] {
            let (sum, expected) = (got[range].iter().sum::<f32>(), pair[key].as_f64().unwrap() as f32);
            assert!((sum / expected - 1.0).abs() < 1e-3, "{key} {sum}, expected {expected}");
        }
    }
}
