//! Why a log could not be read at all.

use std::path::PathBuf;

use crate::BadRow;

/// Why reading ended without a usable result. Single bad rows are no error: see [`crate::Summary`].
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// A file could not be opened or read; the message names it.
    #[error("{0}; check the path and its permissions")]
    Io(#[from] std::io::Error),
    /// A directory without a single log file.
    #[error("{}: no log files in this directory; expected files ending in .jsonl, .ndjson or .json, plain or .gz", .0.display())]
    NoFiles(PathBuf),
    /// Files without rows, or without a row that holds a question.
    #[error("{files}: no records; the input is empty or holds no conversation with a user turn")]
    NoRecords {
        /// The files that were read.
        files: String,
    },
    /// A file whose rows no format fits.
    #[error("{}: {saw}; known formats are {known} (see docs/LOGS.md)", .file.display())]
    UnknownFormat {
        /// The file.
        file: PathBuf,
        /// What its first rows look like.
        saw: String,
        /// All formats.
        known: String,
    },
    /// More bad rows than allowed.
    #[error("{bad} of {read} rows are bad, more than the allowed {} %; the first ones: {}; fix them or raise --max-bad", .max_bad * 100.0, list(.examples))]
    TooManyBad {
        /// Bad rows.
        bad: u64,
        /// Rows read.
        read: u64,
        /// Allowed share.
        max_bad: f64,
        /// The first of them.
        examples: Vec<BadRow>,
    },
}

fn list(examples: &[BadRow]) -> String {
    let shown: Vec<String> = examples.iter().take(3).map(ToString::to_string).collect();
    shown.join("; ")
}
