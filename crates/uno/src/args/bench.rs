//! Arguments of `uno bench`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{EvolutionArgs, LearningArgs, MemoryBenchArgs, PoisoningArgs};

/// Measures the engine and the method, and makes simulated logs.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Example:\n  uno bench train --pairs pairs.jsonl --json\n  uno bench generate --batch 8 --dtype bf16"
)]
pub struct BenchArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: BenchCommand,
}

/// `uno bench …`
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Measures training on preference pairs: seconds per pair, tokens per second, peak memory
    Train(TrainArgs),
    /// Measures decoding: prefill and decode tokens per second
    Generate(GenerateArgs),
    /// Measures embedding: texts per second
    Embed(EmbedArgs),
    /// What bf16 and 8 bits change: perplexity, and greedy answers beside those in f32
    Precision(PrecisionArgs),
    /// Makes chat logs of simulated users with a house rule per domain
    Simulate(SimulateArgs),
    /// Does it learn, compared with what, and what does it spoil? On simulated users
    Learning(LearningArgs),
    /// What happens over steps with drift: a rule changes, a domain appears late, a burst of noise
    Evolution(EvolutionArgs),
    /// How far users get who try to teach something harmful
    Poisoning(PoisoningArgs),
    /// MemoryBench: scores results, or runs its protocols
    Memorybench(MemoryBenchArgs),
}

/// Measures training.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Example:\n  uno bench train --pairs pairs.jsonl --limit 16 --json\n  uno bench train --tokens 12000 --limit 1"
)]
pub struct TrainArgs {
    /// Examples, one JSON object a line: prompt, chosen, rejected (or, for sft, prompt, completion) as message lists or texts
    #[arg(long, value_name = "FILE", required_unless_present = "tokens", conflicts_with = "tokens")]
    pub pairs: Option<PathBuf>,
    /// Instead of real examples, made-up ones of N tokens; of a pair, a third each for prompt, chosen and rejected answer
    #[arg(long, value_name = "N")]
    pub tokens: Option<usize>,
    /// Use the first N examples
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub limit: usize,
    /// Pairs per optimiser step
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub batch: usize,
    /// Pairs share a pass while they have no more tokens than this together; 0: one pair a pass
    #[arg(long, value_name = "TOKENS", default_value_t = uno_train::TrainConfig::default().pack_tokens)]
    pub pack_tokens: usize,
    /// Whether activations are computed again in the backward instead of being kept
    #[arg(long, default_value = "auto", value_parser = ["auto", "always", "never"])]
    pub checkpointing: String,
    /// Memory that training may take in all, in MiB; 0: nine tenths of what is available
    #[arg(long, value_name = "MIB", default_value_t = 0)]
    pub max_memory_mib: usize,
    /// LoRA rank
    #[arg(long, default_value_t = 64)]
    pub rank: usize,
    /// Loss: dpo is DPO+SFT on pairs (an Expert's), sft the likelihood of completions (a Critic's)
    #[arg(long, default_value = "dpo", value_parser = ["dpo", "sft"])]
    pub loss: String,
    /// Numbers in which frozen weights are multiplied
    #[arg(long, default_value = "mixed", value_parser = ["f32", "mixed", "bf16"])]
    pub dtype: String,
    /// Also compares this precision's gradients with f32, pair by pair
    #[arg(long)]
    pub compare: bool,
    /// Model: a name or a path
    #[arg(long, default_value = uno_models::registry::DEFAULT_CHAT)]
    pub model: String,
}

/// Measures decoding.
#[derive(Debug, Args)]
#[command(after_long_help = "Example:\n  uno bench generate --batch 8 --adapters 8 --dtype bf16 --json")]
pub struct GenerateArgs {
    /// Rows that decode at once
    #[arg(long, default_value_t = 8)]
    pub batch: usize,
    /// Tokens of each prompt
    #[arg(long, value_name = "N", default_value_t = 124)]
    pub prompt_tokens: usize,
    /// New tokens per row
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub new_tokens: usize,
    /// Different adapters among the rows
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub adapters: usize,
    /// Their rank
    #[arg(long, default_value_t = 64)]
    pub rank: usize,
    /// Numbers in which the weights of model and adapters are multiplied
    #[arg(long, default_value = "f32", value_parser = ["f32", "bf16", "int8"])]
    pub dtype: String,
    /// Model: a name or a path
    #[arg(long, default_value = uno_models::registry::DEFAULT_CHAT)]
    pub model: String,
}

/// Compares precisions.
#[derive(Debug, Args)]
#[command(after_long_help = "Example:\n  uno bench precision --pairs pairs.jsonl --limit 32 --json")]
pub struct PrecisionArgs {
    /// Preference pairs as `uno bench train` reads them: the chosen answers are scored, the prompts answered
    #[arg(long, value_name = "FILE")]
    pub pairs: PathBuf,
    /// Use the first N pairs
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub limit: usize,
    /// Tokens of a greedy answer, at most
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub new_tokens: usize,
    /// Model: a name or a path
    #[arg(long, default_value = uno_models::registry::DEFAULT_CHAT)]
    pub model: String,
    /// Embedder that compares answers: a name or a path
    #[arg(long, default_value = uno_models::registry::DEFAULT_EMBEDDER)]
    pub embedder: String,
}

/// Measures embedding.
#[derive(Debug, Args)]
#[command(after_long_help = "Example:\n  uno bench embed --texts texts.jsonl --json")]
pub struct EmbedArgs {
    /// Texts, one JSON string a line or one JSON list; made up when not given
    #[arg(long, value_name = "FILE")]
    pub texts: Option<PathBuf>,
    /// Numbers in which the weights are multiplied
    #[arg(long, default_value = "f32", value_parser = ["f32", "bf16", "int8"])]
    pub dtype: String,
    /// How many made-up texts of about 65 tokens
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub count: usize,
    /// Model: a name or a path
    #[arg(long, default_value = uno_models::registry::DEFAULT_EMBEDDER)]
    pub model: String,
}

/// Makes chat logs of simulated users.
#[derive(Debug, Args)]
#[command(after_long_help = "Example:\n  uno bench simulate --out examples/logs --seed 42")]
pub struct SimulateArgs {
    /// Directory for conversations.jsonl and heldout.jsonl
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Conversations per domain, at most 52
    #[arg(long, default_value_t = 52)]
    pub per_domain: usize,
    /// Seed
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// Model that gives the first answers
    #[arg(long, default_value = uno_models::registry::DEFAULT_CHAT)]
    pub model: String,
}
