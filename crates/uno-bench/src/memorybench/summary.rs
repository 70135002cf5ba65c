//! From items to `summary.json` as MemoryBench publishes it: plain, min-max normalised and z-normalised means.
//!
//! Nothing is clipped: a score beyond the baselines' range gives a normalised score beyond 0 to 1.

use std::collections::BTreeMap;

use serde::Serialize;

use super::sets::data_set;
use super::{ItemResult, LlmMeans, MemoryBenchError, SetNorm};

/// Sum of normalised scores, items, and their quotient.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Normalised(pub f64, pub usize, pub f64);

/// The three figures of a set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Mean over data sets of their min-max means.
    pub average: f64,
    /// Mean over items of their min-max scores.
    pub weighted_average: f64,
    /// Mean over items of their z-scores.
    pub z_score: f64,
}

/// `summary.json`, and what it rests on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The three figures.
    pub summary: Figures,
    /// Mean score by data set.
    pub average: BTreeMap<String, f64>,
    /// Scaled to the least and greatest score of the baseline runs.
    pub minmax_normalized_average: BTreeMap<String, Normalised>,
    /// Scaled to mean and standard deviation of the baseline runs.
    pub z_normalized_average: BTreeMap<String, Normalised>,
    /// Data sets whose mean was given and not computed from items.
    pub given: Vec<String>,
    /// Data sets that count for nothing, with the reason.
    pub left_out: BTreeMap<String, String>,
}

/// A data set's mean over n items.
struct Mean {
    sum: f64,
    n: usize,
    given: bool,
}

/// The summary of a set's items.
///
/// # Errors
/// When an item has no score that could be read, a given mean fits no data set, or no data set is left.
pub fn summarise(
    items: &[ItemResult],
    norm: &SetNorm,
    given: &LlmMeans,
) -> Result<Summary, MemoryBenchError> {
    let (means, mut left_out) = means(items, given)?;
    let mut out = Summary {
        summary: Figures { average: 0.0, weighted_average: 0.0, z_score: 0.0 },
        average: BTreeMap::new(),
        minmax_normalized_average: BTreeMap::new(),
        z_normalized_average: BTreeMap::new(),
        given: Vec::new(),
        left_out: BTreeMap::new(),
    };
    let (mut minmax_sum, mut z_sum, mut of_means, mut n) = (0.0, 0.0, 0.0, 0);
    for (name, mean) in means {
        let Some([min, max, mu, sigma]) = norm.get(&name) else {
            left_out.insert(name, "the statistics of this set do not hold it".into());
            continue;
        };
        let count = mean.n as f64;
        // Both maps are linear, so the sum of mapped scores is the mapped sum.
        let minmax = if max <= min { 0.0 } else { (mean.sum - count * min) / (max - min) };
        let z = if sigma <= 1e-6 { 0.0 } else { (mean.sum - count * mu) / sigma };
        minmax_sum += minmax;
        z_sum += z;
        of_means += minmax / count;
        n += mean.n;
        out.minmax_normalized_average.insert(name.clone(), Normalised(minmax, mean.n, minmax / count));
        out.z_normalized_average.insert(name.clone(), Normalised(z, mean.n, z / count));
        if mean.given {
            out.given.push(name.clone());
        }
        out.average.insert(name, mean.sum / count);
    }
    if n == 0 {
        let why: Vec<String> = left_out.iter().map(|(name, why)| format!("{name}: {why}")).collect();
        return Err(MemoryBenchError::Means(format!("no data set can be scored ({})", why.join("; "))));
    }
    out.summary = Figures {
        average: of_means / out.average.len() as f64,
        weighted_average: minmax_sum / n as f64,
        z_score: z_sum / n as f64,
    };
    out.left_out = left_out;
    Ok(out)
}

type Means = (BTreeMap<String, Mean>, BTreeMap<String, String>);

/// Means by data set; data sets without one, with the reason.
fn means(items: &[ItemResult], given: &LlmMeans) -> Result<Means, MemoryBenchError> {
    let mut scores: BTreeMap<String, Vec<Option<f64>>> = BTreeMap::new();
    for item in items {
        scores.entry(data_set(&item.dataset).to_owned()).or_default().push(item.score()?);
    }
    if given.strict
        && let Some(name) = given.by_data_set.keys().find(|n| !scores.contains_key(*n))
    {
        let there: Vec<&str> = scores.keys().map(String::as_str).collect();
        return Err(MemoryBenchError::Means(format!(
            "`{name}` is not in the details ({})",
            there.join(", ")
        )));
    }
    let (mut means, mut left_out) = (BTreeMap::new(), BTreeMap::new());
    for (name, scores) in scores {
        let (n, known) = (scores.len(), scores.iter().flatten().count());
        let mean = given.by_data_set.get(&name);
        match (known, mean) {
            (0, Some(mean)) => {
                means.insert(name, Mean { sum: mean * n as f64, n, given: true });
            }
            (0, None) => {
                left_out.insert(name, "a judge merges its metrics and no merged score is given".into());
            }
            _ if known < n => {
                return Err(MemoryBenchError::Means(format!(
                    "{name}: only {known} of {n} items hold a merged score"
                )));
            }
            (_, Some(_)) if given.strict => {
                return Err(MemoryBenchError::Means(format!(
                    "{name}: its items hold their scores, so none is to be given"
                )));
            }
            _ => {
                means.insert(name, Mean { sum: scores.iter().flatten().sum(), n, given: false });
            }
        }
    }
    Ok((means, left_out))
}

#[cfg(test)]
mod tests;
