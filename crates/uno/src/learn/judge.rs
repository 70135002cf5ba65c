//! The judge is judged on the logs, before any verdict of it counts.

use uno_learn::judge::{JudgeReport, known_answers, measure};
use uno_types::{Candidate, Record, RuleSet};

use super::Pipeline;
use super::artefacts::files;

/// Writes `judge.json`.
///
/// # Errors
/// When the judge is lost, or the budget is used up.
pub fn stage(pipeline: &mut Pipeline<'_>) -> anyhow::Result<()> {
    let (checking, judging) = (pipeline.settings.judge_check, pipeline.settings.verify.judge.clone());
    let depends = (
        pipeline.hashes(&[files::RECORDS, files::RULES, files::CANDIDATES]),
        (&checking, &judging),
        pipeline.roles()?.judge_id(),
    );
    pipeline.stage("judge", &depends, |p| {
        let records: Vec<Record> = p.run.read_lines(files::RECORDS)?;
        let rules: Vec<RuleSet> = p.run.read_lines(files::RULES)?;
        let candidates: Vec<Candidate> = p.run.read_lines(files::CANDIDATES)?;
        let known = known_answers(&records, &rules, &candidates, checking.max_items, checking.seed);
        let mut bar = p.console.bar("judge the judge", 0);
        let report: JudgeReport = measure(&known, p.roles()?.judge(), &judging, &mut |done, total| {
            bar.at(done as u64, total as u64);
        })?;
        drop(bar);
        p.console.note(format_args!("{}", report.words));
        p.run.write_json(files::JUDGE, &report)?;
        Ok(vec![files::JUDGE.into()])
    })
}
