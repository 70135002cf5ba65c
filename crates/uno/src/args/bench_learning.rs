//! Arguments of `uno bench learning`.

use std::path::PathBuf;

use clap::Args;

use super::SettingsArgs;

/// Does it learn, compared with what, and what does it spoil?
///
/// Simulated users of several domains voice house rules of three kinds; a share of them says something else. Every system
/// takes in the same logs and answers the same held-out questions. Programs score obedience and damage. Results are written
/// to the run directory as learning.json, learning.csv and pictures; the same command goes on where it stopped.
#[derive(Debug, Args)]
#[command(after_long_help = "Example:\n  uno bench learning --quick\n  \
                             uno bench learning --noise 0,0.1,0.3,0.5 --systems wo_memory,bm25_dialog,uno_single,uno --json")]
pub struct LearningArgs {
    /// Run directory
    #[arg(long, value_name = "DIR", default_value = "run-learning")]
    pub run: PathBuf,

    /// Three domains, one level of noise, fewer systems: at most eight minutes on two cores
    #[arg(long)]
    pub quick: bool,

    /// Domains [default: cooking, office, travel, health, finance, gardening; also: programming]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub domains: Vec<String>,

    /// Conversations of a domain [default: 40]
    #[arg(long, value_name = "N")]
    pub per_domain: Option<usize>,

    /// Held-out questions of a domain [default: 10, quick: 8]
    #[arg(long, value_name = "N")]
    pub held_out: Option<usize>,

    /// Shares of conversations whose users do not voice the house rule, 0 to 0.5 [default: 0, 0.3; quick: 0.2]
    #[arg(long, value_name = "SHARE", value_delimiter = ',')]
    pub noise: Vec<f64>,

    /// Who is tested [default: all of wo_memory, bm25_message, bm25_dialog, embedder_message, embedder_dialog, rules, a_mem,
    /// mem0, memory_os, lora_sft, lora_dpo, lora_dpo_sft, uno_single, uno, and of these wo_memory, uno_single and uno where a further
    /// level of noise is tried; quick: wo_memory, bm25_dialog, embedder_dialog, rules, uno_single, uno]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub systems: Vec<String>,

    /// Also UNO with parts of it switched off or replaced; by name they may stand in --systems too
    #[arg(long)]
    pub ablations: bool,

    /// Seeds of the logs; with several, each is learnt from and tested on its own, and figures are over all
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [42], alias = "seed")]
    pub seeds: Vec<u64>,

    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
}
