//! Clusters of records and how new their feedback is (METHOD §3, §4).

use serde::{Deserialize, Serialize};

/// Records that ask alike and complain alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// Its number; row of the centroid matrix.
    pub id: usize,
    /// Ids of its records, sorted.
    pub members: Vec<String>,
}

/// How the redundancy of a rule was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapMethod {
    /// A reranker that passed its golden self-test.
    Reranker,
    /// 1 − calibrated best cosine between the rule and the model's own rules.
    EmbeddingCoverage,
}

/// Novelty of one record's rules: min, mean and max over its with-feedback rules, each 0 (known) to 1 (new).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordGap {
    /// The record.
    pub record: String,
    /// The record's score in the method.
    pub min: f64,
    /// Mean over its rules.
    pub mean: f64,
    /// Maximum over its rules.
    pub max: f64,
}

/// The cognitive gap of a cluster: mean of its records' scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterGap {
    /// The cluster.
    pub cluster: usize,
    /// Mean of `min`; absent when no record has both rule lists.
    pub gap: Option<f64>,
    /// Records that counted.
    pub n: usize,
    /// How it was measured.
    pub method: GapMethod,
}
