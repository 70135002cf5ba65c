//! What verification says about the modules of each cluster.

use std::collections::HashMap;

use uno_learn::plan::Tested;
use uno_learn::stats::win_rate;
use uno_store::RunDir;
use uno_types::{AdapterKind, AdapterRef, Outcome, ScoredBy, Verdict};

use super::artefacts::{TrainedModule, files};

/// Modules and verdicts of both rounds.
#[derive(Default)]
pub struct Results {
    /// What was trained.
    pub modules: Vec<TrainedModule>,
    /// What verification found.
    pub verdicts: Vec<Verdict>,
}

impl Results {
    /// Reads what there is; the second round may not have run yet.
    ///
    /// # Errors
    /// When an artefact is damaged.
    pub fn read(run: &RunDir) -> anyhow::Result<Self> {
        let mut results = Self::default();
        for file in [files::MODULES_1, files::MODULES_2] {
            if run.path(file).exists() {
                results.modules.extend(run.read_lines::<TrainedModule>(file)?);
            }
        }
        for file in [files::VERDICTS_1, files::VERDICTS_2] {
            if run.path(file).exists() {
                results.verdicts.extend(run.read_lines::<Verdict>(file)?);
            }
        }
        Ok(results)
    }

    /// The module of a cluster, if one was trained or skipped.
    pub fn module(&self, cluster: usize, kind: AdapterKind) -> Option<&TrainedModule> {
        self.modules.iter().find(|m| m.cluster == cluster && m.kind == kind)
    }

    /// The checkpoint with the best win rate; the later one of equals, which has learnt more and was guarded alike.
    pub fn best(&self, cluster: usize, kind: AdapterKind) -> Option<Tested> {
        let module = self.module(cluster, kind)?;
        let mut by_adapter: HashMap<&str, Vec<&Verdict>> = HashMap::new();
        for verdict in self.verdicts.iter().filter(|v| v.cluster == cluster) {
            by_adapter.entry(&verdict.adapter).or_default().push(verdict);
        }
        let mut best: Option<(f64, Tested)> = None;
        for checkpoint in &module.checkpoints {
            let Some(verdicts) = by_adapter.get(checkpoint.adapter.as_str()) else { continue };
            let rate_of = |outcomes: Vec<Outcome>| Some(win_rate(&outcomes)).filter(|r| r.known() > 0);
            let overall = rate_of(verdicts.iter().map(|v| v.outcome).collect());
            let programs = verdicts.iter().filter(|v| v.scored_by == ScoredBy::Program);
            let by_program = rate_of(programs.map(|v| v.outcome).collect());
            let rate = overall.map_or(0.0, |w| w.rate);
            if best.as_ref().is_none_or(|(least, _)| rate >= *least) {
                let adapter = AdapterRef { name: checkpoint.adapter.clone(), dir: checkpoint.dir.clone() };
                best = Some((rate, Tested { adapter, win_rate: overall, by_program }));
            }
        }
        best.map(|(_, tested)| tested)
    }
}
