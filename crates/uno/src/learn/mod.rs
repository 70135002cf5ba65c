//! `learn`, a file per stage: each reads artefacts, asks a library, and writes artefacts. A stage whose inputs are
//! unchanged is skipped; a run that was interrupted goes on where it stopped.

pub mod artefacts;
mod centroids;
mod clusters;
mod distil;
mod evidence;
mod evolution;
pub mod evolve;
mod fill;
mod gaps;
mod ingest;
mod judge;
mod modules;
mod pairs;
mod pipeline;
mod plan;
mod projection;
mod publish;
mod questions;
mod results;
mod routes;
mod support;
mod trainer;

use anyhow::Context;
use serde::Serialize;
use uno_learn::judge::JudgeReport;
use uno_types::{Plan, RuleSet};

pub use centroids::{is_intact as are_centroids_intact, read as read_centroids, write as write_centroids};
pub use ingest::Input;
use modules::Round;
pub use pipeline::Pipeline;
pub use publish::learned_plan;
pub use results::{Counting, Results};
pub use routes::planned as planned_routes;
pub use trainer::{WEIGHTS, is_named_for, trl_base};

use crate::config::Settings;
use crate::output::Console;
use artefacts::files;

/// What `learn` came to.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// The run directory.
    pub run: String,
    /// Conversations.
    pub records: usize,
    /// Preference pairs.
    pub pairs: usize,
    /// Who scores the rules: programs or the judge.
    pub rules: RuleShare,
    /// How far the judge can be trusted.
    pub judge: JudgeReport,
    /// The plan in force.
    pub plan: Option<String>,
    /// What was learned, where an operator went back from it to the plan in force.
    pub held_back: Option<String>,
    /// One entry per cluster of the plan in force.
    pub clusters: Vec<ClusterSummary>,
    /// Seconds per stage, interrupted attempts included.
    pub seconds: std::collections::BTreeMap<String, f64>,
    /// Tokens paid for in this run, now and before.
    pub tokens_paid: u64,
    /// Stages that had to be run now.
    pub stages_run: Vec<String>,
    /// The report.
    pub report: String,
    /// Largest resident memory, MiB.
    pub peak_rss_mib: f64,
}

/// How many of the kept rules a program can check; the judge scores the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct RuleShare {
    /// Rules that were kept.
    pub kept: usize,
    /// Of these, rules that were compiled to a check.
    pub by_program: usize,
    /// by_program / kept; 0 when there are none.
    pub share: f64,
}

impl RuleShare {
    /// Counts the rules of all records.
    pub fn of<'a>(sets: impl IntoIterator<Item = &'a RuleSet>) -> Self {
        let (mut kept, mut by_program) = (0, 0);
        for rule in sets.into_iter().flat_map(|set| &set.with_feedback) {
            kept += 1;
            by_program += usize::from(rule.check.is_some());
        }
        Self { kept, by_program, share: by_program as f64 / kept.max(1) as f64 }
    }
}

/// One cluster's decision in short.
#[derive(Debug, Serialize)]
pub struct ClusterSummary {
    /// Its number.
    pub cluster: usize,
    /// Records.
    pub size: usize,
    /// expert, critic or base.
    pub path: &'static str,
    /// How new its feedback is to the model.
    pub gap: Option<f64>,
    /// Of the best checkpoint.
    pub win_rate: Option<f64>,
    /// In words.
    pub reason: String,
}

impl ClusterSummary {
    /// The decisions of a plan.
    pub fn of(plan: &Plan) -> Vec<Self> {
        let entries = plan.clusters.iter().map(|c| Self {
            cluster: c.cluster,
            size: c.size,
            path: c.path.as_str(),
            gap: c.gap,
            win_rate: c.win_rate.map(|w| w.rate),
            reason: c.reason.clone(),
        });
        entries.collect()
    }
}

/// Learns from `input` in `run` and writes the report.
///
/// # Errors
/// The first stage that fails; what was finished is kept.
pub fn learn(
    input: &Input,
    run: &std::path::Path,
    settings: &Settings,
    budget: Option<u64>,
    console: &Console,
) -> anyhow::Result<Summary> {
    let mut pipeline = Pipeline::open(run, settings, budget, console)?;
    stages(&mut pipeline, input)?;
    finish(&pipeline)
}

/// Every stage from logs to plan.
///
/// # Errors
/// The first stage that fails; what was finished is kept.
pub fn stages(pipeline: &mut Pipeline<'_>, input: &Input) -> anyhow::Result<()> {
    ingest::stage(pipeline, input)?;
    pipeline.open_models()?;
    distil::stage(pipeline)?;
    pairs::stage(pipeline)?;
    judge::stage(pipeline)?;
    clusters::stage(pipeline)?;
    support::stage(pipeline)?;
    gaps::stage(pipeline)?;
    fill::stage(pipeline)?;
    for round in [Round::First, Round::Second] {
        modules::train(pipeline, round)?;
        modules::verify(pipeline, round)?;
    }
    plan::stage(pipeline)
}

/// Lets go of servers, writes the report where something changed, and sums up.
///
/// # Errors
/// When the report cannot be written.
pub fn finish(pipeline: &Pipeline<'_>) -> anyhow::Result<Summary> {
    pipeline.close();
    if !pipeline.stages_run.is_empty() || !pipeline.run.path(files::REPORT).exists() {
        crate::report::write(&pipeline.run)?;
    }
    summary(pipeline)
}

fn summary(pipeline: &Pipeline<'_>) -> anyhow::Result<Summary> {
    let run = &pipeline.run;
    let plan: Plan = run.read_json(files::PLAN)?;
    let records: Vec<serde::de::IgnoredAny> = run.read_lines(files::RECORDS).context("counting records")?;
    let pairs: Vec<serde::de::IgnoredAny> = run.read_lines(files::PAIRS).context("counting pairs")?;
    let rules: Vec<RuleSet> = run.read_lines(files::RULES)?;
    let manifest = run.manifest();
    let in_force = run.plans().current();
    let held_back = learned_plan(run).filter(|learned| Some(learned) != in_force.as_ref());
    Ok(Summary {
        run: run.root().display().to_string(),
        records: records.len(),
        pairs: pairs.len(),
        rules: RuleShare::of(&rules),
        judge: run.read_json(files::JUDGE)?,
        plan: in_force,
        held_back,
        clusters: ClusterSummary::of(&plan),
        seconds: manifest.stages.iter().map(|s| (s.name.clone(), s.seconds)).collect(),
        tokens_paid: manifest.stages.iter().map(|s| s.tokens.paid()).sum(),
        stages_run: pipeline.stages_run.clone(),
        report: run.path(files::REPORT).display().to_string(),
        peak_rss_mib: manifest.peak_rss_mib,
    })
}
