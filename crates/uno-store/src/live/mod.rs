//! The live log: every request that the gateway answered and every feedback, in SQLite or Postgres.
//!
//! ```text
//! gateway ──try_send──▶ bounded queue ──▶ writer thread: scrub ──▶ store (one transaction per batch)
//!                                                               └─▶ spool on disk while the store is away
//! ```
//!
//! - Serving never waits: a full queue drops the row and counts it. Feedback is acknowledged after it is durable.
//! - Personal data is replaced in [`Entry::scrubbed`], which the writer calls before anything touches a disk.

mod conversations;
mod entry;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::print_stderr, reason = "a panic is a test's report")]
mod old_schemas;
mod postgres;
mod postgres_rows;
mod postgres_tls;
mod schema;
mod spool;
mod sqlite;
mod store;
mod writer;
mod writer_clock;
mod writer_thread;

pub use conversations::conversations;
pub use entry::{Entry, FeedbackRow, RequestRow, now};
pub use spool::Spool;
pub use store::{ArmCount, LogStore, open};
pub use writer::{LogWriter, WriterOptions, WriterStats};
