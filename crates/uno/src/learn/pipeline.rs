//! What all stages share: the run, the settings, the models, and the rule of when a stage runs.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use serde::Serialize;
use uno_store::{RunDir, TokenLedger, hash};

use super::evolution::Evolution;
use crate::config::Settings;
use crate::output::{Console, count, duration};
use crate::roles::Roles;

/// Raised when a stage computes something else from the same input than before.
const STAGES_VERSION: u32 = 4;

/// A run in progress.
pub struct Pipeline<'a> {
    /// The run directory.
    pub run: RunDir,
    /// As resolved.
    pub settings: &'a Settings,
    /// Where progress goes.
    pub console: &'a Console,
    /// What this step of evolution goes on from; `None` when learning.
    pub evolution: Option<Evolution>,
    /// Stages that ran in this process.
    pub stages_run: Vec<String>,
    ledger: Arc<TokenLedger>,
    roles: Option<Roles>,
}

impl<'a> Pipeline<'a> {
    /// Opens or creates the run directory and notes the settings.
    ///
    /// # Errors
    /// When the directory is in use, or is none of ours.
    pub fn open(
        run: &Path,
        settings: &'a Settings,
        budget: Option<u64>,
        console: &'a Console,
    ) -> anyhow::Result<Self> {
        let ledger = Arc::new(TokenLedger::new(budget));
        Self::over(RunDir::open_or_create(run)?, settings, ledger, console)
    }

    /// Works in an open run directory.
    ///
    /// # Errors
    /// When its manifest cannot be written.
    pub fn over(
        mut run: RunDir,
        settings: &'a Settings,
        ledger: Arc<TokenLedger>,
        console: &'a Console,
    ) -> anyhow::Result<Self> {
        let config = serde_json::to_value(settings)?;
        if run.manifest().config != config {
            run.update(|manifest| manifest.config = config)?;
        }
        Ok(Self { run, settings, console, evolution: None, stages_run: Vec::new(), ledger, roles: None })
    }

    /// Finds the models; opens those that are not known yet.
    ///
    /// # Errors
    /// When a model is not there.
    pub fn open_models(&mut self) -> anyhow::Result<()> {
        let roles = Roles::new(self.settings, &self.run, Arc::clone(&self.ledger))?;
        let models = roles.stamps().iter().map(|(role, stamp)| ((*role).to_owned(), stamp.clone())).collect();
        if self.run.manifest().models != models {
            self.run.update(|manifest| manifest.models = models)?;
        }
        self.roles = Some(roles);
        Ok(())
    }

    /// The models.
    ///
    /// # Errors
    /// Before [`Self::open_models`].
    pub fn roles(&self) -> anyhow::Result<&Roles> {
        self.roles.as_ref().context("the models are not open yet")
    }

    /// Content hashes of artefacts, as the manifest holds them: what later stages depend on.
    pub fn hashes(&self, files: &[&str]) -> Vec<String> {
        let find = |file: &str| {
            let stamps = self.run.manifest().stages.iter().filter_map(|s| s.outputs.get(file));
            stamps.map(|s| s.hash.clone()).next_back().unwrap_or_default()
        };
        files.iter().map(|file| find(file)).collect()
    }

    /// Runs `work` unless stage `name` is done for exactly this input. `work` gives the artefacts that it wrote.
    ///
    /// # Errors
    /// What `work` fails with, with the stage's name.
    pub fn stage(
        &mut self,
        name: &str,
        depends_on: &impl Serialize,
        work: impl FnOnce(&Self) -> anyhow::Result<Vec<String>>,
    ) -> anyhow::Result<()> {
        let input = hash::of_value(&(STAGES_VERSION, name, depends_on));
        if self.run.is_fresh(name, &input) {
            self.console.note(format_args!("{name}: unchanged"));
            return Ok(());
        }
        self.run.begin(name, &input)?;
        self.ledger.enter(name);
        let before = self.ledger.stage(name);
        let started = Instant::now();
        let outcome = work(self);
        let seconds = started.elapsed().as_secs_f64();
        let mut tokens = self.ledger.stage(name);
        tokens.paid_calls -= before.paid_calls;
        tokens.paid_prompt -= before.paid_prompt;
        tokens.paid_completion -= before.paid_completion;
        tokens.reused_calls -= before.reused_calls;
        tokens.reused -= before.reused;
        let outputs = match outcome {
            Ok(outputs) => outputs,
            Err(error) => {
                // The stage's own error matters; the manifest may be unwritable for the same reason.
                let _ = self.run.fail(name, &format!("{error:#}"), seconds, tokens);
                return Err(error.context(format!("stage {name}")));
            }
        };
        self.run.finish(name, &outputs, seconds, tokens)?;
        let peak = uno_engine::peak_rss_mib();
        if peak > self.run.manifest().peak_rss_mib {
            self.run.update(|manifest| manifest.peak_rss_mib = peak)?;
        }
        self.stages_run.push(name.to_owned());
        let paid = match tokens.paid() {
            0 => String::new(),
            paid => format!(", {} tokens", count(paid)),
        };
        self.console.note(format_args!("{name}: done in {}{paid}", duration(seconds)));
        Ok(())
    }

    /// Unloads adapters from servers.
    pub fn close(&self) {
        if let Some(roles) = &self.roles {
            roles.release();
        }
    }
}
