//! Arguments of `uno bench memorybench`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// MemoryBench: scores results, or runs its protocols.
#[derive(Debug, Args)]
#[command(after_long_help = "Example:\n  uno bench memorybench score --set task/Short-Short \
                             --details evaluate_details.json --norm STATISTICS.json --json")]
pub struct MemoryBenchArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: MemoryBenchCommand,
}

/// `uno bench memorybench …`
#[derive(Debug, Subcommand)]
pub enum MemoryBenchCommand {
    /// Recomputes a summary from the metrics of each item
    Score(ScoreArgs),
}

/// Recomputes a summary from the metrics of each item and the published statistics.
///
/// The summary has the published keys. Data sets whose metrics a judge merges (JRE-L, JuDGE, IdeaBench) are counted where
/// the items hold the merged score or --llm-means gives their mean, and are otherwise left out and named.
#[derive(Debug, Args)]
#[command(after_long_help = "Example:\n  uno bench memorybench score --set task/Short-Short \
                             --details evaluate_details.json --norm final_evaluate_summary_wo_details.json \
                             --llm-means means.json --json")]
pub struct ScoreArgs {
    /// Set: task/NAME or domain/NAME
    #[arg(long, value_name = "SET")]
    pub set: String,

    /// Metrics of each item: a list of {test_idx, metrics, dataset}
    #[arg(long, value_name = "FILE")]
    pub details: PathBuf,

    /// Published statistics by set: least, greatest, mean, deviation
    #[arg(long, value_name = "FILE")]
    pub norm: PathBuf,

    /// Means of merged scores: {"JRE-L": 7.9}, or a summary.json whose means are taken
    #[arg(long, value_name = "FILE")]
    pub llm_means: Option<PathBuf>,
}
