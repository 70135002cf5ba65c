//! Whether the Python environment is one that the launcher works in.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::error::TrlError;
use super::settings::TrlSettings;
use super::{job, process};

/// The versions that the launcher was checked with; of `trl` another minor version is refused.
const EXPECTED: [(&str, &str); 5] = [
    ("trl", "0.24."),
    ("peft", "0.17."),
    ("transformers", "4.57."),
    ("accelerate", "1.11."),
    ("torch", "2.9."),
];

/// What `accelerate launch` finds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Environment {
    /// Version by package; none where it is not installed.
    #[serde(rename = "uno_check")]
    pub versions: BTreeMap<String, Option<String>>,
    /// GPUs by name.
    pub devices: Vec<String>,
    /// Processes that a training would have.
    pub processes: usize,
}

impl Environment {
    /// What keeps TRL from training; none when it can.
    pub fn problem(&self) -> Option<String> {
        let missing = EXPECTED.iter().find(|(name, _)| self.version(name).is_none());
        if let Some((name, _)) = missing {
            return Some(format!("{name} is not installed"));
        }
        let trl = self.version("trl").unwrap_or_default();
        (!trl.starts_with("0.24.")).then(|| format!("trl {trl} is installed, 0.24 is needed"))
    }

    /// Packages of versions that the launcher was not checked with.
    pub fn unchecked(&self) -> Vec<String> {
        let other = |(name, expected): &(&str, &str)| {
            let found = self.version(name)?;
            (!found.starts_with(expected)).then(|| format!("{name} {found} (checked with {expected}*)"))
        };
        EXPECTED.iter().filter_map(other).collect()
    }

    fn version(&self, name: &str) -> Option<&str> {
        self.versions.get(name).and_then(Option::as_deref)
    }
}

/// A directory that is removed again.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl TrlSettings {
    /// Starts the launcher as a training would, and asks it what it finds. Takes as long as Python needs to import torch.
    ///
    /// # Errors
    /// When it cannot be started or does not answer.
    pub fn check(&self) -> Result<Environment, TrlError> {
        let scratch = Scratch(std::env::temp_dir().join(format!("uno-trl-check-{}", std::process::id())));
        let failed = |message: String| TrlError::Packages { message };
        std::fs::create_dir_all(&scratch.0)
            .and_then(|()| job::write_scripts(&scratch.0))
            .map_err(|error| failed(error.to_string()))?;
        let script = scratch.0.join("launcher.py");
        let mut command = process::command(self, &script, &["--check".as_ref()])?;
        command.stdin(std::process::Stdio::null());
        let output = command.output().map_err(process::not_found(self))?;
        let answer = output.stdout.split(|b| *b == b'\n').find_map(|line| serde_json::from_slice(line).ok());
        answer.ok_or_else(|| {
            let words = String::from_utf8_lossy(&output.stderr);
            let last = words.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no answer").trim();
            failed(format!("{last} ({})", output.status))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(versions: &[(&str, Option<&str>)]) -> Environment {
        let versions = versions.iter().map(|(n, v)| ((*n).into(), v.map(str::to_owned))).collect();
        Environment { versions, devices: Vec::new(), processes: 1 }
    }

    #[test]
    fn says_what_is_missing_and_what_is_other() {
        let all = |trl, torch| {
            environment(&[
                ("trl", trl),
                ("peft", Some("0.17.1")),
                ("transformers", Some("4.57.1")),
                ("accelerate", Some("1.11.0")),
                ("torch", torch),
            ])
        };
        assert_eq!(all(Some("0.24.0"), Some("2.9.0+cpu")).problem(), None);
        assert_eq!(all(None, Some("2.9.0")).problem().unwrap(), "trl is not installed");
        assert!(all(Some("0.25.1"), Some("2.9.0")).problem().unwrap().contains("0.24 is needed"));
        assert_eq!(all(Some("0.24.0"), Some("2.11.0")).unchecked(), ["torch 2.11.0 (checked with 2.9.*)"]);
    }
}
