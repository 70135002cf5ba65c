//! Candidates and preference pairs (METHOD §2).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uno_learn::candidates::{Candidates, Defect};
use uno_learn::pairs::NoPair;
use uno_types::{Record, RuleSet};

use super::Pipeline;
use super::artefacts::files;

/// `funnel.json`: why records gave no pair.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Funnel {
    /// Records without a pair, by reason.
    pub no_pair: BTreeMap<NoPair, usize>,
    /// Unsound candidates, by defect.
    pub defects: BTreeMap<Defect, usize>,
    /// Samples that failed: (record, reason).
    pub failed: Vec<(String, String)>,
    /// Samples that were not needed because an earlier candidate obeys.
    pub spared: usize,
}

/// Writes `candidates.jsonl`, `pairs.jsonl` and `funnel.json`.
///
/// # Errors
/// When teacher or judge are lost, or the budget is used up.
pub fn stage(pipeline: &mut Pipeline<'_>) -> anyhow::Result<()> {
    let (sampling, pairing) = (pipeline.settings.candidates.clone(), pipeline.settings.pairs.clone());
    let roles = pipeline.roles()?;
    let depends = (
        pipeline.hashes(&[files::RECORDS, files::RULES]),
        (&sampling, &pairing),
        (roles.teacher().id(), roles.judge().id()),
    );
    pipeline.stage("pairs", &depends, |p| {
        let records: Vec<Record> = p.run.read_lines(files::RECORDS)?;
        let rules: Vec<RuleSet> = p.run.read_lines(files::RULES)?;
        let roles = p.roles()?;
        let mut bar = p.console.bar("candidates", 0);
        let Candidates { candidates, failed, spared } = uno_learn::candidates::candidates(
            &records,
            &rules,
            roles.teacher(),
            &sampling,
            &mut |done, total| bar.at(done as u64, total as u64),
        )?;
        drop(bar);
        let mut bar = p.console.bar("judge", 0);
        let found = uno_learn::pairs::pairs(
            &records,
            &rules,
            candidates,
            roles.judge(),
            &pairing,
            &mut |done, total| bar.at(done as u64, total as u64),
        )?;
        p.run.write_lines(files::CANDIDATES, &found.candidates)?;
        p.run.write_lines(files::PAIRS, &found.pairs)?;
        p.run.write_json(
            files::FUNNEL,
            &Funnel { no_pair: found.dropped, defects: found.defects, failed, spared },
        )?;
        Ok(vec![files::CANDIDATES.into(), files::PAIRS.into(), files::FUNNEL.into()])
    })
}
