//! One step of online evolution (METHOD §8): new logs only are distilled; clusters whose evidence changed enough are trained
//! again and verified against the adapter in service; a new plan is written beside the old ones.
//!
//! A step is a directory `steps/NNN` of its run, laid out like a run: its artefacts are those of all logs up to it, so the next
//! step reads them as this one reads its predecessor's. What the new logs alone gave lies in `steps/NNN/new`. Caches, plans
//! and adapters are the run's. Stages are skipped by content as in learning, so a step that was interrupted goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, ensure};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uno_learn::evolve::{Member, regroup};
use uno_learn::judge::JudgeReport;
use uno_store::{RunDir, StageTokens, TokenLedger, hash};
use uno_types::{Candidate, Cluster, Pair, Plan, Record, RuleSet};

use super::artefacts::{ClustersFile, MapPosition, files};
use super::clusters::{joined, point};
use super::evidence::Artefacts;
use super::evolution::{Evolution, EvolutionFile};
use super::modules::Round;
use super::results::Results;
use super::{
    ClusterSummary, Input, Pipeline, distil, fill, gaps, judge, learned_plan, modules, pairs, plan,
    projection, questions, support,
};
use crate::config::{ClusterBy, Settings};
use crate::output::Console;

/// What a step came to.
#[derive(Debug, Serialize)]
pub struct StepSummary {
    /// The run directory.
    pub run: String,
    /// The step, from 1; absent when the logs held nothing new.
    pub step: Option<usize>,
    /// Conversations that were new.
    pub new_records: usize,
    /// Pairs that they gave.
    pub new_pairs: usize,
    /// Clusters that were trained again.
    pub changed: Vec<usize>,
    /// New clusters: (number, the cluster that it was part of).
    pub split: Vec<(usize, usize)>,
    /// The plan before.
    pub plan_before: String,
    /// The plan in force.
    pub plan: Option<String>,
    /// One entry per cluster of the plan in force.
    pub clusters: Vec<ClusterSummary>,
    /// Seconds per stage, interrupted attempts included; those on the new logs alone begin with `new `.
    pub seconds: BTreeMap<String, f64>,
    /// Tokens paid for in this step, now and before.
    pub tokens_paid: u64,
    /// The same in parts.
    #[serde(skip)]
    pub tokens: StageTokens,
    /// Stages that had to be run now.
    pub stages_run: Vec<String>,
}

/// Where steps lie.
fn place(number: usize) -> String {
    format!("steps/{number:03}")
}

/// The run or the step whose plan is in force: its artefacts are what that plan rests on.
///
/// # Errors
/// When there is no plan, or none of them made it.
pub fn in_force(run: &RunDir) -> anyhow::Result<(Option<usize>, Option<RunDir>)> {
    let current = run
        .plans()
        .current()
        .with_context(|| format!("{} has no plan yet: let `uno learn` finish first", run.root().display()))?;
    for number in (1..=last_step(run)).rev() {
        if let Some(step) = run.existing_step(&place(number))?
            && learned_plan(&step).as_deref() == Some(&current)
        {
            return Ok((Some(number), Some(step)));
        }
    }
    ensure!(
        learned_plan(run).as_deref() == Some(&current),
        "plan {current} is in force, but the artefacts that it was learned from are those of another plan by now: take \
         the learned one with `uno adapters rollback --run {} --to {}`, or learn again",
        run.root().display(),
        learned_plan(run).unwrap_or_default()
    );
    Ok((None, None))
}

/// The newest step that has written `file`, before its plan is in force or after.
///
/// # Errors
/// When a step cannot be read.
pub fn newest_with(run: &RunDir, file: &str) -> anyhow::Result<Option<RunDir>> {
    for number in (1..=last_step(run)).rev() {
        if let Some(step) = run.existing_step(&place(number))?.filter(|step| step.path(file).is_file()) {
            return Ok(Some(step));
        }
    }
    Ok(None)
}

fn last_step(run: &RunDir) -> usize {
    let names = fs_err::read_dir(run.path("steps")).into_iter().flatten().flatten();
    names.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).max().unwrap_or(0)
}

/// Takes a step.
///
/// # Errors
/// The first stage that fails; what was finished is kept.
pub fn evolve(
    input: &Input,
    root: &Path,
    settings: &Settings,
    budget: Option<u64>,
    console: &Console,
) -> anyhow::Result<StepSummary> {
    let run = RunDir::open_or_create(root)?;
    let (number_before, step_before) = in_force(&run)?;
    let prior = step_before.as_ref().unwrap_or(&run);
    let plan_before = run.plans().current().unwrap_or_default();
    let known: BTreeSet<String> =
        prior.read_lines::<Record>(files::RECORDS)?.into_iter().map(|r| r.id).collect();
    let mut new = input.records(console)?;
    new.retain(|record| !known.contains(&record.id));
    if new.is_empty() {
        console.note("nothing new: every conversation of these logs is known");
        return summary(&run, None, plan_before, &[]);
    }
    let number = number_of(&run)?;
    let ledger = Arc::new(TokenLedger::new(budget));

    let mut first =
        Pipeline::over(run.step(&format!("{}/new", place(number)))?, settings, Arc::clone(&ledger), console)?;
    know_models(&mut first, prior)?;
    first.stage("ingest", &hash::of_value(&new), |p| {
        p.run.write_lines(files::RECORDS, &new)?;
        Ok(vec![files::RECORDS.into()])
    })?;
    first.open_models()?;
    distil::stage(&mut first)?;
    pairs::stage(&mut first)?;

    let mut step = Pipeline::over(run.step(&place(number))?, settings, ledger, console)?;
    know_models(&mut step, &first.run)?;
    step.evolution = Some(goes_on_from(prior, number, &plan_before, &run)?);
    let both: Vec<RunDir> =
        [run.existing_step(&format!("{}/new", place(number)))?].into_iter().flatten().collect();
    first.close();
    drop(first);
    merge(&mut step, prior, &both, (number_before, &plan_before))?;
    step.open_models()?;
    judge_of(&mut step, prior)?;
    clusters(&mut step, prior)?;
    support::stage(&mut step)?;
    gaps::stage(&mut step)?;
    fill::stage(&mut step)?;
    for round in [Round::First, Round::Second] {
        modules::train(&mut step, round)?;
        modules::verify(&mut step, round)?;
    }
    account(&mut step, &plan_before)?;
    plan::stage(&mut step)?;
    step.close();
    let mut ran = step.stages_run.clone();
    if !ran.is_empty() || !run.path(files::REPORT).exists() {
        let report = crate::report::write(&step.run)?;
        run.write_bytes(files::REPORT, &fs_err::read(report)?)?;
    }
    ran.retain(|stage| stage != "merge");
    drop(step);
    summary(&run, Some(number), plan_before, &ran)
}

/// The step to take: one that was begun and never published goes on.
fn number_of(run: &RunDir) -> anyhow::Result<usize> {
    let last = last_step(run);
    let published = match run.existing_step(&place(last))?.as_ref().and_then(learned_plan) {
        Some(plan) => run.plans().log()?.iter().any(|change| change.to == plan),
        None => false,
    };
    Ok(if last > 0 && !published { last } else { last + 1 })
}

/// Models whose ids are known need not be opened to learn them.
fn know_models(pipeline: &mut Pipeline<'_>, from: &RunDir) -> anyhow::Result<()> {
    let models = from.manifest().models.clone();
    if pipeline.run.manifest().models.is_empty() && !models.is_empty() {
        pipeline.run.update(|manifest| manifest.models = models)?;
    }
    Ok(())
}

fn goes_on_from(prior: &RunDir, number: usize, plan: &str, run: &RunDir) -> anyhow::Result<Evolution> {
    let plan: Plan = run.plans().read(plan)?;
    let (seen, trained) = if prior.path(files::EVOLUTION).exists() {
        let file: EvolutionFile = prior.read_json(files::EVOLUTION)?;
        (file.seen, file.trained)
    } else {
        let records: Vec<Record> = prior.read_lines(files::RECORDS)?;
        let trained = Results::read(prior)?.modules.into_iter().flat_map(|m| m.records).collect();
        (records.into_iter().map(|r| r.id).collect(), trained)
    };
    let entries = plan.clusters.into_iter().map(|entry| (entry.cluster, entry)).collect();
    Ok(Evolution { number, entries, seen, trained })
}

/// The artefacts of all logs: the predecessor's, then the new ones.
fn merge(
    step: &mut Pipeline<'_>,
    prior: &RunDir,
    new: &[RunDir],
    before: (Option<usize>, &str),
) -> anyhow::Result<()> {
    const MERGED: [&str; 4] = [files::RECORDS, files::RULES, files::CANDIDATES, files::PAIRS];
    let sources: Vec<&RunDir> = std::iter::once(prior).chain(new).collect();
    let mut depends = vec![format!("{before:?}")];
    for source in &sources {
        for file in MERGED {
            depends.push(hash::of_file(&source.path(file))?);
        }
    }
    step.stage("merge", &depends, |p| {
        fn joined<T: Serialize + DeserializeOwned>(
            to: &RunDir,
            from: &[&RunDir],
            file: &str,
        ) -> anyhow::Result<()> {
            let mut all: Vec<T> = Vec::new();
            for source in from {
                all.extend(source.read_lines::<T>(file)?);
            }
            Ok(to.write_lines(file, &all)?)
        }
        joined::<Record>(&p.run, &sources, files::RECORDS)?;
        joined::<RuleSet>(&p.run, &sources, files::RULES)?;
        joined::<Candidate>(&p.run, &sources, files::CANDIDATES)?;
        joined::<Pair>(&p.run, &sources, files::PAIRS)?;
        Ok(MERGED.map(str::to_owned).to_vec())
    })
}

/// What is known about the judge stays known; it is asked again only if it could not be asked enough before.
fn judge_of(step: &mut Pipeline<'_>, prior: &RunDir) -> anyhow::Result<()> {
    let known: JudgeReport = match prior.path(files::JUDGE).exists() {
        true => prior.read_json(files::JUDGE)?,
        false => JudgeReport::default(),
    };
    let enough = known.by_user + known.by_program >= step.settings.judge_check.max_items;
    if !enough || known.judge != step.roles()?.judge_id() {
        return judge::stage(step);
    }
    step.stage("judge", &known, |p| {
        p.run.write_json(files::JUDGE, &known)?;
        Ok(vec![files::JUDGE.into()])
    })
}

/// New records join the predecessor's clusters, or split them.
fn clusters(step: &mut Pipeline<'_>, prior: &RunDir) -> anyhow::Result<()> {
    let settings = step.settings;
    let (by, evolve) = (settings.cluster.by, settings.evolve);
    let threshold = if by == ClusterBy::None { f64::MAX } else { settings.cluster.threshold };
    let depends = (
        step.hashes(&[files::RECORDS, files::RULES]),
        hash::of_file(&prior.path(files::CLUSTERS))?,
        hash::of_file(&prior.path(files::CENTROIDS))?,
        (by, threshold, evolve.min_split, step.roles()?.embedder_id()),
    );
    step.stage("cluster", &depends, |p| {
        let records: Vec<Record> = p.run.read_lines(files::RECORDS)?;
        let rules: Vec<RuleSet> = p.run.read_lines(files::RULES)?;
        let before: ClustersFile = prior.read_json(files::CLUSTERS)?;
        let centroids = super::read_centroids(prior, &Plan::default())?;
        let embedder = p.roles()?.embedder();
        let queries = questions::vectors(p, &records)?;
        let texts: Vec<String> = rules.iter().map(joined).collect();
        let vectors = embedder.embed(&texts.iter().map(String::as_str).collect::<Vec<_>>())?;
        let mut members: BTreeMap<&str, Member> = BTreeMap::new();
        for (i, record) in records.iter().enumerate() {
            let taught = !rules[i].with_feedback.is_empty();
            let member = Member {
                id: record.id.clone(),
                query: queries[i].clone(),
                point: taught.then(|| point(by, &queries[i], &vectors[i])),
            };
            members.insert(&record.id, member);
        }
        let old: Vec<Vec<Member>> = before
            .clusters
            .iter()
            .map(|c| c.members.iter().filter_map(|id| members.remove(id.as_str())).collect())
            .collect();
        // In the order in which they were logged: each moves its centroid before the next one comes.
        let new: Vec<Member> = records.iter().filter_map(|r| members.remove(r.id.as_str())).collect();
        let after = regroup(old, new, centroids, threshold, evolve.min_split)?;
        for (number, from) in &after.split {
            p.console.note(format_args!("cluster {number} split off cluster {from}"));
        }
        let points = projection::project(&queries);
        let cluster_of: BTreeMap<&str, usize> =
            after.clusters.iter().flat_map(|c| c.members.iter().map(|id| (id.as_str(), c.id))).collect();
        let position = |(i, record): (usize, &Record)| MapPosition {
            record: record.id.clone(),
            cluster: cluster_of.get(record.id.as_str()).copied().unwrap_or(0),
            x: points[i][0],
            y: points[i][1],
            has_rules: !rules[i].with_feedback.is_empty(),
        };
        let file = ClustersFile {
            threshold: before.threshold,
            embedder: before.embedder,
            points: records.iter().enumerate().map(position).collect(),
            clusters: after.clusters.clone(),
        };
        p.run.write_json(files::CLUSTERS, &file)?;
        super::write_centroids(&p.run, &after.centroids)?;
        p.run.write_json(SPLIT, &after.split)?;
        Ok(vec![files::CLUSTERS.into(), files::CENTROIDS.into(), SPLIT.into()])
    })
}

/// New clusters of a step: (number, the cluster that it was part of).
const SPLIT: &str = "split.json";

/// Writes `evolution.json`: what the next step goes on from.
fn account(step: &mut Pipeline<'_>, plan_before: &str) -> anyhow::Result<()> {
    let depends = (
        step.hashes(&Artefacts::FILES),
        step.hashes(&[files::MODULES_1, files::MODULES_2, SPLIT]),
        (&step.evolution, step.settings.evolve),
    );
    let depends = hash::of_value(&depends);
    step.stage("account", &depends, |p| {
        let artefacts = Artefacts::read(p)?;
        let evolution = p.evolution.as_ref().context("a step goes on from something")?;
        let changed: Vec<&Cluster> =
            artefacts.clusters.iter().filter(|c| evolution.changed(&artefacts, c, p.settings)).collect();
        let mut seen = evolution.seen.clone();
        seen.extend(changed.iter().flat_map(|c| c.members.iter().cloned()));
        let mut trained = evolution.trained.clone();
        trained.extend(Results::read(&p.run)?.modules.into_iter().flat_map(|m| m.records));
        let file = EvolutionFile {
            step: evolution.number,
            from_plan: plan_before.to_owned(),
            changed: changed.iter().map(|c| c.id).collect(),
            split: p.run.read_json(SPLIT)?,
            seen,
            trained,
        };
        p.run.write_json(files::EVOLUTION, &file)?;
        Ok(vec![files::EVOLUTION.into()])
    })
}

fn summary(
    run: &RunDir,
    number: Option<usize>,
    plan_before: String,
    ran: &[String],
) -> anyhow::Result<StepSummary> {
    let plan: Plan = run.read_json(files::PLAN)?;
    let mut out = StepSummary {
        run: run.root().display().to_string(),
        step: number,
        new_records: 0,
        new_pairs: 0,
        changed: Vec::new(),
        split: Vec::new(),
        plan_before,
        plan: run.plans().current(),
        clusters: ClusterSummary::of(&plan),
        seconds: BTreeMap::new(),
        tokens_paid: 0,
        tokens: StageTokens::default(),
        stages_run: ran.to_vec(),
    };
    let Some(number) = number else { return Ok(out) };
    let parts = [run.existing_step(&place(number))?, run.existing_step(&format!("{}/new", place(number)))?];
    for (part, prefix) in parts.iter().zip(["", "new "]) {
        for stage in part.iter().flat_map(|part| &part.manifest().stages) {
            out.tokens.add(&stage.tokens);
            out.seconds.insert(format!("{prefix}{}", stage.name), stage.seconds);
        }
    }
    out.tokens_paid = out.tokens.paid();
    let [Some(step), Some(new)] = parts else { return Ok(out) };
    let file: EvolutionFile = step.read_json(files::EVOLUTION)?;
    (out.changed, out.split) = (file.changed, file.split);
    out.new_records = new.read_lines::<serde::de::IgnoredAny>(files::RECORDS)?.len();
    out.new_pairs = new.read_lines::<serde::de::IgnoredAny>(files::PAIRS)?.len();
    Ok(out)
}
