//! `uno ask`.

use std::time::Instant;

use anyhow::ensure;
use serde::Serialize;
use uno_learn::route::{self, Policy};
use uno_store::RunDir;
use uno_types::{AdapterKind, Message, Path, Plan};

use super::UsageError;
use crate::args::{AskArgs, AskPath};
use crate::config::Settings;
use crate::learn::artefacts::files;
use crate::learn::{Counting, Results, WEIGHTS, learned_plan};
use crate::output::Console;
use crate::roles::Roles;

/// An answer and how it came about.
#[derive(Serialize)]
struct Asked {
    answer: String,
    cluster: Option<usize>,
    distance: Option<f64>,
    path: &'static str,
    adapter: Option<String>,
    milliseconds: f64,
    /// Why the base model answered in place of an adapter, if it did.
    failed: Option<String>,
}

/// Answers a question as the plan of a run says.
///
/// # Errors
/// When the run has no plan, the question is empty or too long, or a model fails.
pub fn run(args: &AskArgs, console: &Console) -> anyhow::Result<()> {
    if args.question.trim().is_empty() {
        return Err(UsageError("the question is empty".into()).into());
    }
    let run = RunDir::open_existing(&args.run)?;
    ensure!(
        run.path(files::PLAN).exists(),
        "{} has no plan yet: let `uno learn --run {}` finish first",
        args.run.display(),
        args.run.display()
    );
    let mut plan: Plan = run.read_json(files::PLAN)?;
    let settings = crate::config::of_run(&run)?;
    force(&mut plan, args.path, &run, &settings)?;
    let centroids = crate::learn::read_centroids(&run, &plan)?;
    let roles = Roles::uncached(&settings, &run)?;
    let policy = if args.path == AskPath::Base { Policy::Base } else { Policy::Uno };
    let prompt = [Message::user(args.question.as_str())];
    // Opened before the clock starts: a served model is open already.
    roles.open()?;
    let started = Instant::now();
    let answer = route::ask(
        &prompt,
        &plan,
        &centroids,
        policy,
        roles.embedder(),
        roles.target(),
        &settings.verify.answer,
    )?;
    let milliseconds = started.elapsed().as_secs_f64() * 1000.0;
    roles.release();
    let asked = Asked {
        answer: answer.text,
        cluster: answer.route.cluster,
        distance: answer.route.distance,
        path: answer.route.path.as_str(),
        adapter: answer.route.adapter.map(|a| a.name),
        milliseconds,
        failed: answer.failed,
    };
    if let Some(why) = &asked.failed {
        console.warn(format_args!("the base model answered, because the adapter could not be used: {why}"));
    }
    if let Some(wanted) = forced(args.path).filter(|w| asked.failed.is_none() && w.as_str() != asked.path) {
        console.warn(format_args!(
            "the nearest cluster has no {}; the {} path answered",
            wanted.as_str(),
            asked.path
        ));
    }
    console.result(&asked, |a| {
        let adapter = a.adapter.as_ref().map_or(String::new(), |name| format!(", {name}"));
        let cluster = a.cluster.map_or("no cluster".to_owned(), |c| format!("cluster {c}"));
        format!("{}\n\n[{}{adapter}; {cluster}; {:.0} ms]", a.answer.trim_end(), a.path, a.milliseconds)
    })
}

fn forced(path: AskPath) -> Option<Path> {
    match path {
        AskPath::Auto => None,
        AskPath::Base => Some(Path::Base),
        AskPath::Expert => Some(Path::Expert),
        AskPath::Critic => Some(Path::Critic),
    }
}

/// Gives every cluster the wanted path, with its best trained module of that kind, promoted or not.
fn force(plan: &mut Plan, path: AskPath, run: &RunDir, settings: &Settings) -> anyhow::Result<()> {
    let (wanted, kind) = match path {
        AskPath::Auto | AskPath::Base => return Ok(()),
        AskPath::Expert => (Path::Expert, AdapterKind::Expert),
        AskPath::Critic => (Path::Critic, AdapterKind::Critic),
    };
    // After a rollback the plan's clusters need not be those that modules were trained for last.
    let of_this_plan = learned_plan(run).is_none_or(|learned| run.plans().current() == Some(learned));
    let results = if of_this_plan { Results::read(run)? } else { Results::default() };
    let counting = Counting::of(run, settings)?;
    for entry in plan.clusters.iter_mut().filter(|e| e.path != wanted) {
        // Checkpoints that were not promoted may have been cleared away.
        let best = results.best(entry.cluster, kind, counting).map(|tested| tested.adapter);
        entry.adapter = best.filter(|a| run.path(&a.dir).join(WEIGHTS).exists());
        entry.path = if entry.adapter.is_some() { wanted } else { Path::Base };
    }
    Ok(())
}
