//! The plans of a run directory, for the gateway.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use uno_serve::adapters;
use uno_serve::rollout::{Decided, Trial, Umpire};
use uno_serve::route::{PlanSource, Snapshot};
use uno_store::{ChangedBy, Plans, RunDir};
use uno_types::{Embedder, Plan};

use crate::learn::artefacts::files;
use crate::learn::read_centroids;

/// The trial that is going on.
const TRIAL: &str = "plans/trial.json";
/// How trials went.
const AUDIT: &str = "plans/trials.jsonl";

/// Reads `plan.json` and the centroids that it names.
pub struct RunPlans {
    root: PathBuf,
    embedder: Option<Arc<dyn Embedder>>,
    umpire: Option<Arc<dyn Umpire>>,
}

impl RunPlans {
    /// The plans of the run in `root`, which need not have one yet.
    pub fn new(root: &Path, embedder: Option<Arc<dyn Embedder>>) -> Self {
        Self { root: root.to_path_buf(), embedder, umpire: None }
    }

    /// With somebody who compares answers of trials.
    #[must_use]
    pub fn judged_by(self, umpire: Arc<dyn Umpire>) -> Self {
        Self { umpire: Some(umpire), ..self }
    }

    fn plans(&self) -> Plans {
        Plans::new(&self.root)
    }

    fn read(&self) -> anyhow::Result<Option<Snapshot>> {
        if !self.root.join(files::PLAN).is_file() {
            return Ok(None);
        }
        let run = RunDir::open_existing(&self.root)?;
        let id = run.plans().current().unwrap_or_else(|| "edited".to_owned());
        let plan = run.read_json(files::PLAN)?;
        self.snapshot(&run, &id, plan).map(Some)
    }

    fn snapshot(&self, run: &RunDir, id: &str, mut plan: Plan) -> anyhow::Result<Snapshot> {
        adapters::locate(&mut plan, run.root()).map_err(anyhow::Error::msg)?;
        let centroids = read_centroids(run, &plan)?;
        if let Some(embedder) = &self.embedder {
            let dimensions = embedder.dimensions();
            anyhow::ensure!(
                centroids.is_empty() || centroids.dimensions() == dimensions,
                "its centroids have {} dimensions, the embedder {dimensions}: embed with {} as `uno learn` did",
                centroids.dimensions(),
                plan.embedder
            );
        }
        Ok(Snapshot { id: id.into(), plan, centroids })
    }
}

impl PlanSource for RunPlans {
    fn stamp(&self) -> String {
        let meta = fs_err::metadata(self.root.join(files::PLAN));
        meta.map_or(String::new(), |m| format!("{:?} {}", m.modified().ok(), m.len()))
    }

    fn current(&self) -> Result<Option<Snapshot>, String> {
        self.read().map_err(|error| format!("{error:#}"))
    }

    fn kept(&self, id: &str) -> Result<Snapshot, String> {
        let read = || {
            // The id comes from a file, too.
            anyhow::ensure!(
                self.plans().is_kept(id),
                "no plan `{id}` is kept, or its content is another one's"
            );
            self.snapshot(&RunDir::open_existing(&self.root)?, id, self.plans().read(id)?)
        };
        read().map_err(|error: anyhow::Error| format!("{error:#}"))
    }

    fn is_learned(&self, id: &str) -> bool {
        let log = self.plans().log().unwrap_or_default();
        log.last().is_some_and(|change| {
            change.to == id && matches!(change.by, ChangedBy::Learn | ChangedBy::Evolve)
        })
    }

    fn withdraw(&self, trial: &str, to: &str, why: &str) -> Result<(), String> {
        if self.plans().current().as_deref() != Some(trial) {
            return Ok(());
        }
        self.plans().swap(to, ChangedBy::Rollback, why).map(drop).map_err(|e| e.to_string())
    }

    fn keep_trial(&self, trial: Option<&Trial>) {
        let path = self.root.join(TRIAL);
        let kept = match trial {
            Some(trial) => serde_json::to_vec(trial)
                .map_err(|e| e.to_string())
                .and_then(|bytes| uno_store::atomic::write(&path, &bytes).map_err(|e| e.to_string())),
            None if path.exists() => fs_err::remove_file(&path).map_err(|e| e.to_string()),
            None => Ok(()),
        };
        if let Err(error) = kept {
            tracing::warn!("a restart would not know how the trial stands: {error}");
        }
    }

    fn kept_trial(&self) -> Option<Trial> {
        serde_json::from_slice(&fs_err::read(self.root.join(TRIAL)).ok()?).ok()
    }

    fn audit(&self, decided: &Decided) {
        let append = || -> std::io::Result<()> {
            let mut line = serde_json::to_vec(decided)?;
            line.push(b'\n');
            let path = self.root.join(AUDIT);
            let mut file = fs_err::OpenOptions::new().create(true).append(true).open(path)?;
            file.write_all(&line)
        };
        if let Err(error) = append() {
            tracing::warn!("the trial's verdict is not in the audit log: {error}");
        }
    }

    fn umpire(&self) -> Option<Arc<dyn Umpire>> {
        self.umpire.clone()
    }
}
