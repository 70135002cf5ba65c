//! `uno bench precision`.

use anyhow::{bail, ensure};
use uno_models::{EmbeddedEmbedder, EmbeddedOptions};
use uno_train::{Loss, Precision, TrainConfig, TrainData};

use super::bench::open;
use super::bench_examples::read;
use super::models::resolve_or_pull;
use crate::args::PrecisionArgs;
use crate::output::Console;

/// Compares a model in f32, bf16 and 8 bits.
///
/// # Errors
/// When a model or the pairs are not there, or 8 bits change the model too much to be offered.
pub fn run(args: &PrecisionArgs, console: &Console) -> anyhow::Result<()> {
    ensure!(
        args.limit > 0 && args.new_tokens > 0,
        "nothing to compare: --limit and --new-tokens must be at least 1"
    );
    let embedder = EmbeddedEmbedder::open(&resolve_or_pull(&args.embedder)?)?;
    let chats = [Precision::F32, Precision::Bf16, Precision::Int8]
        .map(|precision| open(&args.model, EmbeddedOptions { precision, ..EmbeddedOptions::default() }))
        .into_iter()
        .collect::<anyhow::Result<Vec<_>>>()?;
    let loss: Loss = TrainConfig::expert().loss;
    let TrainData::Preferences(pairs) = read(&args.pairs, &loss, args.limit, &chats[0])? else {
        bail!("{} holds no preference pairs", args.pairs.display());
    };
    let examples: Vec<_> = pairs.into_iter().map(|pair| (pair.prompt, pair.chosen)).collect();
    let reports = uno_bench::precision::compare(&chats, &examples, args.new_tokens, &embedder)?;
    console.result(&reports, |reports| {
        let line = |r: &uno_bench::precision::PrecisionReport| {
            format!(
                "{:?}: perplexity {:.4} ({:+.2} %); greedy answers: {:.0} % the same, {:.0} % of tokens before they part, \
                 cosine {:.3}, perplexity in f32 {:.3}",
                r.precision,
                r.perplexity,
                100.0 * r.perplexity_change,
                100.0 * r.same_answers,
                100.0 * r.same_tokens,
                r.answer_cosine,
                r.answer_perplexity
            )
        };
        reports.iter().map(line).collect::<Vec<_>>().join("\n")
    })
}
