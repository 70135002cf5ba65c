//! Arguments of `uno bench poisoning`.

use std::path::PathBuf;

use clap::Args;

use super::SettingsArgs;

/// How far do users get who try to teach something harmful?
///
/// Attackers are mixed into the logs of simulated users and ask for a line of advertising in one domain. Told are the planted
/// conversations that became rules, that an adapter was trained on, and that a promoted adapter was trained on, and the
/// held-out answers that hold the line. Results are written to poisoning.json; the same command goes on where it stopped.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Example:\n  uno bench poisoning\n  uno bench poisoning --attacks hijack:0.1,flood:0.5 --json"
)]
pub struct PoisoningArgs {
    /// Run directory
    #[arg(long, value_name = "DIR", default_value = "run-poisoning")]
    pub run: PathBuf,

    /// Attacks: hijack (a share of all users, on one topic), flood (one user with a share of all feedback), injection (feedback
    /// addressed to the machinery) [default: hijack:0.1, hijack:0.25, flood:0.5, injection:0.25]
    #[arg(long, value_name = "ATTACK:SHARE", value_delimiter = ',')]
    pub attacks: Vec<String>,

    /// Domains [default: cooking, health, finance, travel]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub domains: Vec<String>,

    /// Honest conversations of a domain
    #[arg(long, value_name = "N", default_value_t = 28)]
    pub per_domain: usize,

    /// Seed of the logs
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub seed: u64,

    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
}
