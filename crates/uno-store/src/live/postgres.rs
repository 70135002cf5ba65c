//! The log in Postgres.

use std::error::Error;

use postgres::{Client, NoTls, Row};

use super::postgres_rows::{Params, feedback_of, feedback_values, request_of, request_values};
use super::postgres_tls;
use super::schema::{FEEDBACK, MIGRATIONS, REQUEST, insert_request, upsert_feedback};
use super::sqlite::messages_json;
use super::store::{ArmCount, LogStore, counts_sql, evidence_sql};
use super::{Entry, FeedbackRow, RequestRow};
use crate::StoreError;

/// An open connection.
pub(super) struct PostgresLog {
    place: String,
    client: Client,
    insert_request: String,
    /// Now, and late.
    upsert_feedback: [String; 2],
}

/// The number under which gateways that migrate at the same time wait for each other.
const MIGRATION_LOCK: i64 = 0x756e_6f5f_6c6f_6701;

impl PostgresLog {
    pub(super) fn open(url: &str) -> Result<Self, StoreError> {
        let place = without_password(url);
        let (url, tls) = postgres_tls::of_url(url).map_err(|message| StoreError::Database {
            place: place.clone(),
            action: "open",
            message,
        })?;
        let client = match tls {
            Some(tls) => Client::connect(&url, tls),
            None => Client::connect(&url, NoTls),
        };
        let client = client.map_err(|e| error(&place, "open", &e))?;
        let mark = |n: usize| format!("${n}");
        let mut log = Self {
            place,
            client,
            insert_request: insert_request(mark),
            upsert_feedback: [false, true].map(|late| upsert_feedback(late, mark)),
        };
        log.migrate()?;
        Ok(log)
    }

    fn migrate(&mut self) -> Result<(), StoreError> {
        let place = self.place.clone();
        let fail = |e: postgres::Error| error(&place, "migrate", &e);
        let mut transaction = self.client.transaction().map_err(fail)?;
        transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&MIGRATION_LOCK]).map_err(fail)?;
        transaction
            .batch_execute("CREATE TABLE IF NOT EXISTS uno_schema (version BIGINT NOT NULL)")
            .map_err(fail)?;
        let row =
            transaction.query_one("SELECT COALESCE(MAX(version), 0) FROM uno_schema", &[]).map_err(fail)?;
        let (found, known) = (row.get::<_, i64>(0) as u32, MIGRATIONS.len() as u32);
        if found > known {
            return Err(StoreError::Version { path: place.clone().into(), found, known });
        }
        if found < known {
            for statement in MIGRATIONS.iter().skip(found as usize).flat_map(|m| m.iter()) {
                transaction.batch_execute(statement).map_err(fail)?;
            }
            transaction
                .execute("INSERT INTO uno_schema (version) VALUES ($1)", &[&i64::from(known)])
                .map_err(fail)?;
        }
        transaction.commit().map_err(fail)
    }

    fn feedback_rows(&mut self, sql: &str, values: &Params<'_>) -> Result<Vec<FeedbackRow>, StoreError> {
        let rows = self.client.query(sql, values).map_err(|e| error(&self.place, "read", &e))?;
        Ok(rows.iter().map(feedback_of).collect())
    }

    fn add(&mut self, entries: &[Entry], late: bool) -> Result<(), StoreError> {
        let place = self.place.clone();
        let fail = |e: postgres::Error| error(&place, "write", &e);
        let mut transaction = self.client.transaction().map_err(fail)?;
        let request = transaction.prepare(&self.insert_request).map_err(fail)?;
        let feedback = transaction.prepare(&self.upsert_feedback[usize::from(late)]).map_err(fail)?;
        for entry in entries {
            match entry {
                Entry::Request(r) => {
                    let mut row = r.as_ref().clone();
                    // Postgres' text has no NUL.
                    [&mut row.answer, &mut row.model, &mut row.user].into_iter().for_each(without_nul);
                    let messages = messages_json(&row).replace("\\u0000", "\u{fffd}");
                    transaction.execute(&request, &request_values(&row, &messages)).map_err(fail)?;
                }
                Entry::Feedback(f) => {
                    let mut row = f.clone();
                    [&mut row.comment, &mut row.corrected].into_iter().flatten().for_each(without_nul);
                    without_nul(&mut row.author);
                    transaction.execute(&feedback, &feedback_values(&row)).map_err(fail)?;
                }
            }
        }
        transaction.commit().map_err(fail)
    }
}

impl LogStore for PostgresLog {
    fn append(&mut self, entries: &[Entry]) -> Result<(), StoreError> {
        self.add(entries, false)
    }

    fn append_late(&mut self, entries: &[Entry]) -> Result<(), StoreError> {
        self.add(entries, true)
    }

    fn requests(&mut self, from: i64, each: &mut dyn FnMut(RequestRow)) -> Result<(), StoreError> {
        let sql = format!("SELECT {} FROM requests WHERE time >= $1 ORDER BY time, id", REQUEST.join(", "));
        let place = self.place.clone();
        let fail = |e: postgres::Error| error(&place, "read", &e);
        let mut rows = self.client.query_raw(&sql, [&from]).map_err(fail)?;
        while let Some(row) = postgres::fallible_iterator::FallibleIterator::next(&mut rows).map_err(fail)? {
            each(request_of(&row));
        }
        Ok(())
    }

    fn feedback(&mut self) -> Result<Vec<FeedbackRow>, StoreError> {
        let sql = format!(
            "SELECT {} FROM feedback WHERE NOT deleted ORDER BY time, decision, author",
            FEEDBACK.join(", ")
        );
        self.feedback_rows(&sql, &vec![])
    }

    fn feedback_of(&mut self, decision: &str) -> Result<Vec<FeedbackRow>, StoreError> {
        let sql = format!(
            "SELECT {} FROM feedback WHERE decision = $1 AND NOT deleted ORDER BY author",
            FEEDBACK.join(", ")
        );
        self.feedback_rows(&sql, &vec![&decision])
    }

    fn counts(&mut self, from: i64) -> Result<Vec<ArmCount>, StoreError> {
        let rows =
            self.client.query(&counts_sql("$1"), &[&from]).map_err(|e| error(&self.place, "read", &e))?;
        let count = |r: &Row, i: usize| u64::try_from(r.get::<_, i64>(i)).unwrap_or(0);
        Ok(rows
            .iter()
            .map(|r| ArmCount {
                plan: r.get(0),
                arm: r.get(1),
                cluster: r.get(2),
                stratum: r.get(3),
                requests: count(r, 4),
                liked: count(r, 5),
                complaints: count(r, 6),
                abandoned: count(r, 7),
            })
            .collect())
    }

    fn evidence(&mut self, from: i64) -> Result<u64, StoreError> {
        let row = self
            .client
            .query_one(&evidence_sql("$1"), &[&from])
            .map_err(|e| error(&self.place, "read", &e))?;
        Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or(0))
    }

    fn purge(&mut self, before: i64, limit: u64) -> Result<u64, StoreError> {
        let place = self.place.clone();
        let fail = |e: postgres::Error| error(&place, "clear", &e);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let requests = "DELETE FROM requests WHERE id IN (SELECT id FROM requests WHERE time < $1 ORDER BY time LIMIT $2)";
        let feedback = "DELETE FROM feedback WHERE ctid IN (SELECT ctid FROM feedback WHERE time < $1 ORDER BY time LIMIT $2)";
        Ok(self.client.execute(requests, &[&before, &limit]).map_err(fail)?
            + self.client.execute(feedback, &[&before, &limit]).map_err(fail)?)
    }
}

fn without_nul(text: &mut String) {
    if text.contains('\0') {
        *text = text.replace('\0', "\u{fffd}");
    }
}

/// The address without what must not be printed.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    match rest.rsplit_once('@') {
        Some((login, host)) => {
            let user = login.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}@{host}")
        }
        None => url.to_owned(),
    }
}

fn error(place: &str, action: &'static str, error: &postgres::Error) -> StoreError {
    // What the client says first is general ("error performing TLS handshake"); its cause has the particulars.
    let whole = || error.source().map_or(error.to_string(), |cause| format!("{error}: {cause}"));
    let message = error.as_db_error().map_or_else(whole, |e| e.message().to_owned());
    StoreError::Database { place: place.to_owned(), action, message }
}

#[cfg(test)]
mod tests {
    #[test]
    fn passwords_are_not_printed() {
        let told = super::without_password("postgres://uno:se@cret@db:5432/log");
        assert_eq!(told, "postgres://uno@db:5432/log");
        assert_eq!(super::without_password("postgres://db/log"), "postgres://db/log");
    }
}
