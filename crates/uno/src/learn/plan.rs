//! The plan: who answers for which cluster, and why; promoted adapters are copied to where they stay (METHOD §7).

use anyhow::Context;
use uno_learn::plan::{Evidence, decide};
use uno_store::{Plans, RunDir, jsonl};
use uno_types::{AdapterKind, AdapterRef, Path, Plan};

use super::artefacts::{ClustersFile, files};
use super::evidence::Artefacts;
use super::results::{Counting, Results};
use super::trainer::{WEIGHTS, is_named_for};
use super::{Pipeline, centroids, publish};

/// The stage's name in the manifest.
pub const STAGE: &str = "plan";
/// Layout version of `plan.json`.
const VERSION: u32 = 1;

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
    );
    pipeline.stage(STAGE, &depends, |p| {
        fs_err::create_dir_all(p.run.path("plans"))?;
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
        outputs.extend(plan.centroids.clone());
        for cluster in &clusters.clusters {
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
                Path::Base => {
                    entry.reason = with_notes(&entry.reason, &results, cluster.id);
                    plan.clusters.push(entry);
                    continue;
                }
            };
            if let Some(adapter) = &mut entry.adapter {
                promote(&p.run, &results, cluster.id, kind, adapter)?;
                outputs.push(format!("{}/{WEIGHTS}", adapter.dir));
            }
            plan.clusters.push(entry);
        }
        p.run.write_lines(files::VERDICTS, &results.verdicts)?;
        outputs.push(Plans::file(&p.run.plans().keep(&plan)?));
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

/// Copies a checkpoint to `adapters/<name>`, all or nothing, with its loss curve, and points `adapter` there.
fn promote(
    run: &RunDir,
    results: &Results,
    cluster: usize,
    kind: AdapterKind,
    adapter: &mut AdapterRef,
) -> anyhow::Result<()> {
    let home = format!("adapters/{}", adapter.name);
    let (from, to) = (run.path(&adapter.dir), run.path(&home));
    adapter.dir = home;
    if is_named_for(&adapter.name, &to) {
        return Ok(());
    }
    if to.exists() {
        fs_err::remove_dir_all(&to)?;
    }
    let temporary = run.path(format!("adapters/.{}.tmp", adapter.name));
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
    }
    fs_err::rename(&temporary, &to)?;
    Ok(())
}
