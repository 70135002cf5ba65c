//! The plans of a run directory, for the gateway.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use uno_serve::route::{PlanSource, Snapshot};
use uno_store::RunDir;
use uno_types::{Embedder, Plan};

use crate::learn::artefacts::files;
use crate::learn::read_centroids;

/// Reads `plan.json` and the centroids that it names.
pub struct RunPlans {
    root: PathBuf,
    embedder: Option<Arc<dyn Embedder>>,
}

impl RunPlans {
    /// The plans of the run in `root`, which need not have one yet.
    pub fn new(root: &Path, embedder: Option<Arc<dyn Embedder>>) -> Self {
        Self { root: root.to_path_buf(), embedder }
    }

    fn read(&self) -> anyhow::Result<Option<Snapshot>> {
        if !self.root.join(files::PLAN).is_file() {
            return Ok(None);
        }
        let run = RunDir::open_existing(&self.root)?;
        let plan: Plan = run.read_json(files::PLAN)?;
        let centroids = read_centroids(&run, &plan)?;
        if let Some(embedder) = &self.embedder {
            let dimensions = embedder.dimensions();
            anyhow::ensure!(
                centroids.is_empty() || centroids.dimensions() == dimensions,
                "its centroids have {} dimensions, the embedder {dimensions}: embed with {} as `uno learn` did",
                centroids.dimensions(),
                plan.embedder
            );
        }
        let id = run.plans().current().unwrap_or_else(|| "edited".to_owned());
        Ok(Some(Snapshot { id: id.into(), plan, centroids }))
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
}
