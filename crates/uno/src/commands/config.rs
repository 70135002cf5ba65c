//! `uno config`.

use serde_json::json;

use crate::args::{ConfigArgs, ConfigCommand};
use crate::config::{self, Settings};
use crate::output::{Console, table};

/// Shows or checks the settings.
///
/// # Errors
/// When they are wrong, naming the place.
pub fn run(args: &ConfigArgs, console: &Console) -> anyhow::Result<()> {
    match &args.command {
        ConfigCommand::Show(args) => {
            let merged = config::merged_over(&Settings::default(), args)?;
            merged.settings()?;
            let all: serde_json::Map<String, serde_json::Value> = merged
                .iter()
                .map(|(key, value, origin)| {
                    (key.to_owned(), json!({"value": value, "origin": origin.to_string()}))
                })
                .collect();
            console.result(&all, |_| {
                let rows: Vec<Vec<String>> = merged
                    .iter()
                    .map(|(key, value, origin)| {
                        vec![key.to_owned(), value.to_string(), format!("# {origin}")]
                    })
                    .collect();
                table(&rows)
            })
        }
        ConfigCommand::Check(args) => {
            config::load(args)?;
            console.result(&json!({"valid": true}), |_| "The settings are valid.".to_owned())
        }
    }
}
