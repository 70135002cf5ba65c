//! `run.json`: what a run was asked to do and how far it got.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::{StageTokens, StoreError, hash};

/// The layout version that this program writes.
pub const VERSION: u32 = 1;

/// The manifest of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Layout version of the run directory.
    pub version: u32,
    /// Version of the program that wrote last.
    pub program: String,
    /// The configuration as resolved.
    #[serde(default)]
    pub config: serde_json::Value,
    /// Input files by the name they were given, with content hash.
    #[serde(default)]
    pub inputs: BTreeMap<String, String>,
    /// Models by role.
    #[serde(default)]
    pub models: BTreeMap<String, ModelStamp>,
    /// Stages in the order in which they first ran.
    #[serde(default)]
    pub stages: Vec<StageRecord>,
    /// Largest resident memory that any process of this run reached, MiB.
    #[serde(default)]
    pub peak_rss_mib: f64,
}

impl Default for Manifest {
    fn default() -> Self {
        Self {
            version: VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            config: serde_json::Value::Null,
            inputs: BTreeMap::new(),
            models: BTreeMap::new(),
            stages: Vec::new(),
            peak_rss_mib: 0.0,
        }
    }
}

/// A model as it was when it was last opened. While `stamp` (files, sizes, times) is unchanged, `id` holds and the
/// model need not be opened to know it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelStamp {
    /// Path or address.
    pub location: String,
    /// Hash of names, sizes and modification times of its files; of the address for a remote model.
    pub stamp: String,
    /// Name and content hash, as the model itself states them.
    pub id: String,
}

/// How far a stage got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageState {
    /// Begun and not finished: it runs again, finished generations are reused.
    Running,
    /// Finished.
    Done,
    /// Ended with an error.
    Failed,
}

/// One stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageRecord {
    /// Its name, as in the documentation.
    pub name: String,
    /// How far it got.
    pub state: StageState,
    /// Hash of everything it depends on: earlier artefacts, configuration, models.
    pub input: String,
    /// Its artefacts by path inside the run directory.
    #[serde(default)]
    pub outputs: BTreeMap<String, OutputStamp>,
    /// Wall-clock seconds, summed over all processes that worked on this input.
    #[serde(default)]
    pub seconds: f64,
    /// Tokens, summed likewise.
    #[serde(default)]
    pub tokens: StageTokens,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// An artefact as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputStamp {
    /// BLAKE3 of the content.
    pub hash: String,
    /// Size.
    pub bytes: u64,
    /// Modification time, nanoseconds since 1970. While size and time are unchanged, the content is not read again.
    pub modified: u64,
}

impl OutputStamp {
    /// Stamps a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of(path: &Path) -> Result<Self, StoreError> {
        let (bytes, modified) = size_and_time(path)?;
        Ok(Self { hash: hash::of_file(path)?, bytes, modified })
    }

    /// Whether the file still has the stamped content.
    pub fn holds(&self, path: &Path) -> bool {
        match size_and_time(path) {
            Ok((bytes, modified)) if bytes == self.bytes => {
                modified == self.modified || hash::of_file(path).is_ok_and(|h| h == self.hash)
            }
            _ => false,
        }
    }
}

fn size_and_time(path: &Path) -> Result<(u64, u64), StoreError> {
    let meta = fs_err::metadata(path).map_err(|e| StoreError::io("read", path, e))?;
    let modified = meta.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
    Ok((meta.len(), modified.map_or(0, |d| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX))))
}

/// Hash of names, sizes and modification times of a file, or of all files directly in a directory.
///
/// # Errors
/// When the path does not exist or cannot be read.
pub fn stamp_of(path: &Path) -> Result<String, StoreError> {
    let fail = |e| StoreError::io("read", path, e);
    let mut files = Vec::new();
    if path.is_dir() {
        for entry in fs_err::read_dir(path).map_err(fail)? {
            let file = entry.map_err(fail)?.path();
            if file.is_file() {
                files.push(file);
            }
        }
        files.sort();
    } else {
        files.push(path.to_path_buf());
    }
    let parts: Result<Vec<_>, _> = files
        .iter()
        .map(|file| {
            size_and_time(file).map(|st| (file.file_name().map(|n| n.to_string_lossy().into_owned()), st))
        })
        .collect();
    Ok(hash::of_value(&parts?))
}

impl Manifest {
    /// The record of a stage.
    pub fn stage(&self, name: &str) -> Option<&StageRecord> {
        self.stages.iter().find(|s| s.name == name)
    }

    /// The record of a stage, for change; made if there is none.
    pub fn stage_mut(&mut self, name: &str) -> &mut StageRecord {
        let at = self.stages.iter().position(|s| s.name == name).unwrap_or_else(|| {
            self.stages.push(StageRecord {
                name: name.to_owned(),
                state: StageState::Running,
                input: String::new(),
                outputs: BTreeMap::new(),
                seconds: 0.0,
                tokens: StageTokens::default(),
                error: None,
            });
            self.stages.len() - 1
        });
        &mut self.stages[at]
    }
}
