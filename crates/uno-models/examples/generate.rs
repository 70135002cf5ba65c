//! Times generation: `generate MODEL [--batch N] [--tokens N] [--prompts FILE] [--adapter DIR] [--schema FILE]`.
//!
//! Prints tokens per second of the bare engine and of the scheduler for the same work, so that the scheduler's own cost
//! can be seen, and (on Linux) CPU seconds, which other processes disturb less. FILE holds one prompt a line.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use uno_engine::LoraWeights;
use uno_models::{EmbeddedChat, EmbeddedOptions};
use uno_types::{AdapterRef, ChatModel, Constraint, GenerationRequest, Message, Sampling};

const TOPICS: [&str; 8] =
    ["rice", "a budget", "hash maps", "Lisbon", "basil", "interest rates", "a marathon", "recursion"];

struct Arguments {
    model: PathBuf,
    batch: usize,
    tokens: usize,
    prompts: Option<PathBuf>,
    adapter: Option<PathBuf>,
    schema: Option<PathBuf>,
}

fn arguments() -> Result<Arguments, Box<dyn Error>> {
    let mut given = std::env::args().skip(1);
    let model = given.next().ok_or(
        "usage: generate MODEL [--batch N] [--tokens N] [--prompts FILE] [--adapter DIR] [--schema FILE]",
    )?;
    let mut arguments =
        Arguments { model: model.into(), batch: 32, tokens: 128, prompts: None, adapter: None, schema: None };
    while let Some(flag) = given.next() {
        let value = given.next().ok_or_else(|| format!("{flag} needs a value"))?;
        match flag.as_str() {
            "--batch" => arguments.batch = value.parse()?,
            "--tokens" => arguments.tokens = value.parse()?,
            "--prompts" => arguments.prompts = Some(value.into()),
            "--schema" => arguments.schema = Some(value.into()),
            "--adapter" => arguments.adapter = Some(value.into()),
            _ => return Err(format!("unknown flag {flag}").into()),
        }
    }
    Ok(arguments)
}

fn prompts(file: Option<&Path>, batch: usize) -> Result<Vec<String>, Box<dyn Error>> {
    if let Some(file) = file {
        return Ok(std::fs::read_to_string(file)?.lines().map(str::to_owned).collect());
    }
    let filler = "Take your time, think about who asks, and mention what people often get wrong. ".repeat(4);
    Ok((0..batch)
        .map(|i| format!("{i}. {filler}Tell me about {} in detail.", TOPICS[i % TOPICS.len()]))
        .collect())
}

#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments = arguments()?;
    let options = EmbeddedOptions { max_batch: arguments.batch, ..EmbeddedOptions::default() };
    let chat = EmbeddedChat::open(&arguments.model, options)?;
    let texts = prompts(arguments.prompts.as_deref(), arguments.batch)?;

    let cpu = cpu_seconds();
    let (prefilled, prefill, decoded, decode) = bare_engine(&chat, &texts, &arguments)?;
    println!("engine     prefill {:7.1} tok/s ({prefilled} tokens)", prefilled as f64 / prefill);
    println!("engine     decode  {:7.1} tok/s ({decoded} tokens)", decoded as f64 / decode);
    println!("engine     total   {:7.2} s, CPU {:.2} s", prefill + decode, cpu_seconds() - cpu);

    let constraint = match &arguments.schema {
        Some(file) => Some(Constraint::JsonSchema(serde_json::from_slice(&std::fs::read(file)?)?)),
        None => None,
    };
    for (name, temperature) in [("greedy", 0.0), ("sampled", 1.0)] {
        let adapter = arguments
            .adapter
            .as_ref()
            .map(|dir| AdapterRef { name: "timed".into(), dir: dir.display().to_string() });
        let requests: Vec<GenerationRequest> = texts
            .iter()
            .zip(42..)
            .map(|(text, seed)| GenerationRequest {
                messages: vec![Message::user(text)],
                adapter: adapter.clone(),
                sampling: Sampling { temperature, top_p: 0.9, seed },
                max_tokens: arguments.tokens,
                constraint: constraint.clone(),
                logprobs: false,
            })
            .collect();
        let (start, cpu) = (Instant::now(), cpu_seconds());
        let (mut tokens, mut failed, mut last) = (0, 0, String::new());
        chat.generate(&requests, &mut |_, answer| match answer {
            Ok(generation) => {
                tokens += generation.completion_tokens;
                last = generation.text;
            }
            Err(_) => failed += 1,
        })?;
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "{name:10} total   {seconds:7.2} s, CPU {:.2} s, {tokens} tokens, {:.1} tok/s with prefill, {failed} failed",
            cpu_seconds() - cpu,
            tokens as f64 / seconds
        );
        println!("           last: {last}");
    }
    println!("peak RSS   {:.0} MiB", uno_engine::peak_rss_mib());
    Ok(())
}

/// Prefills every prompt and then feeds the most likely token `tokens` times, with the engine alone: no end tokens, no
/// sampling, no shared beginnings. Returns (tokens, seconds) of prefill and of decoding.
fn bare_engine(
    chat: &EmbeddedChat,
    texts: &[String],
    arguments: &Arguments,
) -> Result<(usize, f64, usize, f64), Box<dyn Error>> {
    let decoder = chat.decoder();
    let adapter = match &arguments.adapter {
        Some(dir) => Some(Arc::new(LoraWeights::read_peft(dir, decoder.config())?)),
        None => None,
    };
    let (mut prefilled, mut prefill, mut decoded, mut decode) = (0, 0.0, 0, 0.0);
    for batch in texts.chunks(arguments.batch) {
        let mut sequences = Vec::new();
        let mut next = Vec::new();
        let start = Instant::now();
        for text in batch {
            let ids = chat.tokenizer().encode(&chat.template().render(&[Message::user(text)], true)?)?;
            prefilled += ids.len();
            let mut sequence = decoder.start(None, adapter.clone(), ids.len() + arguments.tokens);
            let logits = decoder.advance(&mut [(&mut sequence, &ids)])?;
            next.push([best(logits.row(0))]);
            sequences.push(sequence);
        }
        prefill += start.elapsed().as_secs_f64();
        let start = Instant::now();
        for _ in 1..arguments.tokens {
            let mut rows: Vec<_> =
                sequences.iter_mut().zip(&next).map(|(s, token)| (s, token.as_slice())).collect();
            let logits = decoder.advance(&mut rows)?;
            next = (0..batch.len()).map(|i| [best(logits.row(i))]).collect();
            decoded += batch.len();
        }
        decode += start.elapsed().as_secs_f64();
    }
    Ok((prefilled, prefill, decoded, decode))
}

/// CPU time of this process; 0 where there is no /proc.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the parenthesised name: utime and stime are the 12th and 13th fields, in hundredths of a second.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn best(logits: &[f32]) -> u32 {
    logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(i, _)| i as u32)
}
