//! Logs of simulated users with a share of noise, and what a system that took them in answers: a stage of a benchmark's run.
//! Systems that train keep runs of their own below `runs/`.

use std::time::Instant;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use uno_bench::baseline::Question;
use uno_bench::cpu_seconds;
use uno_bench::learning::{Answered, LearningOptions, TestQuestion, questions};
use uno_bench::simulate::{Domain, simulate_in};
use uno_types::Record;

use super::{Bench, SystemName};
use crate::learn::Pipeline;

/// What a system's stage leaves behind.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Outcome {
    pub(super) answered: Answered,
    pub(super) learning_tokens: usize,
    pub(super) learning_seconds: f64,
    pub(super) cpu_seconds: f64,
    pub(super) training_seconds: Option<f64>,
    pub(super) perplexity: Option<(f64, f64)>,
}

impl Outcome {
    /// Of several levels: answers behind one another; tokens and seconds of learning, and perplexities, as means of a level.
    pub(super) fn over(levels: &[Self]) -> Self {
        let n = levels.len().max(1) as f64;
        let mean = |of: fn(&Self) -> f64| levels.iter().map(of).sum::<f64>() / n;
        let known = |of: fn(&Self) -> Option<f64>| {
            let values: Option<Vec<f64>> = levels.iter().map(of).collect();
            values.filter(|v| !v.is_empty()).map(|v| v.iter().sum::<f64>() / n)
        };
        let answered = levels.iter().fold(Answered::default(), |mut all, level| {
            all.texts.extend(level.answered.texts.iter().cloned());
            all.prompt_tokens += level.answered.prompt_tokens;
            all.completion_tokens += level.answered.completion_tokens;
            all.calls += level.answered.calls;
            all.seconds += level.answered.seconds;
            all
        });
        Self {
            answered,
            learning_tokens: mean(|l| l.learning_tokens as f64).round() as usize,
            learning_seconds: mean(|l| l.learning_seconds),
            cpu_seconds: mean(|l| l.cpu_seconds),
            training_seconds: known(|l| l.training_seconds),
            perplexity: known(|l| Some(l.perplexity?.0)).zip(known(|l| Some(l.perplexity?.1))),
        }
    }
}

/// Logs with a share of noise, drawn with a seed, and the questions.
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
        seed: u64,
    ) -> anyhow::Result<Self> {
        let name = format!("noise-{:02.0}-seed-{seed}", noise * 100.0);
        let (logs, asked) = (format!("{name}-logs.jsonl"), format!("{name}-questions.jsonl"));
        let options = size.simulation(noise, seed);
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
    pub(super) fn outcome(
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
