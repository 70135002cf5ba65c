//! Logs to records.

use std::path::PathBuf;

use uno_types::Record;

use super::Pipeline;
use super::artefacts::files;
use crate::commands::ingest::{self, Reading};
use crate::output::Console;

/// What to learn from.
pub struct Input {
    source: Source,
    limit: Option<usize>,
}

enum Source {
    /// Files, read as `uno ingest` reads them.
    Files(Reading),
    /// Text inside the binary: OpenAI-chat lines.
    Text { name: String, text: String },
}

impl Input {
    /// Log files, or records.
    ///
    /// # Errors
    /// When the format is unknown.
    pub fn files(paths: &[PathBuf], from: &str, max_bad: f64, limit: Option<usize>) -> anyhow::Result<Self> {
        Ok(Self { source: Source::Files(Reading::new(paths, from, max_bad)?), limit })
    }

    /// Text that is no file.
    pub fn text(name: &str, text: String) -> Self {
        Self { source: Source::Text { name: name.to_owned(), text }, limit: None }
    }

    /// The records, in no run directory.
    ///
    /// # Errors
    /// When a file cannot be read or too many of its lines are bad.
    pub fn records(&self, console: &Console) -> anyhow::Result<Vec<Record>> {
        match &self.source {
            Source::Files(reading) => Ok(ingest::read(reading, self.limit, console)?.0),
            Source::Text { .. } => anyhow::bail!("evolution reads files"),
        }
    }

    /// Name and content hash of each part.
    fn hashes(&self) -> anyhow::Result<Vec<(String, String)>> {
        match &self.source {
            Source::Files(reading) => reading
                .paths()
                .iter()
                .map(|path| Ok((path.display().to_string(), uno_store::hash::of_path(path)?)))
                .collect(),
            Source::Text { name, text } => {
                Ok(vec![(name.clone(), uno_store::hash::of_bytes(text.as_bytes()))])
            }
        }
    }
}

/// Writes `records.jsonl`.
///
/// # Errors
/// When a file cannot be read or too many of its lines are bad.
pub fn stage(pipeline: &mut Pipeline<'_>, input: &Input) -> anyhow::Result<()> {
    let hashes = input.hashes()?;
    let how = match &input.source {
        Source::Files(reading) => reading.describe(),
        Source::Text { .. } => "text".to_owned(),
    };
    pipeline.stage("ingest", &(&hashes, how, input.limit), |p| {
        let (records, summary) = match &input.source {
            Source::Files(reading) => ingest::read(reading, input.limit, p.console)?,
            Source::Text { name, text } => {
                p.run.write_bytes("logs.jsonl", text.as_bytes())?;
                let reading = Reading::new(&[p.run.path("logs.jsonl")], "auto", 0.0)?;
                let (mut records, summary) = ingest::read(&reading, input.limit, p.console)?;
                // The text is the same wherever the run lies.
                records.iter_mut().for_each(|r| name.clone_into(&mut r.source.file));
                (records, summary)
            }
        };
        p.console.note(format_args!(
            "{} conversations ({} with feedback); left out: {} bad, {} without a question, {} seen before",
            summary.kept, summary.with_feedback, summary.bad, summary.no_query, summary.duplicates
        ));
        p.run.write_lines(files::RECORDS, &records)?;
        Ok(vec![files::RECORDS.into()])
    })?;
    let inputs = hashes.into_iter().collect();
    if pipeline.run.manifest().inputs != inputs {
        pipeline.run.update(|manifest| manifest.inputs = inputs)?;
    }
    Ok(())
}
