//! `uno bench learning`: every system takes in the same logs and answers the same held-out questions.
//!
//! Each system on each level of noise is a stage of the benchmark's run: a benchmark that was interrupted goes on where it
//! stopped. Systems that train keep runs of their own below `runs/`.

use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use uno_bench::baseline::{MemoryKind, Question};
use uno_bench::cpu_seconds;
use uno_bench::learning::{Answered, Bar, Cell, LearningOptions, TestQuestion, bars, csv, questions, score};
use uno_bench::simulate::{Domain, simulate_in};
use uno_train::Precision;
use uno_types::Record;

use super::{Bench, SystemName};
use crate::config::Settings;
use crate::demo;
use crate::learn::Pipeline;
use crate::output::Console;

/// What a system's stage leaves behind.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Outcome {
    answered: Answered,
    learning_tokens: usize,
    learning_seconds: f64,
    cpu_seconds: f64,
    training_seconds: Option<f64>,
    perplexity: Option<(f64, f64)>,
}

/// The benchmark's own defaults: those of the quick demo, in the faster precision where this machine has it.
pub fn settings() -> Settings {
    let mut settings = demo::settings(true);
    settings.train.precision = uno_train::TrainPrecision::Bf16;
    settings.critic.precision = uno_train::TrainPrecision::Bf16;
    // Two dozen pairs are learnt in two epochs; after more of them answers drift off their question's topic.
    settings.cluster.min_steps = 56;
    // What a Critic says of such rules is learnt in the first epoch; its held-out loss stays level after it.
    settings.critic.epochs = 1;
    settings.engine.precision = Precision::Int8;
    // Programs score every rule of the simulated users, so the judge is measured only so far that its verdict is seen not to count.
    settings.judge_check.max_items = 8;
    settings
}

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its size.
    pub options: LearningOptions,
    /// Who is tested on the first level of noise.
    pub systems: Vec<SystemName>,
    /// Who is tested on the others.
    pub with_more_noise: Vec<SystemName>,
}

/// Runs the benchmark in `out`.
///
/// # Errors
/// When a model is lost or training fails. What was finished is kept.
pub fn run(plan: &Plan, settings: &Settings, out: &Path, console: &Console) -> anyhow::Result<Vec<Cell>> {
    let domains = plan.options.chosen().map_err(anyhow::Error::msg)?;
    let mut pipeline = Pipeline::open(out, settings, None, console)?;
    pipeline.open_models()?;
    fs_err::create_dir_all(pipeline.run.path("answers"))?;
    let mut cells = Vec::new();
    for (i, &noise) in plan.options.noise.iter().enumerate() {
        let systems = if i == 0 { &plan.systems } else { &plan.with_more_noise };
        let level = Level::simulate(&mut pipeline, &plan.options, &domains, noise)?;
        let base = level.outcome(&mut pipeline, SystemName::Memory(MemoryKind::WoMemory), None)?;
        for &system in systems {
            let outcome = level.outcome(&mut pipeline, system, Some(&base.answered.texts))?;
            let embedder = pipeline.roles()?.embedder();
            let score =
                score(&level.questions, &outcome.answered, &base.answered.texts, embedder, settings.seed)?;
            console.note(format_args!(
                "{system}, noise {:.0} %: obeys {:.0} %, damage {:.0} %",
                noise * 100.0,
                score.obedience.mean * 100.0,
                score.damage.any.mean * 100.0
            ));
            cells.push(Cell {
                system: system.to_string(),
                noise,
                score,
                learning_tokens: outcome.learning_tokens,
                learning_seconds: outcome.learning_seconds,
                cpu_seconds: outcome.cpu_seconds,
                training_seconds: outcome.training_seconds,
                perplexity: outcome.perplexity,
            });
            write(&pipeline, &cells)?;
        }
    }
    pipeline.close();
    Ok(cells)
}

/// `learning.json`, `learning.csv` and a picture per level of noise.
fn write(pipeline: &Pipeline<'_>, cells: &[Cell]) -> anyhow::Result<()> {
    pipeline.run.write_json("learning.json", &cells)?;
    pipeline.run.write_bytes("learning.csv", csv(cells).as_bytes())?;
    let mut levels: Vec<f64> = cells.iter().map(|c| c.noise).collect();
    levels.dedup();
    for noise in levels {
        let rows: Vec<Bar> = cells
            .iter()
            .filter(|c| (c.noise - noise).abs() < 1e-9)
            .map(|c| Bar { label: c.system.clone(), value: c.score.obedience })
            .collect();
        let percent = format!("{:.0}", noise * 100.0);
        let title = format!("Held-out answers that obey the house rule, noise {percent} %");
        let svg = bars(&title, &rows);
        pipeline.run.write_bytes(&format!("learning-noise-{percent}.svg"), svg.as_bytes())?;
    }
    Ok(())
}

/// Logs of a level of noise, and the questions.
pub(super) struct Level {
    name: String,
    pub(super) logs: Vec<Record>,
    pub(super) questions: Vec<TestQuestion>,
}

impl Level {
    pub(super) fn simulate(
        pipeline: &mut Pipeline<'_>,
        size: &LearningOptions,
        domains: &[Domain],
        noise: f64,
    ) -> anyhow::Result<Self> {
        let name = format!("noise-{:02.0}", noise * 100.0);
        let (logs, asked) = (format!("{name}-logs.jsonl"), format!("{name}-questions.jsonl"));
        let options = size.simulation(noise);
        let depends = (&options, &size.domains, size.neutral, pipeline.roles()?.target_id());
        pipeline.stage(&format!("simulate {name}"), &depends, |p| {
            let mut bar = p.console.bar("first answers", 0);
            let mut progress = |done: usize, total: usize| bar.at(done as u64, total as u64);
            let made = simulate_in(domains, &options, p.roles()?.target(), &mut progress)?;
            let questions = questions(&made.held_out, domains, size.neutral);
            p.run.write_lines(&logs, &made.records)?;
            p.run.write_lines(&asked, &questions)?;
            Ok(vec![logs.clone(), asked.clone()])
        })?;
        let (logs, questions) = (pipeline.run.read_lines(&logs)?, pipeline.run.read_lines(&asked)?);
        Ok(Self { name, logs, questions })
    }

    /// What a system answers after these logs. `base` are the base model's answers, whose perplexity is measured.
    fn outcome(
        &self,
        pipeline: &mut Pipeline<'_>,
        system: SystemName,
        base: Option<&[String]>,
    ) -> anyhow::Result<Outcome> {
        let file = format!("answers/{}-{system}.json", self.name);
        let (logs, asked) = (format!("{}-logs.jsonl", self.name), format!("{}-questions.jsonl", self.name));
        let settings = pipeline.settings;
        let depends = (
            pipeline.hashes(&[&logs, &asked]),
            (settings, system.to_string()),
            (pipeline.roles()?.target_id(), pipeline.roles()?.embedder_id()),
        );
        pipeline.stage(&format!("{} {system}", self.name), &depends, |p| {
            let answer = settings.verify.answer.clone();
            let bench = Bench { pipeline: p, settings, answer: &answer, console: p.console };
            let mut tested = bench.create(system, p.run.path("runs").join(&self.name))?;
            let (started, cpu) = (Instant::now(), cpu_seconds());
            let learned = tested.learn(&self.logs)?;
            let elapsed = started.elapsed().as_secs_f64();
            let learning_seconds = tested.learning_seconds().unwrap_or(elapsed);
            let asked: Vec<Question> = self.questions.iter().map(|q| Question::of(&q.question)).collect();
            let started = Instant::now();
            let answers = tested.answer(&asked)?;
            let seconds = started.elapsed().as_secs_f64();
            let cpu_seconds = cpu_seconds() - cpu;
            let perplexity = match base {
                Some(base) => tested.perplexity(&asked, base).context("perplexity of base answers")?,
                None => None,
            };
            let outcome = Outcome {
                answered: Answered {
                    texts: answers.texts,
                    prompt_tokens: answers.usage.prompt,
                    completion_tokens: answers.usage.completion,
                    calls: answers.usage.calls,
                    seconds,
                },
                learning_tokens: learned.prompt + learned.completion,
                learning_seconds,
                cpu_seconds,
                training_seconds: tested.training_seconds(),
                perplexity,
            };
            p.run.write_json(&file, &outcome)?;
            Ok(vec![file.clone()])
        })?;
        Ok(pipeline.run.read_json(&file)?)
    }
}
