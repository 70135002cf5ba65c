//! The event file for TensorBoard holds what `training.jsonl` holds, also after a run that was interrupted.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic in a test is its report"
)]

mod common;

use std::path::Path;

use common::{decoder, random_pairs};
use uno_train::{TrainConfig, TrainEvent, train};

fn config(tensorboard: bool) -> TrainConfig {
    TrainConfig { rank: 4, alpha: 8.0, epochs: 2, batch: 4, tensorboard, ..TrainConfig::default() }
}

fn run(dir: &Path, config: &TrainConfig) {
    let (pairs, held_out) = (random_pairs(12, 1), random_pairs(3, 2));
    train(&decoder("tiny-llama"), &pairs, Some(&held_out), config, dir, &mut |_| ()).unwrap();
}

/// The data of each TFRecord; panics where lengths do not add up to the file.
fn records(file: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(file).unwrap();
    let (mut at, mut all) = (0, Vec::new());
    while at < bytes.len() {
        let length = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
        all.push(bytes[at + 12..at + 12 + length].to_vec());
        at += length + 16;
    }
    assert_eq!(at, bytes.len());
    all
}

/// The value that a record has for a name, if it has one: protobuf's tag for a float follows the name.
fn value(record: &[u8], name: &str) -> Option<f32> {
    let named = [&[name.len() as u8], name.as_bytes(), &[0x15]].concat();
    let at = record.windows(named.len()).position(|w| w == named)? + named.len();
    Some(f32::from_le_bytes(record[at..at + 4].try_into().unwrap()))
}

fn expected(dir: &Path) -> Vec<(&'static str, f32)> {
    let text = std::fs::read_to_string(dir.join("training.jsonl")).unwrap();
    let mut all = Vec::new();
    for line in text.lines() {
        match serde_json::from_str(line).unwrap() {
            TrainEvent::Step(step) => {
                all.push(("train/loss", step.loss as f32));
                all.push(("train/margin", step.preferences.unwrap().margin as f32));
            }
            TrainEvent::Epoch(epoch) => all.push(("validation/loss", epoch.validation_loss.unwrap() as f32)),
            _ => {}
        }
    }
    all
}

fn found(dir: &Path) -> Vec<(&'static str, f32)> {
    let names = ["train/loss", "train/margin", "validation/loss"];
    let records = records(&dir.join("events.out.tfevents.uno"));
    assert!(records[0].ends_with(b"brain.Event:2"));
    records.iter().flat_map(|r| names.iter().filter_map(|n| Some((*n, value(r, n)?)))).collect()
}

#[test]
fn every_step_and_epoch_is_a_scalar() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &config(true));
    assert_eq!(expected(dir.path()).len(), 2 * 6 + 2);
    assert_eq!(found(dir.path()), expected(dir.path()));
}

#[test]
fn asked_for_late_it_is_written_from_the_log_and_nothing_is_trained_again() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &config(false));
    assert!(!dir.path().join("events.out.tfevents.uno").exists());
    let log = std::fs::read(dir.path().join("training.jsonl")).unwrap();
    run(dir.path(), &config(true));
    assert_eq!(std::fs::read(dir.path().join("training.jsonl")).unwrap(), log);
    assert_eq!(found(dir.path()), expected(dir.path()));
}
