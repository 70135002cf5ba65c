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
    /// The paths are log stores of a gateway.
    stores: bool,
    max_bad: f64,
}

/// The word for log stores of a gateway.
const STORE: &str = "store";

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
            "auto" | STORE => None,
            name => Some(name.parse().map_err(|error| UsageError(format!("--from {name}: {error}")))?),
        };
        Ok(Self { paths: paths.to_vec(), format, stores: from == STORE, max_bad })
    }

    /// The files.
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// What the records depend on besides the files' content.
    pub fn describe(&self) -> String {
        let stores = if self.stores { " store" } else { "" };
        format!("{:?} {}{stores}", self.format, self.max_bad)
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
    // Conversations of a store take the same way as all others: scrubbed, told apart, counted.
    let drained = if reading.stores { Some(drain(&reading.paths)?) } else { None };
    let (paths, format) = match &drained {
        Some(dir) => (vec![dir.path().join(CONVERSATIONS)], Some(Format::Uno)),
        None => (reading.paths.clone(), reading.format),
    };
    let options = IngestOptions { format, max_bad: reading.max_bad, limit, ..IngestOptions::default() };
    let mut records = Vec::new();
    let mut bar = console.bar("ingest", 0);
    let summary = Ingest::new(options).read(&paths, &mut |record| {
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

/// The file that [`drain`] writes.
const CONVERSATIONS: &str = "conversations.jsonl";

/// Writes the conversations of log stores into a directory that goes away with the handle.
fn drain(stores: &[PathBuf]) -> anyhow::Result<tempfile::TempDir> {
    let dir = tempfile::tempdir()?;
    let mut records = Vec::new();
    for place in stores {
        let place = place.display().to_string();
        if !place.contains("://") && !std::path::Path::new(&place).is_file() {
            return Err(UsageError(format!("{place}: there is no such log store")).into());
        }
        let mut store = uno_store::live::open(&place)?;
        let told = place.rsplit_once('@').map_or(place.as_str(), |(_, host)| host);
        uno_store::live::conversations(store.as_mut(), told, 0, &mut |record| records.push(record))?;
    }
    uno_store::jsonl::write(&dir.path().join(CONVERSATIONS), &records)?;
    Ok(dir)
}
