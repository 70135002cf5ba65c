//! Log formats to records; scrubbing of personal data; near-duplicates.
//!
//! [`Ingest`] reads files and directories of chat logs, plain or gzipped, JSON lines or JSON arrays, in the formats of
//! [`Format`], and hands over one [`uno_types::Record`] after the other. Memory is bounded by the longest row it is
//! told to accept, not by the file. A bad row is counted, reported with its position and skipped; too many of them are
//! an error.
//!
//! ```no_run
//! use uno_ingest::{Ingest, IngestOptions};
//!
//! let mut records = Vec::new();
//! let summary = Ingest::new(IngestOptions::default()).read(&["logs/".into()], &mut |r| records.push(r))?;
//! assert_eq!(summary.kept, records.len() as u64);
//! # Ok::<(), uno_ingest::IngestError>(())
//! ```

mod dedupe;
mod error;
mod formats;
mod ids;
mod ingest;
pub mod records;
mod rows;
pub mod scrub;
mod source;
mod summary;

pub use error::IngestError;
pub use formats::Format;
pub use ingest::{Ingest, IngestOptions};
pub use summary::{BadRow, Summary};
