//! What verification says about the modules of each cluster.

use std::collections::HashMap;

use uno_learn::judge::JudgeReport;
use uno_learn::plan::{Policy, Tested};
use uno_learn::verify::{Judged, confirmed, highest};
use uno_store::RunDir;
use uno_types::{AdapterKind, Verdict};

use super::artefacts::{TrainedModule, files};
use crate::config::Settings;

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

    /// The checkpoint that would be promoted, and how good it is as `counting` says.
    pub fn best(&self, cluster: usize, kind: AdapterKind, counting: Counting) -> Option<Tested> {
        let module = self.module(cluster, kind)?;
        if counting.policy == Policy::Unverified {
            let best = module.best_by_loss()?;
            return Some(Tested {
                adapter: best.reference(),
                win_rate: None,
                by_program: None,
                checkpoints: 1,
            });
        }
        let mut by_adapter: HashMap<&str, Vec<&Verdict>> = HashMap::new();
        for verdict in self.verdicts.iter().filter(|v| v.cluster == cluster) {
            by_adapter.entry(&verdict.adapter).or_default().push(verdict);
        }
        let judged = module.checkpoints.iter().filter_map(|c| {
            let verdicts = by_adapter.get(c.adapter.as_str())?.clone();
            Some(Judged { adapter: c.reference(), verdicts })
        });
        let judged: Vec<Judged<'_>> = judged.collect();
        match counting.policy {
            Policy::Paper => highest(&judged),
            Policy::Verified | Policy::Unverified => confirmed(&judged, counting.judge, counting.seed),
        }
    }
}

/// Which verdicts count, and how the best checkpoint is found.
#[derive(Clone, Copy, Debug)]
pub struct Counting {
    /// Published, verified, or without verdicts.
    pub policy: Policy,
    /// Whether the judge was found to be better than chance.
    pub judge: bool,
    /// Seed of the halves that choose and test.
    pub seed: u64,
}

impl Counting {
    /// As settings and `judge.json` say.
    ///
    /// # Errors
    /// When `judge.json` is damaged.
    pub fn of(run: &RunDir, settings: &Settings) -> anyhow::Result<Self> {
        // Runs of earlier versions did not ask.
        let report = run.path(files::JUDGE).exists().then(|| run.read_json::<JudgeReport>(files::JUDGE));
        let judge = report.transpose()?.is_some_and(|report| report.trusted);
        Ok(Self { policy: settings.plan.policy, judge, seed: settings.seed })
    }
}
