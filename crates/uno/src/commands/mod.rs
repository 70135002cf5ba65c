//! One file per subcommand.

pub mod adapters;
pub mod ask;
pub mod bench;
mod bench_evolution;
mod bench_examples;
mod bench_learning;
mod bench_memory;
mod bench_poisoning;
mod bench_precision;
mod bench_speed;
mod bench_train;
pub mod config;
pub mod demo;
pub mod doctor;
mod doctor_memory;
pub mod evolve;
pub mod ingest;
pub mod keys;
pub mod learn;
pub mod models;
pub mod report;
pub mod serve;

use std::io::Write;

use crate::config::ConfigError;

/// A wrong argument that clap cannot know to be wrong. Ends with exit status 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// Prints the chain of causes once: what failed first, then why. Causes that a message already holds are not repeated.
pub fn print_error(error: &anyhow::Error) {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text.push_str("\n  because: ");
            text.push_str(&cause);
        }
    }
    let _ = writeln!(std::io::stderr(), "error: {text}");
}

/// Whether the user's arguments or settings are at fault, not the work.
pub fn is_usage(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.is::<ConfigError>() || cause.is::<UsageError>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn settings_and_arguments_are_usage_the_rest_is_not() {
        let usage: anyhow::Result<()> = Err(UsageError("no".into())).context("doing");
        assert!(is_usage(&usage.unwrap_err()));
        assert!(!is_usage(&anyhow::anyhow!("disk")));
    }
}
