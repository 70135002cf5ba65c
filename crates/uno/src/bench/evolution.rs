//! `uno bench evolution`: a system learns step by step from logs that drift, and is tested after every step.
//!
//! Every step is a stage of the benchmark's run: a benchmark that was interrupted goes on where it stopped.

use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use uno_bench::baseline::{Baseline, MemoryKind, Question};
use uno_bench::cpu_seconds;
use uno_bench::evolution::{EvolutionOptions, StepScore, Story, csv, svg};
use uno_bench::learning::{Answered, score};
use uno_types::Record;

use super::{Bench, SystemName};
use crate::config::Settings;
use crate::learn::Pipeline;
use crate::output::Console;

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What happens when.
    pub options: EvolutionOptions,
    /// Who is tested.
    pub system: SystemName,
}

/// A system's answers after a step.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Outcome {
    answered: Answered,
    learning_tokens: usize,
    learning_seconds: f64,
    cpu_seconds: f64,
}

/// Runs all steps in `out`.
///
/// # Errors
/// When a model is lost or training fails. What was finished is kept.
pub fn run(
    plan: &Plan,
    settings: &Settings,
    out: &Path,
    console: &Console,
) -> anyhow::Result<Vec<StepScore>> {
    let story = Story::new(&plan.options).map_err(anyhow::Error::msg)?;
    let mut pipeline = Pipeline::open(out, settings, None, console)?;
    pipeline.open_models()?;
    fs_err::create_dir_all(pipeline.run.path("steps"))?;
    let asked: Vec<Question> = story.questions(0).iter().map(|q| Question::of(&q.question)).collect();
    let base = base(&mut pipeline, &asked)?;
    let (mut steps, mut seen) = (Vec::new(), Vec::new());
    for step in 0..plan.options.steps {
        let new = logs(&mut pipeline, &story, plan, step)?;
        let outcome = outcome(&mut pipeline, plan, step, &seen, &new, &asked)?;
        let questions = story.questions(step);
        let embedder = pipeline.roles()?.embedder();
        let figures = |answered: &Answered| score(&questions, answered, &base.texts, embedder, settings.seed);
        let result = StepScore {
            step,
            event: plan.options.event(step),
            new_logs: new.len(),
            logs: seen.len() + new.len(),
            score: figures(&outcome.answered)?,
            base: figures(&base)?.obedience,
            learning_tokens: outcome.learning_tokens,
            learning_seconds: outcome.learning_seconds,
            cpu_seconds: outcome.cpu_seconds,
        };
        console.note(format_args!(
            "step {} of {}: obeys {:.0} %",
            step + 1,
            plan.options.steps,
            result.score.obedience.mean * 100.0
        ));
        steps.push(result);
        seen.extend(new);
        pipeline.run.write_json("evolution.json", &steps)?;
        pipeline.run.write_bytes("evolution.csv", csv(&steps).as_bytes())?;
        pipeline.run.write_bytes("evolution.svg", svg(&steps, &plan.options).as_bytes())?;
    }
    pipeline.close();
    Ok(steps)
}

/// The base model's answers, which no step changes.
fn base(pipeline: &mut Pipeline<'_>, asked: &[Question]) -> anyhow::Result<Answered> {
    let settings = pipeline.settings;
    let texts: Vec<&str> = asked.iter().map(Question::text).collect();
    let depends = (texts, &settings.verify.answer, pipeline.roles()?.target_id());
    let file = "steps/base.json";
    pipeline.stage("base answers", &depends, |p| {
        let bench = Bench { pipeline: p, settings, answer: &settings.verify.answer, console: p.console };
        let mut system = bench.create(SystemName::Memory(MemoryKind::WoMemory), p.run.path("runs"))?;
        p.run.write_json(file, &answered(system.as_mut(), asked)?)?;
        Ok(vec![file.to_owned()])
    })?;
    Ok(pipeline.run.read_json(file)?)
}

fn answered(system: &mut dyn Baseline, asked: &[Question]) -> anyhow::Result<Answered> {
    let started = Instant::now();
    let answers = system.answer(asked)?;
    Ok(Answered {
        texts: answers.texts,
        prompt_tokens: answers.usage.prompt,
        completion_tokens: answers.usage.completion,
        calls: answers.usage.calls,
        seconds: started.elapsed().as_secs_f64(),
    })
}

/// The logs of a step.
fn logs(pipeline: &mut Pipeline<'_>, story: &Story, plan: &Plan, step: usize) -> anyhow::Result<Vec<Record>> {
    let file = format!("steps/{:02}-logs.jsonl", step + 1);
    let depends = (&plan.options, step, pipeline.roles()?.target_id());
    pipeline.stage(&format!("simulate step {}", step + 1), &depends, |p| {
        let mut bar = p.console.bar("first answers", 0);
        let mut progress = |done: usize, total: usize| bar.at(done as u64, total as u64);
        p.run.write_lines(&file, &story.logs(step, p.roles()?.target(), &mut progress)?)?;
        Ok(vec![file.clone()])
    })?;
    Ok(pipeline.run.read_lines(&file)?)
}

/// What the system answers after a step's logs.
fn outcome(
    pipeline: &mut Pipeline<'_>,
    plan: &Plan,
    step: usize,
    seen: &[Record],
    new: &[Record],
    asked: &[Question],
) -> anyhow::Result<Outcome> {
    let settings = pipeline.settings;
    let file = format!("steps/{:02}-{}.json", step + 1, plan.system);
    let logs: Vec<String> = (1..=step + 1).map(|s| format!("steps/{s:02}-logs.jsonl")).collect();
    let logs: Vec<&str> = logs.iter().map(String::as_str).collect();
    let depends = (
        pipeline.hashes(&logs),
        (settings, plan.system.to_string()),
        (pipeline.roles()?.target_id(), pipeline.roles()?.embedder_id()),
        asked.iter().map(Question::text).collect::<Vec<_>>(),
    );
    pipeline.stage(&format!("step {} {}", step + 1, plan.system), &depends, |p| {
        let bench = Bench { pipeline: p, settings, answer: &settings.verify.answer, console: p.console };
        // What another story or other settings evolved to is not gone on from.
        let story = uno_store::hash::of_value(&(&plan.options, settings, plan.system.to_string()));
        let mut system = bench.create(plan.system, p.run.path("runs").join(&story[..12]))?;
        // What was learned before is not learned again, nor paid for.
        system.resume(seen)?;
        let (started, cpu) = (Instant::now(), cpu_seconds());
        let learned = system.learn(new)?;
        let (learning_seconds, cpu_seconds) = (started.elapsed().as_secs_f64(), cpu_seconds() - cpu);
        let outcome = Outcome {
            answered: answered(system.as_mut(), asked)?,
            learning_tokens: learned.prompt + learned.completion,
            learning_seconds,
            cpu_seconds,
        };
        p.run.write_json(&file, &outcome)?;
        Ok(vec![file.clone()])
    })?;
    Ok(pipeline.run.read_json(&file)?)
}
