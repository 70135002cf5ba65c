//! `uno bench`.

use std::time::Instant;

use anyhow::Context;
use serde_json::json;
use uno_bench::simulate::{SimulateOptions, conversation_line, held_out_line, simulate};
use uno_models::{EmbeddedChat, EmbeddedEmbedder, EmbeddedOptions};
use uno_types::{ChatModel, Embedder, GenerationRequest, Message, Sampling};

use super::models::resolve_or_pull;
use crate::args::{BenchArgs, BenchCommand, EmbedArgs, GenerateArgs, SimulateArgs};
use crate::output::Console;

/// Measures, or simulates.
///
/// # Errors
/// When the model or the input is not there.
pub fn run(args: &BenchArgs, console: &Console) -> anyhow::Result<()> {
    match &args.command {
        BenchCommand::Train(args) => super::bench_train::train(args, console),
        BenchCommand::Generate(args) => generate(args, console),
        BenchCommand::Embed(args) => embed(args, console),
        BenchCommand::Simulate(args) => simulated(args, console),
    }
}

pub(super) fn open(model: &str) -> anyhow::Result<EmbeddedChat> {
    let path = resolve_or_pull(model)?;
    EmbeddedChat::open(&path, EmbeddedOptions::default())
        .with_context(|| format!("opening {}", path.display()))
}

fn generate(args: &GenerateArgs, console: &Console) -> anyhow::Result<()> {
    let chat = open(&args.model)?;
    let subject = ["bread", "rivers", "clocks", "gardens", "maps", "trains", "birds", "bridges"];
    let requests: Vec<GenerationRequest> = (0..args.batch)
        .map(|i| GenerationRequest {
            messages: vec![Message::user(format!(
                "Write a long story about {} and a traveller. This is story number {i}.",
                subject[i % subject.len()]
            ))],
            adapter: None,
            sampling: Sampling { temperature: 1.0, top_p: 1.0, seed: i as u64 },
            max_tokens: args.tokens,
            constraint: None,
            logprobs: false,
        })
        .collect();
    let (mut prompt, mut completion, mut failed) = (0, 0, None);
    let started = Instant::now();
    chat.generate(&requests, &mut |_, result| match result {
        Ok(g) => (prompt, completion) = (prompt + g.prompt_tokens, completion + g.completion_tokens),
        Err(error) => failed = Some(error),
    })?;
    let seconds = started.elapsed().as_secs_f64();
    if let Some(error) = failed {
        return Err(error.into());
    }
    let told = json!({
        "batch": args.batch, "prompt_tokens": prompt, "completion_tokens": completion, "seconds": seconds,
        "tokens_per_second": completion as f64 / seconds, "peak_rss_mib": uno_engine::peak_rss_mib(),
    });
    console.result(&told, |_| {
        format!(
            "{completion} tokens in {seconds:.2} s: {:.0} tokens/s at batch {}",
            completion as f64 / seconds,
            args.batch
        )
    })
}

fn embed(args: &EmbedArgs, console: &Console) -> anyhow::Result<()> {
    let path = resolve_or_pull(&args.model)?;
    let embedder = EmbeddedEmbedder::open(&path)?;
    let sentence =
        "The traveller asked the keeper of the bridge about the weather, the price of bread and the way. ";
    let texts: Vec<String> = (0..args.texts).map(|i| format!("{i}. {}", sentence.repeat(3))).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let started = Instant::now();
    embedder.embed(&texts)?;
    let seconds = started.elapsed().as_secs_f64();
    let rate = args.texts as f64 / seconds;
    let told = json!({
        "texts": args.texts, "seconds": seconds, "texts_per_second": rate, "peak_rss_mib": uno_engine::peak_rss_mib(),
    });
    console.result(&told, |_| format!("{} texts in {seconds:.2} s: {rate:.0} texts/s", args.texts))
}

fn simulated(args: &SimulateArgs, console: &Console) -> anyhow::Result<()> {
    let chat = open(&args.model)?;
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
