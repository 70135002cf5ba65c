//! `uno ingest`, and the reading of logs that `learn` shares with it.

use std::path::PathBuf;

use serde::Serialize;
use uno_ingest::{Format, Ingest, IngestOptions, Summary};
use uno_types::Record;

use super::UsageError;
use crate::args::IngestArgs;
use crate::output::Console;

/// Bad lines that are printed; all are counted.
const SHOWN: usize = 5;

/// Which files to read, and how.
pub struct Reading {
    paths: Vec<PathBuf>,
    format: Option<Format>,
    max_bad: f64,
}

impl Reading {
    /// Checks the format's name.
    ///
    /// # Errors
    /// When there is no such format, or the share is none.
    pub fn new(paths: &[PathBuf], from: &str, max_bad: f64) -> anyhow::Result<Self> {
        if !(0.0..=1.0).contains(&max_bad) {
            return Err(UsageError(format!("--max-bad {max_bad}: give a share between 0 and 1")).into());
        }
        let format = match from {
            "auto" => None,
            name => Some(name.parse().map_err(|error| UsageError(format!("--from {name}: {error}")))?),
        };
        Ok(Self { paths: paths.to_vec(), format, max_bad })
    }

    /// The files.
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// What the records depend on besides the files' content.
    pub fn describe(&self) -> String {
        format!("{:?} {}", self.format, self.max_bad)
    }
}

/// What `uno ingest` prints.
#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    summary: Summary,
    /// The format that most rows had.
    format: String,
    out: PathBuf,
}

/// Reads logs into records.
///
/// # Errors
/// When a file cannot be read, too many lines are bad, or nothing is left.
pub fn run(args: &IngestArgs, console: &Console) -> anyhow::Result<()> {
    let (records, summary) = read(&Reading::new(&args.paths, &args.from, args.max_bad)?, None, console)?;
    uno_store::jsonl::write(&args.out, &records)?;
    let most = summary.formats.iter().max_by_key(|(_, n)| **n);
    let format = most.map(|(name, _)| name.clone()).unwrap_or_default();
    let told = Told { format, out: args.out.clone(), summary };
    console.result(&told, |t| {
        let s = &t.summary;
        let scrubbed: u64 = s.scrubbed.values().sum();
        format!(
            "{}: {} read, {} kept ({} with feedback), {} bad, {} without a question, {} seen before; {scrubbed} personal data \
             replaced → {}",
            t.format,
            s.read,
            s.kept,
            s.with_feedback,
            s.bad,
            s.no_query,
            s.duplicates,
            t.out.display()
        )
    })
}

/// Reads the files, at most `limit` records, and tells about bad lines.
///
/// # Errors
/// When a file cannot be read or too many of its lines are bad.
pub fn read(
    reading: &Reading,
    limit: Option<usize>,
    console: &Console,
) -> anyhow::Result<(Vec<Record>, Summary)> {
    let options =
        IngestOptions { format: reading.format, max_bad: reading.max_bad, limit, ..IngestOptions::default() };
    let mut records = Vec::new();
    let mut bar = console.bar("ingest", 0);
    let summary = Ingest::new(options).read(&reading.paths, &mut |record| {
        records.push(record);
        bar.at(records.len() as u64, limit.unwrap_or(0) as u64);
    })?;
    drop(bar);
    for bad in summary.bad_examples.iter().take(SHOWN) {
        console.warn(bad);
    }
    let more = usize::try_from(summary.bad).unwrap_or(usize::MAX).saturating_sub(SHOWN);
    if more > 0 {
        console.warn(format_args!("… and {more} more"));
    }
    Ok((records, summary))
}
