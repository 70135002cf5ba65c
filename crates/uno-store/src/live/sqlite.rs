//! The log in a SQLite file: write-ahead log, synced at every commit.

use std::path::{Path, PathBuf};

use rusqlite::types::ToSql;
use rusqlite::{Connection, ErrorCode, OpenFlags, Row};

use super::schema::{FEEDBACK, MIGRATIONS, REQUEST, insert_request, upsert_feedback};
use super::store::{ArmCount, LogStore, counts_sql, evidence_sql};
use super::{Entry, FeedbackRow, RequestRow};
use crate::StoreError;

/// An open file.
pub(super) struct SqliteLog {
    path: PathBuf,
    connection: Connection,
    insert_request: String,
    /// Now, and late.
    upsert_feedback: [String; 2],
}

impl SqliteLog {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let fail = |e: rusqlite::Error| error(path, "open", e);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(fail)?;
        let setup = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 1000; \
                     PRAGMA journal_size_limit = 67108864; PRAGMA temp_store = MEMORY;";
        connection.execute_batch(setup).map_err(fail)?;
        let mark = |n: usize| format!("?{n}");
        let mut log = Self {
            path: path.to_path_buf(),
            connection,
            insert_request: insert_request(mark),
            upsert_feedback: [false, true].map(|late| upsert_feedback(late, mark)),
        };
        log.migrate()?;
        Ok(log)
    }

    fn migrate(&mut self) -> Result<(), StoreError> {
        let path = self.path.clone();
        let fail = |e: rusqlite::Error| error(&path, "migrate", e);
        // Immediate: two processes that start at once must not both see the old version.
        let behavior = rusqlite::TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior).map_err(fail)?;
        let found: u32 = transaction.query_row("PRAGMA user_version", [], |r| r.get(0)).map_err(fail)?;
        let known = MIGRATIONS.len() as u32;
        if found > known {
            return Err(StoreError::Version { path: self.path.clone(), found, known });
        }
        for statement in MIGRATIONS.iter().skip(found as usize).flat_map(|m| m.iter()) {
            transaction.execute_batch(statement).map_err(fail)?;
        }
        transaction.execute_batch(&format!("PRAGMA user_version = {known}")).map_err(fail)?;
        transaction.commit().map_err(fail)
    }

    fn add(&mut self, entries: &[Entry], late: bool) -> Result<(), StoreError> {
        let path = self.path.clone();
        let fail = |e: rusqlite::Error| error(&path, "write", e);
        let transaction = self.connection.transaction().map_err(fail)?;
        {
            let mut request = transaction.prepare_cached(&self.insert_request).map_err(fail)?;
            let mut feedback =
                transaction.prepare_cached(&self.upsert_feedback[usize::from(late)]).map_err(fail)?;
            for entry in entries {
                match entry {
                    Entry::Request(r) => {
                        let messages = messages_json(r);
                        request.execute(&request_values(r, &messages)[..]).map_err(fail)?;
                    }
                    Entry::Feedback(f) => {
                        feedback.execute(&feedback_values(f)[..]).map_err(fail)?;
                    }
                }
            }
        }
        transaction.commit().map_err(fail)
    }
}

impl LogStore for SqliteLog {
    fn append(&mut self, entries: &[Entry]) -> Result<(), StoreError> {
        self.add(entries, false)
    }

    fn append_late(&mut self, entries: &[Entry]) -> Result<(), StoreError> {
        self.add(entries, true)
    }

    fn requests(&mut self, from: i64, each: &mut dyn FnMut(RequestRow)) -> Result<(), StoreError> {
        let fail = |e: rusqlite::Error| error(&self.path, "read", e);
        let sql = format!("SELECT {} FROM requests WHERE time >= ?1 ORDER BY time, id", REQUEST.join(", "));
        let mut statement = self.connection.prepare(&sql).map_err(fail)?;
        let mut rows = statement.query([from]).map_err(fail)?;
        while let Some(row) = rows.next().map_err(fail)? {
            each(request_of(row).map_err(fail)?);
        }
        Ok(())
    }

    fn feedback(&mut self) -> Result<Vec<FeedbackRow>, StoreError> {
        let sql = format!(
            "SELECT {} FROM feedback WHERE NOT deleted ORDER BY time, decision, author",
            FEEDBACK.join(", ")
        );
        self.feedback_rows(&sql, &[])
    }

    fn feedback_of(&mut self, decision: &str) -> Result<Vec<FeedbackRow>, StoreError> {
        let sql = format!(
            "SELECT {} FROM feedback WHERE decision = ?1 AND NOT deleted ORDER BY author",
            FEEDBACK.join(", ")
        );
        self.feedback_rows(&sql, &[&decision])
    }

    fn counts(&mut self, from: i64) -> Result<Vec<ArmCount>, StoreError> {
        let fail = |e: rusqlite::Error| error(&self.path, "read", e);
        let mut statement = self.connection.prepare_cached(&counts_sql("?1")).map_err(fail)?;
        let count = |r: &Row<'_>, i: usize| r.get(i).map(|n: i64| u64::try_from(n).unwrap_or(0));
        let rows = statement.query_map([from], |r| {
            Ok(ArmCount {
                plan: r.get(0)?,
                arm: r.get(1)?,
                cluster: r.get(2)?,
                stratum: r.get(3)?,
                requests: count(r, 4)?,
                liked: count(r, 5)?,
                complaints: count(r, 6)?,
                abandoned: count(r, 7)?,
            })
        });
        rows.map_err(fail)?.collect::<Result<_, _>>().map_err(fail)
    }

    fn evidence(&mut self, from: i64) -> Result<u64, StoreError> {
        let count: rusqlite::Result<i64> =
            self.connection.query_row(&evidence_sql("?1"), [from], |r| r.get(0));
        count.map(|n| u64::try_from(n).unwrap_or(0)).map_err(|e| error(&self.path, "read", e))
    }

    fn purge(&mut self, before: i64, limit: u64) -> Result<u64, StoreError> {
        let fail = |e: rusqlite::Error| error(&self.path, "clear", e);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let requests = "DELETE FROM requests WHERE id IN (SELECT id FROM requests WHERE time < ?1 ORDER BY time LIMIT ?2)";
        let feedback = "DELETE FROM feedback WHERE rowid IN (SELECT rowid FROM feedback WHERE time < ?1 ORDER BY time LIMIT ?2)";
        let gone = self.connection.execute(requests, [before, limit]).map_err(fail)?
            + self.connection.execute(feedback, [before, limit]).map_err(fail)?;
        Ok(gone as u64)
    }
}

impl SqliteLog {
    fn feedback_rows(&self, sql: &str, values: &[&dyn ToSql]) -> Result<Vec<FeedbackRow>, StoreError> {
        let fail = |e: rusqlite::Error| error(&self.path, "read", e);
        let mut statement = self.connection.prepare(sql).map_err(fail)?;
        let rows = statement.query_map(values, |r| {
            Ok(FeedbackRow {
                decision: r.get(0)?,
                author: r.get(1)?,
                time: r.get(2)?,
                key: r.get(3)?,
                deleted: r.get(4)?,
                thumbs: r.get(5)?,
                rating: r.get(6)?,
                comment: r.get(7)?,
                corrected: r.get(8)?,
            })
        });
        rows.map_err(fail)?.collect::<Result<_, _>>().map_err(fail)
    }
}

/// The turns as the `messages` column holds them.
pub(super) fn messages_json(row: &RequestRow) -> String {
    serde_json::to_string(&row.messages).unwrap_or_else(|_| "[]".to_owned())
}

fn request_values<'a>(r: &'a RequestRow, messages: &'a dyn ToSql) -> [&'a dyn ToSql; 27] {
    [
        &r.id,
        &r.time,
        &r.key,
        &r.user,
        &r.conversation,
        &r.parent,
        &r.prompt,
        &r.after,
        &r.path,
        &r.reason,
        &r.cluster,
        &r.adapter,
        &r.plan,
        &r.arm,
        &r.model,
        &r.status,
        &r.outcome,
        &r.stream,
        &r.prompt_tokens,
        &r.completion_tokens,
        &r.overhead_us,
        &r.embed_us,
        &r.first_byte_us,
        &r.total_us,
        messages,
        &r.answer,
        &r.stratum,
    ]
}

fn feedback_values(f: &FeedbackRow) -> [&dyn ToSql; 9] {
    [&f.decision, &f.author, &f.time, &f.key, &f.deleted, &f.thumbs, &f.rating, &f.comment, &f.corrected]
}

fn request_of(r: &Row<'_>) -> rusqlite::Result<RequestRow> {
    let messages: String = r.get(24)?;
    Ok(RequestRow {
        id: r.get(0)?,
        time: r.get(1)?,
        key: r.get(2)?,
        user: r.get(3)?,
        conversation: r.get(4)?,
        parent: r.get(5)?,
        prompt: r.get(6)?,
        after: r.get(7)?,
        path: r.get(8)?,
        reason: r.get(9)?,
        cluster: r.get(10)?,
        adapter: r.get(11)?,
        plan: r.get(12)?,
        arm: r.get(13)?,
        model: r.get(14)?,
        status: r.get(15)?,
        outcome: r.get(16)?,
        stream: r.get(17)?,
        prompt_tokens: r.get(18)?,
        completion_tokens: r.get(19)?,
        overhead_us: r.get(20)?,
        embed_us: r.get(21)?,
        first_byte_us: r.get(22)?,
        total_us: r.get(23)?,
        messages: serde_json::from_str(&messages).unwrap_or_default(),
        answer: r.get(25)?,
        stratum: r.get(26)?,
    })
}

fn error(path: &Path, action: &'static str, error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::DiskFull { path: path.to_path_buf() },
        _ => StoreError::Database { place: path.display().to_string(), action, message: error.to_string() },
    }
}
