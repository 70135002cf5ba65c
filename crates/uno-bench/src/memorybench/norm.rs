//! The published statistics by which scores of different data sets become comparable.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use super::MemoryBenchError;

/// What a set groups its data sets by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Lengths of input and output, for example `Short-Short`.
    Task,
    /// Subject, for example `Legal`.
    Domain,
}

/// A set by name: `task/Short-Short`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetName {
    /// Task or domain.
    pub kind: Kind,
    /// Its name.
    pub name: String,
}

impl fmt::Display for SetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Task => "task",
            Kind::Domain => "domain",
        };
        write!(f, "{kind}/{}", self.name)
    }
}

impl FromStr for SetName {
    type Err = MemoryBenchError;

    fn from_str(text: &str) -> Result<Self, MemoryBenchError> {
        let problem = || MemoryBenchError::Set {
            set: text.to_owned(),
            reason: "write task/NAME or domain/NAME, for example task/Short-Short".into(),
        };
        let (kind, name) = text.split_once('/').ok_or_else(problem)?;
        let kind = match kind {
            "task" => Kind::Task,
            "domain" => Kind::Domain,
            _ => return Err(problem()),
        };
        if name.is_empty() { Err(problem()) } else { Ok(Self { kind, name: name.to_owned() }) }
    }
}

/// Statistics of one set, by data set.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct SetNorm {
    /// Least score of the baseline runs.
    pub dataset_min: BTreeMap<String, f64>,
    /// Greatest score.
    pub dataset_max: BTreeMap<String, f64>,
    /// Mean.
    pub dataset_mu: BTreeMap<String, f64>,
    /// Standard deviation of the population.
    pub dataset_sigma: BTreeMap<String, f64>,
}

/// The statistics file: task or domain, set, data set.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Norm {
    #[serde(default)]
    task: BTreeMap<String, Entry>,
    #[serde(default)]
    domain: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug, Deserialize)]
struct Entry {
    summary: SetNorm,
}

impl Norm {
    /// Reads `final_evaluate_summary_wo_details.json`.
    ///
    /// # Errors
    /// When the text is no such file.
    pub fn read(file: &str, text: &str) -> Result<Self, MemoryBenchError> {
        serde_json::from_str(text).map_err(|e| {
            MemoryBenchError::file(
                file,
                format!("no normalisation statistics (task|domain → set → summary): {e}"),
            )
        })
    }

    /// The statistics of a set.
    ///
    /// # Errors
    /// When they are not there; the error lists what is.
    pub fn of(&self, set: &SetName) -> Result<&SetNorm, MemoryBenchError> {
        let sets = match set.kind {
            Kind::Task => &self.task,
            Kind::Domain => &self.domain,
        };
        sets.get(&set.name).map(|entry| &entry.summary).ok_or_else(|| MemoryBenchError::Set {
            set: set.to_string(),
            reason: format!(
                "the statistics do not hold it; they hold {}",
                sets.keys().cloned().collect::<Vec<_>>().join(", ")
            ),
        })
    }
}

impl SetNorm {
    /// (min, max, mu, sigma) of a data set.
    pub(super) fn get(&self, name: &str) -> Option<[f64; 4]> {
        let tables = [&self.dataset_min, &self.dataset_max, &self.dataset_mu, &self.dataset_sigma];
        let values: Vec<f64> = tables.iter().filter_map(|t| t.get(name).copied()).collect();
        values.try_into().ok()
    }
}
