//! From a process that failed to one message with what to do.

use std::path::Path;
use std::process::ExitStatus;

use serde::Deserialize;

use super::error::TrlError;

/// What the launcher writes when it fails.
pub(super) const FILE: &str = "failure.json";
/// Lines of output that a message shows.
const LINES: usize = 12;

#[derive(Deserialize)]
#[serde(tag = "kind", content = "message", rename_all = "snake_case")]
enum Failure {
    Import(String),
    Version(String),
    Memory(String),
    Settings(String),
    Error(String),
}

/// Why the launcher in `dir` ended with `status`.
pub(super) fn explain(status: ExitStatus, dir: &Path, log: &Path) -> TrlError {
    let told = std::fs::read(dir.join(FILE)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let log = log.to_path_buf();
    if let Some(failure) = told {
        return match failure {
            Failure::Import(message) | Failure::Version(message) => TrlError::Packages { message },
            Failure::Memory(message) => TrlError::Memory { message, log },
            Failure::Settings(message) => TrlError::Settings { message },
            Failure::Error(message) => TrlError::Failed { status: status.to_string(), message, log },
        };
    }
    // The launcher did not come to say anything: the environment is wrong, or the system has killed a process.
    let output = std::fs::read(&log).unwrap_or_default();
    let tail = tail(&String::from_utf8_lossy(&output));
    if let Some(line) = tail.lines().rfind(|line| line.contains("No module named")) {
        return TrlError::Packages { message: line.trim().to_owned() };
    }
    let killed = ["SIGKILL", "exitcode  : -9", "exitcode: -9"].iter().any(|word| tail.contains(word));
    if killed || was_killed(status) {
        return TrlError::Memory { message: "the system has killed a process (signal 9)".into(), log };
    }
    let message = if tail.is_empty() { "it said nothing".into() } else { format!("it said last\n{tail}") };
    TrlError::Failed { status: status.to_string(), message, log }
}

#[cfg(unix)]
fn was_killed(status: ExitStatus) -> bool {
    std::os::unix::process::ExitStatusExt::signal(&status) == Some(9)
}

#[cfg(not(unix))]
fn was_killed(_: ExitStatus) -> bool {
    false
}

/// The last lines that are not blank.
fn tail(output: &str) -> String {
    let lines: Vec<&str> = output.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
