//! The backward against TRL's gradients, finite differences and itself.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic in a test is its report"
)]

mod common;

use common::{Tensors, fixture, ids, tiny_models};
use serde_json::Value;
use uno_engine::{
    Decoder, Dropout, LoraGrads, LoraWeights, Packed, PassMemory, Precision, Products, Workspace,
};

fn json(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(fixture(name)).unwrap()).unwrap()
}

fn tokens(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

fn floats(value: &Value) -> Vec<f32> {
    serde_json::from_value(value.clone()).unwrap()
}

fn tiny(name: &str) -> (Decoder, LoraWeights) {
    let decoder = Decoder::open(&fixture(name)).unwrap();
    let adapter = LoraWeights::read_peft(&fixture(name).join("adapter"), decoder.config()).unwrap();
    (decoder, adapter)
}

fn tiny_llama() -> (Decoder, LoraWeights) {
    tiny("tiny-llama")
}

/// Largest relative L2 error of a tensor.
fn worst_error(grads: &LoraGrads, expected: &Tensors) -> f64 {
    let error = |(name, _, got): (_, _, &[f32])| {
        let expected = expected.f32(&LoraWeights::peft_name(name));
        let norm = |it: &mut dyn Iterator<Item = f64>| it.map(|v| v * v).sum::<f64>().sqrt();
        let difference = norm(&mut got.iter().zip(&expected).map(|(g, e)| f64::from(g - e)));
        difference / norm(&mut expected.iter().map(|e| f64::from(*e)))
    };
    grads.tensors().map(error).fold(0.0, f64::max)
}

/// 0.5 * mean(-log sigmoid(beta * margin)) + 0.5 * mean NLL of all chosen tokens, beta 0.1 (TRL 0.24 loss_type
/// ["sigmoid", "sft"]). Losses 1e-4 relative, gradients 1e-4 relative L2 per tensor. Those of Phi-3's fused layers are
/// torch's in float64 (fixtures/phi3_gradients.py).
#[test]
fn dpo_gradients_agree_with_trl() {
    for name in ["tiny-llama", "tiny-qwen3", "tiny-phi3"] {
        dpo_gradients(name);
    }
}

fn dpo_gradients(name: &str) {
    let (decoder, adapter) = tiny(name);
    let golden = json(&format!("{name}/training/dpo.json"));
    let (mut packed, mut ranges) = (Packed::new(), Vec::new());
    for pair in golden["pairs"].as_array().unwrap() {
        let prompt = packed.push_prompt(&tokens(&pair["prompt_input_ids"]));
        let chosen = packed.push_completion(prompt, &tokens(&pair["chosen_input_ids"]));
        let rejected = packed.push_completion(prompt, &tokens(&pair["rejected_input_ids"]));
        ranges.push((chosen, rejected));
    }
    let reference = decoder.token_logprobs(&packed, None).unwrap();
    let mut total = 0.0;
    let mut loss = |policy: &[f32]| {
        let mut d = vec![0.0; policy.len()];
        let pairs = ranges.len() as f32;
        let chosen_tokens: usize = ranges.iter().map(|(c, _)| c.len()).sum();
        for (i, (chosen, rejected)) in ranges.iter().enumerate() {
            let sum = |of: &[f32], r: &std::ops::Range<usize>| of[r.clone()].iter().sum::<f32>();
            for (key, of, range) in [
                ("policy_chosen_logps", policy, chosen),
                ("policy_rejected_logps", policy, rejected),
                ("ref_chosen_logps", &reference, chosen),
                ("ref_rejected_logps", &reference, rejected),
            ] {
                let expected = floats(&golden[key])[i];
                assert!((sum(of, range) / expected - 1.0).abs() < 1e-4, "{name} {key} {i}");
            }
            let margin = sum(policy, chosen) - sum(&reference, chosen) - sum(policy, rejected)
                + sum(&reference, rejected);
            total += 0.5 * (1.0 + (-0.1 * margin).exp()).ln() / pairs;
            total -= 0.5 * sum(policy, chosen) / chosen_tokens as f32;
            let slope = -0.5 * 0.1 / (1.0 + (0.1 * margin).exp()) / pairs;
            d[chosen.clone()].fill(slope - 0.5 / chosen_tokens as f32);
            d[rejected.clone()].fill(-slope);
        }
        d
    };
    let mut grads = adapter.zeros_like();
    decoder.backward(&packed, &adapter, None, &mut loss, &mut grads, &mut Workspace::default()).unwrap();
    let expected = golden["total_loss"].as_f64().unwrap() as f32;
    assert!((total / expected - 1.0).abs() < 1e-4, "{name}: loss {total}, expected {expected}");
    let expected = Tensors::open(&fixture(name).join("training/dpo_grads.safetensors"));
    let error = worst_error(&grads, &expected);
    assert!(error < 1e-4, "{name}: relative error {error}");
    let norm = golden["grad_norm"].as_f64().unwrap() as f32;
    assert!((grads.global_norm() / norm - 1.0).abs() < 1e-4);
}

/// Mean NLL over all completion tokens (TRL's SFTTrainer, completion only).
#[test]
fn sft_gradients_agree_with_trl() {
    for name in ["tiny-llama", "tiny-qwen3"] {
        sft_gradients(name);
    }
}

fn sft_gradients(name: &str) {
    let (decoder, adapter) = tiny(name);
    let golden = json(&format!("{name}/training/sft.json"));
    let mut packed = Packed::new();
    for example in golden["examples"].as_array().unwrap() {
        let prompt = packed.push_prompt(&tokens(&example["prompt"]));
        packed.push_completion(prompt, &tokens(&example["completion"]));
    }
    let mut total = 0.0;
    let mut loss = |policy: &[f32]| {
        total = -policy.iter().sum::<f32>() / policy.len() as f32;
        vec![-1.0 / policy.len() as f32; policy.len()]
    };
    let mut grads = adapter.zeros_like();
    decoder.backward(&packed, &adapter, None, &mut loss, &mut grads, &mut Workspace::default()).unwrap();
    let expected = golden["loss"].as_f64().unwrap() as f32;
    assert!((total / expected - 1.0).abs() < 1e-4, "{name}: loss {total}, expected {expected}");
    let expected = Tensors::open(&fixture(name).join("training/sft_grads.safetensors"));
    let error = worst_error(&grads, &expected);
    assert!(error < 1e-4, "{name}: relative error {error}");
}

/// One prompt, two completions longer than an attention block, for all families.
fn pair(vocab: usize) -> Packed {
    let mut packed = Packed::new();
    let prompt = packed.push_prompt(&ids(9, 1, vocab as u32));
    packed.push_completion(prompt, &ids(70, 2, vocab as u32));
    packed.push_completion(prompt, &ids(5, 3, vocab as u32));
    packed
}

fn weighted_loss(policy: &[f32]) -> (f64, Vec<f32>) {
    let weight = |i: usize| 0.1 * ((i * 7 % 5) as f32 - 1.5);
    let value = policy.iter().enumerate().map(|(i, p)| f64::from(weight(i)) * f64::from(*p)).sum();
    (value, (0..policy.len()).map(weight).collect())
}

fn gradient(
    decoder: &Decoder,
    adapter: &LoraWeights,
    dropout: Option<Dropout>,
    packed: &Packed,
) -> (f64, LoraGrads) {
    let (mut grads, mut value) = (adapter.zeros_like(), 0.0);
    let mut loss = |policy: &[f32]| {
        let (v, d) = weighted_loss(policy);
        value = v;
        d
    };
    decoder.backward(packed, adapter, dropout, &mut loss, &mut grads, &mut Workspace::default()).unwrap();
    (value, grads)
}

/// The change of the loss along each tensor's own gradient, by central differences, within 1 %; with and without dropout
/// (whose mask must be the same in both passes).
#[test]
fn finite_differences_agree() {
    for (name, dir) in tiny_models() {
        let decoder = Decoder::open(&dir).unwrap();
        let adapter = LoraWeights::read_peft(&dir.join("adapter"), decoder.config()).unwrap();
        let packed = pair(decoder.config().vocab_size);
        for dropout in [None, Some(Dropout { p: 0.2, seed: 11 })] {
            let (_, grads) = gradient(&decoder, &adapter, dropout, &packed);
            let count = grads.tensors().count();
            for which in 0..count {
                let (tensor, _, g) = grads.tensors().nth(which).unwrap();
                let norm = g.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
                let step = 4e-3;
                let mut values = [0.0; 2];
                for (value, sign) in values.iter_mut().zip([1.0, -1.0]) {
                    let mut moved = adapter.clone();
                    let (_, _, data) = moved.tensors_mut().nth(which).unwrap();
                    data.iter_mut().zip(g).for_each(|(w, g)| *w += (sign * step / norm) as f32 * g);
                    *value = gradient(&decoder, &moved, dropout, &packed).0;
                }
                let slope = (values[0] - values[1]) / (2.0 * step);
                assert!(
                    (slope / norm - 1.0).abs() < 0.01,
                    "{name} {tensor:?} {dropout:?}: {slope} against {norm}"
                );
            }
        }
    }
}

/// A shared prompt gives the same log-probabilities and gradients as a prompt of its own for each completion.
#[test]
fn sharing_a_prompt_changes_nothing() {
    for (name, dir) in tiny_models() {
        let decoder = Decoder::open(&dir).unwrap();
        let adapter = LoraWeights::read_peft(&dir.join("adapter"), decoder.config()).unwrap();
        let vocab = decoder.config().vocab_size;
        let mut apart = Packed::new();
        for (n, seed) in [(70, 2), (5, 3)] {
            let prompt = apart.push_prompt(&ids(9, 1, vocab as u32));
            apart.push_completion(prompt, &ids(n, seed, vocab as u32));
        }
        let together = pair(vocab);
        assert_eq!(together.targets(), apart.targets());
        let a = decoder.token_logprobs(&together, Some(&adapter)).unwrap();
        let b = decoder.token_logprobs(&apart, Some(&adapter)).unwrap();
        common::assert_close(&name, &a, &b, 2e-4, 1e-4);
        let (a, b) =
            (gradient(&decoder, &adapter, None, &together).1, gradient(&decoder, &adapter, None, &apart).1);
        let difference =
            a.as_slice().iter().zip(b.as_slice()).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
        assert!(difference / f64::from(a.global_norm()) < 1e-4, "{name}: {difference}");
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let (decoder, adapter) = tiny_llama();
    let packed = pair(decoder.config().vocab_size);
    let dropout = Some(Dropout { p: 0.1, seed: 5 });
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| gradient(&decoder, &adapter, dropout, &packed))
    };
    let one = run(1);
    for threads in [2, 3, 5] {
        let other = run(threads);
        assert_eq!(one.0.to_bits(), other.0.to_bits(), "loss with {threads} threads");
        assert_eq!(one.1.as_slice(), other.1.as_slice(), "gradients with {threads} threads");
    }
}

/// Whatever the limit, recomputed activations are the very numbers that were there, and the buffers take what was planned.
#[test]
fn recomputing_changes_no_bit_and_memory_is_as_planned() {
    for (name, dir) in tiny_models() {
        let decoder = Decoder::open(&dir).unwrap();
        let adapter = LoraWeights::read_peft(&dir.join("adapter"), decoder.config()).unwrap();
        let (config, packed) = (decoder.config(), pair(decoder.config().vocab_size));
        for dropout in [None, Some(Dropout { p: 0.2, seed: 11 })] {
            let whole = gradient(&decoder, &adapter, dropout, &packed).1;
            let plan =
                |limit| PassMemory::of(config, &adapter.config, &packed, dropout.is_some(), limit).unwrap();
            assert_eq!(plan(None).recomputed_blocks, 0);
            assert_eq!(plan(Some(0)).recomputed_blocks, config.layers - 1, "{name}");
            let almost = plan(None).activations - 1;
            assert_eq!(plan(Some(almost)).recomputed_blocks, 1, "{name}");
            for limit in [None, Some(0), Some(almost)] {
                let (mut grads, mut ws) = (adapter.zeros_like(), Workspace::default());
                ws.limit_activations(limit);
                let mut loss = |policy: &[f32]| weighted_loss(policy).1;
                decoder.backward(&packed, &adapter, dropout, &mut loss, &mut grads, &mut ws).unwrap();
                assert_eq!(grads.as_slice(), whole.as_slice(), "{name} {dropout:?} {limit:?}");
                assert_eq!(ws.recomputed_blocks(), plan(limit).recomputed_blocks);
                assert_eq!(ws.bytes(), plan(limit).total(), "{name} {dropout:?} {limit:?}");
            }
        }
    }
}

/// Buffers kept from a larger pass must not leak into a smaller one; gradients are added to what is there.
#[test]
fn a_used_workspace_changes_nothing() {
    let (decoder, adapter) = tiny_llama();
    let (large, mut small) = (pair(decoder.config().vocab_size), Packed::new());
    let prompt = small.push_prompt(&[5, 6, 7]);
    small.push_completion(prompt, &[9, 10]);
    let (mut ws, mut grads) = (Workspace::default(), adapter.zeros_like());
    let mut loss = |policy: &[f32]| weighted_loss(policy).1;
    decoder
        .backward(&large, &adapter, Some(Dropout { p: 0.1, seed: 1 }), &mut loss, &mut grads, &mut ws)
        .unwrap();
    grads.zero();
    decoder.backward(&small, &adapter, None, &mut loss, &mut grads, &mut ws).unwrap();
    let fresh = gradient(&decoder, &adapter, None, &small).1;
    assert_eq!(grads.as_slice(), fresh.as_slice());
    decoder.backward(&small, &adapter, None, &mut loss, &mut grads, &mut ws).unwrap();
    assert!((grads.global_norm() / fresh.global_norm() - 2.0).abs() < 1e-5);
}

/// bf16 products point the same way, even in a random model, whose logits are large and whose gradients cancel:
/// log-probabilities within 4 %, each tensor's gradient with a cosine of 0.99 or more; 0.999 when only the backward is rounded. Where
/// the machine has no such products the two are the same, and equal.
#[test]
fn bf16_gradients_agree_with_f32() {
    let (decoder, adapter) = tiny_llama();
    let vocab = u32::try_from(decoder.config().vocab_size).unwrap();
    let mut packed = Packed::new();
    let prompt = packed.push_prompt(&ids(9, 1, vocab));
    packed.push_completion(prompt, &ids(24, 2, vocab));
    packed.push_completion(prompt, &ids(17, 3, vocab));
    let run = |products: Products| {
        let (mut grads, mut ws) = (adapter.zeros_like(), Workspace::new(products));
        assert_eq!(ws.products(), products.effective());
        let mut seen = Vec::new();
        let mut loss = |logps: &[f32]| {
            seen = logps.to_vec();
            logps.iter().enumerate().map(|(i, _)| if i < 24 { -1.0 } else { 0.5 }).collect()
        };
        decoder.backward(&packed, &adapter, None, &mut loss, &mut grads, &mut ws).unwrap();
        (grads, seen)
    };
    let (exact, exact_logps) = run(Products::both(Precision::F32));
    let (rounded, rounded_logps) = run(Products::both(Precision::Bf16));
    let (mixed, mixed_logps) = run(Products { forward: Precision::F32, backward: Precision::Bf16 });
    assert_eq!(exact_logps, mixed_logps, "only the backward is rounded");
    for (a, b) in exact_logps.iter().zip(&rounded_logps) {
        assert!((a - b).abs() <= 0.04 * a.abs().max(1.0), "{a} {b}");
    }
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    for (other, least) in [(&rounded, 0.99), (&mixed, 0.999)] {
        for ((name, _, a), (.., b)) in exact.tensors().zip(other.tensors()) {
            let cosine = dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
            assert!(cosine >= least, "{}: {cosine}", LoraWeights::peft_name(name));
        }
    }
}
