//! What a database must do for the log. Synchronous: one thread writes.

use std::path::Path;

use super::postgres::PostgresLog;
use super::sqlite::SqliteLog;
use super::{Entry, FeedbackRow, RequestRow};
use crate::StoreError;

/// How often something happened under a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArmCount {
    /// The plan.
    pub plan: String,
    /// `plan` or `canary`.
    pub arm: String,
    /// The cluster, if near enough.
    pub cluster: Option<i64>,
    /// The nearest cluster of the plan on trial at that time.
    pub stratum: Option<i64>,
    /// Requests that were answered.
    pub requests: u64,
    /// Of these, with thumbs up or a rating above one half.
    pub liked: u64,
    /// Of these, with a complaint: thumbs down, a rating below one half, a corrected answer, or asked again unchanged.
    pub complaints: u64,
    /// Of these, abandoned by the client.
    pub abandoned: u64,
}

/// A database that holds the log.
pub trait LogStore: Send {
    /// Adds entries in one transaction that is durable when this returns. Requests that are there already stay as they are;
    /// feedback replaces feedback, whatever the clock says: what comes last is the last word.
    ///
    /// # Errors
    /// Nothing was added then.
    fn append(&mut self, entries: &[Entry]) -> Result<(), StoreError>;

    /// As [`Self::append`], for entries that waited in a spool: feedback stays where it is newer, because it may have come
    /// through another gateway meanwhile.
    ///
    /// # Errors
    /// Nothing was added then.
    fn append_late(&mut self, entries: &[Entry]) -> Result<(), StoreError>;

    /// Hands over requests from `from` (milliseconds since 1970), oldest first.
    ///
    /// # Errors
    /// When the database fails.
    fn requests(&mut self, from: i64, each: &mut dyn FnMut(RequestRow)) -> Result<(), StoreError>;

    /// All feedback that was not taken back, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    fn feedback(&mut self) -> Result<Vec<FeedbackRow>, StoreError>;

    /// The feedback of one decision that was not taken back.
    ///
    /// # Errors
    /// When the database fails.
    fn feedback_of(&mut self, decision: &str) -> Result<Vec<FeedbackRow>, StoreError>;

    /// What happened from `from` on, by plan, arm, cluster and stratum.
    ///
    /// # Errors
    /// When the database fails.
    fn counts(&mut self, from: i64) -> Result<Vec<ArmCount>, StoreError>;

    /// How much there is to learn from since `from`: feedback, and requests that go on from an answer.
    ///
    /// # Errors
    /// When the database fails.
    fn evidence(&mut self, from: i64) -> Result<u64, StoreError>;

    /// Deletes at most `limit` requests older than `before`, and feedback as old; says how many rows went.
    ///
    /// # Errors
    /// When the database fails.
    fn purge(&mut self, before: i64, limit: u64) -> Result<u64, StoreError>;
}

/// Opens the store at `place`: `postgres://…`, or the path of a SQLite file. Its tables are made or brought up to date.
///
/// # Errors
/// When it cannot be opened, or was made by a newer version.
pub fn open(place: &str) -> Result<Box<dyn LogStore>, StoreError> {
    if place.starts_with("postgres://") || place.starts_with("postgresql://") {
        return Ok(Box::new(PostgresLog::open(place)?));
    }
    Ok(Box::new(SqliteLog::open(Path::new(place))?))
}

/// The question that evidence is counted with.
pub(super) fn evidence_sql(mark: &str) -> String {
    format!(
        "SELECT (SELECT COUNT(*) FROM feedback WHERE time >= {mark} AND NOT deleted) \
         + (SELECT COUNT(*) FROM requests WHERE time >= {mark} AND parent <> '')"
    )
}

/// The question that counts are asked with. `$1`-like marks differ by database.
pub(super) fn counts_sql(mark: &str) -> String {
    format!(
        "SELECT r.plan, r.arm, r.cluster, r.stratum, COUNT(*), \
         SUM(CASE WHEN f.liked = 1 THEN 1 ELSE 0 END), \
         SUM(CASE WHEN f.disliked = 1 OR EXISTS (SELECT 1 FROM requests again WHERE again.conversation = r.conversation \
             AND again.prompt = r.prompt AND again.user_name = r.user_name AND again.key_name = r.key_name \
             AND (r.parent <> '' OR r.user_name <> '') AND again.time > r.time) THEN 1 ELSE 0 END), \
         SUM(CASE WHEN r.outcome = 'abandoned' THEN 1 ELSE 0 END) \
         FROM requests r LEFT JOIN (SELECT decision, \
             MAX(CASE WHEN thumbs > 0 OR rating > 0.5 THEN 1 ELSE 0 END) AS liked, \
             MAX(CASE WHEN thumbs < 0 OR rating < 0.5 OR corrected IS NOT NULL THEN 1 ELSE 0 END) AS disliked \
             FROM feedback WHERE NOT deleted GROUP BY decision) f ON f.decision = r.id \
         WHERE r.time >= {mark} AND r.path <> 'direct' AND r.outcome <> 'error' \
         GROUP BY r.plan, r.arm, r.cluster, r.stratum ORDER BY r.plan, r.arm, r.cluster, r.stratum"
    )
}
