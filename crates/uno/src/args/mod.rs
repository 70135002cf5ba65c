//! What can be said on the command line.

mod adapters;
mod bench;
mod bench_evolution;
mod bench_learning;
mod bench_memory;
mod bench_poisoning;
mod commands;
mod serve;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use adapters::{AdaptersArgs, AdaptersCommand, ExportArgs, ExportFormat, RollbackArgs};
pub use bench::{BenchArgs, BenchCommand, EmbedArgs, GenerateArgs, PrecisionArgs, SimulateArgs, TrainArgs};
pub use bench_evolution::EvolutionArgs;
pub use bench_learning::LearningArgs;
pub use bench_memory::{MemoryBenchArgs, MemoryBenchCommand, RunArgs, ScoreArgs};
pub use bench_poisoning::PoisoningArgs;
pub use commands::{
    AskArgs, AskPath, ConfigArgs, ConfigCommand, DemoArgs, DoctorArgs, EvolveArgs, IngestArgs, LearnArgs,
    ModelsArgs, ModelsCommand, ReportArgs,
};
pub use serve::{KeyScope, KeysArgs, KeysCommand, ServeArgs};

/// UNO makes an LLM system better with its own user logs.
///
/// It distils what users asked for after an answer into rules and preference pairs, trains small LoRA adapters per
/// cluster of queries, verifies each on held-out logs, and answers with an adapter only where it won.
#[derive(Debug, Parser)]
#[command(name = "uno", version, propagate_version = true, max_term_width = 110)]
#[command(
    after_help = "Start here:  uno demo\nExit status: 0 done, 1 the work failed, 2 wrong usage or configuration."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Prints the result as one JSON document on stdout
    #[arg(long, global = true)]
    pub json: bool,

    /// Prints no progress
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

/// Where settings come from: defaults ← uno.toml ← UNO_* environment ← these.
#[derive(Clone, Debug, Default, Args)]
pub struct SettingsArgs {
    /// Settings file [default: uno.toml in the current directory, if there is one]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// One setting, for example --set train.epochs=4; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Shows the whole job on example logs: learns, verifies, and compares answers before and after
    Demo(DemoArgs),
    /// Pulls and lists the embedded default models
    Models(ModelsArgs),
    /// Reads chat logs of any known format into records
    Ingest(IngestArgs),
    /// Learns from logs: rules, pairs, clusters, gaps, adapters, verdicts, plan; resumes where it stopped
    Learn(LearnArgs),
    /// Learns from new logs beside what a run has learned, and verifies against the adapters in service
    Evolve(EvolveArgs),
    /// Answers a question as the plan of a run says
    Ask(AskArgs),
    /// Serves an OpenAI-compatible API that answers as the plan says, and collects feedback
    Serve(ServeArgs),
    /// Makes, lists and removes API keys of the gateway
    Keys(KeysArgs),
    /// Writes the report of a run as one self-contained HTML file
    Report(ReportArgs),
    /// Shows or checks the settings
    Config(ConfigArgs),
    /// Looks for what would make a run fail
    Doctor(DoctorArgs),
    /// Lists, verifies and exports the adapters of a run; goes back to an earlier plan
    Adapters(AdaptersArgs),
    /// Measures the engine and the method, and makes simulated logs
    Bench(BenchArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
