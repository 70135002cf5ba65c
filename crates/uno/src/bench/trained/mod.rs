//! Systems that train: UNO as it is, and one adapter for all logs as the simplest that could be.

use std::path::PathBuf;

use anyhow::Context;
use uno_bench::baseline::{Answers, Baseline, BaselineError, Metered, Question, Usage};
use uno_bench::learning::perplexity;
use uno_bench::simulate::conversation_line;
use uno_learn::route::{self, Policy, Route};
use uno_train::Loss;
use uno_types::{AdapterRef, ChatModel, Message, Path, Record};

use super::Bench;
use super::ablations::Ablation;
use crate::config::{self, Settings};
use crate::learn::artefacts::{TrainedModule, files};
use crate::learn::{self, Input, Pipeline, planned_routes};

/// What one adapter for all logs minimises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LoraLoss {
    /// Likelihood of the better answers.
    Sft,
    /// DPO alone.
    Dpo,
    /// Both, as an Expert.
    DpoSft,
}

/// How a trained system answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As the plan says.
    Uno(Policy),
    /// Always with the last checkpoint of the only adapter, verified or not.
    OneLora(LoraLoss),
    /// As the plan says, learned with other settings.
    Ablated(Ablation),
}

/// A trained system.
pub struct Trained<'a> {
    bench: Bench<'a>,
    way: Way,
    settings: Settings,
    runs: PathBuf,
    logs: Vec<Record>,
    /// The run that learned from the logs; none before the first.
    run: Option<PathBuf>,
    training_seconds: f64,
}

impl<'a> Trained<'a> {
    /// A system that has seen no log.
    ///
    /// # Errors
    /// When an ablation's settings are wrong.
    pub fn new(bench: Bench<'a>, way: Way, runs: PathBuf) -> anyhow::Result<Self> {
        let settings = settings(bench.settings, way)?;
        Ok(Self { bench, way, settings, runs, logs: Vec::new(), run: None, training_seconds: 0.0 })
    }

    /// UNO and UNO-Single learn alike, so they share a run.
    fn dir(&self) -> PathBuf {
        let name = match self.way {
            Way::Uno(_) => "uno",
            Way::OneLora(LoraLoss::Sft) => "lora-sft",
            Way::OneLora(LoraLoss::Dpo) => "lora-dpo",
            Way::OneLora(LoraLoss::DpoSft) => "lora-dpo-sft",
            Way::Ablated(ablation) => ablation.name,
        };
        self.runs.join(format!("{name}-{:04}", self.logs.len()))
    }

    fn learned(&mut self, logs: &[Record]) -> anyhow::Result<Usage> {
        self.logs.extend_from_slice(logs);
        if self.logs.is_empty() {
            return Ok(Usage::default());
        }
        let dir = self.dir();
        let lines: String = self.logs.iter().map(|record| conversation_line(record) + "\n").collect();
        fs_err::create_dir_all(&dir)?;
        self.share_cache(&dir)?;
        let mut pipeline = Pipeline::open(&dir, &self.settings, None, self.bench.console)?;
        learn::stages(&mut pipeline, &Input::text("logs", lines))?;
        pipeline.close();
        let mut usage = Usage::default();
        for stage in &pipeline.run.manifest().stages {
            let tokens = &stage.tokens;
            if stage.name.starts_with("train") {
                self.training_seconds += stage.seconds;
            }
            usage.calls += usize::try_from(tokens.paid_calls)?;
            usage.prompt += usize::try_from(tokens.paid_prompt)?;
            usage.completion += usize::try_from(tokens.paid_completion)?;
        }
        self.run = Some(dir);
        Ok(usage)
    }

    /// A run starts with the generations that another has paid for: the run before it with fewer logs, or UNO's on the same ones
    /// (rules and pairs do not depend on what is trained).
    fn share_cache(&self, dir: &std::path::Path) -> anyhow::Result<()> {
        let to = dir.join("cache");
        let same_logs = self.runs.join(format!("uno-{:04}", self.logs.len()));
        let known = self.run.iter().chain([&same_logs]).map(|run| run.join("cache")).find(|c| c.exists());
        let Some(from) = known.filter(|_| !to.exists()) else { return Ok(()) };
        let partial = dir.join("cache.partial");
        fs_err::create_dir_all(&partial)?;
        for entry in fs_err::read_dir(&from)? {
            let entry = entry?;
            fs_err::copy(entry.path(), partial.join(entry.file_name()))?;
        }
        Ok(fs_err::rename(partial, to)?)
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
        for ((question, answer), route) in questions.iter().zip(answers).zip(&routes) {
            if answer.trim().is_empty() {
                continue;
            }
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

/// `learn`'s settings for one adapter for all logs.
const ONE_LORA: &[&str] = &[
    "cluster.by=none",
    "evidence.min_user_share=0",
    "plan.gate=expert",
    "plan.policy=unverified",
    "plan.variant=uno_single",
];

/// One adapter for all logs: one cluster, an Expert whatever the gap, no verification that decides anything. An ablation: what it
/// says. UNO: as they are.
fn settings(base: &Settings, way: Way) -> anyhow::Result<Settings> {
    let loss = match way {
        Way::Uno(_) => return Ok(base.clone()),
        Way::Ablated(ablation) => return Ok(config::with(base, ablation.settings)?),
        Way::OneLora(loss) => loss,
    };
    let mut settings = config::with(base, ONE_LORA)?;
    settings.train.loss = match loss {
        LoraLoss::Sft => Loss::DpoSft { dpo_weight: 0.0, sft_weight: 1.0 },
        LoraLoss::Dpo => Loss::DpoSft { dpo_weight: 1.0, sft_weight: 0.0 },
        LoraLoss::DpoSft => Loss::DpoSft { dpo_weight: 0.5, sft_weight: 0.5 },
    };
    Ok(settings)
}

impl Baseline for Trained<'_> {
    fn name(&self) -> String {
        match self.way {
            Way::Uno(Policy::Single) => "uno_single".into(),
            Way::Uno(_) => "uno".into(),
            Way::OneLora(LoraLoss::Sft) => "lora_sft".into(),
            Way::OneLora(LoraLoss::Dpo) => "lora_dpo".into(),
            Way::OneLora(LoraLoss::DpoSft) => "lora_dpo_sft".into(),
            Way::Ablated(ablation) => ablation.name.into(),
        }
    }

    fn learn(&mut self, logs: &[Record]) -> Result<Usage, BaselineError> {
        self.learned(logs).map_err(|e| BaselineError::Other(format!("{}: {e:#}", self.name())))
    }

    fn resume(&mut self, logs: &[Record]) -> Result<(), BaselineError> {
        self.logs.extend_from_slice(logs);
        let before = self.dir();
        self.run = before.exists().then_some(before);
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

    fn training_seconds(&self) -> Option<f64> {
        self.run.as_ref().map(|_| self.training_seconds)
    }
}
