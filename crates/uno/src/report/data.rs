//! What the report shows, read from the run directory.

use std::collections::HashMap;

use anyhow::Context;
use serde::de::DeserializeOwned;
use uno_learn::judge::JudgeReport;
use uno_learn::support::Support;
use uno_store::{Manifest, RunDir};
use uno_types::{ClusterGap, Pair, Plan, Record, RuleSet, Verdict};

use crate::config::Settings;
use crate::learn::artefacts::{ClustersFile, GapLine, TrainedModule, files};
use crate::learn::{Results, learned_plan};

/// Everything the report shows.
pub struct ReportData {
    pub manifest: Manifest,
    pub settings: Settings,
    pub records: Vec<Record>,
    pub rules: HashMap<String, RuleSet>,
    pub pairs: Vec<Pair>,
    pub clusters: ClustersFile,
    pub gaps: HashMap<usize, ClusterGap>,
    pub modules: Vec<TrainedModule>,
    pub verdicts: Vec<Verdict>,
    /// How far the judge can be trusted; runs of earlier versions did not ask.
    pub judge: Option<JudgeReport>,
    /// Who stands behind each cluster's rules; empty in runs of earlier versions.
    pub support: Vec<Support>,
    /// What was learned.
    pub plan: Plan,
    /// The plan in force, where an operator went back to it.
    pub rolled_back_to: Option<String>,
    /// What the demo measured, when this is a demo's run.
    pub demo: Option<serde_json::Value>,
}

impl ReportData {
    /// Reads the artefacts.
    pub fn load(run: &RunDir) -> anyhow::Result<Self> {
        let in_force =
            run.read_json(&format!("{}{}", run.home_prefix(), files::PLAN)).with_context(|| {
                format!("{} has no plan yet: let `uno learn` finish first", run.root().display())
            })?;
        // The evidence beside it is that of the plan which was learned last.
        let (plans, learned) = (run.plans(), learned_plan(run));
        let rolled_back_to = plans.current().filter(|id| learned.as_ref().is_some_and(|l| l != id));
        let plan = match (&learned, &rolled_back_to) {
            (Some(learned), Some(_)) => plans.read(learned)?,
            _ => in_force,
        };
        let rules: Vec<RuleSet> = run.read_lines(files::RULES)?;
        let gaps: Vec<GapLine> = optional(run, files::GAPS)?;
        let gaps = gaps.into_iter().filter_map(|line| match line {
            GapLine::Cluster(gap) => Some((gap.cluster, gap)),
            GapLine::Record(_) => None,
        });
        let Results { modules, verdicts } = Results::read(run)?;
        let judge = run.path(files::JUDGE).exists().then(|| run.read_json(files::JUDGE)).transpose()?;
        let support = run.path(files::SUPPORT).exists().then(|| run.read_json(files::SUPPORT)).transpose()?;
        let support = support.unwrap_or_default();
        let demo = run.path(files::DEMO).exists().then(|| run.read_json(files::DEMO)).transpose()?;
        Ok(Self {
            manifest: run.manifest().clone(),
            settings: crate::config::of_run(run)?,
            records: run.read_lines(files::RECORDS)?,
            rules: rules.into_iter().map(|r| (r.record.clone(), r)).collect(),
            pairs: run.read_lines(files::PAIRS)?,
            clusters: run.read_json(files::CLUSTERS)?,
            gaps: gaps.collect(),
            modules,
            verdicts,
            judge,
            support,
            plan,
            rolled_back_to,
            demo,
        })
    }

    /// Records of a cluster, as ids.
    pub fn members(&self, cluster: usize) -> &[String] {
        self.clusters.clusters.iter().find(|c| c.id == cluster).map_or(&[], |c| &c.members)
    }
}

fn optional<T: DeserializeOwned>(run: &RunDir, file: &str) -> anyhow::Result<Vec<T>> {
    if run.path(file).exists() { Ok(run.read_lines(file)?) } else { Ok(Vec::new()) }
}
