//! `evaluate_details.json`: the metrics of every answered item; and the means that are published without their items.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::MemoryBenchError;
use super::sets::{self, MERGED, Scoring};

/// One line of the details.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemResult {
    /// The item's id within its data set.
    pub test_idx: i64,
    /// Metric by name; texts that explain a metric may stand among them.
    pub metrics: Map<String, Value>,
    /// The data set.
    pub dataset: String,
}

impl ItemResult {
    /// The score: the data set's metric, with true as 1, false and null as 0. `None` where only a judge can merge the
    /// metrics and the item does not hold what it said.
    ///
    /// # Errors
    /// When the data set is unknown, or the metric is missing or no number.
    pub fn score(&self) -> Result<Option<f64>, MemoryBenchError> {
        let problem = |reason: String| MemoryBenchError::Item {
            data_set: self.dataset.clone(),
            test_idx: self.test_idx,
            reason,
        };
        let name = match sets::scoring(&self.dataset) {
            None => return Err(problem("this data set is not one of MemoryBench's".into())),
            Some(Scoring::Merged) if !self.metrics.contains_key(MERGED) => return Ok(None),
            Some(Scoring::Merged) => MERGED,
            Some(Scoring::Metric(name)) => name,
        };
        match self.metrics.get(name) {
            Some(Value::Number(n)) => Ok(n.as_f64()),
            Some(Value::Bool(yes)) => Ok(Some(f64::from(u8::from(*yes)))),
            Some(Value::Null) => Ok(Some(0.0)),
            Some(_) => Err(problem(format!("metric `{name}` is no number"))),
            None => {
                let there: Vec<&str> = self.metrics.keys().map(String::as_str).collect();
                Err(problem(format!("metric `{name}` is missing; there is: {}", there.join(", "))))
            }
        }
    }
}

/// Reads the details from a file's text.
///
/// # Errors
/// When the text is no such list, or holds an item twice.
pub fn read_details(file: &str, text: &str) -> Result<Vec<ItemResult>, MemoryBenchError> {
    let items: Vec<ItemResult> = serde_json::from_str(text).map_err(|e| {
        MemoryBenchError::file(file, format!("not a list of {{test_idx, metrics, dataset}}: {e}"))
    })?;
    let mut seen = HashSet::new();
    for item in &items {
        if !seen.insert((item.dataset.as_str(), item.test_idx)) {
            let reason = format!("item {} of {} is there twice", item.test_idx, item.dataset);
            return Err(MemoryBenchError::file(file, reason));
        }
    }
    Ok(items)
}

/// Means of merged scores by data set, for results whose merged scores were not published per item.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LlmMeans {
    /// By data set.
    pub by_data_set: BTreeMap<String, f64>,
    /// Whether every name must belong to a data set of the details: so in a plain `{name: mean}`, not in a whole summary.
    pub strict: bool,
}

impl LlmMeans {
    /// Reads `{"JRE-L": 7.92}`, or takes the `average` of a whole summary.
    ///
    /// # Errors
    /// When the text is neither.
    pub fn read(file: &str, text: &str) -> Result<Self, MemoryBenchError> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Given {
            Summary { average: BTreeMap<String, f64> },
            Plain(BTreeMap<String, f64>),
        }
        let given: Given = serde_json::from_str(text).map_err(|_| {
            MemoryBenchError::file(file, "neither {\"DATA SET\": MEAN} nor a summary with `average`")
        })?;
        Ok(match given {
            Given::Summary { average } => Self { by_data_set: average, strict: false },
            Given::Plain(by_data_set) => Self { by_data_set, strict: true },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn item(dataset: &str, metrics: Value) -> ItemResult {
        serde_json::from_value(json!({"test_idx": 3, "metrics": metrics, "dataset": dataset})).unwrap()
    }

    #[test]
    fn each_data_set_has_its_metric() {
        assert_eq!(item("NFCats", json!({"score": 4})).score().unwrap(), Some(4.0));
        assert_eq!(item("DialSim-friends", json!({"accuracy": true})).score().unwrap(), Some(1.0));
        assert_eq!(item("Locomo-3", json!({"f1": null})).score().unwrap(), Some(0.0));
        assert_eq!(item("JRE-L", json!({"CLI": 12.0})).score().unwrap(), None);
        assert_eq!(item("JRE-L", json!({"CLI": 12.0, "llm_as_judge_score": 8})).score().unwrap(), Some(8.0));
    }

    #[test]
    fn what_cannot_be_scored_is_named() {
        let error = item("NFCats", json!({"points": 4})).score().unwrap_err().to_string();
        assert!(
            error.contains("NFCats, item 3") && error.contains("`score`") && error.contains("points"),
            "{error}"
        );
        assert!(item("NFCats", json!({"score": "4"})).score().is_err());
        assert!(item("Other", json!({"score": 4})).score().is_err());
        let twice = json!([item("NFCats", json!({})), item("NFCats", json!({}))]).to_string();
        assert!(read_details("d.json", &twice).unwrap_err().to_string().contains("twice"));
        assert!(read_details("d.json", "{}").is_err());
    }

    #[test]
    fn means_come_plain_or_in_a_summary() {
        let plain = LlmMeans::read("m", r#"{"JRE-L": 7.5}"#).unwrap();
        assert!(plain.strict && plain.by_data_set["JRE-L"] == 7.5);
        let summary =
            LlmMeans::read("m", r#"{"summary": {}, "average": {"JRE-L": 7.5, "NFCats": 4.0}}"#).unwrap();
        assert!(!summary.strict && summary.by_data_set.len() == 2);
        assert!(LlmMeans::read("m", "[1]").is_err());
    }
}
