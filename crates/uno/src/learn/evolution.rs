//! What a step of evolution goes on from: who is in service, what was taken into account, what was trained on.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uno_learn::evolve::changed_enough;
use uno_learn::verify::InService;
use uno_types::{Cluster, Path, PlanEntry};

use super::Pipeline;
use super::evidence::Artefacts;
use crate::config::Settings;

/// What a step goes on from.
#[derive(Clone, Debug, Serialize)]
pub struct Evolution {
    /// The step, from 1.
    pub number: usize,
    /// The decisions in force, by cluster; adapters lie in the run that the step belongs to.
    pub entries: BTreeMap<usize, PlanEntry>,
    /// Records that were taken into account when their cluster was trained last, or passed over.
    pub seen: BTreeSet<String>,
    /// Records that some adapter was trained on: they stay on the training side.
    pub trained: BTreeSet<String>,
}

/// `evolution.json`: what the next step goes on from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EvolutionFile {
    /// The step, from 1.
    pub step: usize,
    /// The plan that it went on from.
    pub from_plan: String,
    /// Clusters whose evidence changed enough to be trained again.
    pub changed: Vec<usize>,
    /// New clusters: (number, the cluster that it was part of).
    pub split: Vec<(usize, usize)>,
    /// See [`Evolution::seen`].
    pub seen: BTreeSet<String>,
    /// See [`Evolution::trained`].
    pub trained: BTreeSet<String>,
}

impl Evolution {
    /// Who answers for each cluster, as `prefix` leads to their adapters.
    pub fn in_service(&self, prefix: &str) -> InService {
        let of = |entry: &PlanEntry| {
            let mut adapter = entry.adapter.clone().filter(|_| entry.path != Path::Base)?;
            adapter.dir = format!("{prefix}{}", adapter.dir);
            Some((entry.cluster, (entry.path, adapter)))
        };
        self.entries.values().filter_map(of).collect()
    }

    /// Whether enough of a cluster's pairs are new for it to be trained again.
    pub fn changed(&self, artefacts: &Artefacts, cluster: &Cluster, settings: &Settings) -> bool {
        let evidence = artefacts.evidence(cluster);
        let fresh = evidence.train.iter().chain(&evidence.validation).filter(|id| !self.seen.contains(*id));
        changed_enough(fresh.count(), evidence.pairs(), &settings.evolve)
    }
}

impl Pipeline<'_> {
    /// Whether this step of evolution leaves a cluster as it is, for too little of its evidence is new.
    pub fn passes_over(&self, artefacts: &Artefacts, cluster: &Cluster) -> bool {
        self.evolution.as_ref().is_some_and(|e| !e.changed(artefacts, cluster, self.settings))
    }
}
