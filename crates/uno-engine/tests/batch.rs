//! Generation must not depend on its batch: the same bits alone, among others, behind a shared prefix, in any chunking and
//! with any number of threads.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic in a test is its report"
)]

mod common;

use std::sync::Arc;

use common::{fixture, ids};
use proptest::prelude::*;
use uno_engine::{Decoder, EngineError, LoraConfig, LoraWeights, Precision, Target};

fn decoder(name: &str) -> Decoder {
    Decoder::open(&fixture(name)).unwrap()
}

/// An adapter that changes something: both factors random.
fn adapter(decoder: &Decoder, rank: usize, targets: Vec<Target>, seed: u64) -> Arc<LoraWeights> {
    let config = LoraConfig { rank, alpha: 2.0 * rank as f32, targets };
    let mut weights = LoraWeights::init(decoder.config(), config, seed).unwrap();
    for (i, v) in weights.as_mut_slice().iter_mut().enumerate() {
        *v += 0.02 * ((i as u64 * 31 + seed) % 17) as f32 - 0.16;
    }
    Arc::new(weights)
}

/// Feeds `tokens` in chunks to a sequence of its own; logits after the last.
fn alone(decoder: &Decoder, adapter: Option<&Arc<LoraWeights>>, tokens: &[u32], chunk: usize) -> Vec<f32> {
    let mut sequence = decoder.start(None, adapter.cloned(), tokens.len());
    let mut last = Vec::new();
    for part in tokens.chunks(chunk) {
        last = decoder.advance(&mut [(&mut sequence, part)]).unwrap().data;
    }
    last
}

/// Every one, as far as this machine can.
fn precisions() -> impl Strategy<Value = Precision> {
    prop_oneof![Just(Precision::F32), Just(Precision::Bf16), Just(Precision::Int8)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Rows: (adapter 0..=2, tokens before the common step, tokens in it).
    #[test]
    fn a_row_does_not_see_its_batch(
        rows in prop::collection::vec((0usize..3, 0usize..20, 1usize..6), 1..40),
        seed in 0u32..1000,
        qwen in any::<bool>(),
        precision in precisions(),
    ) {
        let decoder = decoder(if qwen { "tiny-qwen3-tied" } else { "tiny-llama" }).generating_in(precision);
        let adapters = [
            adapter(&decoder, 64, Target::all_linear(decoder.config()), 1),
            adapter(&decoder, 3, vec![Target::Q, Target::V, Target::Down], 2),
        ];
        let tokens: Vec<Vec<u32>> =
            rows.iter().enumerate().map(|(i, (_, a, b))| ids(a + b, seed + i as u32, 320)).collect();
        let mut sequences: Vec<_> =
            rows.iter().map(|(a, ..)| decoder.start(None, a.checked_sub(1).map(|a| adapters[a].clone()), 64)).collect();
        let split = |i: usize| tokens[i].split_at(rows[i].1);
        let mut before: Vec<_> = sequences
            .iter_mut()
            .enumerate()
            .map(|(i, s)| (s, split(i).0))
            .filter(|(_, ids)| !ids.is_empty())
            .collect();
        decoder.advance(&mut before).unwrap();
        let mut step: Vec<_> = sequences.iter_mut().enumerate().map(|(i, s)| (s, split(i).1)).collect();
        let logits = decoder.advance(&mut step).unwrap();
        for (i, (a, ..)) in rows.iter().enumerate() {
            let expected = alone(&decoder, a.checked_sub(1).map(|a| &adapters[a]), &tokens[i], 1 + i % 7);
            prop_assert_eq!(logits.row(i), &expected, "row {}", i);
        }
    }

    #[test]
    fn a_shared_prefix_changes_no_bit(prefix in 1usize..40, middle in 1usize..10, own in 1usize..10, adapted in any::<bool>(), precision in precisions()) {
        let decoder = decoder("tiny-llama").generating_in(precision);
        let adapter = adapted.then(|| adapter(&decoder, 8, Target::all_linear(decoder.config()), 3));
        let tokens = ids(prefix + middle + own, 9, 320);
        let expected = alone(&decoder, adapter.as_ref(), &tokens, tokens.len());
        let block = decoder.prefill_prefix(&tokens[..prefix], adapter.as_ref()).unwrap();
        let longer = decoder.prefill_extend(&block, &tokens[prefix..prefix + middle], adapter.as_ref()).unwrap();
        prop_assert_eq!(longer.len(), prefix + middle);
        for block in [block, longer] {
            let mut sequence = decoder.start(Some(block.clone()), adapter.clone(), tokens.len());
            let logits = decoder.advance(&mut [(&mut sequence, &tokens[block.len()..])]).unwrap();
            prop_assert_eq!(&logits.data, &expected);
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let decoder = decoder("tiny-llama");
    let adapter = adapter(&decoder, 8, Target::all_linear(decoder.config()), 4);
    let tokens = ids(100, 4, 320);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| alone(&decoder, Some(&adapter), &tokens, 37))
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(5));
}

/// The batched path agrees with the all-positions path (another kernel, so up to rounding).
#[test]
fn generation_agrees_with_scoring() {
    let decoder = decoder("tiny-llama");
    let adapter = adapter(&decoder, 8, Target::all_linear(decoder.config()), 5);
    let tokens = ids(90, 6, 320);
    let all = decoder.logits(&tokens, Some(&adapter)).unwrap();
    let last = alone(&decoder, Some(&adapter), &tokens, 13);
    common::assert_close("last logits", &last, all.row(89), 2e-4, 1e-4);
}

/// Rounding of weights, adapters, activations and cache moves logits by a few percent of their spread, not more.
#[test]
fn fewer_bits_stay_near() {
    for (name, rank) in [("tiny-llama", 64), ("tiny-qwen3-tied", 5)] {
        let exact = decoder(name);
        let adapter = adapter(&exact, rank, Target::all_linear(exact.config()), 5);
        let tokens = ids(90, 6, 320);
        let expected = alone(&exact, Some(&adapter), &tokens, 13);
        let norm = |v: &mut dyn Iterator<Item = f32>| v.map(|v| f64::from(v * v)).sum::<f64>().sqrt();
        for (precision, most) in [(Precision::Bf16, 0.06), (Precision::Int8, 0.08)] {
            let found = alone(&decoder(name).generating_in(precision), Some(&adapter), &tokens, 13);
            let error = norm(&mut found.iter().zip(&expected).map(|(a, b)| a - b));
            let share = error / norm(&mut expected.iter().copied());
            eprintln!("{name} {precision:?}: {share:.4}");
            assert!(share < most, "{name} {precision:?}: {share}");
        }
    }
}

#[test]
fn overflow_and_nonsense_are_errors_and_change_nothing() {
    let decoder = decoder("tiny-llama");
    let (mut a, mut b) = (decoder.start(None, None, 4), decoder.start(None, None, 8));
    decoder.advance(&mut [(&mut a, &[5, 6, 7]), (&mut b, &[8])]).unwrap();
    let error = decoder.advance(&mut [(&mut b, &[1]), (&mut a, &[8, 9])]).unwrap_err();
    assert!(matches!(error, EngineError::ContextOverflow { needed: 5, capacity: 4 }), "{error}");
    assert_eq!((a.len(), b.len()), (3, 1));
    assert!(decoder.advance(&mut [(&mut b, &[])]).is_err());
    let error = decoder.advance(&mut [(&mut b, &[320])]).unwrap_err();
    assert!(matches!(error, EngineError::TokenOutOfRange { id: 320, vocab: 320 }));
    let mut long = decoder.start(None, None, 100_000);
    assert_eq!(long.room(), 512, "no more than the model's context");
    let error = decoder.advance(&mut [(&mut long, &ids(513, 1, 320))]).unwrap_err();
    assert!(matches!(error, EngineError::ContextOverflow { needed: 513, capacity: 512 }));
    long.truncate(0);
    assert!(long.is_empty());
    assert_eq!(decoder.advance(&mut []).unwrap().rows(), 0);

    let one = adapter(&decoder, 4, vec![Target::Q], 1);
    let block = decoder.prefill_prefix(&[3, 4], Some(&one)).unwrap();
    let mut foreign = decoder.start(Some(block), None, 4);
    assert!(decoder.advance(&mut [(&mut foreign, &[5])]).is_err(), "a prefix of another adapter");
    let other = self::decoder("tiny-qwen3-tied");
    let mut sequence = other.start(None, Some(one), 4);
    assert!(other.advance(&mut [(&mut sequence, &[5])]).is_err(), "an adapter of another model");
}
