//! The plan: who answers for which cluster, and why; promoted adapters are copied to where they stay (METHOD §7).

use anyhow::Context;
use serde::Serialize;
use uno_learn::plan::{Evidence, decide};
use uno_store::{Plans, RunDir, jsonl};
use uno_types::{AdapterKind, AdapterRef, Path, Plan, PlanEntry};

use super::artefacts::{ClustersFile, files};
use super::evidence::Artefacts;
use super::results::{Counting, Results};
use super::trainer::{WEIGHTS, is_named_for};
use super::{Pipeline, centroids, publish};

/// The stage's name in the manifest.
pub const STAGE: &str = "plan";
/// Layout version of `plan.json`.
pub(super) const VERSION: u32 = 1;

/// Writes `verdicts.jsonl`, the plan, the adapters and the centroids that it uses, and publishes it.
///
/// # Errors
/// When an artefact is damaged, or a promoted checkpoint has gone.
pub fn stage(pipeline: &mut Pipeline<'_>) -> anyhow::Result<()> {
    let settings = pipeline.settings;
    let roles = pipeline.roles()?;
    let depends = (
        pipeline.hashes(&[files::MODULES_1, files::VERDICTS_1, files::MODULES_2, files::VERDICTS_2]),
        pipeline.hashes(&[files::CLUSTERS, files::GAPS, files::CENTROIDS, files::JUDGE]),
        (&settings.plan, settings.cluster.max_distance, settings.seed),
        (roles.target_id(), roles.embedder_id()),
        &pipeline.evolution,
    );
    let depends = uno_store::hash::of_value(&depends);
    pipeline.stage(STAGE, &depends, |p| {
        let prefix = p.run.home_prefix();
        fs_err::create_dir_all(p.run.path(format!("{prefix}plans")))?;
        let artefacts = Artefacts::read(p)?;
        let clusters: ClustersFile = p.run.read_json(files::CLUSTERS)?;
        let results = Results::read(&p.run)?;
        let counting = Counting::of(&p.run, settings)?;
        let roles = p.roles()?;
        let mut plan = Plan {
            version: VERSION,
            target: roles.target_id(),
            embedder: roles.embedder_id(),
            centroids: Some(centroids::keep(&p.run)?),
            max_distance: (settings.cluster.max_distance > 0.0).then_some(settings.cluster.max_distance),
            clusters: Vec::new(),
        };
        let mut outputs = vec![files::VERDICTS.to_owned()];
        outputs.extend(plan.centroids.iter().map(|file| format!("{prefix}{file}")));
        for cluster in &clusters.clusters {
            let in_force = p
                .evolution
                .as_ref()
                .and_then(|e| e.entries.get(&cluster.id))
                .map(|entry| PlanEntry { size: cluster.members.len(), ..entry.clone() });
            let unchanged = p.passes_over(&artefacts, cluster);
            if let Some(entry) = in_force.clone().filter(|_| unchanged) {
                plan.clusters.push(entry);
                continue;
            }
            let mut entry = decide(
                &Evidence {
                    cluster: cluster.id,
                    size: cluster.members.len(),
                    gap: artefacts.gap(cluster.id),
                    expert: results.best(cluster.id, AdapterKind::Expert, counting),
                    critic: results.best(cluster.id, AdapterKind::Critic, counting),
                },
                &settings.plan,
            );
            let kind = match entry.path {
                Path::Expert => AdapterKind::Expert,
                Path::Critic => AdapterKind::Critic,
                Path::Base if in_force.as_ref().is_some_and(|e| e.path != Path::Base) => {
                    plan.clusters.extend(in_force.map(|e| stays(e, &entry)));
                    continue;
                }
                Path::Base => {
                    entry.reason = with_notes(&entry.reason, &results, cluster.id);
                    plan.clusters.push(entry);
                    continue;
                }
            };
            if let Some(adapter) = &mut entry.adapter {
                let parent = in_force.and_then(|e| e.adapter).map(|a| a.name);
                let step = p.evolution.as_ref().map_or(0, |e| e.number);
                promote(&p.run, &results, cluster.id, kind, adapter, Descent { parent, step })?;
                outputs.push(format!("{prefix}{}/{WEIGHTS}", adapter.dir));
            }
            plan.clusters.push(entry);
        }
        p.run.write_lines(files::VERDICTS, &results.verdicts)?;
        outputs.push(format!("{prefix}{}", Plans::file(&p.run.plans().keep(&plan)?)));
        Ok(outputs)
    })?;
    publish::publish(pipeline)
}

/// Why nothing was trained belongs to the reason of leaving a cluster to the base.
fn with_notes(reason: &str, results: &Results, cluster: usize) -> String {
    let notes = [AdapterKind::Expert, AdapterKind::Critic].into_iter().filter_map(|kind| {
        let module = results.module(cluster, kind)?;
        module.checkpoints.is_empty().then(|| module.note.clone()).flatten()
    });
    let mut all: Vec<String> = notes.collect();
    all.dedup();
    if all.is_empty() { reason.to_owned() } else { format!("{reason} ({})", all.join("; ")) }
}

/// The decision in force, where nothing new was better than it.
fn stays(mut in_force: PlanEntry, found: &PlanEntry) -> PlanEntry {
    // What earlier steps found stands in their own plans.
    let first = in_force.reason.split(STAYS).next().unwrap_or_default().to_owned();
    in_force.reason = format!("{first}{STAYS}{})", found.reason);
    in_force.gap = found.gap;
    in_force
}

const STAYS: &str = " (It stays: trained again, nothing beat it. ";

/// Where an adapter comes from.
#[derive(Clone, Debug)]
struct Descent {
    /// The adapter that it replaces.
    parent: Option<String>,
    /// The step of evolution; 0: learning.
    step: usize,
}

/// `lineage.json` of an adapter.
#[derive(Serialize)]
struct Lineage<'a> {
    parent: Option<&'a str>,
    step: usize,
    cluster: usize,
    kind: AdapterKind,
    /// Training began from the base model, not from the parent.
    start: &'static str,
    /// The records that it was trained on.
    records: &'a [String],
}

/// Copies a checkpoint to `adapters/<name>`, all or nothing, with its loss curve, and points `adapter` there.
fn promote(
    run: &RunDir,
    results: &Results,
    cluster: usize,
    kind: AdapterKind,
    adapter: &mut AdapterRef,
    descent: Descent,
) -> anyhow::Result<()> {
    let home = format!("adapters/{}", adapter.name);
    let prefix = run.home_prefix();
    let (from, to) = (run.path(&adapter.dir), run.path(format!("{prefix}{home}")));
    adapter.dir = home;
    if is_named_for(&adapter.name, &to) {
        return Ok(());
    }
    if to.exists() {
        fs_err::remove_dir_all(&to)?;
    }
    let temporary = run.path(format!("{prefix}adapters/.{}.tmp", adapter.name));
    if temporary.exists() {
        fs_err::remove_dir_all(&temporary)?;
    }
    fs_err::create_dir_all(&temporary)?;
    for file in [WEIGHTS, "adapter_config.json", "fingerprint.json"] {
        fs_err::copy(from.join(file), temporary.join(file))
            .with_context(|| format!("promoting {}", adapter.name))?;
    }
    if let Some(module) = results.module(cluster, kind) {
        jsonl::write(&temporary.join("training.jsonl"), &module.curve)?;
        let lineage = Lineage {
            parent: descent.parent.as_deref(),
            step: descent.step,
            cluster,
            kind,
            start: "base",
            records: &module.records,
        };
        jsonl::write_json(&temporary.join("lineage.json"), &lineage)?;
    }
    fs_err::rename(&temporary, &to)?;
    Ok(())
}
