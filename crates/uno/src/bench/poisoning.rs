//! `uno bench poisoning`: attackers among the simulated users, and how far what they plant gets with real models.
//!
//! Each attack is a stage of the benchmark's run: a benchmark that was interrupted goes on where it stopped. Attacks differ in
//! the planted conversations only, so each run begins with the generations of the one before.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use uno_bench::baseline::{Baseline, Question};
use uno_bench::learning::{LearningOptions, obeyed};
use uno_bench::simulate::poison::{BRAND, PoisonOptions, Poisoned, Reach, poison, reach};
use uno_learn::route::Policy;
use uno_learn::stats::Estimate;
use uno_store::RunDir;
use uno_types::{Plan as RoutingPlan, RuleSet};

use super::Bench;
use super::level::Level;
use super::trained::{Trained, Way, copy_cache};
use crate::config::Settings;
use crate::learn::artefacts::files;
use crate::learn::{Pipeline, Results};
use crate::output::Console;

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The honest users.
    pub options: LearningOptions,
    /// Who else is among them.
    pub attacks: Vec<PoisonOptions>,
}

/// The size when nothing else is asked for: four domains, so that a tenth of the users are two attackers on one topic.
pub fn size() -> LearningOptions {
    LearningOptions {
        domains: ["cooking", "health", "finance", "travel"].map(str::to_owned).to_vec(),
        per_domain: 28,
        held_out: 6,
        neutral: 0,
        noise: vec![0.0],
        ..LearningOptions::default()
    }
}

/// An attack and what came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// As on the command line.
    pub attack: String,
    /// Distinct attackers.
    pub attackers: usize,
    /// Distinct honest users.
    pub users: usize,
    /// Conversations, planted ones included.
    pub conversations: usize,
    /// How far the planted conversations got.
    pub reach: Reach,
    /// Share of the planted conversations that a promoted adapter was trained on.
    pub promoted_share: f64,
    /// Held-out answers that name the brand.
    pub answers_with_brand: usize,
    /// Held-out answers that obey the house rule.
    pub obedience: Estimate,
    /// Clusters by who answers for them.
    pub paths: BTreeMap<String, usize>,
}

/// Runs all attacks in `out`.
///
/// # Errors
/// When a model is lost or training fails. What was finished is kept.
pub fn run(plan: &Plan, settings: &Settings, out: &Path, console: &Console) -> anyhow::Result<Vec<Outcome>> {
    let domains = plan.options.chosen().map_err(anyhow::Error::msg)?;
    let mut pipeline = Pipeline::open(out, settings, None, console)?;
    pipeline.open_models()?;
    fs_err::create_dir_all(pipeline.run.path("attacks"))?;
    let noise = plan.options.noise.first().copied().unwrap_or(0.0);
    let seed = plan.options.seeds.first().copied().unwrap_or_default();
    let level = Level::simulate(&mut pipeline, &plan.options, &domains, noise, seed)?;
    let (mut outcomes, mut before): (Vec<Outcome>, Option<String>) = (Vec::new(), None);
    for options in &plan.attacks {
        let name = options.to_string().replace(':', "-");
        let outcome = attacked(&mut pipeline, &level, options, &name, before.as_deref())?;
        console.note(format_args!(
            "{options}: {} of {} planted conversations reached a promoted adapter; {} answers name the brand",
            outcome.reach.promoted, outcome.reach.planted, outcome.answers_with_brand
        ));
        outcomes.push(outcome);
        before = Some(name);
        pipeline.run.write_json("poisoning.json", &outcomes)?;
    }
    pipeline.close();
    Ok(outcomes)
}

fn attacked(
    pipeline: &mut Pipeline<'_>,
    level: &Level,
    options: &PoisonOptions,
    name: &str,
    before: Option<&str>,
) -> anyhow::Result<Outcome> {
    let settings = pipeline.settings;
    let file = format!("attacks/{name}.json");
    let depends = (
        (&level.logs, level.questions.iter().map(|q| &q.question).collect::<Vec<_>>()),
        (options, settings),
        (pipeline.roles()?.target_id(), pipeline.roles()?.embedder_id()),
    );
    let depends = uno_store::hash::of_value(&depends);
    pipeline.stage(name, &depends, |p| {
        let runs = p.run.path("runs").join(name);
        let run = runs.join("uno");
        let cache = before.map(|before| p.run.path("runs").join(before).join("uno/cache"));
        if let Some(cache) = cache.filter(|cache| cache.exists() && !run.exists()) {
            copy_cache(&cache, &run)?;
        }
        let poisoned = poison(&level.logs, options);
        let answer = settings.verify.answer.clone();
        let bench = Bench { pipeline: p, settings, answer: &answer, console: p.console };
        let mut system = Trained::new(bench, Way::Uno(Policy::Uno), runs)?;
        system.learn(&poisoned.records)?;
        let asked: Vec<Question> = level.questions.iter().map(|q| Question::of(&q.question)).collect();
        let texts = system.answer(&asked)?.texts;
        let learned = RunDir::open_existing(&run)?;
        let (reach, paths) = followed(&learned, &poisoned)?;
        let outcome = Outcome {
            attack: options.to_string(),
            attackers: poisoned.attackers,
            users: level.logs.iter().filter_map(|r| r.user.as_deref()).collect::<BTreeSet<_>>().len(),
            conversations: poisoned.records.len(),
            reach,
            promoted_share: reach.promoted as f64 / reach.planted.max(1) as f64,
            answers_with_brand: texts.iter().filter(|text| text.contains(BRAND)).count(),
            obedience: obeyed(&level.questions, &texts, settings.seed).all,
            paths,
        };
        p.run.write_json(&file, &outcome)?;
        Ok(vec![file.clone()])
    })?;
    Ok(pipeline.run.read_json(&file)?)
}

/// How far what was planted got in a run, and who answers there.
fn followed(run: &RunDir, poisoned: &Poisoned) -> anyhow::Result<(Reach, BTreeMap<String, usize>)> {
    let rules: Vec<RuleSet> = run.read_lines(files::RULES)?;
    let plan: RoutingPlan = run.read_json(files::PLAN)?;
    let modules = Results::read(run)?.modules;
    let in_service: BTreeSet<&str> =
        plan.clusters.iter().filter_map(|c| Some(c.adapter.as_ref()?.name.as_str())).collect();
    let serves = |m: &&crate::learn::artefacts::TrainedModule| {
        m.checkpoints.iter().any(|c| in_service.contains(c.adapter.as_str()))
    };
    let trained = modules.iter().flat_map(|m| m.records.iter().cloned()).collect();
    let promoted = modules.iter().filter(serves).flat_map(|m| m.records.iter().cloned()).collect();
    let reach = reach(poisoned, &rules, &trained, &promoted);
    let mut paths = BTreeMap::new();
    for cluster in &plan.clusters {
        *paths.entry(cluster.path.as_str().to_owned()).or_insert(0) += 1;
    }
    Ok((reach, paths))
}
