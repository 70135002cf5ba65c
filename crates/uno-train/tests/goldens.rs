//! Losses, log-probabilities, gradients and whole trainings against what TRL 0.24 computed on two tiny models.
//!
//! Tolerances: losses and log-probabilities 1e-4 relative; gradients 1e-4 relative L2 per tensor; losses of ten steps 1e-3
//! relative; weights after ten steps 1e-4 absolute for at least 99.9 % of the elements (Adam's first step is sign-like, so
//! elements whose gradient is about 0 may differ more: up to 1e-3).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic in a test is its report, and figures are worth printing"
)]

mod common;

use common::*;
use serde::Deserialize;
use uno_engine::{Decoder, LoraGrads, LoraWeights, Packed, Workspace};
use uno_train::loss::{DpoOutput, DpoSettings, PairRange, PairReference, dpo_sft, sft};
use uno_train::{PreferenceExample, StepEvent, TrainConfig, TrainData, TrainEvent, train_from};

const MODELS: [&str; 2] = ["tiny-llama", "tiny-qwen3"];
const SETTINGS: DpoSettings =
    DpoSettings { beta: 0.1, dpo_weight: 0.5, sft_weight: 0.5, ignore_id_zero: true };

#[derive(Deserialize)]
struct Dpo {
    pairs: Vec<Pair>,
    policy_chosen_logps: Vec<f64>,
    policy_rejected_logps: Vec<f64>,
    ref_chosen_logps: Vec<f64>,
    ref_rejected_logps: Vec<f64>,
    sigmoid_losses: Vec<f64>,
    sft_loss: f64,
    chosen_rewards: Vec<f64>,
    rejected_rewards: Vec<f64>,
    total_loss: f64,
    grad_norm: f64,
    float64_check: SftVariants,
    #[serde(default)]
    adamw_10_steps: Vec<Step>,
    grad_accum_3x1: Option<Accumulated>,
}

#[derive(Deserialize)]
struct SftVariants {
    sft_loss_ignore_id0: f64,
    sft_loss_all_tokens: f64,
}

#[derive(Deserialize)]
struct Accumulated {
    mean_of_micro_losses: f64,
    grad_norm_of_mean_of_micro: f64,
}

#[derive(Deserialize)]
struct Step {
    loss: f64,
    /// Not present for the loss after the last update.
    lr: Option<f64>,
    grad_norm_before_clip: Option<f64>,
}

#[derive(Deserialize)]
struct Sft {
    examples: Vec<Completion>,
    loss: f64,
    grad_norm: f64,
    adamw_10_steps: Vec<Step>,
    grad_accum_3x1: SftAccumulated,
}

#[derive(Deserialize)]
struct SftAccumulated {
    token_weighted: f64,
    logged_grad_norm: f64,
}

/// One micro-batch of all pairs through the engine.
fn dpo(
    decoder: &Decoder,
    weights: &LoraWeights,
    pairs: &[PreferenceExample],
    settings: &DpoSettings,
) -> (DpoOutput, Vec<PairReference>, LoraGrads) {
    let mut packed = Packed::new();
    let ranges: Vec<PairRange> = pairs
        .iter()
        .map(|pair| {
            let prompt = packed.push_prompt(&pair.prompt);
            let chosen = packed.push_completion(prompt, &pair.chosen);
            PairRange { chosen, rejected: packed.push_completion(prompt, &pair.rejected) }
        })
        .collect();
    let base = decoder.token_logprobs(&packed, None).unwrap();
    let sum = |range: &std::ops::Range<usize>| base[range.clone()].iter().map(|l| f64::from(*l)).sum();
    let references: Vec<_> =
        ranges.iter().map(|r| PairReference { chosen: sum(&r.chosen), rejected: sum(&r.rejected) }).collect();
    let mut gradients = LoraGrads::zeros_like(weights);
    let mut output = None;
    let mut loss = |logps: &[f32]| {
        let result = dpo_sft(logps, packed.targets(), &ranges, &references, settings);
        output.insert(result).dlogp.clone()
    };
    decoder.backward(&packed, weights, None, &mut loss, &mut gradients, &mut Workspace::default()).unwrap();
    (output.unwrap(), references, gradients)
}

fn compare_dpo(model: &str, name: &str) {
    let golden: Dpo = golden(model, &format!("{name}.json"));
    let decoder = decoder(model);
    let weights = adapter(model, &decoder);
    let (output, references, gradients) = dpo(&decoder, &weights, &preferences(&golden.pairs), &SETTINGS);
    for (i, (pair, reference)) in output.pairs.iter().zip(&references).enumerate() {
        let check =
            |what: &str, got, want| assert_close(&format!("{model} {name} {i} {what}"), got, want, 1e-4);
        check("chosen logp", pair.chosen_logp, golden.policy_chosen_logps[i]);
        check("rejected logp", pair.rejected_logp, golden.policy_rejected_logps[i]);
        check("chosen reference", reference.chosen, golden.ref_chosen_logps[i]);
        check("rejected reference", reference.rejected, golden.ref_rejected_logps[i]);
        // A reward is a small difference of large sums: its tolerance is theirs, times β.
        let sums = golden.policy_chosen_logps[i].abs() + golden.policy_rejected_logps[i].abs();
        assert!((pair.chosen_reward - golden.chosen_rewards[i]).abs() < 1e-5 * sums);
        assert!((pair.rejected_reward - golden.rejected_rewards[i]).abs() < 1e-5 * sums);
        check("sigmoid loss", pair.sigmoid_loss, golden.sigmoid_losses[i]);
    }
    assert_close("likelihood", output.sft_loss, golden.sft_loss, 1e-4);
    assert_close(
        "likelihood, id 0 left out",
        output.sft_loss,
        golden.float64_check.sft_loss_ignore_id0,
        1e-4,
    );
    assert_close("loss", output.loss, golden.total_loss, 1e-4);
    assert_close("norm", f64::from(gradients.global_norm()), golden.grad_norm, 1e-4);
    let error = worst_gradient_error(&gradients, model, &format!("{name}_grads.safetensors"));
    assert!(error <= 1e-4, "{model} {name}: gradient error {error:.2e}");
    eprintln!("{model} {name}: loss {} worst gradient error {error:.2e}", output.loss);

    let all = DpoSettings { ignore_id_zero: false, ..SETTINGS };
    let (output, ..) = dpo(&decoder, &weights, &preferences(&golden.pairs), &all);
    assert_close("likelihood, all tokens", output.sft_loss, golden.float64_check.sft_loss_all_tokens, 1e-4);
}

#[test]
fn dpo_losses_and_gradients() {
    MODELS.into_iter().for_each(|model| compare_dpo(model, "dpo"));
}

#[test]
fn dpo_with_id_zero_in_completions() {
    MODELS.into_iter().for_each(|model| compare_dpo(model, "dpo_with_id0"));
}

#[test]
fn sft_loss_and_gradients() {
    for model in MODELS {
        let golden: Sft = golden(model, "sft.json");
        let decoder = decoder(model);
        let weights = adapter(model, &decoder);
        let mut packed = Packed::new();
        for example in completions(&golden.examples) {
            let prompt = packed.push_prompt(&example.prompt);
            packed.push_completion(prompt, &example.completion);
        }
        let mut gradients = LoraGrads::zeros_like(&weights);
        let mut value = 0.0;
        let mut loss = |logps: &[f32]| {
            let output = sft(logps, logps.len());
            value = output.loss;
            output.dlogp
        };
        decoder
            .backward(&packed, &weights, None, &mut loss, &mut gradients, &mut Workspace::default())
            .unwrap();
        assert_close("loss", value, golden.loss, 1e-4);
        assert_close("norm", f64::from(gradients.global_norm()), golden.grad_norm, 1e-4);
        let error = worst_gradient_error(&gradients, model, "sft_grads.safetensors");
        assert!(error <= 1e-4, "{model} sft: gradient error {error:.2e}");
        eprintln!("{model} sft: loss {value} worst gradient error {error:.2e}");
    }
}

/// Runs a whole training from the golden adapter and returns its steps.
fn steps(model: &str, data: &TrainData, config: TrainConfig, dir: &std::path::Path) -> Vec<StepEvent> {
    let decoder = decoder(model);
    let weights = adapter(model, &decoder);
    let config = golden_config(&weights, config);
    let mut steps = Vec::new();
    train_from(&decoder, weights, data, Some(data), &config, dir, &mut |event| {
        if let TrainEvent::Step(step) = event {
            steps.push(step.clone());
        }
    })
    .unwrap();
    steps
}

fn compare_steps(what: &str, steps: &[StepEvent], golden: &[Step]) {
    assert_eq!(steps.len(), 10);
    for (step, want) in steps.iter().zip(golden) {
        let what = format!("{what} step {}", step.step);
        assert_close(&format!("{what} loss"), step.loss, want.loss, 1e-3);
        assert!((step.lr - want.lr.unwrap()).abs() < 1e-9, "{what} lr {}", step.lr);
        assert_close(&format!("{what} norm"), step.grad_norm, want.grad_norm_before_clip.unwrap(), 1e-3);
    }
}

fn compare_weights(model: &str, dir: &std::path::Path, name: &str) {
    let (worst, beyond) = weight_error(&dir.join("epoch-10"), model, name, 1e-4);
    eprintln!("{model} {name}: worst {worst:.2e}, beyond 1e-4: {:.4} %", beyond * 100.0);
    assert!(
        worst <= 1e-3 && beyond <= 1e-3,
        "{model} {name}: worst {worst:.2e}, share beyond 1e-4 {beyond:.2e}"
    );
}

#[test]
fn ten_steps_of_dpo() {
    for model in MODELS {
        let golden: Dpo = golden(model, "dpo.json");
        let data = TrainData::Preferences(preferences(&golden.pairs));
        let dir = tempfile::tempdir().unwrap();
        let config = TrainConfig { ignore_id_zero: true, ..TrainConfig::expert() };
        let steps = steps(model, &data, config, dir.path());
        compare_steps(model, &steps, &golden.adamw_10_steps);
        compare_weights(model, dir.path(), "dpo_lora_after10.safetensors");
    }
}

#[test]
fn ten_steps_of_sft() {
    for model in MODELS {
        let golden: Sft = golden(model, "sft.json");
        let data = TrainData::Completions(completions(&golden.examples));
        let dir = tempfile::tempdir().unwrap();
        let steps = steps(model, &data, TrainConfig::critic(), dir.path());
        compare_steps(model, &steps, &golden.adamw_10_steps);
        compare_weights(model, dir.path(), "sft_lora_after10.safetensors");
        // Validation on the same examples after the last epoch is the golden loss after ten updates.
        let log = std::fs::read_to_string(dir.path().join("training.jsonl")).unwrap();
        let last: TrainEvent = serde_json::from_str(log.lines().last().unwrap()).unwrap();
        let TrainEvent::Epoch(epoch) = last else { panic!("{last:?}") };
        assert_close("validation", epoch.validation_loss.unwrap(), golden.adamw_10_steps[10].loss, 1e-3);
    }
}

#[test]
fn accumulated_micro_batches() {
    for model in MODELS {
        let golden: Dpo = golden(model, "dpo.json");
        let data = TrainData::Preferences(preferences(&golden.pairs));
        let accumulate = |data: &TrainData, base: TrainConfig| {
            let dir = tempfile::tempdir().unwrap();
            let decoder = decoder(model);
            let weights = adapter(model, &decoder);
            let config = TrainConfig { micro_batch: 1, epochs: 1, ..golden_config(&weights, base) };
            let mut first = None;
            train_from(&decoder, weights, data, None, &config, dir.path(), &mut |event| {
                if let TrainEvent::Step(step) = event {
                    first.get_or_insert(step.clone());
                }
            })
            .unwrap();
            first.unwrap()
        };
        let step = accumulate(&data, TrainConfig::expert());
        let want = golden.grad_accum_3x1.unwrap();
        assert_close("mean of micro-batch means", step.loss, want.mean_of_micro_losses, 1e-4);
        assert_close("norm", step.grad_norm, want.grad_norm_of_mean_of_micro, 1e-4);

        let golden: Sft = common::golden(model, "sft.json");
        let data = TrainData::Completions(completions(&golden.examples));
        let step = accumulate(&data, TrainConfig::critic());
        assert_close("token-weighted", step.loss, golden.grad_accum_3x1.token_weighted, 1e-4);
        assert_close("norm", step.grad_norm, golden.grad_accum_3x1.logged_grad_norm, 1e-4);
    }
}
