//! What reading found.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Most bad rows that are kept as examples.
const MAX_EXAMPLES: usize = 20;

/// Counts over all files. `read` = `kept` + `bad` + `no_query` + `duplicates`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Rows read.
    pub read: u64,
    /// Records handed over.
    pub kept: u64,
    /// Rows that could not be understood.
    pub bad: u64,
    /// Well-formed conversations without a user turn.
    pub no_query: u64,
    /// Conversations that had been read before, exactly or nearly.
    pub duplicates: u64,
    /// Records with a user turn after the first answer.
    pub with_feedback: u64,
    /// Rows by recognised format.
    pub formats: BTreeMap<String, u64>,
    /// Replaced personal data by kind.
    pub scrubbed: BTreeMap<String, u64>,
    /// The first bad rows.
    pub bad_examples: Vec<BadRow>,
}

/// A row that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadRow {
    /// The file.
    pub file: String,
    /// Line of a JSONL file or element of a JSON array, from 1.
    pub line: u64,
    /// Why.
    pub reason: String,
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.reason)
    }
}

impl Summary {
    pub(crate) fn add_bad(&mut self, file: &str, line: u64, reason: String) {
        self.bad += 1;
        if self.bad_examples.len() < MAX_EXAMPLES {
            self.bad_examples.push(BadRow { file: file.to_owned(), line, reason });
        }
    }
}
