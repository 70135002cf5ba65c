//! `uno bench train`.

use anyhow::bail;
use serde_json::json;
use uno_models::EmbeddedOptions;
use uno_train::{TrainConfig, TrainPrecision};

use super::bench::open;
use super::bench_examples::{made_up, read};
use crate::args::TrainArgs;
use crate::output::Console;

/// Measures training.
///
/// # Errors
/// When the model or the pairs are not there, or training fails.
pub fn train(args: &TrainArgs, console: &Console) -> anyhow::Result<()> {
    let chat = open(&args.model, EmbeddedOptions::default())?;
    let published = if args.loss == "sft" { TrainConfig::critic() } else { TrainConfig::expert() };
    let data = match (&args.pairs, args.tokens) {
        (Some(path), _) => read(path, &published.loss, args.limit, &chat)?,
        (None, Some(tokens)) => made_up(tokens, &published.loss, args.limit, &chat)?,
        (None, None) => bail!("name --pairs or --tokens"),
    };
    let precision: TrainPrecision = serde_json::from_value(json!(args.dtype))?;
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
        ..published
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
