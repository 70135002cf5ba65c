//! Rules (METHOD §1).

use uno_types::Record;

use super::Pipeline;
use super::artefacts::files;

/// Writes `rules.jsonl`.
///
/// # Errors
/// When the teacher or the embedder is lost, or the budget is used up.
pub fn stage(pipeline: &mut Pipeline<'_>) -> anyhow::Result<()> {
    let options = pipeline.settings.distil.clone();
    let roles = pipeline.roles()?;
    let depends = (pipeline.hashes(&[files::RECORDS]), &options, roles.teacher().id(), roles.embedder().id());
    pipeline.stage("distil", &depends, |p| {
        let records: Vec<Record> = p.run.read_lines(files::RECORDS)?;
        let mut bar = p.console.bar("distil", 0);
        let roles = p.roles()?;
        let rules = uno_learn::distil::distil(
            &records,
            roles.teacher(),
            roles.embedder(),
            &options,
            &mut |done, total| bar.at(done as u64, total as u64),
        )?;
        p.run.write_lines(files::RULES, &rules)?;
        Ok(vec![files::RULES.into()])
    })
}
