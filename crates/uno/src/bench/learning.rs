//! `uno bench learning`: every system takes in the same logs and answers the same held-out questions.
//!
//! Each system on each level is a stage of the benchmark's run: a benchmark that was interrupted goes on where it stopped.
//! A level is a share of noise and a seed of the logs. What is told of a share is told over all seeds.

use std::path::Path;

use uno_bench::baseline::MemoryKind;
use uno_bench::learning::{Bar, Cell, LearningOptions, TestQuestion, ahead_of, bars, csv, obeyed, score};
use uno_train::Precision;

use super::SystemName;
use super::level::{Level, Outcome};
use crate::config::Settings;
use crate::demo;
use crate::learn::Pipeline;
use crate::output::Console;

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
    let mut cells: Vec<Cell> = Vec::new();
    for (i, &noise) in plan.options.noise.iter().enumerate() {
        let systems = if i == 0 { &plan.systems } else { &plan.with_more_noise };
        let simulate = |&seed| Level::simulate(&mut pipeline, &plan.options, &domains, noise, seed);
        let levels: Vec<Level> = plan.options.seeds.iter().map(simulate).collect::<anyhow::Result<_>>()?;
        let questions: Vec<TestQuestion> = levels.iter().flat_map(|l| l.questions.clone()).collect();
        let base = of_all(&mut pipeline, &levels, SystemName::Memory(MemoryKind::WoMemory), None)?;
        let base_texts = Outcome::over(&base).answered.texts;
        let (first, mut all_obeyed) = (cells.len(), Vec::new());
        for &system in systems {
            let outcome = Outcome::over(&of_all(&mut pipeline, &levels, system, Some(&base))?);
            let embedder = pipeline.roles()?.embedder();
            let score = score(&questions, &outcome.answered, &base_texts, embedder, settings.seed)?;
            all_obeyed.push(obeyed(&questions, &outcome.answered.texts, settings.seed).each);
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
                uno_ahead: None,
                learning_tokens: outcome.learning_tokens,
                learning_seconds: outcome.learning_seconds,
                cpu_seconds: outcome.cpu_seconds,
                training_seconds: outcome.training_seconds,
                perplexity: outcome.perplexity,
            });
            ahead_of(&mut cells[first..], &all_obeyed, settings.seed);
            write(&pipeline, &cells)?;
        }
    }
    pipeline.close();
    Ok(cells)
}

/// What a system answers on every level. `base` are the base model's outcomes there, whose perplexity is measured.
fn of_all(
    pipeline: &mut Pipeline<'_>,
    levels: &[Level],
    system: SystemName,
    base: Option<&[Outcome]>,
) -> anyhow::Result<Vec<Outcome>> {
    let texts = |i: usize| base.map(|base| base[i].answered.texts.as_slice());
    levels.iter().enumerate().map(|(i, level)| level.outcome(pipeline, system, texts(i))).collect()
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
