//! Experts and Critics: trained where the plan could use them, verified on held-out records (METHOD §5 to §7).
//!
//! In two rounds, because most Critics are wanted only if the Expert failed: nothing is trained that no plan uses.

use uno_learn::plan::{Policy, Train, expert_answers, needs};
use uno_learn::verify;
use uno_types::AdapterKind;

use super::artefacts::{TrainedModule, files};
use super::evidence::Artefacts;
use super::pipeline::Pipeline;
use super::results::{Counting, Results};
use super::trainer::{self, Job};

/// Questions of a fingerprint.
const PROBES: usize = 3;

/// What is wanted at once, and what is wanted only if the Expert failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    First,
    Second,
}

impl Round {
    fn stage(self, verb: &str) -> String {
        match self {
            Round::First => verb.to_owned(),
            Round::Second => format!("{verb} again"),
        }
    }

    fn modules(self) -> &'static str {
        match self {
            Round::First => files::MODULES_1,
            Round::Second => files::MODULES_2,
        }
    }

    fn verdicts(self) -> &'static str {
        match self {
            Round::First => files::VERDICTS_1,
            Round::Second => files::VERDICTS_2,
        }
    }
}

/// Trains the modules of a round.
///
/// # Errors
/// When the weights are not there, or training fails.
pub fn train(pipeline: &mut Pipeline<'_>, round: Round) -> anyhow::Result<()> {
    let settings = pipeline.settings;
    let mut read = pipeline.hashes(&Artefacts::FILES);
    if round == Round::Second {
        read.extend(pipeline.hashes(&[files::MODULES_1, files::VERDICTS_1, files::JUDGE]));
    }
    let depends = (
        read,
        (
            &settings.train,
            &settings.critic,
            settings.seed,
            (settings.cluster.min_pairs, settings.cluster.min_steps),
            &settings.plan,
            settings.evidence.max_user_share,
        ),
        settings.uses_trl().then_some(&settings.trl.weights),
        (pipeline.roles()?.weights_id().to_owned(), &pipeline.evolution, &settings.evolve),
    );
    let depends = uno_store::hash::of_value(&depends);
    pipeline.stage(&round.stage("train"), &depends, |p| {
        fs_err::create_dir_all(p.run.path("training"))?;
        let artefacts = Artefacts::read(p)?;
        let earlier = if round == Round::Second { Results::read(&p.run)? } else { Results::default() };
        let counting = Counting::of(&p.run, settings)?;
        let mut modules = Vec::new();
        for cluster in &artefacts.clusters {
            if p.passes_over(&artefacts, cluster) {
                continue;
            }
            let gap = artefacts.gap(cluster.id);
            let needs = needs(gap, artefacts.checkable(cluster), &settings.plan);
            for (kind, need) in [(AdapterKind::Expert, needs.expert), (AdapterKind::Critic, needs.critic)] {
                let wanted = match (round, need) {
                    (Round::First, Train::Now) => true,
                    (Round::Second, Train::IfExpertFails) => {
                        let expert = earlier.best(cluster.id, AdapterKind::Expert, counting);
                        !expert.is_some_and(|tested| expert_answers(&tested, gap, &settings.plan))
                    }
                    _ => false,
                };
                if wanted {
                    modules.push(module(p, &artefacts, cluster, kind)?);
                }
            }
        }
        p.run.write_lines(round.modules(), &modules)?;
        Ok(vec![round.modules().into()])
    })
}

fn module(
    pipeline: &Pipeline<'_>,
    artefacts: &Artefacts,
    cluster: &uno_types::Cluster,
    kind: AdapterKind,
) -> anyhow::Result<TrainedModule> {
    let settings = pipeline.settings;
    let evidence = artefacts.evidence(cluster);
    let pairs = evidence.pairs();
    if pairs < settings.cluster.min_pairs {
        let left_out = match artefacts.left_out(cluster) {
            0 => String::new(),
            n => format!(", {n} others having rules that too few users share"),
        };
        let needed = settings.cluster.min_pairs;
        let why = format!("{pairs} pairs are fewer than the {needed} that training needs{left_out}");
        return Ok(Job::skipped(cluster.id, kind, why));
    }
    let weights = pipeline.roles()?.weights()?;
    let mut config = match kind {
        AdapterKind::Expert => settings.train.clone(),
        AdapterKind::Critic => settings.critic.clone(),
    };
    config.seed = settings.seed;
    let train = artefacts.training(cluster, &evidence);
    if kind == AdapterKind::Expert {
        let steps = train.len().div_ceil(config.batch.max(1)).max(1);
        let nearest = (settings.cluster.min_steps + steps / 2) / steps;
        config.epochs = config.epochs.max(nearest);
    }
    config.max_length = config.max_length.min(weights.decoder().config().max_positions);
    let mut records = train.clone();
    records.sort();
    let job = Job {
        cluster: cluster.id,
        kind,
        records,
        train: artefacts.examples(kind, &train, &weights)?,
        validation: artefacts.examples(kind, &evidence.validation, &weights)?,
        config,
        probes: artefacts.queries(&evidence.train[..evidence.train.len().min(PROBES)]),
    };
    trainer::train(pipeline, &weights, &job)
}

/// Verifies the modules of a round: every Expert checkpoint, and each Critic's best one, against the base.
///
/// # Errors
/// When target or judge are lost, or the budget is used up.
pub fn verify(pipeline: &mut Pipeline<'_>, round: Round) -> anyhow::Result<()> {
    let settings = pipeline.settings;
    let roles = pipeline.roles()?;
    let depends = (
        pipeline.hashes(&[round.modules()]),
        pipeline.hashes(&Artefacts::FILES),
        (
            &settings.verify,
            settings.seed,
            settings.plan.policy == Policy::Unverified,
            settings.evidence.max_user_share,
        ),
        (roles.target_id(), roles.judge_id(), roles.embedder_id()),
        &pipeline.evolution,
    );
    let depends = uno_store::hash::of_value(&depends);
    pipeline.stage(&round.stage("verify"), &depends, |p| {
        let mut modules: Vec<TrainedModule> = p.run.read_lines(round.modules())?;
        if settings.plan.policy == Policy::Unverified {
            modules.clear();
        }
        let experts = checkpoints(&modules, AdapterKind::Expert);
        let critics = checkpoints(&modules, AdapterKind::Critic);
        let artefacts = Artefacts::read(p)?;
        let of = |all: &[verify::Checkpoint]| artefacts.held_out(|id| all.iter().any(|c| c.cluster == id));
        let roles = p.roles()?;
        let models =
            verify::Models { target: roles.target(), judge: roles.judge(), embedder: roles.embedder() };
        let options = &settings.verify;
        let prefix = p.run.home_prefix();
        let in_service = p.evolution.as_ref().map(|e| e.in_service(&prefix)).unwrap_or_default();
        let mut bar = p.console.bar("verify experts", 0);
        let mut progress = |done: usize, total: usize| bar.at(done as u64, total as u64);
        let mut verdicts =
            verify::experts(&of(&experts), &experts, &in_service, models, options, &mut progress)?.verdicts;
        drop(bar);
        let mut bar = p.console.bar("verify critics", 0);
        let mut progress = |done: usize, total: usize| bar.at(done as u64, total as u64);
        verdicts.extend(
            verify::critics(&of(&critics), &critics, &in_service, models, options, &mut progress)?.verdicts,
        );
        p.run.write_lines(round.verdicts(), &verdicts)?;
        Ok(vec![round.verdicts().into()])
    })
}

/// The checkpoints to verify: all of an Expert, the best by held-out loss of a Critic.
fn checkpoints(modules: &[TrainedModule], kind: AdapterKind) -> Vec<verify::Checkpoint> {
    let of_kind = modules.iter().filter(|m| m.kind == kind);
    of_kind
        .flat_map(|m| {
            let best = m.best_by_loss().map(|c| c.epoch);
            let chosen =
                m.checkpoints.iter().filter(move |c| kind == AdapterKind::Expert || Some(c.epoch) == best);
            chosen.map(|c| verify::Checkpoint { cluster: m.cluster, epoch: c.epoch, adapter: c.reference() })
        })
        .collect()
}
