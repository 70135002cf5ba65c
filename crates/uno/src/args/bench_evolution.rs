//! Arguments of `uno bench evolution`.

use std::path::PathBuf;

use clap::Args;

use super::SettingsArgs;

/// What happens when logs come in steps, a rule changes, a domain appears late, and a step is full of noise?
///
/// After every step the system answers the same held-out questions, scored by the rules in force. Results are written to the
/// run directory as evolution.json, evolution.csv and evolution.svg; the same command goes on where it stopped.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Example:\n  uno bench evolution --quick\n  uno bench evolution --system uno --steps 8 --json"
)]
pub struct EvolutionArgs {
    /// Run directory
    #[arg(long, value_name = "DIR", default_value = "run-evolution")]
    pub run: PathBuf,

    /// Six steps of three domains
    #[arg(long)]
    pub quick: bool,

    /// Steps, at least 6 [default: 8, quick: 6]
    #[arg(long, value_name = "N")]
    pub steps: Option<usize>,

    /// Conversations of a domain in the first step [default: 24]
    #[arg(long, value_name = "N")]
    pub first: Option<usize>,

    /// New conversations of a domain in a later step [default: 10, quick: 12]
    #[arg(long, value_name = "N")]
    pub per_step: Option<usize>,

    /// Domains; the first one's rule changes, the last one appears late
    /// [default: cooking, health, gardening, finance; quick: cooking, health, finance]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub domains: Vec<String>,

    /// Who is tested: uno_single, uno, or a baseline of `uno bench learning`
    #[arg(long, value_name = "NAME", default_value = "uno_single")]
    pub system: String,

    /// Seed of the logs
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub seed: u64,

    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
}
