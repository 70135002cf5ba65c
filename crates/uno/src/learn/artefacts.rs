//! Artefacts of a run that have no type in a library: docs/FORMATS.md describes each.

use serde::{Deserialize, Serialize};
use uno_types::{AdapterKind, AdapterRef, Cluster, ClusterGap, Pair, Record, RecordGap, RuleSet};

/// File names inside a run directory.
pub mod files {
    /// The conversations.
    pub const RECORDS: &str = "records.jsonl";
    /// What each record teaches.
    pub const RULES: &str = "rules.jsonl";
    /// Possible better answers, scored.
    pub const CANDIDATES: &str = "candidates.jsonl";
    /// Preference pairs.
    pub const PAIRS: &str = "pairs.jsonl";
    /// Why records gave no pair.
    pub const FUNNEL: &str = "funnel.json";
    /// How far the judge can be trusted.
    pub const JUDGE: &str = "judge.json";
    /// Clusters and the map.
    pub const CLUSTERS: &str = "clusters.json";
    /// Centroids in query space.
    pub const CENTROIDS: &str = "centroids.safetensors";
    /// Who stands behind each cluster's rules.
    pub const SUPPORT: &str = "support.json";
    /// Pairs of questions without feedback.
    pub const FILLED: &str = "filled.jsonl";
    /// Gaps of records and clusters.
    pub const GAPS: &str = "gaps.jsonl";
    /// What was trained first, and how it went.
    pub const MODULES_1: &str = "training/modules-1.jsonl";
    /// Verdicts on it.
    pub const VERDICTS_1: &str = "training/verdicts-1.jsonl";
    /// What was trained because the other kind failed.
    pub const MODULES_2: &str = "training/modules-2.jsonl";
    /// Verdicts on it.
    pub const VERDICTS_2: &str = "training/verdicts-2.jsonl";
    /// All verdicts on held-out records.
    pub const VERDICTS: &str = "verdicts.jsonl";
    /// The routing snapshot.
    pub const PLAN: &str = "plan.json";
    /// What a step of evolution has taken into account.
    pub const EVOLUTION: &str = "evolution.json";
    /// The report.
    pub const REPORT: &str = "report.html";
    /// What the demo measured.
    pub const DEMO: &str = "demo.json";
}

/// `clusters.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClustersFile {
    /// Ward distance of the cut.
    pub threshold: f64,
    /// The embedder's id.
    pub embedder: String,
    /// Clusters, by number.
    pub clusters: Vec<Cluster>,
    /// All records on the map, in the order of records.jsonl.
    pub points: Vec<MapPosition>,
}

/// A record on the map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapPosition {
    /// The record.
    pub record: String,
    /// Its cluster.
    pub cluster: usize,
    /// First principal component of the query embeddings.
    pub x: f32,
    /// Second principal component.
    pub y: f32,
    /// Whether it has rules and so shaped the clusters; otherwise it joined the nearest one.
    pub has_rules: bool,
}

/// A line of `gaps.jsonl`: first the clusters, then the records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum GapLine {
    /// A cluster's gap.
    Cluster(ClusterGap),
    /// A record's gap.
    Record(RecordGap),
}

/// A line of `filled.jsonl`: a question without feedback, answered as its cluster's users wish.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Filled {
    /// The cluster that it is trained in.
    pub cluster: usize,
    /// Question and first answer, and the wish in the words of another user.
    pub record: Record,
    /// The rules that most of the cluster's feedback asks for.
    pub rules: RuleSet,
    /// The pair.
    pub pair: Pair,
}

/// A line of `training/modules-1.jsonl` and `training/modules-2.jsonl`: one module of one cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainedModule {
    /// The cluster.
    pub cluster: usize,
    /// Expert or Critic.
    pub kind: AdapterKind,
    /// Examples trained on.
    pub examples: usize,
    /// The records that they come from, sorted.
    #[serde(default)]
    pub records: Vec<String>,
    /// Held-out examples.
    pub validation: usize,
    /// Why nothing was trained, or why training ended early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Examples that could not be used, with reasons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<uno_train::Refused>,
    /// One per finished epoch.
    pub checkpoints: Vec<Checkpoint>,
    /// The loss of each optimiser step.
    pub curve: Vec<CurvePoint>,
}

/// The adapter after an epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Content-hash name.
    pub adapter: String,
    /// Directory inside the run directory.
    pub dir: String,
    /// Mean of the steps' losses.
    pub train_loss: f64,
    /// Loss on the held-out examples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_loss: Option<f64>,
    /// Mean reward margin on the training pairs; none for a Critic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
}

impl Checkpoint {
    /// As models are asked to use it.
    pub fn reference(&self) -> AdapterRef {
        AdapterRef { name: self.adapter.clone(), dir: self.dir.clone() }
    }
}

/// One optimiser step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// From 1.
    pub step: u64,
    /// Epoch, from 1.
    pub epoch: usize,
    /// Loss before the update.
    pub loss: f64,
}

impl TrainedModule {
    /// The checkpoint with the lowest validation loss (the first of equals); without validation, the last one.
    pub fn best_by_loss(&self) -> Option<&Checkpoint> {
        let known = self.checkpoints.iter().filter(|c| c.validation_loss.is_some_and(f64::is_finite));
        known
            .min_by(|a, b| a.validation_loss.unwrap_or(0.0).total_cmp(&b.validation_loss.unwrap_or(0.0)))
            .or(self.checkpoints.last())
    }
}
