//! Arguments of `uno bench memorybench`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::SettingsArgs;

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
    /// Lets a system learn from the dialogues and answer the test items
    Run(RunArgs),
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

/// Lets a system learn from the dialogues and answer the test items; judges the answers and writes the summary.
///
/// The models are those of the settings: target.url, judge.url and embedder.url name servers. Every generation is kept in
/// the run directory, so the same command goes on where it stopped. docs/MEMORYBENCH.md says what a full run needs.
#[derive(Debug, Args)]
#[command(after_long_help = "Example:\n  uno bench memorybench run task/Short-Short --data memorybench \
                             --system bm25_dialog --norm STATISTICS.json --out run-mb \
                             --set target.url=http://localhost:8000/v1 --set target.model=Qwen/Qwen3-8B")]
pub struct RunArgs {
    /// Set: task/NAME or domain/NAME
    #[arg(value_name = "SET")]
    pub of: String,

    /// Directory with DATA SET/train.jsonl and DATA SET/test.jsonl
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,

    /// Run directory
    #[arg(long, value_name = "DIR", default_value = "run-memorybench")]
    pub out: PathBuf,

    /// Who is tested: wo_memory, bm25_message, bm25_dialog, embedder_message, embedder_dialog, rules, a_mem, mem0,
    /// memory_os, lora_sft, lora_dpo, lora_dpo_sft, uno_single, uno
    #[arg(long, value_name = "NAME", default_value = "uno")]
    pub system: String,

    /// Test before the first dialogue and after every batch, not only at the end
    #[arg(long)]
    pub stepwise: bool,

    /// Dialogues of a batch, for --stepwise
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub batch_size: usize,

    /// Most tokens of an answer
    #[arg(long, value_name = "N", default_value_t = 2048)]
    pub max_tokens: usize,

    /// Use the first N items of each file only
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,

    /// Published statistics by set; without them no summary is written
    #[arg(long, value_name = "FILE")]
    pub norm: Option<PathBuf>,

    /// Easy words for JRE-L's Dale-Chall score, one a line
    #[arg(long, value_name = "FILE")]
    pub easy_words: Option<PathBuf>,

    /// Directory with the judge's prompts: answer.txt, merge.txt, checks.txt, criteria.txt
    #[arg(long, value_name = "DIR")]
    pub prompts: Option<PathBuf>,

    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
}
