//! `uno bench`.

use std::path::Path;

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_json::json;
use uno_bench::simulate::{SimulateOptions, conversation_line, held_out_line, simulate};
use uno_models::{EmbeddedChat, EmbeddedOptions, encode_example};
use uno_train::{Precision, PreferenceExample, TrainConfig, TrainData};
use uno_types::Message;

use super::models::resolve_or_pull;
use super::{bench_learning, bench_memory, bench_speed};
use crate::args::{BenchArgs, BenchCommand, SimulateArgs, TrainArgs};
use crate::output::Console;

/// Measures, or simulates.
///
/// # Errors
/// When the model or the input is not there.
pub fn run(args: &BenchArgs, console: &Console) -> anyhow::Result<()> {
    match &args.command {
        BenchCommand::Train(args) => train(args, console),
        BenchCommand::Generate(args) => bench_speed::generate(args, console),
        BenchCommand::Embed(args) => bench_speed::embed(args, console),
        BenchCommand::Simulate(args) => simulated(args, console),
        BenchCommand::Learning(args) => bench_learning::run(args, console),
        BenchCommand::Memorybench(args) => bench_memory::run(args, console),
    }
}

pub(super) fn open(model: &str, options: EmbeddedOptions) -> anyhow::Result<EmbeddedChat> {
    let path = resolve_or_pull(model)?;
    EmbeddedChat::open(&path, options).with_context(|| format!("opening {}", path.display()))
}

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

fn train(args: &TrainArgs, console: &Console) -> anyhow::Result<()> {
    let chat = open(&args.model, EmbeddedOptions::default())?;
    let data = pairs(&args.pairs, args.limit, &chat)?;
    let precision: Precision = serde_json::from_value(json!(args.precision))?;
    let alpha = 2.0 * args.rank as f32;
    let config = TrainConfig { rank: args.rank, alpha, epochs: 1, precision, ..TrainConfig::expert() };
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
            "{:.2} s a pair ({:.2} at best), {:.2} s for its reference once; {:.0} tokens/s; {} pairs, {} steps; peak {:.0} MiB",
            r.seconds_per_pair,
            r.seconds_per_pair_best,
            r.reference_seconds_per_pair,
            r.tokens_per_second,
            r.pairs,
            r.steps,
            r.peak_rss_mib
        )
    })
}

fn simulated(args: &SimulateArgs, console: &Console) -> anyhow::Result<()> {
    let chat = open(&args.model, EmbeddedOptions::default())?;
    let options =
        SimulateOptions { seed: args.seed, per_domain: args.per_domain, ..SimulateOptions::default() };
    let mut bar = console.bar("first answers", 0);
    let made = simulate(&options, &chat, &mut |done, total| bar.at(done as u64, total as u64))?;
    drop(bar);
    fs_err::create_dir_all(&args.out)?;
    let lines = |all: Vec<String>| all.iter().map(|l| format!("{l}\n")).collect::<String>();
    let conversations = lines(made.records.iter().map(conversation_line).collect());
    let held_out = lines(made.held_out.iter().map(held_out_line).collect());
    uno_store::atomic::write(&args.out.join("conversations.jsonl"), conversations.as_bytes())?;
    uno_store::atomic::write(&args.out.join("heldout.jsonl"), held_out.as_bytes())?;
    let told = json!({
        "conversations": made.records.len(), "held_out": made.held_out.len(), "counts": made.counts, "out": args.out,
    });
    console.result(&told, |_| {
        format!(
            "{} conversations and {} held-out questions in {}",
            made.records.len(),
            made.held_out.len(),
            args.out.display()
        )
    })
}
