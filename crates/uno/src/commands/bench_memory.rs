//! `uno bench memorybench`.

use std::path::Path;

use anyhow::Context;
use uno_bench::memorybench::{self, LlmMeans, Norm, Protocol, SetName, Summary};

use super::UsageError;
use crate::args::{MemoryBenchArgs, MemoryBenchCommand, RunArgs, ScoreArgs};
use crate::bench::memorybench::{Plan, StepResult};
use crate::output::{Console, count, table};
use crate::{bench, config};

/// Scores results, or runs a protocol.
///
/// # Errors
/// When a file is not what it should be, or nothing can be scored.
pub fn run(args: &MemoryBenchArgs, console: &Console) -> anyhow::Result<()> {
    match &args.command {
        MemoryBenchCommand::Score(args) => score(args, console),
        MemoryBenchCommand::Run(args) => protocol(args, console),
    }
}

fn score(args: &ScoreArgs, console: &Console) -> anyhow::Result<()> {
    let set = set_name(&args.set)?;
    let (norm, details) = (read(&args.norm)?, read(&args.details)?);
    let norm = Norm::read(&args.norm.display().to_string(), &norm)?;
    let items = memorybench::read_details(&args.details.display().to_string(), &details)?;
    let means = match &args.llm_means {
        Some(file) => LlmMeans::read(&file.display().to_string(), &read(file)?)?,
        None => LlmMeans::default(),
    };
    let summary = memorybench::summarise(&items, norm.of(&set)?, &means)?;
    for (name, why) in &summary.left_out {
        console.warn(format_args!("{name} is left out: {why}"));
    }
    console.result(&summary, |s| text(&set, s))
}

fn set_name(text: &str) -> anyhow::Result<SetName> {
    Ok(text.parse().map_err(|e: memorybench::MemoryBenchError| UsageError(e.to_string()))?)
}

fn protocol(args: &RunArgs, console: &Console) -> anyhow::Result<()> {
    let settings = config::load(&args.settings)?;
    let protocol = match args.stepwise {
        true if args.batch_size == 0 => {
            return Err(UsageError("--batch-size must be at least 1".into()).into());
        }
        true => Protocol::Stepwise { batch: args.batch_size },
        false => Protocol::OffPolicy,
    };
    let plan = Plan {
        set: set_name(&args.of)?,
        data: args.data.clone(),
        system: args.system.parse().map_err(|e| UsageError(format!("--system: {e}")))?,
        protocol,
        max_tokens: args.max_tokens,
        limit: args.limit,
        norm: args.norm.clone(),
        easy_words: args.easy_words.clone(),
        prompts: args.prompts.clone(),
    };
    let steps = bench::memorybench::run(&plan, &settings, &args.out, console)?;
    console.result(&steps, |steps| steps_text(&plan, steps))
}

fn steps_text(plan: &Plan, steps: &[StepResult]) -> String {
    let head = ["step", "logs", "items", "average", "weighted", "z", "tokens/answer", "not judged"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for s in steps {
        let figure = |name: &str| {
            let value = s.summary.as_ref().and_then(|v| v["summary"][name].as_f64());
            value.map_or("–".to_owned(), |v| format!("{v:.4}"))
        };
        rows.push(vec![
            if s.step.is_empty() { "all".to_owned() } else { s.step.clone() },
            s.logs.to_string(),
            s.items.to_string(),
            figure("average"),
            figure("weighted_average"),
            figure("z_score"),
            count(((s.answered.prompt + s.answered.completion) / s.items.max(1)) as u64),
            s.unread.to_string(),
        ]);
    }
    format!("{} of {}\n\n{}", plan.system, plan.set, table(&rows))
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs_err::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

/// The summary for people.
pub fn text(set: &SetName, summary: &Summary) -> String {
    let mut rows = vec![["data set", "items", "mean", "min-max", "z", ""].map(str::to_owned).to_vec()];
    for (name, mean) in &summary.average {
        let (minmax, z) = (summary.minmax_normalized_average[name], summary.z_normalized_average[name]);
        let given = if summary.given.contains(name) { "mean as given" } else { "" };
        rows.push(vec![
            name.clone(),
            minmax.1.to_string(),
            format!("{mean:.4}"),
            format!("{:.4}", minmax.2),
            format!("{:.4}", z.2),
            given.to_owned(),
        ]);
    }
    let s = &summary.summary;
    format!(
        "{set}: average {:.4}, weighted average {:.4}, z-score {:.4}\n\n{}",
        s.average,
        s.weighted_average,
        s.z_score,
        table(&rows)
    )
}
