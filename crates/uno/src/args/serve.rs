//! Arguments of `serve` and `keys`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::SettingsArgs;

/// Serves an OpenAI-compatible API that answers as the plan of a run says.
///
/// Clients keep their OpenAI SDK and ask for the model `uno`. Every answer says in its headers who gave it; feedback goes to
/// POST /v1/feedback. Whatever of uno fails, the base model answers.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Example:\n  uno serve --run run-chats --set target.url=http://localhost:8000/v1\n  \
                             uno serve --run run-chats --listen 0.0.0.0:8080 --admin-listen 127.0.0.1:9090"
)]
pub struct ServeArgs {
    /// Run directory; may be empty: then everything goes to the base model and is logged
    #[arg(long, value_name = "DIR")]
    pub run: PathBuf,

    /// Address that clients connect to [default: the setting serve.listen]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,

    /// Address of the admin plane [default: the setting serve.admin_listen; off]
    #[arg(long, value_name = "ADDRESS")]
    pub admin_listen: Option<String>,

    /// Takes evolution steps in the background when there is enough new evidence (settings serve.evolve.*)
    #[arg(long)]
    pub evolve: bool,

    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
}

/// Makes, lists and removes API keys of the gateway. Only hashes are kept.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Example:\n  uno keys add web-app --file keys.jsonl --requests-per-minute 600\n  \
                             uno serve --run run-chats --set serve.keys=keys.jsonl"
)]
pub struct KeysArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: KeysCommand,
}

/// `uno keys …`
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Makes a key and prints it once
    #[command(
        after_long_help = "Example:\n  uno keys add web-app --file keys.jsonl --scope chat --scope feedback"
    )]
    Add {
        /// What it is called in logs
        name: String,

        /// File of keys
        #[arg(long, value_name = "FILE")]
        file: PathBuf,

        /// What it may do; may be repeated [default: chat and feedback]
        #[arg(long = "scope", value_enum)]
        scopes: Vec<KeyScope>,

        /// Most requests a minute
        #[arg(long, value_name = "N")]
        requests_per_minute: Option<u64>,

        /// Most tokens a minute, of prompts and answers
        #[arg(long, value_name = "N")]
        tokens_per_minute: Option<u64>,
    },
    /// Lists the keys' names and what they may do
    #[command(after_long_help = "Example:\n  uno keys list --file keys.jsonl")]
    List {
        /// File of keys
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
    /// Removes a key; a running gateway notices within a second
    #[command(after_long_help = "Example:\n  uno keys remove web-app --file keys.jsonl")]
    Remove {
        /// What it is called
        name: String,

        /// File of keys
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
}

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KeyScope {
    /// Ask models.
    Chat,
    /// Give feedback.
    Feedback,
    /// The admin plane.
    Admin,
}
