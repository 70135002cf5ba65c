//! Arguments of `uno adapters`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Lists, verifies and exports the adapters of a run, and goes back to an earlier plan.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Example:\n  uno adapters list --run run-demo\n  uno adapters verify --run run-demo\n  \
                             uno adapters export --run run-demo --to out --format gguf\n  \
                             uno adapters rollback --run run-demo"
)]
pub struct AdaptersArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: AdaptersCommand,
}

/// `uno adapters …`
#[derive(Debug, Subcommand)]
pub enum AdaptersCommand {
    /// Lists adapters with cluster, path, win rate and size
    #[command(after_long_help = "Example:\n  uno adapters list --run run-demo --json")]
    List {
        /// Run directory
        #[arg(long, value_name = "DIR")]
        run: PathBuf,
    },
    /// Checks each adapter's content against its name
    #[command(after_long_help = "Example:\n  uno adapters verify --run run-demo")]
    Verify {
        /// Run directory
        #[arg(long, value_name = "DIR")]
        run: PathBuf,
    },
    /// Writes adapters for PEFT and vLLM, or for llama.cpp
    Export(ExportArgs),
    /// Puts an earlier plan in force, at once and whole
    Rollback(RollbackArgs),
}

/// Writes adapters for PEFT and vLLM, or for llama.cpp.
///
/// Every adapter is checked first: its content against its name, its tensors against its configuration.
#[derive(Debug, Args)]
#[command(after_long_help = "Example:\n  uno adapters export --run run-demo --to out --format peft\n  \
                             uno adapters export --run run-demo --to out --format gguf c02-expert-3fa9c1d2e4b5\n  \
                             llama-server -m SmolLM2-135M-Instruct.Q4_1.gguf --lora out/c02-expert-3fa9c1d2e4b5.gguf")]
pub struct ExportArgs {
    /// Adapters by name [default: all of the plan in force]
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,

    /// Run directory
    #[arg(long, value_name = "DIR")]
    pub run: PathBuf,

    /// Where the adapters go; made when it does not exist
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,

    /// What to write
    #[arg(long, value_enum)]
    pub format: ExportFormat,
}

/// What `uno adapters export` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// A directory per adapter, as PEFT and vLLM load it.
    Peft,
    /// A GGUF LoRA file per adapter (f32), as llama.cpp loads it with --lora.
    Gguf,
}

/// Puts an earlier plan in force, at once and whole.
///
/// Every plan that was ever in force is kept, with its adapters and centroids. Whoever serves the run takes the new plan
/// from plan.json; a `learn` that is at work is not disturbed. `uno learn` on unchanged logs keeps a rollback, and says so; when it
/// comes to another plan than the one rolled back from, that plan takes over.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Example:\n  uno adapters rollback --run run-demo --why \"shorter answers upset users\"\n  \
                             uno adapters rollback --run run-demo --list\n  \
                             uno adapters rollback --run run-demo --to 3fa9c1d2e4b5"
)]
pub struct RollbackArgs {
    /// Run directory
    #[arg(long, value_name = "DIR")]
    pub run: PathBuf,

    /// The plan to go to, or the beginning of its id [default: the one before the plan in force]
    #[arg(long, value_name = "PLAN")]
    pub to: Option<String>,

    /// The reason, for the log
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub why: String,

    /// Lists the kept plans, newest first, and changes nothing
    #[arg(long, conflicts_with = "to")]
    pub list: bool,
}
