//! Prints what this machine does with a model: `cargo run --release -p uno-engine --example speed -- PATH [part..]`,
//! parts being open, prefill, decode, adapters and train (default: all).
#![allow(clippy::print_stdout, reason = "printing is what it is for")]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use uno_engine::{Decoder, EngineError, LoraConfig, LoraWeights, Packed, Target, Workspace, peak_rss_mib};

fn ids(n: usize, seed: u32, vocab: usize) -> Vec<u32> {
    (0..n as u32).map(|i| (i * 7919 + seed * 104_729 + 17) % (vocab as u32 - 100)).collect()
}

fn adapter(decoder: &Decoder, seed: u64) -> Result<LoraWeights, EngineError> {
    let config = LoraConfig { rank: 64, alpha: 128.0, targets: Target::all_linear(decoder.config()) };
    let mut weights = LoraWeights::init(decoder.config(), config, seed)?;
    weights.as_mut_slice().iter_mut().enumerate().for_each(|(i, v)| *v += 1e-4 * (i % 7) as f32 - 3e-4);
    Ok(weights)
}

/// 128 steps of a batch behind prompts of 112 tokens, with so many different adapters.
fn decode(decoder: &Decoder, batch: usize, adapters: &[Arc<LoraWeights>]) -> Result<(), EngineError> {
    const STEPS: usize = 128;
    let vocab = decoder.config().vocab_size;
    let mut sequences = Vec::new();
    for i in 0..batch {
        let adapter = (!adapters.is_empty()).then(|| adapters[i % adapters.len()].clone());
        let mut sequence = decoder.start(None, adapter, 112 + STEPS);
        decoder.advance(&mut [(&mut sequence, &ids(112, i as u32, vocab))])?;
        sequences.push(sequence);
    }
    let next = ids(batch, 5, vocab);
    let started = Instant::now();
    for _ in 0..STEPS {
        let mut rows: Vec<_> = sequences.iter_mut().zip(next.chunks(1)).collect();
        decoder.advance(&mut rows)?;
    }
    let speed = (STEPS * batch) as f64 / started.elapsed().as_secs_f64();
    println!("decode: batch {batch}, {} adapters: {speed:.1} tokens/s", adapters.len());
    Ok(())
}

fn train(decoder: &Decoder) -> Result<(), EngineError> {
    let vocab = decoder.config().vocab_size;
    let mut adapter = adapter(decoder, 7)?;
    let mut packed = Packed::new();
    let prompt = packed.push_prompt(&ids(120, 1, vocab));
    let chosen = packed.push_completion(prompt, &ids(150, 2, vocab));
    let rejected = packed.push_completion(prompt, &ids(150, 3, vocab));
    let (mut grads, mut ws) = (adapter.zeros_like(), Workspace::default());
    let mut moments = vec![[0.0f32; 2]; adapter.as_slice().len()];
    for pass in 0..4 {
        let started = Instant::now();
        let mut loss = |logp: &[f32]| {
            let mut d = vec![0.0; logp.len()];
            d[chosen.clone()].fill(-0.05);
            d[rejected.clone()].fill(0.05);
            d
        };
        grads.zero();
        decoder.backward(&packed, &adapter, None, &mut loss, &mut grads, &mut ws)?;
        let backward = started.elapsed().as_secs_f64();
        let weights = adapter.as_mut_slice().iter_mut();
        for ((w, g), [m, v]) in weights.zip(grads.as_slice()).zip(&mut moments) {
            *m = 0.9 * *m + 0.1 * g;
            *v = 0.98 * *v + 0.02 * g * g;
            *w -= 1e-5 * *m / (v.sqrt() + 1e-8);
        }
        println!(
            "train: pair of {} tokens, pass {pass}: {backward:.3} s + optimiser {:.3} s; peak {:.0} MiB",
            packed.tokens(),
            started.elapsed().as_secs_f64() - backward,
            peak_rss_mib()
        );
    }
    let started = Instant::now();
    decoder.score(&packed, Some(&adapter), &mut ws)?;
    println!("score: {:.3} s", started.elapsed().as_secs_f64());
    Ok(())
}

fn main() -> Result<(), EngineError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(path) = arguments.first() else {
        println!("give the path of a model");
        return Ok(());
    };
    let wanted = |part: &str| arguments.len() == 1 || arguments[1..].iter().any(|a| a == part);
    let started = Instant::now();
    let decoder = Decoder::open(Path::new(path))?;
    println!("open: {:.2} s; peak {:.0} MiB", started.elapsed().as_secs_f64(), peak_rss_mib());
    let vocab = decoder.config().vocab_size;
    if wanted("prefill") {
        for n in [128, 512] {
            let started = Instant::now();
            decoder.prefill_prefix(&ids(n, 1, vocab), None)?;
            println!("prefill: {n} tokens: {:.0} tokens/s", n as f64 / started.elapsed().as_secs_f64());
        }
    }
    if wanted("decode") {
        for batch in [1, 8, 32] {
            decode(&decoder, batch, &[])?;
        }
    }
    if wanted("adapters") {
        let adapters = (0..8).map(|i| adapter(&decoder, i).map(Arc::new)).collect::<Result<Vec<_>, _>>()?;
        for (batch, count) in [(1, 1), (8, 1), (8, 8), (32, 1), (32, 8)] {
            decode(&decoder, batch, &adapters[..count])?;
        }
    }
    if wanted("train") {
        train(&decoder)?;
    }
    Ok(())
}
