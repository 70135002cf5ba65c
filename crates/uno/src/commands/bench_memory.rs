//! `uno bench memorybench`.

use std::path::Path;

use anyhow::Context;
use uno_bench::memorybench::{self, LlmMeans, Norm, SetName, Summary};

use super::UsageError;
use crate::args::{MemoryBenchArgs, MemoryBenchCommand, ScoreArgs};
use crate::output::{Console, table};

/// Scores results.
///
/// # Errors
/// When a file is not what it should be, or nothing can be scored.
pub fn run(args: &MemoryBenchArgs, console: &Console) -> anyhow::Result<()> {
    match &args.command {
        MemoryBenchCommand::Score(args) => score(args, console),
    }
}

fn score(args: &ScoreArgs, console: &Console) -> anyhow::Result<()> {
    let set: SetName = args.set.parse().map_err(|e| UsageError(format!("--set: {e}")))?;
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
