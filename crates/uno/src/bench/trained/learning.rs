//! How a trained system takes in logs: `learn` on the first ones, `evolve` on those that follow, as users run them.

use std::path::{Path, PathBuf};

use uno_bench::baseline::Usage;
use uno_bench::simulate::conversation_line;
use uno_store::StageTokens;
use uno_types::Record;

use super::{LoraLoss, Trained, Way};
use crate::learn::evolve::evolve;
use crate::learn::{self, Input, Pipeline};

impl Trained<'_> {
    /// UNO and UNO-Single learn alike, so they share a run. One adapter for all logs is trained anew on more of them.
    fn dir(&self) -> PathBuf {
        let all = |name: &str| format!("{name}-{:04}", self.logs.len());
        self.runs.join(match self.way {
            Way::Uno(_) => "uno".to_owned(),
            Way::Ablated(ablation) => ablation.name.to_owned(),
            Way::OneLora(LoraLoss::Sft) => all("lora-sft"),
            Way::OneLora(LoraLoss::Dpo) => all("lora-dpo"),
            Way::OneLora(LoraLoss::DpoSft) => all("lora-dpo-sft"),
        })
    }

    /// Takes in logs, after those it has.
    pub(super) fn learned(&mut self, logs: &[Record]) -> anyhow::Result<Usage> {
        self.logs.extend_from_slice(logs);
        if logs.is_empty() {
            return Ok(Usage::default());
        }
        match (&self.run, self.way) {
            (Some(run), Way::Uno(_) | Way::Ablated(_)) => self.stepped(&run.clone(), logs),
            _ => self.whole(),
        }
    }

    /// Logs that an earlier process learned from.
    pub(super) fn taken_over(&mut self, logs: &[Record]) {
        self.logs.extend_from_slice(logs);
        let before = self.dir();
        self.run = (!logs.is_empty() && before.exists()).then_some(before);
    }

    fn whole(&mut self) -> anyhow::Result<Usage> {
        let dir = self.dir();
        fs_err::create_dir_all(&dir)?;
        self.share_cache(&dir)?;
        let mut pipeline = Pipeline::open(&dir, &self.settings, None, self.bench.console)?;
        learn::stages(&mut pipeline, &Input::text("logs", lines(&self.logs)))?;
        pipeline.close();
        let mut tokens = StageTokens::default();
        for stage in &pipeline.run.manifest().stages {
            self.took(&stage.name, stage.seconds);
            tokens.add(&stage.tokens);
        }
        self.run = Some(dir);
        usage(&tokens)
    }

    /// A step of evolution. One that was interrupted goes on; one that was finished finds nothing new.
    fn stepped(&mut self, run: &Path, logs: &[Record]) -> anyhow::Result<Usage> {
        let file = run.join(format!("logs-{:04}.jsonl", self.logs.len()));
        fs_err::write(&file, lines(logs))?;
        let input = Input::files(&[file], "auto", 0.0, None)?;
        let summary = evolve(&input, run, &self.settings, None, self.bench.console)?;
        summary.seconds.iter().for_each(|(stage, seconds)| self.took(stage, *seconds));
        usage(&summary.tokens)
    }

    fn took(&mut self, stage: &str, seconds: f64) {
        self.learning_seconds += seconds;
        if stage.starts_with("train") {
            self.training_seconds += seconds;
        }
    }

    /// A run starts with the generations that another has paid for: the run before it with fewer logs, or any other system's on
    /// the same ones (rules and pairs do not depend on what is trained).
    fn share_cache(&self, dir: &Path) -> anyhow::Result<()> {
        if dir.join("cache").exists() {
            return Ok(());
        }
        let mut beside: Vec<PathBuf> =
            fs_err::read_dir(&self.runs)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
        beside.sort();
        let known = self.run.iter().chain(&beside).map(|run| run.join("cache")).find(|c| c.exists());
        known.map_or(Ok(()), |from| copy_cache(&from, dir))
    }
}

/// Copies the directory `from` to `dir/cache`, all or nothing.
///
/// # Errors
/// What the file system says.
pub fn copy_cache(from: &Path, dir: &Path) -> anyhow::Result<()> {
    let partial = dir.join("cache.partial");
    fs_err::create_dir_all(&partial)?;
    for entry in fs_err::read_dir(from)? {
        let entry = entry?;
        fs_err::copy(entry.path(), partial.join(entry.file_name()))?;
    }
    Ok(fs_err::rename(partial, dir.join("cache"))?)
}

fn lines(logs: &[Record]) -> String {
    logs.iter().map(|record| conversation_line(record) + "\n").collect()
}

fn usage(tokens: &StageTokens) -> anyhow::Result<Usage> {
    Ok(Usage {
        calls: usize::try_from(tokens.paid_calls)?,
        prompt: usize::try_from(tokens.paid_prompt)?,
        completion: usize::try_from(tokens.paid_completion)?,
    })
}
