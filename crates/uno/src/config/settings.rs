//! Typed settings. What has a default in a library keeps it there; here are the roles and what only the wiring knows.

use serde::{Deserialize, Serialize};
use uno_learn::candidates::CandidateOptions;
use uno_learn::distil::DistilOptions;
use uno_learn::evolve::EvolveOptions;
use uno_learn::judge::MeasureOptions;
use uno_learn::pairs::PairOptions;
use uno_learn::plan::PlanOptions;
use uno_learn::support::EvidenceOptions;
use uno_learn::verify::VerifyOptions;
use uno_serve::ServeOptions;
use uno_train::trl::TrlSettings;
use uno_train::{Backend, Precision, TrainConfig};

/// Everything a run depends on besides its logs. Stored in `run.json` as resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Seed of every draw, split and initial weight that has no seed of its own.
    pub seed: u64,
    /// The model being improved.
    pub target: ModelSettings,
    /// Distils and revises; the target where `model` is empty.
    pub teacher: ModelSettings,
    /// Scores answers; the target where `model` is empty.
    pub judge: ModelSettings,
    /// Embeds queries and rules.
    pub embedder: ModelSettings,
    /// Measures the gap; by embedding coverage where `model` is empty.
    pub reranker: ModelSettings,
    /// The embedded engine.
    pub engine: EngineSettings,
    /// Every remote model.
    pub remote: RemoteSettings,
    /// Rules (METHOD §1).
    pub distil: DistilOptions,
    /// Candidate answers (METHOD §2).
    pub candidates: CandidateOptions,
    /// Preference pairs (METHOD §2).
    pub pairs: PairOptions,
    /// How the judge is measured on the logs before its verdicts count.
    pub judge_check: MeasureOptions,
    /// Clusters (METHOD §3).
    pub cluster: ClusterSettings,
    /// Evidence counts users, not messages.
    pub evidence: EvidenceOptions,
    /// Training of Experts (METHOD §5).
    pub train: TrainConfig,
    /// Training of Critics (METHOD §5).
    pub critic: TrainConfig,
    /// TRL, for `train.backend = "trl"`.
    pub trl: TrlSettings,
    /// Verification (METHOD §6).
    pub verify: VerifyOptions,
    /// Selection (METHOD §7).
    pub plan: PlanOptions,
    /// Online evolution (METHOD §8).
    pub evolve: EvolveOptions,
    /// The gateway (`uno serve`).
    pub serve: ServeOptions,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 42,
            target: ModelSettings::of(uno_models::registry::DEFAULT_CHAT),
            teacher: ModelSettings::default(),
            judge: ModelSettings::default(),
            embedder: ModelSettings::of(uno_models::registry::DEFAULT_EMBEDDER),
            reranker: ModelSettings::default(),
            engine: EngineSettings::default(),
            remote: RemoteSettings::default(),
            distil: DistilOptions::default(),
            candidates: CandidateOptions::default(),
            pairs: PairOptions::default(),
            judge_check: MeasureOptions::default(),
            cluster: ClusterSettings::default(),
            evidence: EvidenceOptions::default(),
            train: TrainConfig::expert(),
            critic: TrainConfig::critic(),
            trl: TrlSettings::default(),
            verify: VerifyOptions::default(),
            plan: PlanOptions::default(),
            evolve: EvolveOptions::default(),
            serve: ServeOptions::default(),
        }
    }
}

/// Who plays a role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelSettings {
    /// A name that `uno models list` knows or a path (embedded), or the model's name on the server (remote).
    pub model: String,
    /// Base address of an OpenAI-compatible server, for example `http://localhost:8000/v1`; empty: embedded.
    pub url: String,
    /// Name of the environment variable that holds the server's key; empty: no key.
    pub api_key_env: String,
    /// For a remote target: its weights on this machine (name or path), which adapters are trained on.
    pub weights: String,
    /// For an embedder or reranker that takes one (Qwen3): the task in a sentence. Before questions only, not before rules and
    /// answers. Empty: none for the embedder, as published; the model card's for the reranker.
    pub instruction: String,
}

impl ModelSettings {
    fn of(model: &str) -> Self {
        Self { model: model.to_owned(), ..Self::default() }
    }

    /// Whether nobody is named.
    pub fn is_unset(&self) -> bool {
        self.model.is_empty()
    }

    /// Whether a server plays the role.
    pub fn is_remote(&self) -> bool {
        !self.url.is_empty()
    }
}

/// The embedded engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EngineSettings {
    /// Rows that are decoded at once.
    pub max_batch: usize,
    /// Threads; 0: one per core. Results do not depend on it.
    pub threads: usize,
    /// Numbers in which generation multiplies with the weights of model and adapters: `bf16` on machines with AVX512-BF16
    /// (f32 on others), `int8` (8 bits in groups of 64, each with a scale) on machines with AVX512-VNNI, or `f32`.
    pub precision: Precision,
    /// The same for the embedder. bf16 is nearly twice as fast and moves no vector by more than a cosine of 0.9999; 8 bits
    /// move some to 0.997 and gain little more.
    pub embedder_precision: Precision,
    /// Most memory for keys and values of the rows in flight, MiB; a single row may exceed it.
    pub kv_mib: usize,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            max_batch: 32,
            threads: 0,
            precision: Precision::Bf16,
            embedder_precision: Precision::F32,
            kv_mib: 1024,
        }
    }
}

/// Every remote model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RemoteSettings {
    /// Longest time for one request, seconds.
    pub timeout_seconds: u64,
    /// How often a request that failed with 429, 5xx or no answer is sent again.
    pub retries: u32,
    /// Requests in flight at once.
    pub concurrency: usize,
    /// Adapters that the server holds at once (vLLM's --max-loras).
    pub max_loras: usize,
}

impl Default for RemoteSettings {
    fn default() -> Self {
        Self { timeout_seconds: 120, retries: 4, concurrency: 16, max_loras: 4 }
    }
}

/// What makes records alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClusterBy {
    /// Question and rules together (the method).
    #[default]
    Dual,
    /// An ablation: the question alone.
    Query,
    /// An ablation: the rules alone.
    Rules,
    /// An ablation: nothing. All records are one cluster.
    None,
}

/// Clusters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClusterSettings {
    /// What makes records alike.
    pub by: ClusterBy,
    /// Ward distance at which the tree is cut.
    pub threshold: f64,
    /// Fewest pairs a cluster needs before anything is trained for it.
    pub min_pairs: usize,
    /// Training pairs up to which a cluster is filled with questions that got no feedback, answered by the rules that most of its
    /// feedback asks for. They never test an adapter. 0: none (the method).
    pub fill_to: usize,
    /// About how many optimiser steps an Expert's training has at least: where a cluster's pairs give fewer, it is given as many
    /// epochs as come nearest. 0: the epochs alone decide (the method).
    pub min_steps: usize,
    /// Largest distance to a centroid at which a question still belongs to the cluster; 0: any. Question vectors have length 1,
    /// so at 1 a question is as far from the centroid as from the origin, about which the means of unrelated questions lie: it
    /// is no nearer to the cluster's questions than to any others.
    pub max_distance: f64,
}

impl Default for ClusterSettings {
    fn default() -> Self {
        Self {
            by: ClusterBy::Dual,
            threshold: 4.0,
            min_pairs: 8,
            fill_to: 24,
            min_steps: 0,
            max_distance: 1.0,
        }
    }
}

impl Settings {
    /// Whether TRL trains anything.
    pub fn uses_trl(&self) -> bool {
        [&self.train, &self.critic].iter().any(|config| config.backend == Backend::Trl)
    }

    /// Ranges that types cannot express: the key and what is wrong.
    pub(super) fn check(&self) -> Result<(), (String, String)> {
        share("plan.gap_threshold", self.plan.gap_threshold)?;
        share("plan.min_win_rate", self.plan.min_win_rate)?;
        share("evidence.min_user_share", self.evidence.min_user_share)?;
        share("evidence.max_user_share", self.evidence.max_user_share)?;
        share("evolve.retrain_share", self.evolve.retrain_share)?;
        share("serve.rollout.share", self.serve.rollout.share)?;
        share("serve.rollout.judge_share", self.serve.rollout.judge_share)?;
        share("serve.traces.sample", self.serve.traces.sample)?;
        for own in &self.serve.rollout.cluster_shares {
            share("serve.rollout.cluster_shares", own.share)?;
        }
        share("verify.guards.bleu_floor", self.verify.guards.bleu_floor)?;
        share("verify.guards.min_length_share", self.verify.guards.min_length_share)?;
        above_zero("cluster.threshold", self.cluster.threshold)?;
        at_least_one("engine.max_batch", self.engine.max_batch)?;
        at_least_one("remote.concurrency", self.remote.concurrency)?;
        at_least_one("remote.max_loras", self.remote.max_loras)?;
        if self.target.is_unset() {
            return Err(("target.model".to_owned(), "name the model to improve".to_owned()));
        }
        if self.embedder.is_unset() {
            return Err(("embedder.model".to_owned(), "name an embedding model".to_owned()));
        }
        for (key, role) in [
            ("target.instruction", &self.target),
            ("teacher.instruction", &self.teacher),
            ("judge.instruction", &self.judge),
        ] {
            if !role.instruction.is_empty() {
                return Err((key.to_owned(), "only embedder and reranker take an instruction".to_owned()));
            }
        }
        for (key, role) in [
            ("target.url", &self.target),
            ("teacher.url", &self.teacher),
            ("judge.url", &self.judge),
            ("embedder.url", &self.embedder),
            ("reranker.url", &self.reranker),
        ] {
            if role.is_remote() && !(role.url.starts_with("http://") || role.url.starts_with("https://")) {
                return Err((
                    key.to_owned(),
                    format!("`{}` does not begin with http:// or https://", role.url),
                ));
            }
        }
        self.train.validate().map_err(|e| (key_of("train", &e), e.to_string()))?;
        self.critic.validate().map_err(|e| (key_of("critic", &e), e.to_string()))
    }
}

/// The full key of the training setting that an error names.
fn key_of(table: &str, error: &uno_train::TrainError) -> String {
    match error {
        uno_train::TrainError::Config { field, .. } => format!("{table}.{field}"),
        _ => table.to_owned(),
    }
}

fn share(key: &str, value: f64) -> Result<(), (String, String)> {
    let message = || (key.to_owned(), format!("{value} is not between 0 and 1"));
    if (0.0..=1.0).contains(&value) { Ok(()) } else { Err(message()) }
}

fn above_zero(key: &str, value: f64) -> Result<(), (String, String)> {
    let message = || (key.to_owned(), format!("{value} must be above 0"));
    if value.is_finite() && value > 0.0 { Ok(()) } else { Err(message()) }
}

fn at_least_one(key: &str, value: usize) -> Result<(), (String, String)> {
    if value > 0 { Ok(()) } else { Err((key.to_owned(), "must be at least 1".to_owned())) }
}
