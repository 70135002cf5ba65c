//! `uno bench`.

use anyhow::Context;
use serde_json::json;
use uno_bench::simulate::{SimulateOptions, conversation_line, held_out_line, simulate};
use uno_models::{EmbeddedChat, EmbeddedOptions};

use super::models::resolve_or_pull;
use super::{
    bench_evolution, bench_learning, bench_memory, bench_poisoning, bench_precision, bench_speed, bench_train,
};
use crate::args::{BenchArgs, BenchCommand, SimulateArgs};
use crate::output::Console;

/// Measures, or simulates.
///
/// # Errors
/// When the model or the input is not there.
pub fn run(args: &BenchArgs, console: &Console) -> anyhow::Result<()> {
    match &args.command {
        BenchCommand::Train(args) => bench_train::train(args, console),
        BenchCommand::Generate(args) => bench_speed::generate(args, console),
        BenchCommand::Embed(args) => bench_speed::embed(args, console),
        BenchCommand::Precision(args) => bench_precision::run(args, console),
        BenchCommand::Simulate(args) => simulated(args, console),
        BenchCommand::Learning(args) => bench_learning::run(args, console),
        BenchCommand::Evolution(args) => bench_evolution::run(args, console),
        BenchCommand::Poisoning(args) => bench_poisoning::run(args, console),
        BenchCommand::Memorybench(args) => bench_memory::run(args, console),
    }
}

pub(super) fn open(model: &str, options: EmbeddedOptions) -> anyhow::Result<EmbeddedChat> {
    let path = resolve_or_pull(model)?;
    EmbeddedChat::open(&path, options).with_context(|| format!("opening {}", path.display()))
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
