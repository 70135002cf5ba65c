//! The routing snapshot: which path answers for which cluster (METHOD §7).

use serde::{Deserialize, Serialize};

use crate::{AdapterRef, WinRate};

/// How a query is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Path {
    /// The Expert adapter answers: one generation.
    Expert,
    /// Base answer, Critic's suggestions, refined answer: three generations.
    Critic,
    /// The base model answers.
    Base,
}

impl Path {
    /// The word used in plans, headers and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Path::Expert => "expert",
            Path::Critic => "critic",
            Path::Base => "base",
        }
    }
}

/// One cluster's decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanEntry {
    /// The cluster; row of the centroid matrix.
    pub cluster: usize,
    /// Records in it.
    pub size: usize,
    /// Who answers.
    pub path: Path,
    /// The adapter of that path; absent for base.
    pub adapter: Option<AdapterRef>,
    /// Cognitive gap, if it could be measured.
    pub gap: Option<f64>,
    /// The best checkpoint's win rate, if one was verified.
    pub win_rate: Option<WinRate>,
    /// The decision in words.
    pub reason: String,
}

/// What serving needs to know; written once, swapped whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Version of this file's layout.
    pub version: u32,
    /// Name and hash of the target model the adapters belong to.
    pub target: String,
    /// Name of the embedder whose space the centroids live in.
    pub embedder: String,
    /// The centroids that it routes by, inside the run directory; absent: those of the run (plans of earlier versions).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub centroids: Option<String>,
    /// Largest Euclidean distance to a centroid at which a query still belongs to the cluster; absent: always.
    pub max_distance: Option<f64>,
    /// One entry per cluster, sorted by cluster.
    pub clusters: Vec<PlanEntry>,
}
