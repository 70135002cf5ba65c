//! Reading logs: files to rows, rows to conversations, conversations to records.

use std::path::{Path, PathBuf};

use serde_json::Value;
use uno_types::{Lang, Record, Role, Source};

use crate::dedupe::Seen;
use crate::formats::{Conversation, Format, Parsed, keys};
use crate::ids::{Ids, content_id, opaque, pseudonym};
use crate::rows::{Row, Rows};
use crate::scrub::{find, scrub};
use crate::source;
use crate::{IngestError, Summary};

/// How logs are read.
#[derive(Clone, Debug)]
pub struct IngestOptions {
    /// The format; `None` recognises it, file by file, from the first rows.
    pub format: Option<Format>,
    /// Share of bad rows at which reading fails, 0 to 1. One bad row is always allowed: a log that is being written
    /// ends in half a line.
    pub max_bad: f64,
    /// Longest row in bytes; a longer one is skipped without being held in memory, and counts as bad.
    pub max_line_bytes: usize,
    /// Whether personal data is replaced.
    pub scrub: bool,
    /// Similarity, 0 to 1, at which a conversation counts as a copy of an earlier one; `None`: exact copies only.
    pub near_duplicates: Option<f64>,
    /// Stop after so many records.
    pub limit: Option<usize>,
}

impl Default for IngestOptions {
    /// Any format, 1 % bad rows, rows up to 16 MiB, scrubbing on, exact copies only, no limit.
    fn default() -> Self {
        Self {
            format: None,
            max_bad: 0.01,
            max_line_bytes: 16 << 20,
            scrub: true,
            near_duplicates: None,
            limit: None,
        }
    }
}

/// Rows that are looked at to recognise a format.
const SAMPLE: usize = 20;

/// Bad rows after which a file far above the allowed share is given up before its end.
const HOPELESS: u64 = 1000;

/// Reads logs; see the crate's page for an example.
#[derive(Clone, Debug, Default)]
pub struct Ingest {
    options: IngestOptions,
}

impl Ingest {
    /// A reader with these options.
    pub fn new(options: IngestOptions) -> Self {
        Self { options }
    }

    /// Reads `paths`, files or directories, in order, and calls `sink` for each record.
    ///
    /// The sink may have been called before an error is found: keep what it got only when this returns `Ok`.
    ///
    /// # Errors
    /// See [`IngestError`].
    pub fn read(&self, paths: &[PathBuf], sink: &mut dyn FnMut(Record)) -> Result<Summary, IngestError> {
        let files = source::files(paths)?;
        let mut run = Run {
            options: &self.options,
            summary: Summary::default(),
            ids: Ids::default(),
            seen: Seen::new(self.options.near_duplicates),
            sink,
        };
        for file in &files {
            if run.is_full() {
                break;
            }
            run.file(file)?;
        }
        let summary = run.summary;
        check_bad(&summary, self.options.max_bad)?;
        if summary.kept == 0 {
            let names: Vec<String> = files.iter().take(3).map(|f| f.display().to_string()).collect();
            return Err(IngestError::NoRecords { files: names.join(", ") });
        }
        Ok(summary)
    }
}

fn check_bad(summary: &Summary, max_bad: f64) -> Result<(), IngestError> {
    let allowed = (max_bad.clamp(0.0, 1.0) * summary.read as f64).max(1.0);
    if summary.bad as f64 <= allowed {
        return Ok(());
    }
    Err(IngestError::TooManyBad {
        bad: summary.bad,
        read: summary.read,
        max_bad,
        examples: summary.bad_examples.clone(),
    })
}

struct Run<'a> {
    options: &'a IngestOptions,
    summary: Summary,
    ids: Ids,
    seen: Seen,
    sink: &'a mut dyn FnMut(Record),
}

impl Run<'_> {
    fn is_full(&self) -> bool {
        self.options.limit.is_some_and(|limit| self.summary.kept >= limit as u64)
    }

    fn file(&mut self, path: &Path) -> Result<(), IngestError> {
        let Some(format) = recognise(path, self.options)? else { return Ok(()) };
        let name = path.display().to_string();
        let mut rows = Rows::new(source::open(path)?, self.options.max_line_bytes)?;
        let mut last = 0;
        while !self.is_full() {
            let (line, row) = match rows.next_row() {
                Ok(Some(row)) => row,
                Ok(None) => break,
                // A cut or damaged gzip file: what was read so far counts.
                Err(error) => {
                    self.summary.read += 1;
                    self.summary.add_bad(
                        &name,
                        last + 1,
                        format!("the file cannot be read further: {error}"),
                    );
                    break;
                }
            };
            last = line;
            self.summary.read += 1;
            *self.summary.formats.entry(format.as_str().to_owned()).or_default() += 1;
            match value(row, self.options.max_line_bytes).and_then(|value| format.parse(value)) {
                Ok(parsed) => {
                    self.keep(parsed, Source { file: name.clone(), line, format: format.to_string() })
                }
                Err(reason) => self.summary.add_bad(&name, line, reason),
            }
            if self.summary.bad >= HOPELESS {
                check_bad(&self.summary, self.options.max_bad)?;
            }
        }
        Ok(())
    }

    fn keep(&mut self, parsed: Parsed, source: Source) {
        let mut record = match parsed {
            Parsed::Record(record) => *record,
            Parsed::Conversation(conversation) => record(conversation, source),
        };
        if record.query().trim().is_empty() {
            self.summary.no_query += 1;
            return;
        }
        if self.options.scrub {
            self.scrub(&mut record);
        }
        if self.seen.is_copy(&record.messages) {
            self.summary.duplicates += 1;
            return;
        }
        if record.id.is_empty() {
            record.id = content_id(&record.messages);
        }
        record.id = self.ids.claim(std::mem::take(&mut record.id));
        self.summary.kept += 1;
        self.summary.with_feedback += u64::from(record.has_feedback());
        (self.sink)(record);
    }

    fn scrub(&mut self, record: &mut Record) {
        for message in &mut record.messages {
            if let std::borrow::Cow::Owned(clean) = scrub(&message.content, &mut self.summary.scrubbed) {
                message.content = clean;
            }
        }
        if !find(&record.id).is_empty() {
            record.id = opaque(&record.id);
        }
        if let Some(user) = record.user.as_mut().filter(|u| !find(u).is_empty()) {
            *user = pseudonym(user);
        }
    }
}

/// A row as JSON.
fn value(row: Row, limit: usize) -> Result<Value, String> {
    let bytes = match row {
        Row::Bytes(bytes) => bytes,
        Row::TooLong(length) => {
            return Err(format!("row of {length} bytes is longer than the allowed {limit}"));
        }
        Row::Cut => return Err("the file ends inside this element".to_owned()),
    };
    let text =
        std::str::from_utf8(&bytes).map_err(|e| format!("not UTF-8 from byte {} on", e.valid_up_to() + 1))?;
    serde_json::from_str(text).map_err(|e| match e.is_eof() {
        true => "the JSON ends too early".to_owned(),
        false => format!("not JSON: {e}"),
    })
}

fn record(conversation: Conversation, source: Source) -> Record {
    let Conversation { id, user, messages, mut accepted } = conversation;
    accepted.retain(|i| messages.get(*i).is_some_and(|m| m.role == Role::Assistant));
    let mut record = Record { id: id.unwrap_or_default(), lang: Lang::En, user, messages, accepted, source };
    record.lang = Lang::detect(record.query());
    record
}

/// The format that fits most of a file's first rows; `None` for a file without rows.
fn recognise(path: &Path, options: &IngestOptions) -> Result<Option<Format>, IngestError> {
    let mut rows = Rows::new(source::open(path)?, options.max_line_bytes)?;
    let mut votes: Vec<(Format, usize)> = Vec::new();
    let (mut sampled, mut first) = (0, None);
    // A read error ends the sample here, and is reported when the rows are read.
    while let Ok(Some((_, row))) = rows.next_row() {
        sampled += 1;
        let json = value(row, options.max_line_bytes);
        if let Ok(json) = &json {
            let fits = match options.format {
                Some(format) => format.fits(json).then_some(format),
                None => Format::detect(json),
            };
            if let Some(format) = fits {
                match votes.iter_mut().find(|v| v.0 == format) {
                    Some(vote) => vote.1 += 1,
                    None => votes.push((format, 1)),
                }
            }
        }
        first = first.or(Some(json));
        if sampled == SAMPLE {
            break;
        }
    }
    // Among equals the one seen first: `max_by_key` would take the last.
    let most = votes.iter().map(|v| v.1).max();
    if let Some(vote) = votes.iter().find(|v| Some(v.1) == most) {
        return Ok(Some(vote.0));
    }
    let saw = match (first, options.format) {
        (None, _) => return Ok(None),
        (Some(Ok(json)), Some(format)) => {
            format!("no {format} rows in it; in its first row, {}", keys(&json))
        }
        (Some(Ok(json)), None) => format!("not a known log format; in its first row, {}", keys(&json)),
        (Some(Err(reason)), _) => format!("not a known log format; its first row is unreadable ({reason})"),
    };
    Err(IngestError::UnknownFormat { file: path.to_owned(), saw, known: Format::known() })
}
