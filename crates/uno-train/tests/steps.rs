//! What must not change results: threads, recomputed activations, how micro-batches are packed; and what must end a run.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic in a test is its report")]

mod common;

use std::path::Path;

use common::{checkpoints, decoder, random_pairs};
use uno_train::{
    Checkpointing, Loss, PreferenceExample, StepEvent, TrainConfig, TrainData, TrainEvent, TrainOutcome,
    TrainPrecision, bench_training, train,
};

fn config() -> TrainConfig {
    TrainConfig { rank: 8, alpha: 16.0, epochs: 2, batch: 5, lr: 2e-3, ..TrainConfig::default() }
}

fn run(config: &TrainConfig, data: &TrainData, dir: &Path) -> (TrainOutcome, Vec<StepEvent>) {
    let decoder = decoder("tiny-llama");
    let mut steps = Vec::new();
    let outcome = train(&decoder, data, Some(&random_pairs(4, 2)), config, dir, &mut |event| {
        if let TrainEvent::Step(step) = event {
            steps.push(step.clone());
        }
    });
    (outcome.unwrap(), steps)
}

fn weights(config: &TrainConfig) -> Vec<Vec<u8>> {
    let home = tempfile::tempdir().unwrap();
    run(config, &random_pairs(12, 1), home.path());
    checkpoints(home.path(), config.epochs)
}

#[test]
fn threads_change_no_bit() {
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| weights(&config()))
    };
    let one = with(1);
    assert!([2, 3].into_iter().all(|threads| with(threads) == one));
}

#[test]
fn recomputed_activations_change_no_bit() {
    let kept = weights(&TrainConfig { checkpointing: Checkpointing::Never, ..config() });
    assert!(weights(&TrainConfig { checkpointing: Checkpointing::Always, ..config() }) == kept);
    assert!(weights(&config()) == kept);
}

/// Micro-batches in one pass give the loss and gradient of micro-batches apart, for both losses' ways of averaging: losses
/// 1e-5 relative, gradient norms 1e-4.
#[test]
fn packing_changes_only_last_bits() {
    for micro_batch in [1, 2] {
        let step = |pack_tokens| {
            let home = tempfile::tempdir().unwrap();
            let precision = TrainPrecision::F32;
            let config = TrainConfig { pack_tokens, micro_batch, precision, ..config() };
            run(&config, &random_pairs(12, 1), home.path()).1
        };
        let (apart, together) = (step(0), step(10_000));
        assert_eq!(apart.len(), together.len());
        for (a, b) in apart.iter().zip(&together) {
            assert!((a.loss / b.loss - 1.0).abs() < 1e-5, "{} {}", a.loss, b.loss);
            assert!((a.grad_norm / b.grad_norm - 1.0).abs() < 1e-4, "{} {}", a.grad_norm, b.grad_norm);
            assert_eq!((a.tokens, a.preferences.unwrap().pairs), (b.tokens, b.preferences.unwrap().pairs));
        }
    }
}

#[test]
fn a_run_that_cannot_fit_is_refused_with_what_to_lower() {
    let decoder = decoder("tiny-llama");
    let refused = |config: &TrainConfig| {
        bench_training(&decoder, &random_pairs(12, 1), config, 1).unwrap_err().to_string()
    };
    let plan = bench_training(&decoder, &random_pairs(12, 1), &config(), 1).unwrap().plan;
    let floor = (plan.total() - plan.activations - plan.scratch - plan.head) as usize;
    let message = refused(&TrainConfig { max_memory_mib: floor, ..config() });
    assert!(message.contains("may take") && message.contains("lower "), "{message}");
    let large = TrainConfig { rank: 1024, max_memory_mib: floor, ..config() };
    assert!(refused(&large).contains("lower rank"), "{}", refused(&large));
}

/// Without the likelihood term and with a rate far too high, random preferences drive a model into repetition; the
/// checkpoint of the epoch before stays.
#[test]
#[ignore = "its settings have not been tried yet: run with --ignored and tune them before relying on it"]
fn collapse_ends_the_run_and_leaves_the_checkpoints() {
    let TrainData::Preferences(pairs) = random_pairs(12, 1) else { unreachable!() };
    // Every answer begins like the next, so that what is likely soon becomes the only thing that is.
    let answer = |ids: &[u32]| ids.iter().map(|id| 3 + id % 4).collect::<Vec<u32>>();
    let same = |pair: PreferenceExample| PreferenceExample { chosen: answer(&pair.chosen), ..pair };
    let data = TrainData::Preferences(pairs.into_iter().map(same).collect());
    let loss = Loss::DpoSft { dpo_weight: 1.0, sft_weight: 0.0 };
    let config = TrainConfig { loss, lr: 3e-2, epochs: 30, explosion_ratio: 1e9, ..config() };
    let home = tempfile::tempdir().unwrap();
    let (outcome, _) = run(&config, &data, home.path());
    let reason = outcome.stopped_early.clone().unwrap_or_default();
    assert!(reason.contains("the adapter has collapsed"), "{reason:?} after {} epochs", outcome.epochs.len());
    assert_eq!(checkpoints(home.path(), outcome.epochs.len()).len(), outcome.epochs.len());
    let log = std::fs::read_to_string(home.path().join("training.jsonl")).unwrap();
    let last: TrainEvent = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    assert_eq!(last, TrainEvent::Stopped { reason });
    assert_eq!(run(&config, &data, home.path()).0, outcome, "the verdict is kept");
}
