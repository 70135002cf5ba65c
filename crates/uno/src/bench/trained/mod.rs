//! Systems that train: UNO as it is, and one adapter for all logs as the simplest that could be.

mod learning;
mod way;

pub use learning::copy_cache;
pub use way::{LoraLoss, Way};

use std::path::PathBuf;

use anyhow::Context;
use uno_bench::baseline::{Answers, Baseline, BaselineError, Metered, Question, Usage};
use uno_bench::learning::perplexity;
use uno_learn::route::{self, Policy, Route};
use uno_types::{AdapterRef, ChatModel, Message, Path, Record};

use super::Bench;
use crate::config::Settings;
use crate::learn::artefacts::{TrainedModule, files};
use crate::learn::{Pipeline, planned_routes};

/// Most texts whose perplexity is measured, spread evenly over the questions: two passes each.
const PERPLEXITY_TEXTS: usize = 24;

/// A trained system.
pub struct Trained<'a> {
    bench: Bench<'a>,
    way: Way,
    settings: Settings,
    runs: PathBuf,
    logs: Vec<Record>,
    /// The run that learned from the logs; none before the first.
    run: Option<PathBuf>,
    learning_seconds: f64,
    training_seconds: f64,
}

impl<'a> Trained<'a> {
    /// A system that has seen no log.
    ///
    /// # Errors
    /// When an ablation's settings are wrong.
    pub fn new(bench: Bench<'a>, way: Way, runs: PathBuf) -> anyhow::Result<Self> {
        let settings = way::settings(bench.settings, way)?;
        Ok(Self {
            bench,
            way,
            settings,
            runs,
            logs: Vec::new(),
            run: None,
            learning_seconds: 0.0,
            training_seconds: 0.0,
        })
    }

    /// Opens the run that learned, and says where each question goes.
    fn routed(
        &self,
        dir: &std::path::Path,
        questions: &[Question],
    ) -> anyhow::Result<(Pipeline<'_>, Vec<Route>)> {
        let mut pipeline = Pipeline::open(dir, &self.settings, None, self.bench.console)?;
        pipeline.open_models()?;
        let routes = match self.way {
            Way::Uno(_) | Way::Ablated(_) => {
                let policy = if let Way::Uno(policy) = self.way { policy } else { Policy::Uno };
                let texts: Vec<&str> = questions.iter().map(Question::text).collect();
                planned_routes(&pipeline, &texts, policy)?
            }
            Way::OneLora(_) => {
                let adapter = only_adapter(&pipeline)?;
                questions.iter().map(|_| expert_route(adapter.clone())).collect()
            }
        };
        Ok((pipeline, routes))
    }

    fn answers(&self, questions: &[Question]) -> anyhow::Result<Answers> {
        let prompts: Vec<&[Message]> = questions.iter().map(|q| q.prompt.as_slice()).collect();
        let Some(dir) = &self.run else {
            let model = Metered::new(self.bench.pipeline.roles()?.target());
            return self.along(&prompts, questions.iter().map(|_| base_route()).collect(), &model);
        };
        let (pipeline, routes) = self.routed(dir, questions)?;
        let answers = self.along(&prompts, routes, &Metered::new(pipeline.roles()?.target()));
        pipeline.close();
        answers
    }

    /// Under the adapter that answers each question, and under the base; the reflective path is no other model.
    fn forgotten(&self, questions: &[Question], answers: &[String]) -> anyhow::Result<Option<(f64, f64)>> {
        let Some(dir) = self.run.as_ref().filter(|_| !self.settings.target.is_remote()) else {
            return Ok(None);
        };
        let (pipeline, routes) = self.routed(dir, questions)?;
        let weights = pipeline.roles()?.weights()?;
        let (mut own, mut base) = (Vec::new(), Vec::new());
        let every = questions.len().div_ceil(PERPLEXITY_TEXTS).max(1);
        let sample = questions.iter().zip(answers).zip(&routes).step_by(every);
        for ((question, answer), route) in sample.filter(|((_, answer), _)| !answer.trim().is_empty()) {
            let score = |adapter: Option<&AdapterRef>| -> anyhow::Result<Vec<f32>> {
                Ok(weights.token_logprobs(&question.prompt, answer, adapter)?.1)
            };
            let under_base = score(None)?;
            // Adapters lie below the run that they were trained in.
            let adapter = route.adapter.as_ref().filter(|_| route.path == Path::Expert);
            let located =
                adapter.map(|a| AdapterRef { dir: dir.join(&a.dir).display().to_string(), ..a.clone() });
            own.push(match &located {
                Some(adapter) => score(Some(adapter))?,
                None => under_base.clone(),
            });
            base.push(under_base);
        }
        Ok(perplexity(&own).zip(perplexity(&base)))
    }

    fn along(
        &self,
        prompts: &[&[Message]],
        routes: Vec<Route>,
        model: &Metered<'_>,
    ) -> anyhow::Result<Answers> {
        let answers = route::answer(prompts, routes, model as &dyn ChatModel, self.bench.answer)?;
        let texts = answers.into_iter().map(|a| a.map(|a| a.text).unwrap_or_default()).collect();
        Ok(Answers { texts, usage: model.take() })
    }
}

fn base_route() -> Route {
    Route { cluster: None, distance: None, path: Path::Base, adapter: None }
}

fn expert_route(adapter: Option<AdapterRef>) -> Route {
    let path = if adapter.is_some() { Path::Expert } else { Path::Base };
    Route { path, adapter, ..base_route() }
}

/// The last checkpoint of the first Expert that was trained; none when there were too few pairs.
fn only_adapter(pipeline: &Pipeline<'_>) -> anyhow::Result<Option<AdapterRef>> {
    let modules: Vec<TrainedModule> =
        pipeline.run.read_lines(files::MODULES_1).context("the only adapter")?;
    let last = modules.iter().find_map(|module| module.checkpoints.last());
    Ok(last.map(|c| AdapterRef { name: c.adapter.clone(), dir: c.dir.clone() }))
}

impl Baseline for Trained<'_> {
    fn name(&self) -> String {
        self.way.name().to_owned()
    }

    fn learn(&mut self, logs: &[Record]) -> Result<Usage, BaselineError> {
        self.learned(logs).map_err(|e| BaselineError::Other(format!("{}: {e:#}", self.name())))
    }

    fn resume(&mut self, logs: &[Record]) -> Result<(), BaselineError> {
        self.taken_over(logs);
        Ok(())
    }

    fn answer(&mut self, questions: &[Question]) -> Result<Answers, BaselineError> {
        self.answers(questions).map_err(|e| BaselineError::Other(format!("{}: {e:#}", self.name())))
    }

    fn perplexity(
        &mut self,
        questions: &[Question],
        answers: &[String],
    ) -> Result<Option<(f64, f64)>, BaselineError> {
        let measured = self.forgotten(questions, answers);
        measured.map_err(|e| BaselineError::Other(format!("{}: {e:#}", self.name())))
    }

    fn learning_seconds(&self) -> Option<f64> {
        self.run.as_ref().map(|_| self.learning_seconds)
    }

    fn training_seconds(&self) -> Option<f64> {
        self.run.as_ref().map(|_| self.training_seconds)
    }
}
