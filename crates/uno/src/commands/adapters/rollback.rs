//! `uno adapters rollback`: an earlier plan in force, at once and whole.

use anyhow::{bail, ensure};
use serde::Serialize;
use uno_store::{ChangedBy, PlanChange, Plans, RunDir};
use uno_types::{Path, Plan};

use super::super::UsageError;
use crate::args::RollbackArgs;
use crate::learn::{WEIGHTS, are_centroids_intact, is_named_for};
use crate::output::{Console, table};

/// What a rollback did.
#[derive(Serialize)]
struct RolledBack {
    /// In force now.
    plan: String,
    /// In force before.
    from: Option<String>,
    /// Its adapters, all of which were checked.
    adapters: Vec<String>,
}

/// A kept plan.
#[derive(Serialize)]
struct Kept {
    plan: String,
    in_force: bool,
    /// When it was first put in force.
    since: String,
    experts: usize,
    critics: usize,
    base: usize,
}

/// Goes back to an earlier plan, or lists the kept ones.
///
/// # Errors
/// When there is no such plan, or it cannot answer any more: an adapter or its centroids have gone, or the run has another
/// target or embedder now.
pub fn run(args: &RollbackArgs, console: &Console) -> anyhow::Result<()> {
    let run = RunDir::open_existing(&args.run)?;
    let plans = run.plans();
    let log = plans.log()?;
    let known = known(&plans, &log);
    if args.list {
        return console.result(&listed(&plans, &log, &known)?, |kept| text(kept));
    }
    let to = match &args.to {
        Some(wanted) => by_id(wanted, &known)?,
        None => before(plans.current().as_deref(), &log, &known)?,
    };
    let plan: Plan = plans.read(&to)?;
    can_answer(&to, &plan, &run)?;
    let from = plans.swap(&to, ChangedBy::Rollback, &args.why)?;
    let adapters = plan.clusters.into_iter().filter_map(|c| Some(c.adapter?.name)).collect();
    console.result(&RolledBack { plan: to, from, adapters }, |done| match &done.from {
        Some(from) if *from == done.plan => format!("Plan {from} is in force already."),
        from => format!(
            "Plan {} is in force in place of {}; its {} adapters are intact.\n`uno learn` on the same logs keeps it so.",
            done.plan,
            from.as_deref().unwrap_or("none"),
            done.adapters.len()
        ),
    })
}

/// Every kept plan that was ever in force, newest first by when that was last so.
fn known(plans: &Plans, log: &[PlanChange]) -> Vec<String> {
    let mut known: Vec<String> = Vec::new();
    for id in log.iter().rev().flat_map(|change| [Some(&change.to), change.from.as_ref()]).flatten() {
        if !known.contains(id) && plans.is_kept(id) {
            known.push(id.clone());
        }
    }
    known
}

/// The plan whose id begins so.
fn by_id(wanted: &str, known: &[String]) -> anyhow::Result<String> {
    let fitting: Vec<&String> = known.iter().filter(|id| id.starts_with(wanted)).collect();
    match fitting.as_slice() {
        [one] if !wanted.is_empty() => Ok((*one).clone()),
        [] => Err(UsageError(format!("no plan {wanted} is kept; there are: {}", or_none(known))).into()),
        _ => Err(UsageError(format!("several plans begin with `{wanted}`: {}", or_none(known))).into()),
    }
}

fn or_none(known: &[String]) -> String {
    if known.is_empty() { "none".to_owned() } else { known.join(", ") }
}

/// The plan that was in force when the present one was learned: going back twice goes two steps back.
fn before(current: Option<&str>, log: &[PlanChange], known: &[String]) -> anyhow::Result<String> {
    let learned = log.iter().rev().filter(|c| matches!(c.by, ChangedBy::Learn | ChangedBy::Evolve));
    let mut replaced = learned.filter(|c| Some(c.to.as_str()) == current).filter_map(|c| c.from.as_ref());
    // A line may be there twice after a crash; a plan never follows itself.
    match replaced.find(|from| known.contains(from) && Some(from.as_str()) != current) {
        Some(from) => Ok(from.clone()),
        None => {
            bail!("there is no plan before {}; kept are: {}", current.unwrap_or("this one"), or_none(known))
        }
    }
}

/// Refuses a plan that could not answer as it did.
fn can_answer(id: &str, plan: &Plan, run: &RunDir) -> anyhow::Result<()> {
    for adapter in plan.clusters.iter().filter_map(|c| c.adapter.as_ref()) {
        let dir = run.path(&adapter.dir);
        ensure!(
            is_named_for(&adapter.name, &dir),
            "plan {id} needs adapter {}, which is missing or damaged: {}",
            adapter.name,
            dir.join(WEIGHTS).display()
        );
    }
    if let Some(kept) = &plan.centroids {
        ensure!(are_centroids_intact(run, kept), "plan {id} needs {kept}, which is missing or damaged");
    }
    for (role, of_plan) in [("target", &plan.target), ("embedder", &plan.embedder)] {
        let now = run.manifest().models.get(role).map(|model| &model.id);
        ensure!(
            now.is_none_or(|now| now == of_plan),
            "plan {id} was made for the {role} {of_plan}, but the run has {} now: run `uno learn` with the earlier settings",
            now.map_or("", String::as_str)
        );
    }
    Ok(())
}

fn listed(plans: &Plans, log: &[PlanChange], known: &[String]) -> anyhow::Result<Vec<Kept>> {
    let current = plans.current();
    let kept = known.iter().map(|id| {
        let plan: Plan = plans.read(id)?;
        let of = |path: Path| plan.clusters.iter().filter(|c| c.path == path).count();
        let since = log.iter().find(|c| c.to == *id).map_or_else(String::new, |c| c.time.clone());
        Ok(Kept {
            in_force: current.as_ref() == Some(id),
            since,
            experts: of(Path::Expert),
            critics: of(Path::Critic),
            base: of(Path::Base),
            plan: id.clone(),
        })
    });
    kept.collect()
}

fn text(kept: &[Kept]) -> String {
    if kept.is_empty() {
        return "No plan is kept yet.".to_owned();
    }
    let head = ["plan", "in force", "first on", "experts", "critics", "base"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for k in kept {
        let mark = if k.in_force { "yes" } else { "" };
        let numbers = [k.experts, k.critics, k.base].map(|n| n.to_string());
        rows.push([vec![k.plan.clone(), mark.to_owned(), k.since.clone()], numbers.to_vec()].concat());
    }
    table(&rows)
}
