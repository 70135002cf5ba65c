//! `uno serve --evolve`: evolution steps in processes of their own, with the lowest priority, so that no answer waits for them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use uno_serve::options::EvolveOptions;
use uno_store::live::now;

/// Where steps leave their records, their output, and when the last one began.
const DIR: &str = "evolve";
/// Pause between looks at the log.
const EVERY: Duration = Duration::from_secs(5);
/// Pause between looks at a process.
const TICK: Duration = Duration::from_millis(100);
const HOUR_MS: i64 = 3_600_000;

/// What steps are made of.
pub struct Evolution {
    /// The run directory.
    pub run: PathBuf,
    /// The gateway's log.
    pub store: String,
    /// When steps are taken.
    pub options: EvolveOptions,
}

/// The thread that takes the steps. Dropping it ends a step at work: what that paid for is kept, and the next one goes on.
pub struct Evolving {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Evolving {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Evolution {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the directory for the steps cannot be made, or no thread can be had.
    pub fn start(self) -> anyhow::Result<Evolving> {
        fs_err::create_dir_all(self.run.join(DIR))?;
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("uno-evolve".into()).spawn(move || self.run(&told))?;
        Ok(Evolving { stop, thread: Some(thread) })
    }

    fn run(self, stop: &AtomicBool) {
        let (mut looked, begun) = (Instant::now(), now());
        while !stop.load(Ordering::Relaxed) {
            std::thread::sleep(TICK);
            if looked.elapsed() < EVERY {
                continue;
            }
            looked = Instant::now();
            let since = self.last();
            let evidence = uno_store::live::open(&self.store).and_then(|mut store| store.evidence(since));
            match evidence {
                Ok(evidence) if self.is_due(evidence, now() - since.max(begun)) => {
                    tracing::info!(evidence, "an evolution step begins");
                    self.note_start();
                    match self.step(stop) {
                        Ok(()) => tracing::info!("the evolution step is done"),
                        Err(error) => tracing::warn!("the evolution step failed: {error:#}"),
                    }
                }
                Ok(_) => {}
                Err(error) => tracing::debug!("no evidence can be counted: {error}"),
            }
        }
    }

    fn is_due(&self, evidence: u64, since_ms: i64) -> bool {
        let hours = i64::try_from(self.options.every_hours).unwrap_or(i64::MAX);
        evidence >= self.options.min_evidence.max(1)
            || (evidence > 0 && hours > 0 && since_ms >= hours.saturating_mul(HOUR_MS))
    }

    fn step(&self, stop: &AtomicBool) -> anyhow::Result<()> {
        let records = self.run.join(DIR).join("records.jsonl");
        let (run, records) = (self.run.display().to_string(), records.display().to_string());
        self.uno(&["ingest", "--from", "store", &self.store, "--out", &records], stop)?;
        self.uno(&["evolve", "--run", &run, "--logs", &records], stop)
    }

    /// Runs this very program with other words; its output goes to `evolve/log`.
    fn uno(&self, words: &[&str], stop: &AtomicBool) -> anyhow::Result<()> {
        let path = self.run.join(DIR).join("log");
        let log = File::options().create(true).append(true).open(&path).context("opening evolve/log")?;
        let program = std::env::current_exe().context("finding this program")?;
        // A machine without `nice` has it at normal priority.
        let mut command = match Path::new("/usr/bin/nice").exists() {
            true => {
                let mut nice = Command::new("/usr/bin/nice");
                nice.args(["-n", "19"]).arg(program);
                nice
            }
            false => Command::new(program),
        };
        let command = command.args(words).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let mut child = command.spawn()?;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if stop.load(Ordering::Relaxed) {
                let _ = child.kill();
            }
            std::thread::sleep(TICK);
        };
        anyhow::ensure!(
            status.success(),
            "`uno {}` ended with {status}: see {}",
            words.join(" "),
            path.display()
        );
        Ok(())
    }

    /// When the last step began; without one, everything is new.
    fn last(&self) -> i64 {
        let kept = fs_err::read_to_string(self.run.join(DIR).join("last"));
        kept.ok().and_then(|t| t.trim().parse().ok()).unwrap_or(0)
    }

    fn note_start(&self) {
        if let Err(error) =
            uno_store::atomic::write(&self.run.join(DIR).join("last"), now().to_string().as_bytes())
        {
            tracing::warn!("the next step may come too early: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enough_evidence_or_enough_time() {
        let options = EvolveOptions { every_hours: 24, min_evidence: 20 };
        let evolution = Evolution { run: PathBuf::new(), store: String::new(), options };
        let hours = |n: i64| n * HOUR_MS;
        assert!(evolution.is_due(20, 0) && evolution.is_due(1, hours(24)));
        assert!(!evolution.is_due(19, hours(23)) && !evolution.is_due(0, hours(999)));
    }
}
