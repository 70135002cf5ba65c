//! `uno bench generate` and `uno bench embed`.

use anyhow::{Context, ensure};
use serde_json::json;
use uno_bench::speed::{self, GenerateLoad};
use uno_models::{EmbeddedEmbedder, EmbeddedOptions};

use super::bench;
use super::models::resolve_or_pull;
use crate::args::{EmbedArgs, GenerateArgs};
use crate::output::Console;

/// Measures prefill and decoding.
///
/// # Errors
/// When the model is not there, or the prompt is too long for it.
pub fn generate(args: &GenerateArgs, console: &Console) -> anyhow::Result<()> {
    ensure!(args.batch > 0 && args.prompt_tokens > 0 && args.new_tokens > 1, "nothing to generate");
    let precision = serde_json::from_value(json!(args.dtype))?;
    let options = EmbeddedOptions { precision, ..EmbeddedOptions::default() };
    let chat = bench::open(&args.model, options)?;
    let load = GenerateLoad {
        batch: args.batch,
        prompt_tokens: args.prompt_tokens,
        new_tokens: args.new_tokens,
        adapters: args.adapters,
        rank: args.rank,
    };
    let report = speed::generate(chat.decoder(), &load)?;
    console.result(&report, |r| {
        format!(
            "batch {} with {} adapters: {:.0} tokens/s in all, {:.0} decoding, {:.0} prefill; peak {:.0} MiB",
            r.batch,
            r.adapters,
            r.tokens_per_second,
            r.decode_tokens_per_second,
            r.prefill_tokens_per_second,
            r.peak_rss_mib
        )
    })
}

/// Measures embedding.
///
/// # Errors
/// When the model or the texts are not there.
pub fn embed(args: &EmbedArgs, console: &Console) -> anyhow::Result<()> {
    let path = resolve_or_pull(&args.model)?;
    let embedder = EmbeddedEmbedder::open_in(&path, serde_json::from_value(json!(args.dtype))?)?;
    let sentence =
        "The traveller asked the keeper of the bridge about the weather, the price of bread and the way. ";
    let texts: Vec<String> = match &args.texts {
        None => (0..args.count).map(|i| format!("{i}. {}", sentence.repeat(3))).collect(),
        Some(file) => {
            let text = fs_err::read_to_string(file)?;
            let list: Result<Vec<String>, _> = serde_json::from_str(&text);
            list.or_else(|_| text.lines().map(serde_json::from_str).collect())
                .with_context(|| format!("{}: not a list of JSON strings", file.display()))?
        }
    };
    ensure!(!texts.is_empty(), "there is no text to embed");
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let report = speed::embed(&embedder, &texts)?;
    console.result(&report, |r| {
        format!("{} texts in {:.2} s: {:.0} texts/s", r.texts, r.seconds, r.texts_per_second)
    })
}
