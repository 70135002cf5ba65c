//! `uno bench train`.

use std::path::Path;

use anyhow::{bail, ensure};
use serde::Deserialize;
use serde_json::json;
use uno_models::{EmbeddedChat, encode_example};
use uno_train::{Precision, PreferenceExample, TrainConfig, TrainData};
use uno_types::Message;

use super::bench::open;
use crate::args::TrainArgs;
use crate::output::Console;

/// A prompt or completion: a text, or messages.
#[derive(Deserialize)]
#[serde(untagged)]
enum Turns {
    Text(String),
    Messages(Vec<Message>),
}

impl Turns {
    fn messages(self) -> Vec<Message> {
        match self {
            Turns::Text(text) => vec![Message::user(text)],
            Turns::Messages(messages) => messages,
        }
    }

    fn text(self) -> String {
        match self {
            Turns::Text(text) => text,
            Turns::Messages(messages) => {
                messages.into_iter().next_back().map(|m| m.content).unwrap_or_default()
            }
        }
    }
}

#[derive(Deserialize)]
struct PairLine {
    prompt: Turns,
    chosen: Turns,
    rejected: Turns,
}

fn pairs(path: &Path, limit: usize, chat: &EmbeddedChat) -> anyhow::Result<TrainData> {
    let lines: Vec<PairLine> = uno_store::jsonl::read(path)?;
    ensure!(!lines.is_empty(), "{} holds no pair", path.display());
    let mut examples = Vec::new();
    for (i, line) in lines.into_iter().take(limit).enumerate() {
        let prompt = line.prompt.messages();
        let encode = |text: &str| encode_example(chat.tokenizer(), chat.template(), &prompt, text);
        let (chosen, rejected) = (encode(&line.chosen.text())?, encode(&line.rejected.text())?);
        let id = format!("pair-{i}");
        examples.push(PreferenceExample {
            id,
            prompt: chosen.prompt,
            chosen: chosen.completion,
            rejected: rejected.completion,
        });
    }
    Ok(TrainData::Preferences(examples))
}

/// Pairs of random ids: nothing about their cost depends on which tokens they are.
fn made_up(tokens: usize, count: usize, chat: &EmbeddedChat) -> anyhow::Result<TrainData> {
    ensure!(tokens >= 3, "a pair has at least 3 tokens: prompt, chosen and rejected answer");
    let vocabulary = chat.decoder().config().vocab_size as u64;
    let mut state = 42u64;
    let mut ids = |n: usize| -> Vec<u32> {
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) % vocabulary) as u32
        };
        (0..n).map(|_| next()).collect()
    };
    let third = tokens / 3;
    let pair = |i| PreferenceExample {
        id: format!("made-up-{i}"),
        prompt: ids(tokens - 2 * third),
        chosen: ids(third),
        rejected: ids(third),
    };
    Ok(TrainData::Preferences((0..count).map(pair).collect()))
}

/// Measures training.
///
/// # Errors
/// When the model or the pairs are not there, or training fails.
pub fn train(args: &TrainArgs, console: &Console) -> anyhow::Result<()> {
    let chat = open(&args.model)?;
    let data = match (&args.pairs, args.tokens) {
        (Some(path), _) => pairs(path, args.limit, &chat)?,
        (None, Some(tokens)) => made_up(tokens, args.limit, &chat)?,
        (None, None) => bail!("name --pairs or --tokens"),
    };
    let precision: Precision = serde_json::from_value(json!(args.precision))?;
    let alpha = 2.0 * args.rank as f32;
    let config = TrainConfig {
        rank: args.rank,
        alpha,
        epochs: 1,
        precision,
        batch: args.batch,
        pack_tokens: args.pack_tokens,
        checkpointing: serde_json::from_value(json!(args.checkpointing))?,
        max_memory_mib: args.max_memory_mib,
        ..TrainConfig::expert()
    };
    if args.compare {
        let report = uno_train::compare_precision(chat.decoder(), &data, &config)?;
        return console.result(&report, |r| {
            format!(
                "{} pairs; gradient cosine per tensor: least {:.5}, mean {:.6}, below 0.999 {:.2} %; of summed gradients: least \
                 {:.5}; margins differ by {:.2} %",
                r.pairs,
                r.cosine_min,
                r.cosine_mean,
                r.share_below_0_999 * 100.0,
                r.summed_cosine_min,
                r.margin_error * 100.0
            )
        });
    }
    let steps = config.steps_per_epoch(data.len());
    let report = uno_train::bench_training(chat.decoder(), &data, &config, steps)?;
    console.result(&report, |r| {
        format!(
            "{:.2} s a pair ({:.2} at best), {:.2} s for its reference once; {:.0} tokens/s; {} pairs, {} steps; peak {:.0} MiB, planned {:.0}",
            r.seconds_per_pair,
            r.seconds_per_pair_best,
            r.reference_seconds_per_pair,
            r.tokens_per_second,
            r.pairs,
            r.steps,
            r.peak_rss_mib,
            r.planned_mib
        )
    })
}
