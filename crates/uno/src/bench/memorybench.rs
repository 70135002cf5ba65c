//! `uno bench memorybench run`: a system learns from MemoryBench's dialogues and answers its test items.
//!
//! Every generation goes through the run's cache, so a run that was interrupted goes on where it stopped.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uno_bench::baseline::{Question, Usage};
use uno_bench::memorybench::judge::Prompts;
use uno_bench::memorybench::metrics::EasyWords;
use uno_bench::memorybench::{
    self, Evaluation, Item, LlmMeans, Norm, Protocol, SetName, Split, Step, Summary, read_items,
};
use uno_learn::reflect::AnswerOptions;
use uno_types::{Message, Record};

use super::{Bench, SystemName};
use crate::config::Settings;
use crate::learn::Pipeline;
use crate::output::Console;

/// Dialogues that a data set holds per system are taken from this one.
const DIALOGS_OF: &str = "wo_memory";

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The set.
    pub set: SetName,
    /// `DATA SET/train.jsonl` and `DATA SET/test.jsonl` lie in it.
    pub data: PathBuf,
    /// Who is tested.
    pub system: SystemName,
    /// When.
    pub protocol: Protocol,
    /// Most tokens of an answer.
    pub max_tokens: usize,
    /// The first so many items of each part of a data set; all when absent.
    pub limit: Option<usize>,
    /// The published statistics; without them there is no summary.
    pub norm: Option<PathBuf>,
    /// Dale-Chall's easy words.
    pub easy_words: Option<PathBuf>,
    /// Prompts of the judge to replace, as `NAME.txt`.
    pub prompts: Option<PathBuf>,
}

/// A step's result.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StepResult {
    /// Its name; empty for off-policy.
    pub step: String,
    /// Logs seen so far.
    pub logs: usize,
    /// Test items answered.
    pub items: usize,
    /// Judge's answers that could not be read.
    pub unread: usize,
    /// Tokens of learning from this step's logs.
    pub learned: Usage,
    /// Tokens of the answers.
    pub answered: Usage,
    /// Seconds of learning, answering and judging; near nothing for what was in the cache.
    pub seconds: [f64; 3],
    /// The summary, as it stands in `summary.json`.
    pub summary: Option<serde_json::Value>,
}

/// Runs the protocol in `out` and gives the results of its steps.
///
/// # Errors
/// When data are missing or a model is lost. What was generated is kept.
pub fn run(
    plan: &Plan,
    settings: &Settings,
    out: &Path,
    console: &Console,
) -> anyhow::Result<Vec<StepResult>> {
    let inputs = Inputs::read(plan, console)?;
    let mut pipeline = Pipeline::open(out, settings, None, console)?;
    pipeline.open_models()?;
    let answer = AnswerOptions {
        max_tokens: plan.max_tokens,
        temperature: 0.1,
        top_p: 0.1,
        ..settings.verify.answer.clone()
    };
    let config = json!({
        "set": plan.set.to_string(), "memory_system": plan.system.to_string(), "protocol": plan.protocol,
        "data_sets": inputs.data_sets, "train": inputs.train.len(), "test": inputs.test.len(),
        "target": pipeline.roles()?.target_id(), "judge": pipeline.roles()?.judge_id(),
        "embedder": pipeline.roles()?.embedder_id(), "answer": answer,
    });
    pipeline.run.write_json("run_config.json", &config)?;
    let order = memorybench::order(inputs.train.len(), settings.seed);
    let bench = Bench { pipeline: &pipeline, settings, answer: &answer, console };
    let mut system = bench.create(plan.system, out.join("runs"))?;
    let mut results = Vec::new();
    for step in memorybench::steps(plan.protocol, order.len()) {
        let logs: Vec<Record> =
            order[step.new.clone()].iter().filter_map(|&i| inputs.train[i].record()).collect();
        let started = Instant::now();
        let learned = system.learn(&logs)?;
        let learning = started.elapsed().as_secs_f64();
        let questions: Vec<Question> =
            inputs.test.iter().map(|i| Question { prompt: i.prompt.clone(), lang: i.lang }).collect();
        let started = Instant::now();
        let answers = system.answer(&questions)?;
        let answering = started.elapsed().as_secs_f64();
        console.note(format_args!("{}: {} items answered", label(&step), answers.texts.len()));
        let mut result = StepResult {
            step: step.name.clone(),
            logs: step.new.end,
            items: answers.texts.len(),
            unread: 0,
            learned,
            answered: answers.usage,
            seconds: [learning, answering, 0.0],
            summary: None,
        };
        score(&pipeline, plan, &inputs, &step, &answers.texts, &mut result)?;
        results.push(result);
        pipeline.run.write_json("results.json", &results)?;
    }
    drop(system);
    pipeline.close();
    Ok(results)
}

fn label(step: &Step) -> &str {
    if step.name.is_empty() { "off-policy" } else { &step.name }
}

/// Writes `predict.json`, `evaluate_details.json` and `summary.json` of a step.
fn score(
    pipeline: &Pipeline<'_>,
    plan: &Plan,
    inputs: &Inputs,
    step: &Step,
    answers: &[String],
    result: &mut StepResult,
) -> anyhow::Result<()> {
    let file = |name: &str| match step.name.as_str() {
        "" => name.to_owned(),
        dir => format!("{dir}/{name}"),
    };
    if !step.name.is_empty() {
        fs_err::create_dir_all(pipeline.run.path(&step.name))?;
    }
    let predictions: Vec<Prediction<'_>> = inputs
        .test
        .iter()
        .zip(answers)
        .map(|(item, response)| Prediction {
            test_idx: item.test_idx,
            messages: &item.prompt,
            response,
            dataset: &item.data_set,
        })
        .collect();
    pipeline.run.write_json(&file("predict.json"), &predictions)?;
    let started = Instant::now();
    let with = Evaluation {
        judge: pipeline.roles()?.judge(),
        prompts: &inputs.prompts,
        easy_words: inputs.easy_words.as_ref(),
    };
    let items: Vec<&Item> = inputs.test.iter().collect();
    let mut bar = pipeline.console.bar("judge", 0);
    let (details, unread) = memorybench::evaluate(&items, answers, &with, &mut |done, total| {
        bar.at(done as u64, total as u64);
    })?;
    drop(bar);
    result.seconds[2] = started.elapsed().as_secs_f64();
    result.unread = unread;
    pipeline.run.write_json(&file("evaluate_details.json"), &details)?;
    if let Some(norm) = &inputs.norm {
        let summary: Summary = memorybench::summarise(&details, norm.of(&plan.set)?, &LlmMeans::default())?;
        pipeline.run.write_json(&file("summary.json"), &summary)?;
        result.summary = Some(serde_json::to_value(&summary)?);
    }
    Ok(())
}

/// A line of `predict.json`.
#[derive(Serialize)]
struct Prediction<'a> {
    test_idx: i64,
    messages: &'a [Message],
    response: &'a str,
    dataset: &'a str,
}

/// What a run reads.
struct Inputs {
    data_sets: Vec<String>,
    train: Vec<Item>,
    test: Vec<Item>,
    norm: Option<Norm>,
    easy_words: Option<EasyWords>,
    prompts: Prompts,
}

impl Inputs {
    fn read(plan: &Plan, console: &Console) -> anyhow::Result<Self> {
        let wanted = memorybench::data_sets(&plan.set);
        ensure!(!wanted.is_empty(), "{} is no set of MemoryBench", plan.set);
        let (mut data_sets, mut train, mut test) = (Vec::new(), Vec::new(), Vec::new());
        for name in &wanted {
            let dir = plan.data.join(name);
            if !dir.is_dir() {
                console.warn(format_args!("{name} is left out: there is no {}", dir.display()));
                continue;
            }
            let read = |split: Split| -> anyhow::Result<Vec<Item>> {
                let name = if split == Split::Train { "train.jsonl" } else { "test.jsonl" };
                let path = dir.join(name);
                let mut items = read_items(&path.display().to_string(), &text(&path)?, DIALOGS_OF)?;
                items.truncate(plan.limit.unwrap_or(usize::MAX));
                Ok(items)
            };
            train.extend(read(Split::Train)?.into_iter().filter(|item| !item.dialog.is_empty()));
            test.extend(read(Split::Test)?);
            data_sets.push((*name).to_owned());
        }
        ensure!(
            !test.is_empty(),
            "{} holds no test item of {}: it needs DATA SET/train.jsonl and DATA SET/test.jsonl for {}",
            plan.data.display(),
            plan.set,
            wanted.join(", ")
        );
        test.sort_by(|a, b| (&a.data_set, a.test_idx).cmp(&(&b.data_set, b.test_idx)));
        let norm = match &plan.norm {
            Some(path) => Some(Norm::read(&path.display().to_string(), &text(path)?)?),
            None => None,
        };
        let easy_words = plan.easy_words.as_ref().map(|path| anyhow::Ok(EasyWords::read(&text(path)?)));
        let prompts = prompts(plan.prompts.as_deref())?;
        Ok(Self { data_sets, train, test, norm, easy_words: easy_words.transpose()?, prompts })
    }
}

fn prompts(dir: Option<&Path>) -> anyhow::Result<Prompts> {
    let mut prompts = Prompts::default();
    let Some(dir) = dir else { return Ok(prompts) };
    let mut found = 0;
    for name in Prompts::NAMES {
        let path = dir.join(format!("{name}.txt"));
        if path.exists() {
            prompts.set(name, text(&path)?);
            found += 1;
        }
    }
    let names = Prompts::NAMES.join(".txt, ");
    ensure!(found > 0, "{} holds none of {names}.txt", dir.display());
    Ok(prompts)
}

fn text(path: &Path) -> anyhow::Result<String> {
    fs_err::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}
