//! Puts what was learned in force, unless an operator went back from it.

use uno_store::{ChangedBy, PlanChange, RunDir};

use super::Pipeline;
use super::plan::STAGE;

/// The plan that learning came to last, in force or not.
pub fn learned_plan(run: &RunDir) -> Option<String> {
    let files = &run.manifest().stage(STAGE)?.outputs;
    let plans = format!("{}plans/", run.home_prefix());
    files.keys().find_map(|file| Some(file.strip_prefix(&plans)?.strip_suffix(".json")?.to_owned()))
}

/// What to do with a learned plan.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    /// It is in force.
    Nothing,
    /// It is another one than any that was rolled back.
    Publish,
    /// An operator went back from it: the plan in force stays.
    Hold,
    /// The run has evolved from it: the plan in force stays.
    Evolved,
    /// `plan.json` is missing or damaged; this plan was in force.
    Repair(String),
}

/// Publishes the learned plan and says so where that ends a rollback; keeps a rollback and says so.
///
/// # Errors
/// When plan or log cannot be written.
pub fn publish(pipeline: &Pipeline<'_>) -> anyhow::Result<()> {
    let plans = pipeline.run.plans();
    let Some(learned) = learned_plan(&pipeline.run) else { return Ok(()) };
    let log = plans.log()?;
    match decide(&learned, plans.current().as_deref(), &log, |id| plans.is_kept(id)) {
        Decision::Nothing => {}
        Decision::Publish => {
            let (by, why) = match &pipeline.evolution {
                None => (ChangedBy::Learn, "learned".to_owned()),
                Some(evolution) => (ChangedBy::Evolve, format!("step {}", evolution.number)),
            };
            let before = plans.swap(&learned, by, &why)?;
            if let (Some(change), Some(before)) = (rollbacks(&log).next(), before) {
                pipeline.console.warn(format_args!(
                    "plan {learned} was learned and replaces {before}, to which you rolled back on {}",
                    change.time
                ));
            }
        }
        Decision::Hold => pipeline.console.warn(format_args!(
            "plan {} stays in force: it was rolled back to from what these logs give, {learned}. To take that one after \
             all: uno adapters rollback --run {} --to {learned}",
            plans.current().as_deref().unwrap_or("?"),
            pipeline.run.root().display()
        )),
        Decision::Evolved => pipeline.console.note(format_args!(
            "plan {} stays in force: the run has evolved from what these logs alone give, {learned}",
            plans.current().as_deref().unwrap_or("?"),
        )),
        Decision::Repair(id) => {
            plans.swap(&id, ChangedBy::Repair, "plan.json was missing or damaged")?;
        }
    }
    Ok(())
}

/// Rollbacks since the last plan that was learned, newest first.
fn rollbacks(log: &[PlanChange]) -> impl Iterator<Item = &PlanChange> {
    let since = log.iter().rev().take_while(|change| !is_new(change.by));
    since.filter(|change| change.by == ChangedBy::Rollback)
}

/// Whether the plan came of logs.
fn is_new(by: ChangedBy) -> bool {
    matches!(by, ChangedBy::Learn | ChangedBy::Evolve)
}

fn decide(
    learned: &str,
    current: Option<&str>,
    log: &[PlanChange],
    is_kept: impl Fn(&str) -> bool,
) -> Decision {
    if current == Some(learned) {
        return Decision::Nothing;
    }
    let held = rollbacks(log).any(|change| change.from.as_deref() == Some(learned));
    let last = log.last().map(|change| change.to.as_str()).filter(|id| is_kept(id));
    match (current, last) {
        (None, Some(last)) if held || last == learned => Decision::Repair(last.to_owned()),
        (Some(_), _) if held => Decision::Hold,
        (Some(_), _) if has_evolved(learned, log) => Decision::Evolved,
        _ => Decision::Publish,
    }
}

/// Whether a step of evolution came after the plan was in force.
fn has_evolved(learned: &str, log: &[PlanChange]) -> bool {
    let since = log.iter().rev().take_while(|change| change.to != learned);
    log.iter().any(|change| change.to == learned) && since.into_iter().any(|c| c.by == ChangedBy::Evolve)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log as `from to` in words, with `!` for a rollback and `+` for a step of evolution.
    fn log(changes: &[&str]) -> Vec<PlanChange> {
        let parse = |text: &&str| {
            let (by, text) = match (text.strip_prefix('!'), text.strip_prefix('+')) {
                (Some(rest), _) => (ChangedBy::Rollback, rest),
                (_, Some(rest)) => (ChangedBy::Evolve, rest),
                _ => (ChangedBy::Learn, *text),
            };
            let (from, to) = text.split_once(' ').unwrap();
            PlanChange {
                time: "2026-11-23T09:00:00Z".into(),
                from: (from != "-").then(|| from.to_owned()),
                to: to.to_owned(),
                by,
                why: String::new(),
            }
        };
        changes.iter().map(parse).collect()
    }

    fn decided(learned: &str, current: Option<&str>, changes: &[&str]) -> Decision {
        decide(learned, current, &log(changes), |id| id != "lost")
    }

    #[test]
    fn a_new_plan_is_published_and_the_same_one_is_left() {
        assert_eq!(decided("a", None, &[]), Decision::Publish);
        assert_eq!(decided("a", Some("a"), &["- a"]), Decision::Nothing);
        assert_eq!(decided("b", Some("a"), &["- a"]), Decision::Publish);
        // Killed between the line and the swap: done again.
        assert_eq!(decided("b", Some("a"), &["- a", "a b"]), Decision::Publish);
    }

    #[test]
    fn what_was_rolled_back_stays_so_until_something_else_is_learned() {
        let back = ["- a", "a b", "!b a"];
        assert_eq!(decided("b", Some("a"), &back), Decision::Hold);
        assert_eq!(decided("c", Some("a"), &back), Decision::Publish);
        assert_eq!(decided("a", Some("a"), &back), Decision::Nothing);
        // Two steps back, and forth again.
        let twice = ["- a", "a b", "b c", "!c b", "!b a"];
        assert_eq!(decided("c", Some("a"), &twice), Decision::Hold);
        assert_eq!(decided("b", Some("a"), &twice), Decision::Hold);
        // What was learned since then counts for itself.
        assert_eq!(decided("b", Some("c"), &["- a", "a b", "!b a", "a c"]), Decision::Publish);
    }

    #[test]
    fn learning_the_same_again_does_not_undo_what_has_evolved() {
        let evolved = ["- a", "+a b", "+b c"];
        assert_eq!(decided("a", Some("c"), &evolved), Decision::Evolved);
        assert_eq!(decided("d", Some("c"), &evolved), Decision::Publish, "other settings, other logs");
        assert_eq!(decided("c", Some("b"), &["- a", "+a b", "+b c", "!c b"]), Decision::Hold);
    }

    #[test]
    fn a_missing_plan_is_put_back_as_it_was() {
        assert_eq!(decided("a", None, &["- a"]), Decision::Repair("a".into()));
        assert_eq!(decided("b", None, &["- a", "a b", "!b a"]), Decision::Repair("a".into()));
        assert_eq!(decided("b", None, &["- lost", "lost b", "!b lost"]), Decision::Publish);
        assert_eq!(decided("c", None, &["- a"]), Decision::Publish);
    }
}
